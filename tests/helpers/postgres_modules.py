# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the tests of the Postgres modules call them, and what they hold every module to."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import psycopg2

from tests.helpers import harness
from tests.helpers.perform import perform_given
from tests.sandbox.postgres import PostgresServer

# The statements of the modules in the server's log; every further line of one begins with a tab.
LOGGED = re.compile(r"@(\S+) omni_analytics\.connect LOG:  statement: (.*(?:\n\t.*)*)")
READS = ("SET TRANSACTION READ ONLY; ", "BEGIN; ", "COMMIT", "ROLLBACK", "SELECT", "WITH")
CHECK = {"check_mode": True, "diff": True}

perform = perform_given


class Watch:
    """What the modules sent to one database since the watch began."""

    def __init__(self, server: PostgresServer, database: str) -> None:
        self._server, self._database = server, database
        self._mark = server.log.stat().st_size

    @property
    def everything(self) -> list[str]:
        """All statements, in order."""
        found = LOGGED.findall(self._server.log_text(self._mark))
        return [text.strip() for database, text in found if database == self._database]

    @property
    def changes(self) -> list[str]:
        """The statements that do not just read, with verifiers masked as the modules mask them."""
        sent = [text for text in self.everything if not text.startswith(READS)]
        return [re.sub(r"SCRAM-SHA-256\$[^']+", "********", text) for text in sent]


@contextlib.contextmanager
def unwritten(server: PostgresServer, database: str) -> Iterator[Watch]:
    """Nothing may be written to the database or to what its server shares while inside."""
    before = server.catalog_writes(database)
    watch = Watch(server, database)
    yield watch
    assert server.catalog_writes(database) == before
    assert watch.changes == []


def lifecycle(
    server: PostgresServer,
    name: str,
    arguments: Mapping[str, Any],
    *,
    invalid: Mapping[str, Any],
    outside: Callable[[], object],
    repair: list[str],
    door: harness.Door,
) -> dict[str, Any]:
    """Holds a module to: invalid → check → apply → again → changed outside → repaired.

    invalid: options that make it fail. outside: changes what the module made.
    repair: the statements that put right what `outside` did.
    Returns the result of the first run.
    """
    database = arguments["login_db"]
    with unwritten(server, database):
        wrong, planned = harness.modules(
            [(name, {**arguments, **invalid}), (name, arguments, CHECK)], door=door
        )
        assert wrong["failed"]
        assert (planned["failed"], planned["changed"]) == (False, True), planned
    watch = Watch(server, database)
    made = harness.module(name, arguments, door=door, diff=True)
    assert made["changed"], made
    assert made["statements"] == planned["statements"] == watch.changes
    assert made["diff"] == planned["diff"]
    with unwritten(server, database):
        again = harness.module(name, arguments, door=door, diff=True)
        assert (again["failed"], again["changed"], again["statements"]) == (False, False, []), again
        assert "diff" not in again
    outside()
    watch = Watch(server, database)
    planned, repaired = harness.modules([(name, arguments, CHECK), (name, arguments)], door=door)
    assert planned["statements"] == repaired["statements"] == watch.changes == repair
    assert repaired["changed"]
    return made


def logged_in(
    server: PostgresServer, database: str, role: str, password: str, sql: str
) -> list[tuple[Any, ...]]:
    """What the role gets when it logs in and runs `sql`; psycopg2.Error where it is refused."""
    with (
        contextlib.closing(server.connect(database, role, password)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


def refused(server: PostgresServer, database: str, role: str, password: str, sql: str = "SELECT") -> str:
    """The server's words when the role may not log in, or may not run `sql`."""
    try:
        logged_in(server, database, role, password, sql)
    except psycopg2.Error as error:
        return str(error)
    raise AssertionError(f"{role} may run {sql}")

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ten thousand tables, on a server with a small lock table that crashes in the middle."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg2
import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.grants import DEFINITION
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.session import Session
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.statement import CHUNK
from tests.helpers.postgres_modules import perform, unwritten
from tests.sandbox.many_tables import many_tables
from tests.sandbox.postgres import PostgresServer, wait_until

TABLES = 10_000
#: Room for some thousand locks; and what was committed before the crash shall be there after it.
SETTINGS: Mapping[str, str | int] = {
    "max_locks_per_transaction": 10,
    "max_connections": 20,
    "synchronous_commit": "on",
}


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer(settings=SETTINGS) as running:
        many_tables(running, "large", TABLES)
        yield running


def test_ten_thousand_tables(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    role = "omni"
    server.execute("large", f"CREATE ROLE {role} LOGIN")
    given = {
        "login_host": server.host,
        "login_port": server.port,
        "login_user": server.admin_user,
        "login_password": server.admin_password,
        "login_db": "large",
        "role": role,
    }
    with unwritten(server, "large"):
        planned = perform(DEFINITION, given, check=True)
    assert (planned["relations"], planned["granted"]["truncated"]) == (TABLES, True)
    if server.version >= 18:  # which locks what a GRANT names
        names = ", ".join(f"t{number}" for number in range(TABLES))
        with pytest.raises(psycopg2.errors.OutOfMemory):
            server.execute("large", f"GRANT SELECT ON {names} TO {role}")

    execute = Session.execute

    sent: list[Any] = []

    def crash_at_the_fifth(session: Any, statement: Any) -> None:
        sent.append(statement)
        if len(sent) == 5:
            os.kill(session.connection.info.backend_pid, signal.SIGKILL)  # the whole server restarts then
        execute(session, statement)

    with monkeypatch.context() as patched:
        patched.setattr(Session, "execute", crash_at_the_fifth)
        killed = perform(DEFINITION, given)
    assert killed["error"]["kind"] == "unreachable"
    assert "The connection broke; check the server, then run again" in killed["msg"]

    def is_back() -> bool:
        try:
            return bool(server.execute("large", "SELECT 1"))
        except psycopg2.OperationalError:
            return False

    wait_until(is_back, "the server's recovery")
    made = perform(DEFINITION, given)
    assert (made["failed"], made["changed"]) == (False, True)
    # Of the four statements before, two are for the database and the schema.
    assert planned["granted"]["count"] - made["granted"]["count"] == 2 + 2 * CHUNK
    assert made["already"] - planned["already"] == 2 + 2 * CHUNK
    ungranted = "SELECT count(*) FROM pg_class WHERE relnamespace = 2200 AND NOT has_table_privilege(%s, oid, 'SELECT')"
    assert server.execute("large", ungranted, (role,)) == [(0,)]
    for options in ({}, {"exclusive": True}, {"mode": "effective"}):
        with unwritten(server, "large") as watch:
            assert perform(DEFINITION, {**given, **options})["changed"] is False
        assert len(watch.everything) == 2

    gone = perform(DEFINITION, {**given, "state": "absent"})
    assert gone["revoked"]["count"] == planned["granted"]["count"]
    server.execute("large", f"DROP ROLE {role}")

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Through a real PgBouncer in transaction mode: everything works, and nothing stays behind in its pool."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from tests.helpers.perform import modules
from tests.sandbox import pgbouncer
from tests.sandbox.pgbouncer import PgBouncer
from tests.sandbox.postgres import PostgresServer

UPLOADS = "omni_uploads"


@pytest.fixture(scope="module")
def bouncer(server: PostgresServer) -> Iterator[PgBouncer]:
    if pgbouncer.program() is None and os.environ.get("CI") != "true":
        pytest.skip("NOT TESTED through PgBouncer: it is not installed (apt-get install pgbouncer)")
    with PgBouncer(server) as running:
        yield running


@pytest.fixture
def pooled(bouncer: PgBouncer, login: dict[str, Any]) -> dict[str, Any]:
    """A module's login options for the test's database, through the pool."""
    return {**login, "login_port": bouncer.port}


def ask(pooled: dict[str, Any], *statements: str) -> Any:
    """Runs statements as a client of the pool; returns the first value that the last one gives."""
    with contextlib.closing(
        psycopg2.connect(
            host=pooled["login_host"],
            port=pooled["login_port"],
            user=pooled["login_user"],
            password=pooled["login_password"],
            dbname=pooled["login_db"],
        )
    ) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall()[0][0]


def test_all_modules_converge_and_leave_nothing_in_the_pool(pooled: dict[str, Any], role_name: str) -> None:
    backend = "SELECT pg_backend_pid()"
    names = ("lock_timeout", "statement_timeout", "jit", "search_path", "role", "transaction_read_only")
    state = (
        "SELECT ARRAY[" + ", ".join(f"current_setting('{name}')" for name in names) + ","
        " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')::text]"
    )
    pid, fresh = ask(pooled, backend), ask(pooled, state)
    # The pool has one connection, so what a session sets without LOCAL does reach the next client.
    assert ask(pooled, "SET lock_timeout = '7s'", backend) == pid
    assert ask(pooled, state) != fresh
    assert ask(pooled, "RESET lock_timeout", state) == fresh

    calls = [
        ("omni_pg_user", {**pooled, "name": role_name, "password": "wanted"}),
        (
            "omni_pg_grants",
            {**pooled, "role": role_name, "schemas": ["*"], "exclude_schemas": [UPLOADS]},
        ),
        ("omni_upload_schema", {**pooled, "role": role_name, "name": UPLOADS}),
    ]
    report = ("omni_pg_access_info", {**pooled, "role": role_name, "password": "wanted", "schemas": ["*"]})
    *first, found = modules([*calls, report])
    assert [result["changed"] for result in first] == [True] * 3, first
    assert (found["failed"], found["login"]["state"], found["problems"]) == (False, "succeeded", [])
    again = modules(calls)
    assert [(result["failed"], result["changed"]) for result in again] == [(False, False)] * 3, again
    assert again[0]["password"] == {"state": "fits", "how": "by logging in"}

    assert ask(pooled, backend) == pid
    assert ask(pooled, state) == fresh


def test_a_wrong_password_is_told_from_a_right_one(pooled: dict[str, Any], role_name: str) -> None:
    wanted = {**pooled, "name": role_name, "password": "wanted"}
    other = {**wanted, "password": "other"}
    dummy, differs, repaired, fits = modules(
        [
            ("omni_pg_user", wanted),
            ("omni_pg_user", other),
            ("omni_pg_user", {**other, "update_password": "always"}),
            ("omni_pg_user", {**other, "update_password": "always"}),
        ],
    )
    assert (differs["changed"], differs["password"]["state"]) == (False, "differs")
    assert (repaired["changed"], repaired["failed"]) == (True, False)
    assert (fits["changed"], fits["password"]["state"]) == (False, "fits")

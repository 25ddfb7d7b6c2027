# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Through a real Pgpool-II that sends reading to a standby, wherever it takes a statement for that."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from tests.helpers import harness
from tests.sandbox import pgpool
from tests.sandbox.pgpool import Pgpool
from tests.sandbox.postgres import PostgresServer
from tests.sandbox.standby import Standby

UPLOADS = "omni_uploads"


@pytest.fixture(scope="module")
def standby(server: PostgresServer) -> Iterator[Standby]:
    with Standby(server) as running:
        yield running


@pytest.fixture(scope="module")
def pool(server: PostgresServer, standby: Standby) -> Iterator[Pgpool]:
    if pgpool.program() is None and os.environ.get("CI") != "true":
        pytest.skip("NOT TESTED through Pgpool-II: it is not installed (apt-get install pgpool2)")
    with Pgpool(server, standby) as running:
        yield running


@pytest.fixture
def pooled(pool: Pgpool, standby: Standby, login: dict[str, Any]) -> dict[str, Any]:
    """A module's login options for the test's database, through the pool."""
    standby.catch_up()
    return {**login, "login_port": pool.port}


def answering(pooled: dict[str, Any]) -> int:
    """The port of the server that answers what reads no catalog."""
    params = {name.removeprefix("login_"): value for name, value in pooled.items() if name != "ssl_mode"}
    with contextlib.closing(psycopg2.connect(dbname=params.pop("db"), **params)) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT inet_server_port()")
        return int(cursor.fetchall()[0][0])


def test_all_modules_converge_and_read_what_they_wrote(
    door: harness.Door,
    server: PostgresServer,
    standby: Standby,
    pool: Pgpool,
    pooled: dict[str, Any],
    role_name: str,
) -> None:
    pool.let_in(role_name, "wanted")
    user = ("omni_pg_user", {**pooled, "name": role_name, "password": "wanted"})
    rest: list[tuple[Any, ...]] = [
        ("omni_pg_grants", {**pooled, "role": role_name, "schemas": ["*"], "exclude_schemas": [UPLOADS]}),
        ("omni_upload_schema", {**pooled, "role": role_name, "name": UPLOADS}),
    ]
    report = ("omni_pg_access_info", {**pooled, "role": role_name, "password": "wanted", "schemas": ["*"]})
    (made,) = harness.modules([user], door=door)
    assert made["changed"], made
    standby.catch_up()  # Pgpool-II logs in there too
    assert answering(pooled) == standby.port
    # From here on, whatever is read there is stale.
    standby.execute("postgres", "SELECT pg_wal_replay_pause()")
    try:
        *first, found = harness.modules([*rest, report], door=door)
        again = harness.modules([user, *rest], door=door)
    finally:
        standby.execute("postgres", "SELECT pg_wal_replay_resume()")
    assert [result["changed"] for result in first] == [True] * 2, first
    assert (found["failed"], found["login"]["state"], found["problems"]) == (False, "succeeded", []), found
    assert [(result["failed"], result["changed"]) for result in again] == [(False, False)] * 3, again
    assert again[0]["password"] == {"state": "fits", "how": "by logging in"}


def test_what_the_pool_says_of_a_login_decides_nothing_about_a_password(
    standby: Standby, pool: Pgpool, pooled: dict[str, Any], role_name: str
) -> None:
    """It has no SQLSTATE for that, so whether the password fits is unknown, and its words are told."""
    wanted = {**pooled, "name": role_name, "password": "wanted"}
    report = {**pooled, "role": role_name, "password": "wanted", "schemas": ["public"]}
    made, unknown, found = harness.modules(
        [("omni_pg_user", wanted), ("omni_pg_user", wanted), ("omni_pg_access_info", report)],
        door="in_process",
    )
    words = f'pool_passwd file does not contain an entry for "{role_name}"'
    assert (made["changed"], made["failed"]) == (True, False)
    assert (unknown["changed"], unknown["failed"], unknown["password"]["state"]) == (False, False, "unknown")
    assert words in unknown["password"]["how"]
    assert words in unknown["warnings"][0]
    assert (found["failed"], found["login"]["state"]) == (False, "refused")
    assert words in found["login"]["how"]

    pool.let_in(role_name, "wanted")
    standby.catch_up()
    other, admin = harness.modules(
        [
            ("omni_pg_user", {**wanted, "password": "other"}),
            ("omni_pg_user", {**wanted, "login_password": "wrong"}),
        ],
        door="in_process",
    )
    words = f'username "{role_name}" or password does not exist in backend'
    assert (other["changed"], other["password"]["state"]) == (False, "unknown")
    assert words in other["password"]["how"]
    assert (admin["failed"], admin["error"]["kind"]) == (True, "unreachable")
    assert "Check login_user and login_password." in admin["msg"]

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of the Omni role's access."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg2.sql import SQL, Identifier

from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres import (
    grants,
    upload_schema,
    user,
)
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.access import DEFINITION
from tests.sandbox.postgres import PostgresServer

from . import harness
from .postgres_modules import perform, unwritten

Login = dict[str, Any]
PASSWORD = "of the role"
#: Tables, views, materialized views, partitions and foreign tables of the sample database.
SELECTABLE = "SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'v', 'm', 'p', 'f') AND relnamespace IN \
(SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema')"


@pytest.fixture
def role(login: Login, role_name: str) -> str:
    """The Omni role, with all rights, and a schema to upload to."""
    for definition, options in (
        (user.DEFINITION, {"name": role_name, "password": PASSWORD}),
        (grants.DEFINITION, {"role": role_name, "schemas": ["*"]}),
        (upload_schema.DEFINITION, {"role": role_name, "name": "uploads"}),
    ):
        assert not perform(definition, {**login, **options})["failed"]
    return role_name


@pytest.fixture
def arguments(login: Login, role: str) -> Login:
    return {**login, "role": role, "password": PASSWORD, "schemas": ["*"], "upload_schema": "uploads"}


def test_what_it_finds(server: PostgresServer, arguments: Login, role: str, door: harness.Door) -> None:
    database = arguments["login_db"]
    calls: list[Login] = [
        {},
        {"password": "wrong"},
        {"password": None},
        {"login_user": None, "login_password": None},
        {"schemas": ["public", "gone"], "upload_schema": "gone_too"},
        {"schemas": ["uploads"]},
    ]
    with unwritten(server, database):
        whole, wrong, untried, alone, gone, overlap = harness.modules(
            [("omni_pg_access_info", {**arguments, **options}) for options in calls], door=door
        )
    ((relations,),) = server.execute(database, SELECTABLE)
    expected = {
        "changed": False,
        "failed": False,
        "login": {"state": "succeeded", "how": "with its password"},
        "msg": f"Role {role} can read {relations} of {relations} relations",
        "problems": [],
        "readable": relations,
        "relations": relations,
        "role": role,
        "role_exists": True,
        "schemas": ["internal", "public", "sales_eu", "sales_us", "stats_daily", "stats_monthly"],
        "unreadable": {"count": 0, "items": [], "truncated": False},
        "uploads": True,
    }
    assert {key: whole[key] for key in expected} == expected
    assert "warnings" not in whole
    assert wrong["login"]["state"] == "refused"
    assert "password authentication failed" in wrong["login"]["how"]
    assert (wrong["problems"], wrong["readable"]) == (["its password is not the one given"], relations)
    assert "warnings" not in wrong
    assert untried["login"] == {"state": "not_tried", "how": "no password was given"}
    assert (untried["readable"], untried["problems"]) == (relations, [])
    assert (alone["login"]["state"], alone["readable"]) == ("succeeded", relations)
    assert gone["uploads"] is None
    assert gone["problems"] == ["there is no schema gone", "there is no schema gone_too for uploads"]
    assert overlap["failed"]
    assert "uploads is the schema for table uploads" in overlap["msg"]


def test_what_is_lacking_is_named(
    server: PostgresServer, arguments: Login, role: str, door: harness.Door
) -> None:
    database = arguments["login_db"]
    server.execute(
        database,
        SQL(
            "REVOKE SELECT ON customers FROM {0}; REVOKE USAGE ON SCHEMA stats_monthly FROM {0};"
            "REVOKE SELECT ON stats_monthly.best_month FROM {0}; REVOKE CREATE ON SCHEMA uploads FROM {0}"
        ).format(Identifier(role)),
    )
    call = ("omni_pg_access_info", arguments)
    with unwritten(server, database):
        found, first, none = harness.modules(
            [
                call,
                ("omni_pg_access_info", {**arguments, "max_listed": 1}),
                ("omni_pg_access_info", {**arguments, "schemas": ["sales_*"], "upload_schema": None}),
            ],
            door=door,
        )
    assert found["unreadable"] == {
        "count": 3,
        "truncated": False,
        "items": [
            {"relation": "public.customers", "lacks": "SELECT"},
            {
                "relation": "stats_monthly.best_month",
                "lacks": "USAGE on schema stats_monthly and SELECT",
            },
            {"relation": "stats_monthly.revenue", "lacks": "USAGE on schema stats_monthly"},
        ],
    }
    assert found["relations"] - found["readable"] == 3
    assert found["uploads"] is False
    assert found["problems"] == [
        "3 cannot be read, first public.customers (it lacks SELECT)",
        "it lacks USAGE or CREATE on schema uploads, so it cannot upload",
    ]
    assert first["unreadable"] == {"count": 3, "truncated": True, "items": found["unreadable"]["items"][:1]}
    assert (none["uploads"], none["problems"]) == (None, [])


@pytest.mark.parametrize(
    ("line", "state", "how"),
    [
        ("reject", "refused", "pg_hba.conf rejects connection"),
        ("trust", "succeeded", "the server did not ask for a password"),
    ],
)
def test_what_the_login_proves(
    server: PostgresServer, arguments: Login, role: str, line: str, state: str, how: str
) -> None:
    with server.hba(f"host all {role} 127.0.0.1/32 {line}"):
        found = perform(DEFINITION, arguments)
    assert found["login"]["state"] == state
    assert how in found["login"]["how"]
    assert found["readable"] == found["relations"] > 0
    assert found["problems"] == []
    warned = [text for text in found.get("warnings", []) if "its password could not be checked" in text]
    assert bool(warned) is (state == "refused")


def test_a_role_or_its_login_that_is_not_there(server: PostgresServer, arguments: Login, role: str) -> None:
    nobody = perform(DEFINITION, {**arguments, "role": "nobody here"})
    assert (nobody["role_exists"], nobody["readable"], nobody["uploads"]) == (False, 0, False)
    assert nobody["problems"] == ["there is no role nobody here"]
    server.execute(
        "postgres",
        SQL("REVOKE CONNECT ON DATABASE {0} FROM PUBLIC, {1}").format(
            Identifier(arguments["login_db"]), Identifier(role)
        ),
    )
    shut_out = perform(DEFINITION, arguments)
    assert "it may not CONNECT to the database" in shut_out["problems"]
    alone = perform(DEFINITION, {**arguments, "login_user": None, "login_password": None})
    assert alone["error"] == {"kind": "unreachable"}
    assert "permission denied for database" in alone["msg"]


def test_what_comes_by_other_ways_counts(server: PostgresServer, login: Login, role_name: str) -> None:
    """Rights by membership, ownership and PUBLIC are rights."""
    perform(user.DEFINITION, {**login, "name": role_name, "password": PASSWORD})
    given = {**login, "role": role_name, "password": PASSWORD, "schemas": ["stats_*"]}
    assert perform(DEFINITION, given)["readable"] == 0
    role = Identifier(role_name)
    server.execute("postgres", SQL("GRANT etl TO {}").format(role))
    daily = perform(DEFINITION, {**given, "schemas": ["stats_daily"]})
    assert daily["readable"] == daily["relations"] == 3
    server.execute("postgres", SQL("REVOKE etl FROM {0}; GRANT pg_read_all_data TO {0}").format(role))
    everything = perform(DEFINITION, given)
    assert everything["readable"] == everything["relations"] == 5

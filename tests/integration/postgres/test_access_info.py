# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of the Omni role's access."""

from __future__ import annotations

import getpass
import shutil
from typing import Any

import psycopg2
import pytest
import trustme
from psycopg2.sql import SQL, Identifier

from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres import (
    grants,
    upload_schema,
    user,
)
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.access_info import DEFINITION
from tests.helpers import harness
from tests.helpers.admins import AsAdmin
from tests.helpers.perform import modules
from tests.helpers.postgres_modules import Watch, perform, unwritten
from tests.helpers.wire import Refusing
from tests.sandbox.postgres import PostgresServer

Login = dict[str, Any]
PASSWORD = "of the role"
#: Tables, views, materialized views, partitions and foreign tables of the sample database.
SELECTABLE = "SELECT nspname, count(*) FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace \
WHERE relkind IN ('r', 'v', 'm', 'p', 'f') AND nspname !~ '^pg_' AND nspname <> 'information_schema' \
GROUP BY nspname ORDER BY nspname"
NONE = {"count": 0, "list": [], "truncated": False}
DIFFERS = (
    "its password is not the one given: correct it, or set it by omni_pg_user with update_password: always"
)
UNPROVED = "its rights were read with the other login, and its password could not be checked"


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
def arguments(server: PostgresServer, login: Login, role: str) -> Login:
    # What another server answers for is unknown, and a test of its own.
    server.execute(login["login_db"], "DROP FOREIGN TABLE stats_daily.legacy_orders")
    if server.version < 15:  # where everybody may create in it, which is a finding of its own
        server.execute(login["login_db"], "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    return {**login, "role": role, "password": PASSWORD, "schemas": ["*"], "upload_schema": "uploads"}


def change(server: PostgresServer, database: str, role: str, statements: str) -> None:
    """Runs SQL as the superuser; {role} and {database} in it are names."""
    names = {"role": Identifier(role), "database": Identifier(database)}
    server.execute(database, SQL(statements).format(**names))


def findings(result: Login) -> dict[str, str]:
    """By kind, without what is found wherever no password is given."""
    assert not result["failed"], result
    found = {item["kind"]: item["what"] for item in [*result["problems"], *result["concerns"]]}
    if result.get("login", {}).get("state") == "not_tried":
        told = f"no login as it was tried, since no password was given: {UNPROVED}"
        assert found.pop("login", None) == (told if result["role_exists"] else None)
    return found


def test_what_it_finds(server: PostgresServer, arguments: Login, role: str, door: harness.Door) -> None:
    database = arguments["login_db"]
    calls: list[Login] = [
        {},
        {"password": "wrong"},
        {"password": None},
        {"login_user": None, "login_password": None},
        {"schemas": ["public", "gone"], "upload_schema": "gone_too"},
    ]
    with unwritten(server, database):
        whole, wrong, untried, alone, gone = harness.modules(
            [("omni_pg_access_info", {**arguments, **options}) for options in calls], door=door
        )
    by_schema = server.execute(database, SELECTABLE)
    relations = sum(count for dummy, count in by_schema)
    expected = {
        "changed": False,
        "failed": False,
        "login": {"state": "succeeded", "how": "with its password"},
        "msg": f"Role {role} can read {relations} of {relations} relations",
        "problems": [],
        "concerns": [],
        "readable": relations,
        "relations": relations,
        "role": role,
        "role_exists": True,
        "schemas": {
            "count": 6,
            "list": [{"schema": name, "relations": n, "readable": n} for name, n in by_schema],
            "truncated": False,
        },
        "unreadable": NONE,
        "unknown": NONE,
        "filtered": NONE,
        "proof": {"mode": "none", "selected": 0, "of": 0, "how": "prove is none"},
        "uploads": True,
        "upload_tried": {"state": "not_tried", "how": "try_upload is false"},
        "writes": NONE,
        "privileged": NONE,
        "timezone": "UTC",
        "tls": None,
    }
    assert {key: whole[key] for key in expected} == expected
    assert whole["server_version"].startswith(f"{server.version}.")
    assert [item["schema"] for item in expected["schemas"]["list"]] == [
        "internal", "public", "sales_eu", "sales_us", "stats_daily", "stats_monthly"
    ]  # fmt: skip
    assert "warnings" not in whole
    assert wrong["login"]["state"] == "refused"
    assert "password authentication failed" in wrong["login"]["how"]
    assert (findings(wrong), wrong["readable"]) == (
        {"role": DIFFERS},
        relations,
    )
    assert untried["login"] == {"state": "not_tried", "how": "no password was given"}
    assert untried["readable"] == relations
    assert [item["kind"] for item in untried["concerns"]] == ["login"]
    assert (alone["login"]["state"], alone["readable"]) == ("succeeded", relations)
    assert gone["uploads"] is None
    assert findings(gone) == {
        "schemas": "there is no schema gone",
        "uploads": "it cannot upload: there is no schema gone_too",
        "writes": "it has CREATE on schema uploads, which is more than reading",
    }


def test_what_is_lacking_is_named(server: PostgresServer, arguments: Login, role: str) -> None:
    database = arguments["login_db"]
    change(
        server,
        database,
        role,
        "REVOKE SELECT ON customers FROM {role}; REVOKE USAGE ON SCHEMA stats_monthly FROM {role};"
        "REVOKE SELECT ON stats_monthly.best_month FROM {role}; REVOKE CREATE ON SCHEMA uploads FROM {role};"
        "ALTER DEFAULT PRIVILEGES FOR ROLE etl IN SCHEMA public REVOKE SELECT ON TABLES FROM {role}",
    )
    calls: list[Login] = [
        {},
        {"max_listed": 1},
        {"schemas": ["sales_*"], "upload_schema": None},
        {"fail_on": ["relations", "future_tables"]},
        {"fail_on": []},
    ]
    with unwritten(server, database):
        found, first, none, fatal, warned = modules(
            [("omni_pg_access_info", {**arguments, **options}) for options in calls]
        )
    assert found["unreadable"] == {
        "count": 3,
        "truncated": False,
        "list": [
            {"relation": "public.customers", "cause": "no_select", "why": "it lacks SELECT"},
            {
                "relation": "stats_monthly.best_month",
                "cause": "no_usage",
                "why": "it lacks USAGE on schema stats_monthly and SELECT",
            },
            {
                "relation": "stats_monthly.revenue",
                "cause": "no_usage",
                "why": "it lacks USAGE on schema stats_monthly",
            },
        ],
    }
    assert found["relations"] - found["readable"] == 3
    assert found["schemas"]["list"][-1] == {"schema": "stats_monthly", "relations": 2, "readable": 0}
    assert found["uploads"] is False
    assert {"schema": "public", "creator": "etl", "readable": False} in found["future_tables"]["list"]
    assert {"schema": "public", "creator": "app_owner", "readable": True} in found["future_tables"]["list"]
    wanted = {
        "relations": "3 cannot be read, first public.customers (it lacks SELECT)",
        "uploads": "it cannot upload: it lacks USAGE or CREATE on schema uploads",
        "future_tables": "tables that etl makes later in schema public will not be readable",
    }
    assert findings(found) == wanted
    assert "warnings" not in found
    assert first["unreadable"] == {"count": 3, "truncated": True, "list": found["unreadable"]["list"][:1]}
    assert (none["uploads"], findings(none)) == (None, {})

    where = f"database {database} on {server.host}:{server.port}"
    assert fatal["failed"]
    assert fatal["error"] == {"kind": "access", "findings": ["relations", "future_tables"]}
    assert fatal["msg"] == (
        f"In {where}: Role {role} can read {found['readable']} of {found['relations']} relations; "
        + "; ".join(wanted.values())
    )
    assert fatal["unreadable"] == found["unreadable"]
    assert fatal["warnings"] == [f"Role {role} in {where}: {wanted['uploads']}."]
    assert not warned["failed"]
    assert warned["warnings"] == [f"Role {role} in {where}: {what}." for what in wanted.values()]


#: What makes a relation of schema `public` show nothing or fail, although the role holds SELECT on it; its
#: name; the cause; and a part of the sentence. Each is read by the role too, to see that it is so.
HIDDEN = [
    (
        "CREATE TABLE t AS SELECT 1 AS a; ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        "t",
        "row_security",
        "no policy shows a row to {role}",
    ),
    (
        "CREATE TABLE t AS SELECT 1 AS a; ALTER TABLE t ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY p ON t TO etl USING (true); CREATE POLICY q ON t FOR INSERT WITH CHECK (true);"
        "CREATE POLICY r ON t AS RESTRICTIVE USING (true)",
        "t",
        "row_security",
        "no policy shows a row to {role}",
    ),
    (
        "CREATE TABLE base AS SELECT 1 AS a; CREATE VIEW t AS SELECT a FROM base;"
        "ALTER VIEW t OWNER TO analyst_team",
        "t",
        "view_owner",
        "public.t reads public.base with the rights of analyst_team, who lacks SELECT on it",
    ),
    (
        "CREATE TABLE base AS SELECT 1 AS a; CREATE VIEW deep AS SELECT a FROM base;"
        "ALTER VIEW deep OWNER TO analyst_team; CREATE VIEW t AS SELECT a FROM deep",
        "t",
        "view_owner",
        "public.deep reads public.base with the rights of analyst_team",
    ),
    (
        "CREATE TABLE base AS SELECT 1 AS a, 2 AS b; GRANT SELECT (a) ON base TO analyst_team;"
        "CREATE VIEW t AS SELECT b FROM base; ALTER VIEW t OWNER TO analyst_team",
        "t",
        "view_owner",
        "who lacks SELECT on it",
    ),
    (
        "CREATE TABLE base AS SELECT 1 AS a; ALTER TABLE base ENABLE ROW LEVEL SECURITY;"
        "GRANT SELECT ON base TO analyst_team; CREATE VIEW t AS SELECT a FROM base;"
        "ALTER VIEW t OWNER TO analyst_team",
        "t",
        "row_security",
        "with the rights of analyst_team, and no policy shows a row to analyst_team",
    ),
    (
        "CREATE TABLE base AS SELECT 1 AS a; ALTER TABLE base ENABLE ROW LEVEL SECURITY;"
        "ALTER TABLE base FORCE ROW LEVEL SECURITY; ALTER TABLE base OWNER TO etl;"
        "CREATE VIEW t AS SELECT a FROM base; ALTER VIEW t OWNER TO etl",
        "t",
        "row_security",
        "with the rights of etl",
    ),
    (
        "CREATE MATERIALIZED VIEW t AS SELECT 1 AS a WITH NO DATA",
        "t",
        "not_populated",
        "it was never refreshed",
    ),
]
HIDDEN += [
    (
        "CREATE MATERIALIZED VIEW base AS SELECT 1 AS a WITH NO DATA; CREATE VIEW t AS SELECT a FROM base",
        "t",
        "not_populated",
        "public.t reads public.base, which was never refreshed",
    ),
    (
        "CREATE TABLE other AS SELECT 1 AS a; REVOKE SELECT ON other FROM {role};"
        "CREATE TABLE t AS SELECT 1 AS a; ALTER TABLE t ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY p ON t USING (EXISTS (SELECT FROM other))",
        "t",
        "policy",
        "its policy p reads public.other, on which {role} lacks SELECT",
    ),
    (
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE EXECUTE ON FUNCTION f() FROM PUBLIC;"
        "CREATE VIEW t AS SELECT f()",
        "t",
        "no_execute",
        "public.t calls public.f, on which {role} lacks EXECUTE",
    ),
    (
        "CREATE TABLE t AS SELECT 1 AS a; ALTER TABLE t ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY p ON t USING (true); ALTER ROLE {role} SET row_security = no",
        "t",
        "row_security",
        "row_security is off for its logins",
    ),
    (
        "CREATE TABLE t AS SELECT 1 AS a; ALTER TABLE t ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY p ON t USING (true); CREATE POLICY q ON t AS RESTRICTIVE USING (false)",
        "t",
        "row_security",
        "the policy q hides every row to {role}",
    ),
    (
        "CREATE VIEW t AS SELECT rolname FROM pg_authid; ALTER VIEW t OWNER TO analyst_team",
        "t",
        "view_owner",
        "public.t reads pg_catalog.pg_authid with the rights of analyst_team, who lacks SELECT",
    ),
    (
        "CREATE VIEW t AS SELECT * FROM pg_ls_dir('base')",
        "t",
        "no_execute",
        "public.t calls pg_catalog.pg_ls_dir, on which {role} lacks EXECUTE",
    ),
]
INVOKER = (
    "CREATE TABLE base AS SELECT 1 AS a; REVOKE SELECT ON base FROM {role};"
    "CREATE VIEW t WITH (security_invoker = on) AS SELECT a FROM base",
    "t",
    "security_invoker",
    "public.t reads public.base with the rights of {role}, who lacks SELECT on it",
)
#: Much the same, and readable.
VISIBLE = [
    "CREATE TABLE t AS SELECT 1 AS a; ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t OWNER TO {role}",
    "CREATE TABLE t AS SELECT 1 AS a; ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER ROLE {role} BYPASSRLS",
    "CREATE TABLE base AS SELECT 1 AS a, 2 AS b; GRANT SELECT (a) ON base TO analyst_team;"
    "CREATE VIEW t AS SELECT a FROM base; ALTER VIEW t OWNER TO analyst_team",
    "CREATE TABLE base AS SELECT 1 AS a; GRANT SELECT (a) ON base TO analyst_team;"
    "CREATE VIEW t AS SELECT count(*) FROM base; ALTER VIEW t OWNER TO analyst_team",
    "CREATE TABLE base AS SELECT 1 AS a; CREATE MATERIALIZED VIEW t AS SELECT a FROM base;"
    "ALTER MATERIALIZED VIEW t OWNER TO analyst_team",
    "CREATE SEQUENCE base; CREATE VIEW t AS SELECT nextval('public.base') IS NULL AS a;"
    "ALTER VIEW t OWNER TO analyst_team; GRANT USAGE ON SEQUENCE base TO PUBLIC",
    "CREATE VIEW t AS SELECT relname FROM pg_catalog.pg_class; ALTER VIEW t OWNER TO analyst_team",
    "CREATE TABLE base AS SELECT 1 AS a; CREATE VIEW t AS WITH unused AS (SELECT a FROM base) SELECT 1 AS a;"
    "ALTER VIEW t OWNER TO analyst_team",
    "CREATE TABLE base AS SELECT 1 AS a; CREATE VIEW t AS SELECT 'public.base'::regclass AS a;"
    "ALTER VIEW t OWNER TO analyst_team",
    "CREATE TABLE t AS SELECT 1 AS a; ALTER TABLE t ENABLE ROW LEVEL SECURITY;"
    "CREATE POLICY p ON t TO {role} USING (true); CREATE POLICY q ON t USING (a > 1)",
    "CREATE TABLE base AS SELECT 1 AS a; CREATE VIEW t AS SELECT a FROM base; GRANT SELECT ON base TO analyst_team;"
    "ALTER VIEW t OWNER TO analyst_team; REVOKE SELECT ON t FROM analyst_team",
]


def rows(server: PostgresServer, database: str, role: str) -> int | None:
    """How many rows the role gets from public.t; None where that fails."""
    return server.execute(
        database,
        SQL(
            "CREATE FUNCTION pg_temp.rows() RETURNS int LANGUAGE plpgsql AS $$ BEGIN"
            " RETURN (SELECT count(*) FROM public.t);"
            " EXCEPTION WHEN insufficient_privilege OR object_not_in_prerequisite_state THEN RETURN NULL; END $$;"
            "SET ROLE {role}; SELECT set_config('row_security', coalesce((SELECT substr(setting, 14)"
            " FROM pg_roles, unnest(rolconfig) AS setting WHERE rolname = current_user"
            " AND setting LIKE 'row_security=%'), 'on'), false); SELECT pg_temp.rows()"
        ).format(role=Identifier(role)),
    )[0][0]


def public(server: PostgresServer, arguments: Login, role: str, statements: str) -> Login:
    """What is found in schema public after the statements, with SELECT on the relation t granted."""
    change(
        server,
        arguments["login_db"],
        role,
        f"{statements}; GRANT SELECT ON t TO {{role}}",
    )
    return perform(DEFINITION, {**arguments, "schemas": ["public"]})


@pytest.mark.parametrize("case", range(len(HIDDEN) + 1))
def test_granted_and_still_not_readable(
    server: PostgresServer, arguments: Login, role: str, case: int
) -> None:
    if case == len(HIDDEN) and server.version < 15:
        pytest.skip("security_invoker came with Postgres 15")
    statements, name, cause, why = [*HIDDEN, INVOKER][case]
    found = public(server, arguments, role, statements)
    assert not rows(server, arguments["login_db"], role)
    (item,) = [item for item in found["unreadable"]["list"] if item["relation"] == f"public.{name}"]
    assert item["cause"] == cause
    assert why.format(role=role) in item["why"]
    assert "relations" in findings(found)


@pytest.mark.parametrize("statements", VISIBLE)
def test_no_false_alarm(server: PostgresServer, arguments: Login, role: str, statements: str) -> None:
    found = public(server, arguments, role, statements)
    assert rows(server, arguments["login_db"], role)
    assert "public.t" not in [item["relation"] for item in found["unreadable"]["list"]]
    assert found["filtered"]["count"] == 0


#: What the catalog does not tell of schema public's relation t; and whether one row of it is shown.
UNKNOWN = [
    ("foreign_table", "CREATE FOREIGN TABLE t (a int) SERVER legacy", None),
    (
        "policy",
        "CREATE TABLE t AS SELECT 1 AS a; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a = 1)",
        True,
    ),
    (
        "policy",
        "CREATE TABLE base AS SELECT 1 AS a; ALTER TABLE base ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY p ON base USING (a = 2); CREATE VIEW t AS SELECT a FROM base;"
        "ALTER VIEW t OWNER TO analyst_team; GRANT SELECT ON base TO analyst_team",
        False,
    ),
    (
        "function",
        "CREATE TABLE base AS SELECT 1 AS a; CREATE FUNCTION f() RETURNS bigint LANGUAGE sql"
        " AS 'SELECT count(*) FROM base'; CREATE VIEW t AS SELECT f(); GRANT SELECT ON base TO {role}",
        True,
    ),
    (
        "function",
        "CREATE TABLE base AS SELECT 1 AS a; CREATE FUNCTION f() RETURNS bigint LANGUAGE sql"
        " AS 'SELECT count(*) FROM base'; CREATE VIEW t AS SELECT f(); REVOKE SELECT ON base FROM {role}",
        None,
    ),
]


@pytest.mark.parametrize(("cause", "statements", "shows"), UNKNOWN)
def test_what_the_catalog_does_not_tell(
    server: PostgresServer, arguments: Login, role: str, cause: str, statements: str, shows: bool | None
) -> None:
    found = public(server, arguments, role, statements)
    (entry,) = [entry for entry in found["unknown"]["list"] if entry["relation"] == "public.t"]
    assert entry["cause"] == cause
    assert "public.t" not in [entry["relation"] for entry in found["unreadable"]["list"]]
    assert "unknown" in findings(found)
    assert found["readable"] == found["relations"] - found["unknown"]["count"] - found["unreadable"]["count"]
    proved = perform(DEFINITION, {**arguments, "schemas": ["public"], "prove": "row"})
    kinds = {"filtered": proved["filtered"]["list"]} | {
        kind: [entry["relation"] for entry in proved[kind]["list"]] for kind in ("unreadable", "unknown")
    }
    assert ("public.t" in kinds["unreadable"]) is (shows is None)
    assert ("public.t" in kinds["unknown"]) is (shows is False)
    assert ("public.t" in kinds["filtered"]) is (shows is True and cause == "policy")


def test_proving(server: PostgresServer, arguments: Login, role: str) -> None:
    """Nothing is written, what is unknown and the views come first, and no more than is asked."""
    database = arguments["login_db"]
    change(
        server,
        database,
        role,
        "CREATE FOREIGN TABLE t (a int) SERVER legacy; GRANT SELECT ON t TO {role};"
        "CREATE VIEW slow AS SELECT pg_sleep(60)::text; GRANT SELECT ON slow TO {role};"
        "CREATE SEQUENCE counter; CREATE VIEW counting AS SELECT nextval('public.counter');"
        "GRANT SELECT ON counting TO {role}; GRANT USAGE ON counter TO {role};"
        "CREATE TABLE many (a int); GRANT SELECT ON many TO {role}",
    )
    call = {**arguments, "schemas": ["public"], "statement_timeout": 1}
    with unwritten(server, database) as watch:
        rights, row, untried, checked = modules(
            [
                ("omni_pg_access_info", {**call, "prove": "rights"}),
                ("omni_pg_access_info", {**call, "prove": "row"}),
                ("omni_pg_access_info", {**call, "prove": "row", "password": None}),
                ("omni_pg_access_info", {**call, "prove": "row"}, {"check_mode": True}),
            ],
        )
    selects = [text for text in watch.everything if "LIMIT" in text and "; SELECT count(" in text]
    every = rights["relations"] - rights["unreadable"]["count"]
    for proved, limit in ((rights, 0), (row, 1)):
        sent = [text for text in selects if f"LIMIT {limit})" in text]
        assert '"public"."t"' in sent[0]
        assert proved["proof"]["selected"] == len(sent) == proved["proof"]["of"]
        assert proved["proof"]["how"] == "done"
        (foreign,) = [item for item in proved["unreadable"]["list"] if item["relation"] == "public.t"]
        assert (foreign["cause"], "no handler" in foreign["why"]) == ("refused", True)
    assert every == row["relations"] - row["unreadable"]["count"]
    assert rights["unknown"] == NONE
    assert [item["relation"] for item in row["unknown"]["list"]] == ["public.counting", "public.slow"]
    assert untried["proof"]["how"] == "it takes a login as the role"
    assert checked["proof"]["how"] == "check mode calls no functions"
    assert untried["unknown"]["count"] == checked["unknown"]["count"] == 1


def test_columns_one_by_one(server: PostgresServer, arguments: Login, role: str) -> None:
    """All of them are as good as the table, until another column is added."""
    found = public(
        server,
        arguments,
        role,
        "CREATE TABLE c AS SELECT 1 AS a, 2 AS b; REVOKE SELECT ON c FROM {role}; GRANT SELECT (a, b) ON c TO {role};"
        "CREATE TABLE t (a int)",
    )
    assert (found["unreadable"], list(findings(found))) == (NONE, ["columns", "future_tables"])
    change(server, arguments["login_db"], role, "ALTER TABLE c ADD d int")
    (entry,) = perform(DEFINITION, {**arguments, "schemas": ["public"]})["unreadable"]["list"]
    assert entry == {
        "relation": "public.c",
        "cause": "no_select",
        "why": "it lacks SELECT on 1 of its 3 columns",
    }


def test_a_partition_that_is_readable_through_its_parent(
    server: PostgresServer, arguments: Login, role: str
) -> None:
    change(server, arguments["login_db"], role, "REVOKE SELECT ON orders_2026 FROM {role}")
    found = perform(DEFINITION, arguments)
    why = "it lacks SELECT, but its rows can be read through public.orders"
    assert found["unreadable"]["list"] == [
        {"relation": "public.orders_2026", "cause": "partition", "why": why}
    ]
    told = f"1 can be read through a parent only, first public.orders_2026 ({why})"
    assert findings(found) == {"partitions": told}
    change(server, arguments["login_db"], role, "REVOKE SELECT ON orders FROM {role}")
    assert [item["cause"] for item in perform(DEFINITION, arguments)["unreadable"]["list"]] == [
        "no_select"
    ] * 2


@pytest.mark.parametrize(
    ("statements", "kind", "what"),
    [
        (
            "GRANT INSERT, DELETE ON orders TO {role}",
            "writes",
            "it has INSERT, DELETE on public.orders, which",
        ),
        ("GRANT CREATE ON SCHEMA internal TO {role}", "writes", "it has CREATE on schema internal, which"),
        ("GRANT CREATE ON DATABASE {database} TO {role}", "writes", "it has CREATE on database sales_"),
        ("GRANT USAGE ON invoice_number TO {role}", "writes", "it has USAGE on public.invoice_number, which"),
        (
            "GRANT UPDATE ON ALL TABLES IN SCHEMA sales_us TO {role}",
            "writes",
            "it has UPDATE on sales_us.Umsätze_日本, which is more than reading (1 more like this)",
        ),
        ("CREATE TABLE uploads.t (a int); GRANT ALL ON uploads.t TO {role}", None, ""),
        ("ALTER ROLE {role} CREATEDB", "privileges", "it is CREATEDB, which is more than reading"),
        ("GRANT pg_signal_backend TO {role}", "privileges", "it is a member of pg_signal_backend, which"),
        ("GRANT maker TO {role}", "privileges", "it is a member of maker, which is more than reading"),
        ("GRANT pg_monitor TO {role}", None, ""),
        (
            "ALTER ROLE {role} SET timezone = 'Europe/Berlin'",
            "timezone",
            "TimeZone is Europe/Berlin, and Omni",
        ),
        ("ALTER DATABASE {database} SET timezone = 'Asia/Tokyo'", "timezone", "TimeZone is Asia/Tokyo, and"),
        ("ALTER DATABASE {database} SET timezone = 'Etc/GMT'", None, ""),
        (
            "ALTER ROLE {role} SET default_transaction_read_only = on",
            "uploads",
            "default_transaction_read_only",
        ),
        ("ALTER ROLE {role} SET default_transaction_read_only = yes", "uploads", "default_transaction_read"),
        ("ALTER ROLE {role} SET default_transaction_read_only = 0", None, ""),
        (
            "ALTER ROLE {role} CONNECTION LIMIT 0",
            "role",
            "it may not log in (CONNECTION LIMIT 0 of the role)",
        ),
        ("ALTER ROLE {role} SET row_security = off", None, ""),
        ("ALTER ROLE {role} NOLOGIN", "role", "it may not log in (NOLOGIN)"),
        ("ALTER ROLE {role} VALID UNTIL '2000-01-01'", "role", "its password has expired (VALID UNTIL)"),
        ("REVOKE CONNECT ON DATABASE {database} FROM PUBLIC, {role}", "role", "it may not CONNECT to the"),
        ("CREATE TABLE internal.t (a int); ALTER TABLE internal.t OWNER TO dba", "both", ""),
    ],
)
def test_each_finding(
    server: PostgresServer, arguments: Login, role: str, statements: str, kind: str | None, what: str
) -> None:
    """With everything else in order, each is found, alone, by the role's login and by the other one."""
    database = arguments["login_db"]
    assert findings(perform(DEFINITION, {**arguments, "system_timezone": "UTC"})) == {}
    if "maker" in statements:
        server.execute(database, "DROP ROLE IF EXISTS maker; CREATE ROLE maker CREATEROLE")
    change(server, database, role, statements)
    for options in ({}, {"password": None}):
        found = findings(perform(DEFINITION, {**arguments, **options, "system_timezone": "UTC"}))
        if kind == "both":
            assert found.keys() == {"relations", "future_tables"}
            assert found["future_tables"].startswith("tables that dba makes later in schema internal")
        else:
            assert found.keys() == ({kind} if kind else set())
            assert what in found.get(str(kind), "")


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
        found = perform(DEFINITION, {**arguments, "try_upload": True, "fail_on": ["role", "relations"]})
        insisted = perform(DEFINITION, {**arguments, "fail_on": ["login"]})
    assert found["login"]["state"] == state
    assert how in found["login"]["how"]
    assert found["readable"] == found["relations"] > 0
    refused = state == "refused"
    assert found["problems"] == []
    assert list(findings(found)) == (["login"] if refused else [])
    warned = [text for text in found.get("warnings", []) if "its password could not be checked" in text]
    assert bool(warned) is refused
    assert found["upload_tried"]["state"] == ("not_tried" if refused else "succeeded")
    assert insisted["failed"] is refused


@pytest.mark.parametrize(
    ("sqlstate", "words", "kind"),
    [
        ("28P01", "Passwort-Authentifizierung für Benutzer fehlgeschlagen", "role"),
        ("28000", "kein pg_hba.conf-Eintrag", "login"),
        ("53300", "zu viele Verbindungen für Rolle", "login"),
    ],
)
def test_a_server_that_speaks_another_language(
    server: PostgresServer, arguments: Login, sqlstate: str, words: str, kind: str
) -> None:
    """A wrong password is a finding in any, and what cannot be understood is no proof."""
    try:
        german = Refusing(sqlstate, words, address="127.0.0.2", port=server.port)
    except OSError:
        pytest.skip("this system has one loopback address")
    with german:
        found = perform(DEFINITION, {**arguments, "verify_host": "127.0.0.2", "ssl_mode": "disable"})
    assert (found["login"]["state"], list(findings(found))) == ("refused", [kind])
    told = DIFFERS if kind == "role" else f"{words}): {UNPROVED}"
    assert told in findings(found)[kind]


def test_a_socket_for_the_rights_and_tcp_for_the_password(
    server: PostgresServer, arguments: Login, role: str
) -> None:
    """As with `local all all peer`: who runs the module may log in over the socket, and the role may not."""
    whoever = getpass.getuser()
    socket = {"login_host": None, "login_user": None, "login_password": None}
    call = {**arguments, **socket, "login_unix_socket": str(server.socket_dir), "fail_on": []}
    if not server.execute("postgres", "SELECT FROM pg_roles WHERE rolname = %s", (whoever,)):
        server.execute("postgres", SQL("CREATE ROLE {} LOGIN").format(Identifier(whoever)))
    with server.hba(f"local all {whoever} trust", f"local all {role} peer"):
        refused = perform(DEFINITION, call)
        proved = perform(DEFINITION, {**call, "verify_host": server.host})
        wrong = perform(DEFINITION, {**call, "verify_host": server.host, "password": "wrong"})
        tcp = perform(DEFINITION, {**arguments, **socket, "login_host": server.host, "password": "wrong"})
    assert (refused["login"]["state"], refused["readable"]) == ("refused", refused["relations"])
    assert "Peer authentication failed" in findings(refused)["login"]
    (warning,) = refused["warnings"]
    assert "Peer authentication failed" in warning
    assert "Set verify_host to an address of the server" in warning
    assert (proved["login"], findings(proved)) == ({"state": "succeeded", "how": "with its password"}, {})
    assert findings(wrong) == {"role": DIFFERS}
    assert wrong["readable"] == wrong["relations"] > 0
    # Over TCP nobody is meant who was not named.
    assert tcp["failed"]
    assert f"as {role}" in tcp["msg"]
    assert f"as {whoever}" not in tcp["msg"]
    assert "Check role, password and its address, or set login_user" in tcp["msg"]
    with server.hba(f"local all {whoever} reject", f"local all {role} peer"):
        neither = perform(DEFINITION, call)
    assert neither["failed"]
    assert "Peer authentication failed" in neither["msg"]
    assert "pg_hba.conf rejects connection" in neither["msg"]


def test_an_upload_that_is_tried(server: PostgresServer, arguments: Login, role: str) -> None:
    database = arguments["login_db"]
    call = ("omni_pg_access_info", {**arguments, "try_upload": True})
    watch = Watch(server, database)
    tried, missing = modules(
        [call, ("omni_pg_access_info", {**arguments, "try_upload": True, "upload_schema": None})]
    )
    (sent,) = watch.changes
    assert sent.startswith('CREATE TABLE "uploads"."omni_connect_try_')
    assert watch.everything[-1] == "ROLLBACK"
    assert server.execute(database, "SELECT FROM pg_class WHERE relname LIKE 'omni_connect_try%'") == []
    assert (tried["changed"], tried["upload_tried"]) == (False, {"state": "succeeded", "how": "rolled back"})
    assert missing["error"] == {"kind": "invalid_input"}
    assert "Set upload_schema" in missing["msg"]
    with unwritten(server, database):
        (checked,) = modules([call], check=True)
    assert checked["upload_tried"] == {"state": "not_tried", "how": "check mode only reads"}
    server.execute(
        database,
        "CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RAISE 'no tables on Fridays'; END $$;"
        "CREATE EVENT TRIGGER fridays ON ddl_command_start WHEN TAG IN ('CREATE TABLE AS')"
        " EXECUTE FUNCTION public.refuse()",
    )
    (failed,) = modules([call])
    assert failed["upload_tried"] == {"state": "failed", "how": "no tables on Fridays"}
    assert (failed["uploads"], failed["readable"]) == (False, failed["relations"])
    assert findings(failed) == {"uploads": "it cannot upload: no tables on Fridays"}


def test_a_role_or_its_login_that_is_not_there(server: PostgresServer, arguments: Login, role: str) -> None:
    nobody = perform(DEFINITION, {**arguments, "role": "nobody here"})
    assert (nobody["role_exists"], nobody["readable"], nobody["uploads"]) == (False, 0, False)
    assert findings(nobody) == {"role": "there is no role nobody here"}
    change(server, arguments["login_db"], role, "REVOKE CONNECT ON DATABASE {database} FROM PUBLIC, {role}")
    alone = perform(DEFINITION, {**arguments, "login_user": None, "login_password": None})
    assert alone["error"] == {"kind": "unreachable"}
    assert "permission denied for database" in alone["msg"]


def test_what_comes_by_other_ways_counts(server: PostgresServer, login: Login, role_name: str) -> None:
    """Rights by membership, ownership and PUBLIC are rights."""
    perform(user.DEFINITION, {**login, "name": role_name, "password": PASSWORD})
    given = {**login, "role": role_name, "password": PASSWORD, "schemas": ["stats_*"]}
    assert perform(DEFINITION, given)["readable"] == 0
    database = login["login_db"]
    change(server, database, role_name, "GRANT etl TO {role}")
    daily = perform(DEFINITION, {**given, "schemas": ["stats_daily"]})
    assert (daily["readable"], daily["unknown"]["count"], daily["relations"]) == (2, 1, 3)
    assert daily["future_tables"]["list"] == [{"schema": "stats_daily", "creator": "etl", "readable": True}]
    change(server, database, role_name, "REVOKE etl FROM {role}")
    if server.version >= 14:
        change(server, database, role_name, "GRANT pg_read_all_data TO {role}")
        everything = perform(DEFINITION, given)
        assert everything["readable"] == everything["relations"] - 1 == 4
        assert [item["readable"] for item in everything["future_tables"]["list"]] == [True] * 2


@pytest.mark.parametrize("kind", ["superuser", "createrole", "schema_owner", "rds", "cloud_sql"])
def test_who_asks_makes_no_difference(
    server: PostgresServer, arguments: Login, role: str, as_admin: AsAdmin, kind: str
) -> None:
    """Every login may read what it takes, one that holds nothing too."""
    asking = as_admin(kind)
    change(
        server,
        arguments["login_db"],
        role,
        "REVOKE SELECT ON sales_eu.orders FROM {role}; GRANT etl TO {role}",
    )
    own = perform(DEFINITION, {**arguments, "system_timezone": "Asia/Tokyo"})
    found = perform(DEFINITION, {**arguments, **asking, "password": None, "system_timezone": "Asia/Tokyo"})
    assert found.pop("login")["state"] == "not_tried"
    assert found["concerns"].pop(0)["kind"] == "login"
    assert found == {key: value for key, value in own.items() if key != "login"}
    assert {"relations", "writes", "timezone"} <= findings(found).keys()


@pytest.mark.parametrize(
    ("made", "cause"),
    [
        ("CREATE VIEW alone.one AS SELECT 1 AS one; GRANT SELECT ON alone.one TO {role}", None),
        (
            "CREATE TABLE public.closed (id int); CREATE VIEW alone.one AS SELECT id FROM public.closed;"
            "ALTER VIEW alone.one OWNER TO etl",
            "view_owner",
        ),
        ("CREATE MATERIALIZED VIEW alone.one AS SELECT 1 AS one WITH NO DATA", "not_populated"),
        ("CREATE TABLE alone.one (); ALTER TABLE alone.one ENABLE ROW LEVEL SECURITY", "row_security"),
        ("CREATE FOREIGN TABLE alone.one (id int) SERVER other", "foreign_table"),
        (
            "CREATE TABLE alone.one (id int) PARTITION BY LIST (id);"
            "CREATE FOREIGN TABLE public.part PARTITION OF alone.one DEFAULT SERVER other",
            "foreign_table",
        ),
    ],
)
def test_one_thing_alone_is_found(
    server: PostgresServer, arguments: Login, role: str, made: str, cause: str | None
) -> None:
    """A schema with nothing else in it that could keep the role from a row."""
    change(
        server,
        arguments["login_db"],
        role,
        "CREATE FOREIGN DATA WRAPPER other; CREATE SERVER other FOREIGN DATA WRAPPER other; CREATE SCHEMA alone;"
        "CREATE TABLE alone.plain (); " + made + "; GRANT USAGE ON SCHEMA alone TO {role};"
        "GRANT SELECT ON ALL TABLES IN SCHEMA alone TO {role}",
    )
    found = perform(DEFINITION, {**arguments, "schemas": ["alone"]})
    listed = [*found["unreadable"]["list"], *found["unknown"]["list"]]
    expected = [("alone.one", cause)] if cause else []
    assert [(one["relation"], one["cause"]) for one in listed] == expected


def test_two_queries(server: PostgresServer, arguments: Login) -> None:
    watch = Watch(server, arguments["login_db"])
    perform(DEFINITION, arguments)
    assert len(watch.everything) == 2


def test_tls(server: PostgresServer, arguments: Login) -> None:
    certificate = trustme.CA().issue_cert(server.host)
    files = {"ssl_cert_file": server.socket_dir / "tls.crt", "ssl_key_file": server.socket_dir / "tls.key"}
    certificate.cert_chain_pems[0].write_to_path(files["ssl_cert_file"])
    certificate.private_key_pem.write_to_path(files["ssl_key_file"])
    for path in files.values():
        path.chmod(0o600)
        shutil.chown(path, server.socket_dir.owner(), server.socket_dir.group())
    try:
        server.configure(ssl="on", **{name: str(path) for name, path in files.items()})
    except psycopg2.Error as error:
        pytest.skip(str(error))
    try:
        for ssl_mode, tls in (("require", True), ("disable", False)):
            found = perform(DEFINITION, {**arguments, "ssl_mode": ssl_mode})
            assert (found["failed"], bool(found["tls"])) == (False, tls)
            assert not tls or found["tls"].startswith("TLSv1")
    finally:
        server.configure(ssl=None, **dict.fromkeys(files))

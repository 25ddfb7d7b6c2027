# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schema for table uploads."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg2.sql import SQL, Identifier

from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres import upload_schema, user
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.upload_schema import DEFINITION
from tests.helpers import harness
from tests.helpers.postgres_modules import Watch, lifecycle, logged_in, perform, refused, unwritten
from tests.sandbox.postgres import PostgresServer

Login = dict[str, Any]
PASSWORD = "of the role"
UPLOAD = "CREATE TABLE uploads.t AS SELECT 1 AS one; SELECT one FROM uploads.t"


@pytest.fixture
def role(login: Login, role_name: str) -> str:
    """The Omni role, as omni_pg_user makes it."""
    assert not perform(user.DEFINITION, {**login, "name": role_name, "password": PASSWORD})["failed"]
    return role_name


@pytest.fixture
def arguments(login: Login, role: str) -> Login:
    return {**login, "role": role, "name": "uploads"}


def owner(server: PostgresServer, database: str, schema: str = "uploads") -> list[tuple[Any, ...]]:
    return server.execute(
        database, "SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = %s", (schema,)
    )


def test_lifecycle(server: PostgresServer, arguments: Login, role: str, door: harness.Door) -> None:
    database = arguments["login_db"]
    made = lifecycle(
        server,
        "omni_upload_schema",
        arguments,
        invalid={"name": "information_schema"},
        outside=lambda: server.execute(
            database, SQL("REVOKE CREATE ON SCHEMA uploads FROM {}").format(Identifier(role))
        ),
        repair=[f'GRANT CREATE ON SCHEMA "uploads" TO "{role}"'],
        door=door,
    )
    assert made["statements"] == [
        'CREATE SCHEMA "uploads"', f'GRANT USAGE, CREATE ON SCHEMA "uploads" TO "{role}"'
    ]  # fmt: skip
    assert made["owner"] == "dba"
    assert logged_in(server, database, role, PASSWORD, UPLOAD) == [(1,)]
    logged_in(server, database, role, PASSWORD, "DROP TABLE uploads.t")
    for schema in ("internal", "sales_eu"):
        assert "permission denied" in refused(
            server, database, role, PASSWORD, f"CREATE TABLE {schema}.t (id int)"
        )


def test_one_dropped_by_hand_is_made_again(server: PostgresServer, arguments: Login, role: str) -> None:
    first = perform(DEFINITION, arguments)
    server.execute(arguments["login_db"], "DROP SCHEMA uploads")
    assert perform(DEFINITION, arguments)["statements"] == first["statements"]


def test_one_that_is_dropped_meanwhile_is_made_again(
    server: PostgresServer, arguments: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = upload_schema.UploadSchema.apply
    left = ["DROP SCHEMA uploads", "DROP SCHEMA uploads; CREATE SCHEMA uploads AUTHORIZATION dba"]

    def replace_after(resource: Any, changes: Any) -> Any:
        yield from apply(resource, changes)
        if left:
            server.execute(arguments["login_db"], left.pop())

    monkeypatch.setattr(upload_schema.UploadSchema, "apply", replace_after)
    result = perform(DEFINITION, arguments)
    assert (result["failed"], left) == (False, []), result
    assert [text.split()[0] for text in result["statements"]] == [
        "CREATE",
        "GRANT",
        "GRANT",
        "CREATE",
        "GRANT",
    ]


def test_owner(server: PostgresServer, arguments: Login, role: str) -> None:
    database = arguments["login_db"]
    made = perform(DEFINITION, {**arguments, "owner": "etl"})
    assert made["statements"][0] == 'CREATE SCHEMA "uploads" AUTHORIZATION "etl"'
    assert (made["owner"], owner(server, database)) == ("etl", [("etl",)])
    logged_in(server, database, role, PASSWORD, UPLOAD)
    given = {**arguments, "owner": "app_owner"}
    assert perform(DEFINITION, given)["statements"] == ['ALTER SCHEMA "uploads" OWNER TO "app_owner"']
    assert perform(DEFINITION, given)["changed"] is False
    # Without the option, the owner stays whoever it is.
    assert perform(DEFINITION, arguments)["changed"] is False
    assert owner(server, database) == [("app_owner",)]


def test_nothing_is_half_done(server: PostgresServer, arguments: Login) -> None:
    """Schema and privileges are one transaction: where one is refused, neither is left."""
    server.execute(
        arguments["login_db"],
        "CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RAISE 'no grants on Fridays'; END $$;"
        "CREATE EVENT TRIGGER fridays ON ddl_command_start WHEN TAG IN ('GRANT')"
        " EXECUTE FUNCTION public.refuse()",
    )
    result = perform(DEFINITION, arguments)
    assert result["error"] == {"kind": "refused", "sqlstate": "P0001"}
    assert 'GRANT USAGE, CREATE ON SCHEMA "uploads"' in result["msg"]
    assert "no grants on Fridays" in result["msg"]
    assert owner(server, arguments["login_db"]) == []


def test_the_roles_own_schema(server: PostgresServer, arguments: Login, role: str) -> None:
    """Its owner holds every privilege, whatever the ACL says."""
    database = arguments["login_db"]
    server.execute(database, SQL("CREATE SCHEMA uploads AUTHORIZATION {}").format(Identifier(role)))
    logged_in(server, database, role, PASSWORD, UPLOAD)
    assert perform(DEFINITION, arguments)["changed"] is False
    assert perform(DEFINITION, arguments)["owner"] == role


@pytest.mark.parametrize("check", [True, False])
def test_a_schema_with_other_peoples_tables_is_not_adopted(
    server: PostgresServer, arguments: Login, role: str, check: bool
) -> None:
    with unwritten(server, arguments["login_db"]):
        result = perform(DEFINITION, {**arguments, "name": "sales_eu"}, check=check)
    assert result["error"] == {"kind": "conflict", "relations": ["orders", "price.list (%)", 'say "hello"']}
    assert f"which role {role} does not own. Omni needs a schema of its own" in result["msg"]


def test_an_empty_schema_is_adopted_and_stays_adopted(
    server: PostgresServer, arguments: Login, role: str
) -> None:
    server.execute(arguments["login_db"], "CREATE SCHEMA uploads AUTHORIZATION etl")
    watch = Watch(server, arguments["login_db"])
    perform(DEFINITION, arguments)
    assert watch.changes == [f'GRANT USAGE, CREATE ON SCHEMA "uploads" TO "{role}"']
    server.execute(arguments["login_db"], "CREATE TABLE uploads.of_somebody_else (id int)")
    assert perform(DEFINITION, arguments)["changed"] is False


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "pg_uploads"}, "pg_uploads belongs to Postgres itself. Leave it out"),
        ({"modelled_schemas": ["public", "uploads"]}, "is listed among the modelled schemas too"),
        ({"role": "nobody here"}, "there is no role nobody here. Create it with omni_pg_user first"),
    ],
)
def test_refused_before_anything_is_sent(
    server: PostgresServer, arguments: Login, options: Login, said: str
) -> None:
    with unwritten(server, arguments["login_db"]):
        result = perform(DEFINITION, {**arguments, **options})
    assert said in result["msg"]


def test_a_glob_among_the_modelled_schemas_never_means_it(arguments: Login) -> None:
    assert perform(DEFINITION, {**arguments, "modelled_schemas": ["*", "up*"]})["changed"]


def test_check_mode_without_the_role(server: PostgresServer, arguments: Login) -> None:
    with unwritten(server, arguments["login_db"]):
        planned = perform(DEFINITION, {**arguments, "role": "nobody here"}, check=True)
    assert planned["statements"][1] == 'GRANT USAGE, CREATE ON SCHEMA "uploads" TO "nobody here"'


@pytest.mark.parametrize("check", [True, False])
def test_what_is_not_there_is_required_by_a_run_alone(
    server: PostgresServer, admin_login: Login, role: str, check: bool
) -> None:
    given = {
        **admin_login,
        "role": role,
        "name": "uploads",
        "owner": "nobody_there",
        "readers": ["nobody_else", "etl"],
    }
    with unwritten(server, admin_login["login_db"]):
        result = perform(DEFINITION, given, check=check)
    said = "there is no role nobody_there, nobody_else. Create it with omni_pg_user first"
    if check:
        assert said in result["warnings"][0]
        assert result["statements"][0] == 'CREATE SCHEMA "uploads" AUTHORIZATION "nobody_there"'
    else:
        assert said in result["msg"]
        assert result["error"] == {"kind": "prerequisite", "roles": ["nobody_there", "nobody_else"]}


#: A schema as it is, the owner that it gets, and what the role needs then: {0} is the role.
OWNERS = [
    ("CREATE SCHEMA uploads AUTHORIZATION {0}", "etl", ["ALTER", "GRANT USAGE, CREATE"]),
    ("CREATE SCHEMA uploads AUTHORIZATION etl", "{0}", ["ALTER"]),
    ("CREATE SCHEMA uploads AUTHORIZATION etl; GRANT USAGE ON SCHEMA uploads TO {0}", "dba",
     ["ALTER", "GRANT CREATE"]),
    ("SELECT", "{0}", ["CREATE"]),
    ("SELECT", "etl", ["CREATE", "GRANT USAGE, CREATE"]),
]  # fmt: skip


@pytest.mark.parametrize(("before", "new", "sent"), OWNERS)
def test_check_mode_knows_what_a_new_owner_changes(
    server: PostgresServer, admin_login: Login, role: str, before: str, new: str, sent: list[str]
) -> None:
    database = admin_login["login_db"]
    server.execute(database, before.format(role))
    given = {**admin_login, "role": role, "name": "uploads", "owner": new.format(role)}
    planned = perform(DEFINITION, given, check=True)
    made = perform(DEFINITION, given)
    assert planned["statements"] == made["statements"]
    assert [text[: len(start)] for text, start in zip(made["statements"], sent, strict=True)] == sent
    assert perform(DEFINITION, given)["changed"] is False
    logged_in(server, database, role, PASSWORD, UPLOAD)


@pytest.mark.parametrize(
    ("has", "missing"),
    [
        ("GRANT USAGE, CREATE ON SCHEMA uploads TO etl; GRANT USAGE ON SCHEMA uploads TO etl WITH GRANT OPTION",
         "CREATE"),
        ("", "CREATE and USAGE"),
    ],
)  # fmt: skip
def test_a_login_with_too_few_grant_options_does_nothing_by_halves(
    server: PostgresServer, arguments: Login, role: str, has: str, missing: str
) -> None:
    database = arguments["login_db"]
    server.execute(database, f"CREATE SCHEMA uploads; {has}")
    given = {**arguments, "session_role": "etl"}
    with unwritten(server, database):
        results = [perform(DEFINITION, given, check=check) for check in (True, False)]
    statement = f'GRANT USAGE, CREATE ON SCHEMA "uploads" TO "{role}"'
    for result in results:
        assert result["failed"], result
        assert f"which has no grant option for {missing} on it" in result["msg"]
    if not has:
        assert results[1]["error"] == {"kind": "refused", "statement": statement}
    server.execute(database, "GRANT USAGE, CREATE ON SCHEMA uploads TO etl WITH GRANT OPTION")
    assert perform(DEFINITION, given)["statements"] == [statement]
    server.execute(database, "DROP SCHEMA uploads")  # DROP OWNED would leave what etl granted


def test_two_grant_options_of_two_roles(server: PostgresServer, arguments: Login, role: str) -> None:
    """No single role could grant both, and a statement is granted by one."""
    database = arguments["login_db"]
    server.execute(
        database,
        "CREATE SCHEMA uploads; GRANT USAGE ON SCHEMA uploads TO etl WITH GRANT OPTION;"
        "GRANT CREATE ON SCHEMA uploads TO app_owner WITH GRANT OPTION",
    )
    assert perform(DEFINITION, arguments)["statements"] == [
        f'GRANT USAGE ON SCHEMA "uploads" TO "{role}"',
        f'GRANT CREATE ON SCHEMA "uploads" TO "{role}"',
    ]
    assert perform(DEFINITION, arguments)["changed"] is False
    server.execute(database, "DROP SCHEMA uploads")  # DROP OWNED would leave what etl granted


@pytest.mark.parametrize("check", [True, False])
def test_a_login_that_may_not_create_schemas(server: PostgresServer, arguments: Login, check: bool) -> None:
    result = perform(DEFINITION, {**arguments, "session_role": "etl"}, check=check)
    assert owner(server, arguments["login_db"]) == []
    assert result["error"] == {"kind": "refused", "statement": 'CREATE SCHEMA "uploads"'}
    assert "role etl may not: it takes CREATE on the database" in result["msg"]

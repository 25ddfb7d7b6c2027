# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who else reads what was uploaded, and the end of the schema."""

from __future__ import annotations

from typing import Any

import psycopg2
import pytest
from psycopg2.sql import SQL, Identifier

from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres import statement, user
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.upload_schema import DEFINITION
from tests.helpers import harness
from tests.helpers.perform import modules
from tests.helpers.postgres_modules import Watch, logged_in, perform, unwritten
from tests.sandbox.postgres import PostgresServer

Login = dict[str, Any]
PASSWORD = "of the role"


@pytest.fixture
def role(server: PostgresServer, login: Login, role_name: str) -> str:
    """The Omni role, whose rights the dba has, and who has uploaded already."""
    assert not perform(user.DEFINITION, {**login, "name": role_name, "password": PASSWORD})["failed"]
    inherit = " WITH INHERIT TRUE" if server.version >= 16 else ""
    server.execute("postgres", SQL("GRANT {} TO dba" + inherit).format(Identifier(role_name)))
    perform(DEFINITION, {**login, "role": role_name, "name": "uploads"})
    upload(server, login["login_db"], role_name, "first")
    return role_name


@pytest.fixture
def arguments(login: Login, role: str) -> Login:
    return {**login, "role": role, "name": "uploads"}


def upload(server: PostgresServer, database: str, role: str, name: str) -> None:
    logged_in(server, database, role, PASSWORD, f"CREATE TABLE uploads.{name} AS SELECT 1 AS one")


def reads(server: PostgresServer, database: str, reader: str, name: str) -> bool:
    try:
        server.execute(database, f"SET ROLE {reader}; SELECT one FROM uploads.{name}")
    except psycopg2.errors.InsufficientPrivilege:
        return False
    return True


def test_check_mode_knows_what_a_reader_yet_to_be_made_will_read(
    server: PostgresServer, arguments: Login, role: str
) -> None:
    """What PUBLIC reads, every role does."""
    database, reader = arguments["login_db"], f"{role}_reader"
    upload(server, database, role, "second")
    server.execute(
        database, "GRANT SELECT ON uploads.first TO PUBLIC; GRANT USAGE ON SCHEMA uploads TO PUBLIC"
    )
    given = {**arguments, "readers": [reader]}
    fresh = perform(DEFINITION, given, check=True)
    server.execute(database, f"CREATE ROLE {reader}")
    try:
        made = perform(DEFINITION, given)
        assert fresh["statements"] == made["statements"]
        assert made["statements"][-1] == f'GRANT SELECT ON TABLE "uploads"."second" TO "{reader}"'
    finally:
        server.execute(database, f"DROP OWNED BY {reader}; DROP ROLE {reader}")


def test_readers(server: PostgresServer, arguments: Login, role: str) -> None:
    database = arguments["login_db"]
    server.execute(database, "CREATE TABLE uploads.of_somebody_else AS SELECT 1 AS one")
    given = {**arguments, "readers": ["etl", "analyst_team"]}
    call = ("omni_upload_schema", given)
    with unwritten(server, database):
        (planned,) = modules([call], check=True)
    watch = Watch(server, database)
    made, again = modules([call, call])
    assert made["statements"] == planned["statements"] == watch.changes
    assert made["diff"] == planned["diff"]
    # The tables come last, in transactions of their own.
    assert made["statements"] == [
        text
        for reader in ("analyst_team", "etl")
        for text in (
            f'GRANT USAGE ON SCHEMA "uploads" TO "{reader}"',
            f'ALTER DEFAULT PRIVILEGES FOR ROLE "{role}" IN SCHEMA "uploads" GRANT SELECT ON TABLES TO "{reader}"',
        )
    ] + [f'GRANT SELECT ON TABLE "uploads"."first" TO "{reader}"' for reader in ("analyst_team", "etl")]
    assert (again["changed"], again["statements"]) == (False, [])
    upload(server, database, role, "second")
    for reader, name, readable in (
        ("etl", "first", True),
        ("etl", "second", True),
        ("analyst_team", "second", True),
        ("analyst_team", "of_somebody_else", False),
        ("app_owner", "first", False),
    ):
        assert reads(server, database, reader, name) is readable, (reader, name)
    # Dropped from the list, a reader keeps what it has; revoked by hand, it is repaired.
    assert perform(DEFINITION, arguments)["changed"] is False
    server.execute(database, "REVOKE SELECT ON uploads.second FROM etl")
    repaired = perform(DEFINITION, given)
    assert repaired["statements"] == ['GRANT SELECT ON TABLE "uploads"."second" TO "etl"']
    # One more reader gets all that the first ones have.
    upload(server, database, role, "third")
    assert len(perform(DEFINITION, {**given, "readers": ["app_owner", "etl"]})["statements"]) == 3
    upload(server, database, role, "fourth")
    assert all(reads(server, database, "app_owner", name) for name in ("first", "second", "third", "fourth"))


def test_a_grant_names_so_many_tables_and_no_more(
    server: PostgresServer, arguments: Login, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statement, "CHUNK", 2)
    for number in range(4):
        upload(server, arguments["login_db"], role, f"t{number}")
    watch = Watch(server, arguments["login_db"])
    perform(DEFINITION, {**arguments, "readers": ["etl"]})
    granted = [text for text in watch.changes if text.startswith("GRANT SELECT")]
    assert granted == [
        f'GRANT SELECT ON TABLE {tables} TO "etl"'
        for tables in (
            '"uploads"."first", "uploads"."t0"',
            '"uploads"."t1", "uploads"."t2"',
            '"uploads"."t3"',
        )
    ]
    # As many transactions that change something.
    begun = [text for text in watch.everything if text.startswith("BEGIN;")]
    assert len(begun) == 1 + len(granted)
    assert all(reads(server, arguments["login_db"], "etl", f"t{number}") for number in range(4))


def test_whose_rights_it_takes(server: PostgresServer, arguments: Login, role: str) -> None:
    """The uploads are the role's own: who made the role is not yet who may grant on them."""
    database = arguments["login_db"]
    given = {**arguments, "readers": ["etl"]}
    server.execute("postgres", SQL("REVOKE {} FROM dba").format(Identifier(role)))
    with unwritten(server, database):
        refused, checked = perform(DEFINITION, given), perform(DEFINITION, given, check=True)
    inherit = " WITH INHERIT TRUE" if server.version >= 16 else ""
    grant = f'GRANT "{role}" TO "dba"{inherit}'
    for result in (refused, checked):
        assert result["error"] == {"kind": "refused", "statement": grant}
        assert f"Somebody who can should run: {grant}; or leave readers out" in result["msg"]
    server.execute("postgres", grant)
    assert perform(DEFINITION, given)["changed"]
    # With nothing left to grant on uploads, it takes no rights.
    server.execute("postgres", SQL("REVOKE {} FROM dba").format(Identifier(role)))
    assert perform(DEFINITION, given)["changed"] is False


def test_check_mode_before_anything_is_there(server: PostgresServer, login: Login) -> None:
    with unwritten(server, login["login_db"]):
        planned = perform(
            DEFINITION, {**login, "role": "nobody here", "name": "uploads", "readers": ["etl"]}, check=True
        )
    assert [text.split(" ", 2)[:2] for text in planned["statements"]] == [
        ["CREATE", "SCHEMA"], ["GRANT", "USAGE,"], ["GRANT", "USAGE"], ["ALTER", "DEFAULT"]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"readers": ["nobody here"]}, "prerequisite", "there is no role nobody here. Create it"),
        ({"readers": ["public"]}, "invalid_input", "Postgres keeps the role name public for itself"),
        ({"readers": ["{role}"]}, "invalid_input", "owns what it uploads, and reads it. Take it out"),
        ({"name": "ext"}, "conflict", "it belongs to the extension plpgsql. Name another one"),
        (
            {"name": "ext", "state": "absent", "cascade": True},
            "conflict",
            "it belongs to the extension plpgsql",
        ),
        ({"state": "absent", "modelled_schemas": ["uploads"]}, "invalid_input", "among the modelled schemas"),
        ({"name": "pg_catalog", "state": "absent"}, "invalid_input", "belongs to Postgres itself"),
    ],
)
def test_refused(
    server: PostgresServer, arguments: Login, role: str, options: Login, kind: str, said: str
) -> None:
    database = arguments["login_db"]
    server.execute(database, "CREATE SCHEMA ext; ALTER EXTENSION plpgsql ADD SCHEMA ext")
    options = {
        name: [item.replace("{role}", role) for item in value] if isinstance(value, list) else value
        for name, value in options.items()
    }
    with unwritten(server, database):
        result = perform(DEFINITION, {**arguments, **options})
    assert result["error"]["kind"] == kind
    assert said in result["msg"]


def test_absent(server: PostgresServer, arguments: Login, role: str) -> None:
    database = arguments["login_db"]
    server.execute(
        database,
        "CREATE VIEW public.on_upload AS SELECT one FROM uploads.first; CREATE FUNCTION uploads.f() RETURNS int"
        " LANGUAGE sql AS 'SELECT 1'; CREATE VIEW uploads.within AS SELECT one FROM uploads.first;"
        "ALTER TABLE uploads.first ADD PRIMARY KEY (one);"
        "CREATE TABLE public.refers (one int REFERENCES uploads.first);"
        # What depends on what depends on it, and on more than tables.
        "CREATE VIEW public.on_that AS SELECT one FROM public.on_upload;"
        "CREATE TYPE uploads.mood AS ENUM ('well'); CREATE SEQUENCE uploads.counter;"
        "CREATE TABLE public.moods (mood uploads.mood, one int DEFAULT nextval('uploads.counter'), f int);"
        "CREATE VIEW public.calls AS SELECT uploads.f() AS called; CREATE INDEX moody ON public.moods (mood)",
    )
    gone = [
        "function uploads.f()",
        "sequence uploads.counter",
        "table uploads.first",
        "type uploads.mood",
        "view uploads.within",
        "column mood of table public.moods",
        "constraint refers_one_fkey on table public.refers",
        "default value for column one of table public.moods",
        "view public.calls",
        "view public.on_that",
        "view public.on_upload",
    ]
    given = {**arguments, "state": "absent"}
    whole = {**given, "cascade": True}
    with unwritten(server, database):
        refused, checked = modules(
            [
                ("omni_upload_schema", given),
                ("omni_upload_schema", whole, {"check_mode": True, "diff": True}),
            ],
        )
    assert refused["error"] == {"kind": "conflict", "objects": gone}
    assert f"11 objects would go with it: {', '.join(gone[:5])}, …. Set cascade: true" in refused["msg"]
    dropped, again = modules([("omni_upload_schema", whole), ("omni_upload_schema", whole)])
    assert dropped["statements"] == checked["statements"] == ['DROP SCHEMA "uploads" CASCADE']
    assert dropped["diff"] == checked["diff"]
    assert dropped["dropped"] == {"count": 12, "list": ["schema uploads", *gone], "truncated": False}
    assert (again["changed"], again["dropped"]["count"]) == (False, 0)
    assert server.execute(database, "SELECT FROM pg_namespace WHERE nspname = 'uploads'") == []
    assert server.execute(database, "SELECT count(*) FROM public.refers") == [(0,)]  # it lost its key alone


def test_an_empty_schema_goes_without_a_word(server: PostgresServer, arguments: Login, role: str) -> None:
    logged_in(server, arguments["login_db"], role, PASSWORD, "DROP TABLE uploads.first")
    perform(DEFINITION, {**arguments, "readers": ["etl"]})
    dropped = perform(DEFINITION, {**arguments, "role": "nobody here", "state": "absent"})
    assert dropped["statements"] == ['DROP SCHEMA "uploads"']


def test_the_roles_variable(server: PostgresServer, arguments: Login, role: str, role_vars: Login) -> None:
    """The role leaves the step to the module, readers and all."""
    run = harness.play(
        [],
        door="in_process",
        hosts={
            "one": {
                **role_vars,
                "omni_postgres_upload_schema": "uploads",
                "omni_postgres_upload_readers": ["etl"],
            }
        },
        tags=["omni_upload_schema"],
        play_keywords={"roles": ["omni_analytics.connect.omni_postgres"]},
    )
    assert run.rc == 0, run.text
    assert reads(server, arguments["login_db"], "etl", "first")

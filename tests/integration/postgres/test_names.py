# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever Postgres can keep as a name works, as a role, a schema, a relation and a database."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, example, given, settings, strategies
from psycopg2.sql import SQL, Identifier

from ansible_collections.omni_analytics.connect.plugins.module_utils import _schema_patterns as _schemas
from ansible_collections.omni_analytics.connect.plugins.module_utils._definition import Definition
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres import access_info as access
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres import (
    grants,
    upload_schema,
    user,
)
from tests.helpers import harness
from tests.helpers.postgres_modules import logged_in, perform
from tests.sandbox.postgres import PostgresServer

Login = dict[str, Any]
PASSWORD = "of the role"
UPLOADS = "uploads"
NASTY = [
    'O"mni ""x"',
    "it's.a; DROP ROLE dba --",
    "100%s %(role)s {} {0}",
    "PUBLIC",
    "Ümlaut_日本🔑",
    "ä" * 31 + "b",
    " two\n\tlines\\ ",
    "SELECT",
    "$user",
]
NAMES = strategies.text(
    strategies.sampled_from("aA\"'.%{}$\\ \n*é🔑")
    | strategies.characters(exclude_characters="\0", exclude_categories=["Cs"]),
    min_size=1,
    max_size=15,
).filter(lambda name: len(name.encode()) <= 63)


@contextlib.contextmanager
def cleaned(server: PostgresServer, database: str, name: str) -> Iterator[None]:
    """Takes the role and the schema of that name away again."""
    try:
        yield
    finally:
        server.execute(database, SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(name)))
        server.drop_role(name)


@pytest.fixture(scope="module")
def shared(server: PostgresServer) -> Iterator[Login]:
    """The login to one database for all examples."""
    name = f"names_{secrets.token_hex(4)}"
    server.create_database(name)
    yield {
        "login_host": server.host,
        "login_port": server.port,
        "login_user": server.dba_user,
        "login_password": server.dba_password,
        "login_db": name,
    }
    server.drop_database(name)


@settings(max_examples=15, deadline=None)
@given(NAMES)
@example(NASTY[0])
@example(NASTY[1])
@example(NASTY[2])
@example(NASTY[5])
@example(NASTY[6])
def test_any_name(server: PostgresServer, shared: Login, name: str) -> None:
    assume(not name.startswith("pg_") and name not in ("public", "none", "information_schema", "dba"))
    assume(
        UPLOADS not in _schemas.SchemaPatterns([name])
    )  # a * in it is a glob, and this one would mean both
    calls: list[tuple[Definition, Login]] = [
        (user.DEFINITION, {"name": name, "password": PASSWORD}),
        (grants.DEFINITION, {"role": name, "schemas": [name]}),
        (upload_schema.DEFINITION, {"role": name, "name": UPLOADS, "modelled_schemas": [name]}),
    ]
    with cleaned(server, shared["login_db"], UPLOADS), cleaned(server, shared["login_db"], name):
        server.execute(
            shared["login_db"],
            SQL(
                "SET ROLE dba; CREATE SCHEMA {0}; CREATE TABLE {0}.{0} (id int); CREATE SEQUENCE {0}.s"
            ).format(Identifier(name)),
        )
        for changed in (True, False):
            for definition, options in calls:
                result = perform(definition, {**shared, **options})
                assert (result["failed"], result["changed"]) == (False, changed), result
        found = perform(
            access.DEFINITION,
            {**shared, "role": name, "password": PASSWORD, "schemas": [name], "upload_schema": UPLOADS},
        )
        assert (found["problems"], found["readable"], found["uploads"]) == ([], 1, True)
        assert found["login"]["state"] == "succeeded"


@pytest.mark.parametrize("name", NASTY)
def test_a_statement_that_is_shown_runs_as_it_stands(
    server: PostgresServer, shared: Login, name: str
) -> None:
    """People copy it from the result to psql."""
    with cleaned(server, shared["login_db"], name):
        perform(user.DEFINITION, {**shared, "name": name, "password": PASSWORD})
        server.execute(
            shared["login_db"],
            SQL("SET ROLE dba; CREATE SCHEMA {0}; CREATE TABLE {0}.{0} (id int)").format(Identifier(name)),
        )
        given = {**shared, "role": name, "schemas": [name]}
        for statement in perform(grants.DEFINITION, given, check=True)["statements"]:
            server.execute(shared["login_db"], statement)
        assert perform(grants.DEFINITION, given)["changed"] is False


def test_names_through_the_doors(server: PostgresServer, login: Login, door: harness.Door) -> None:
    """In a play, where {{ and %}} mean something, and as the name of the database."""
    name = "O\"mni's.100% Rôle"
    database = 'Sales "50%" x=y'
    server.create_database(database, template="sales")
    try:
        given = {**login, "login_db": database}
        with cleaned(server, database, name):
            results = harness.modules(
                [
                    ("omni_pg_user", {**given, "name": name, "password": PASSWORD}),
                    ("omni_pg_grants", {**given, "role": name, "schemas": ["*"]}),
                    ("omni_upload_schema", {**given, "role": name, "name": name}),
                    ("omni_pg_access_info", {**given, "role": name, "password": PASSWORD, "schemas": ["*"]}),
                ],
                door=door,
            )
            assert [(item["failed"], item["changed"]) for item in results] == [(False, True)] * 3 + [
                (False, False)
            ]
            assert (results[3]["problems"], results[3]["login"]["state"]) == ([], "succeeded")
            assert logged_in(server, database, name, PASSWORD, "SELECT count(*) FROM orders") == [(600,)]
    finally:
        server.drop_database(database)

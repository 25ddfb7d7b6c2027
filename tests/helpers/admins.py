# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of login that databases are set up with.

The fixture `as_admin` gives the login options of a module for one of KINDS, in the test's database:

    perform(DEFINITION, {**as_admin("rds"), "name": role_name, "password": "x"})

A kind's role is made when it is first asked for, and dropped with the test.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator
from typing import Any

from psycopg2.extensions import encrypt_password
from psycopg2.sql import SQL, Identifier, Literal

from tests.sandbox.postgres import PostgresServer

Login = dict[str, Any]
AsAdmin = Callable[[str], Login]

#: What each kind is: the options of its role, and the SQL that makes the rest of it ({login}, {database}).
KINDS: dict[str, tuple[str, str]] = {
    "superuser": ("SUPERUSER", ""),
    # May make roles, and owns nothing.
    "createrole": ("CREATEROLE", ""),
    # Owns the schema sales_eu and its tables; may make no roles.
    "schema_owner": (
        "",
        "ALTER SCHEMA sales_eu OWNER TO {login};"
        "ALTER TABLE sales_eu.orders OWNER TO {login};"
        'ALTER TABLE sales_eu."price.list (%)" OWNER TO {login};'
        'ALTER TABLE sales_eu."say ""hello""" OWNER TO {login};',
    ),
    # As on RDS: the rights are those of a group, and the login itself owns the database.
    "rds": (
        "CREATEROLE CREATEDB IN ROLE rds_superuser",
        "ALTER DATABASE {database} OWNER TO {login};",
    ),
    # As on Cloud SQL: the group, not the login, owns the database and its schema public.
    "cloud_sql": (
        "CREATEROLE CREATEDB IN ROLE cloudsqlsuperuser",
        "ALTER DATABASE {database} OWNER TO cloudsqlsuperuser;"
        "ALTER SCHEMA public OWNER TO cloudsqlsuperuser;",
    ),
}

#: The groups that two of them are in, which a server has once.
GROUPS = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_superuser') THEN
        CREATE ROLE rds_password;
        CREATE ROLE rds_replication;
        CREATE ROLE rds_superuser;
        GRANT pg_monitor, pg_signal_backend, rds_password, rds_replication TO rds_superuser WITH ADMIN OPTION;
        CREATE ROLE cloudsqlsuperuser CREATEROLE CREATEDB;
        GRANT pg_monitor, pg_signal_backend TO cloudsqlsuperuser WITH ADMIN OPTION;
    END IF;
END $$
"""


@contextlib.contextmanager
def admins(server: PostgresServer, login: Login) -> Iterator[AsAdmin]:
    """What the fixture `as_admin` is; ``login``: the login options of the test's database."""
    made: dict[str, Login] = {}
    database = login["login_db"]

    def as_admin(kind: str) -> Login:
        if kind not in made:
            name, password = f"{kind}_{secrets.token_hex(4)}", secrets.token_urlsafe(18)
            options, sql = KINDS[kind]
            server.execute("postgres", GROUPS)
            with contextlib.closing(server.connect("postgres")) as connection:
                verifier = encrypt_password(password, name, connection, "scram-sha-256")
            create = SQL("CREATE ROLE {} LOGIN PASSWORD {} " + options)
            server.execute("postgres", create.format(Identifier(name), Literal(verifier)))
            made[kind] = {**login, "login_user": name, "login_password": password}
            if sql:
                names = {"login": Identifier(name), "database": Identifier(database)}
                server.execute(database, SQL(sql).format(**names))
        return made[kind]

    try:
        yield as_admin
    finally:
        # Of a database, DROP OWNED says nothing, and the role would stay.
        server.execute(database, SQL("ALTER DATABASE {} OWNER TO dba").format(Identifier(database)))
        for options in made.values():
            server.drop_role(options["login_user"])

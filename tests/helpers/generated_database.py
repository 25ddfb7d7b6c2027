# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases that nobody would think of: roles, relations and rights drawn by lot from a seed.

    with generated(server, seed=7) as made:
        made.database, made.role, made.password    # the Omni role, which logs in
        made.login, made.login_password            # a login that may grant some of it, and is no superuser
        for relation, answer in select_each(server, made).items(): ...

The same seed gives the same database on servers of one version. `made.sql` makes it by hand.
"""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg2
from psycopg2.sql import SQL, Identifier

from tests.sandbox.postgres import PostgresServer

#: The relations that people select from, those of extensions left out.
RELATIONS = """
SELECT nspname, relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND nspname !~ '^pg_' AND nspname <> 'information_schema'
ORDER BY 1, 2
"""
#: System catalogs and functions that are closed to everybody but superusers, and some that are open.
CLOSED = ("pg_authid", "pg_user_mapping", "pg_shadow", "pg_statistic")
OPEN = ("pg_class", "pg_roles", "pg_stat_activity")


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def unquoted(text: str) -> str:
    """The names in a text of SQL's as they are."""
    return re.sub(r'"((?:[^"]|"")*)"', lambda found: found[1].replace('""', '"'), text)


@dataclass(frozen=True)
class Generated:
    """A database that was generated, its roles, and its schemas."""

    seed: int
    database: str
    role: str
    password: str
    login: str
    login_password: str
    owners: tuple[str, ...]
    groups: tuple[str, ...]
    schemas: tuple[str, ...]
    sql: str


@contextlib.contextmanager
def generated(server: PostgresServer, seed: int) -> Iterator[Generated]:
    """Makes the database of a seed, and drops it with its roles. One of a seed at a time on a server."""
    name = f"g{seed}"
    server.execute("postgres", SQL("CREATE DATABASE {}").format(Identifier(name)))
    world = _World(
        random.Random(seed),
        server.version,
        name,
        remote=server if _has_postgres_fdw(server) else None,
    )
    try:
        world.make()
        sql = ";\n".join(world.statements)
        # Passwords in it are not for the server's log, which other tests read.
        with contextlib.closing(server.connect(name)) as connection, connection.cursor() as cursor:
            cursor.execute("SET log_statement = none")
            cursor.execute(sql)
        yield Generated(
            seed=seed,
            database=name,
            role=unquoted(world.omni),
            password="of the role",
            login=unquoted(world.login),
            login_password="of the login",
            owners=tuple(map(unquoted, world.owners)),
            groups=tuple(map(unquoted, world.groups)),
            schemas=tuple(map(unquoted, world.schemas)),
            sql=sql,
        )
    finally:
        server.drop_database(name)
        roles = SQL(", ").join(SQL(role) for role in world.roles)
        server.execute("postgres", SQL("DROP ROLE IF EXISTS {}").format(roles))


def select_each(server: PostgresServer, made: Generated) -> dict[str, str]:
    """What the role gets from each relation, by schema.name: "rows", "no rows", or the server's refusal."""
    answers = {}
    with contextlib.closing(server.connect(made.database)) as admin, admin.cursor() as cursor:
        cursor.execute(RELATIONS)
        relations = cursor.fetchall()
    with (
        contextlib.closing(server.connect(made.database, made.role, made.password)) as connection,
        connection.cursor() as cursor,
    ):
        for schema, name in relations:
            try:
                cursor.execute(SQL("SELECT * FROM {}").format(Identifier(schema, name)))
            except psycopg2.Error as error:
                answers[f"{schema}.{name}"] = f"{error.pgcode} {error.diag.message_primary}"
            else:
                answers[f"{schema}.{name}"] = "rows" if cursor.rowcount else "no rows"
    return answers


def _has_postgres_fdw(server: PostgresServer) -> bool:
    found = server.execute("postgres", "SELECT FROM pg_available_extensions WHERE name = 'postgres_fdw'")
    return bool(found)


@dataclass
class _World:
    """What is being generated: the statements so far, and what they have made."""

    lot: random.Random
    version: int
    prefix: str
    remote: PostgresServer | None
    statements: list[str] = field(default_factory=list)
    #: every relation that has the columns a and b, by its full name
    sources: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    views: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    sequences: list[str] = field(default_factory=list)
    #: what reads another server, so that it cannot be materialized with data
    far: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.odd = self.chance(0.25)
        self.omni, self.login = self.named(f"{self.prefix}_omni"), self.named(f"{self.prefix}_login")
        self.owners = [self.named(f"{self.prefix}_owner{n}") for n in range(3)]
        self.groups = [self.named(f"{self.prefix}_group{n}") for n in range(2)]
        self.roles = [self.omni, self.login, *self.owners, *self.groups]
        self.schemas = ["public", self.named("s1"), self.named("s2")]

    def make(self) -> None:
        """Everything is made by a superuser and open to him first; then it gets owners, and rights."""
        self._make_roles()
        for schema in self.schemas[1:]:
            owner = self.lot.choice([*self.owners, *self.owners, "postgres", self.login])
            self.do(f"CREATE SCHEMA {schema} AUTHORIZATION {owner}")
        for number in range(self.lot.randint(2, 5)):
            self._make_table(f"t{number}")
        if self.lot.random() < 0.5:
            self._make_foreign_table("f")
        for number in range(self.lot.randint(0, 3)):
            self._make_function(self.placed(f"call{number}"))
        for number in range(self.lot.randint(2, 9)):
            name = self.placed(f"v{number}")
            self._make_materialized(name) if self.lot.random() < 0.2 else self._make_view(name)
        self._give_owners()
        for table in self.tables:
            if self.lot.random() < 0.35:
                self._make_policies(table)
        self._grant()
        self._default_privileges()
        self._settings()

    def do(self, *statements: str) -> None:
        self.statements += statements

    def chance(self, share: float) -> bool:
        return self.lot.random() < share

    def named(self, name: str) -> str:
        """``name``, as SQL writes it: in some databases all have a capital, a blank, a quote and a percent sign."""
        return quoted(f'{name.capitalize()} 5% "n"') if self.odd else name

    def placed(self, name: str) -> str:
        """The same, in any schema."""
        return f"{self.lot.choice(self.schemas)}.{self.named(name)}"

    def somebody(self) -> str:
        return self.lot.choice([self.omni, *self.owners, *self.groups, "PUBLIC"])

    def _make_roles(self) -> None:
        for role in self.roles:
            self.do(f"CREATE ROLE {role}" + (" NOINHERIT" if self.chance(0.1) else ""))
        self.do(
            f"ALTER ROLE {self.omni} LOGIN PASSWORD 'of the role'",
            f"ALTER ROLE {self.login} LOGIN CREATEROLE PASSWORD 'of the login'",
            f"GRANT CREATE ON DATABASE {self.prefix} TO {self.lot.choice(self.owners)}",
        )
        # Only from a later to an earlier one of this list, so that no circle comes about.
        ranks = [*self.owners, *self.groups, self.omni, self.login]
        for number, member in enumerate(ranks):
            for of in ranks[:number]:
                share = 0.6 if member == self.login and of in self.owners else 0.12
                if of != self.omni and self.chance(share):
                    self.do(f"GRANT {of} TO {member}{self._membership()}")
        if self.chance(0.04):
            self.do(f"ALTER ROLE {self.omni} {self.lot.choice(['BYPASSRLS', 'SUPERUSER'])}")
        if self.version >= 14 and self.chance(0.05):
            self.do(f"GRANT pg_read_all_data TO {self.lot.choice([self.omni, *self.owners])}")

    def _membership(self) -> str:
        if self.version < 16 or self.chance(0.5):
            return self.lot.choice(["", "", " WITH ADMIN OPTION"])
        inherit, can_set = (self.lot.choice(["TRUE", "FALSE"]) for dummy in range(2))
        return f" WITH INHERIT {inherit}, SET {can_set}"

    def _make_table(self, base: str) -> None:
        name = self.placed(base)
        columns = "(a int, b int)"
        kind = self.lot.choice(["plain", "plain", "plain", "partitioned", "inherited"])
        if kind == "partitioned":
            self.do(f"CREATE TABLE {name} {columns} PARTITION BY RANGE (a)")
            parts = [(self.placed(f"{base}_{n}"), n) for n in range(2)]
            for part, n in parts:
                self.do(f"CREATE TABLE {part} PARTITION OF {name} FOR VALUES FROM ({n}) TO ({n + 1})")
            self.do(f"INSERT INTO {name} VALUES (0, 1), (1, 1)")
            self._made([name, *(part for part, dummy in parts)])
            return
        self.do(f"CREATE TABLE {name} {columns}", f"INSERT INTO {name} VALUES (0, 1), (1, 1), (2, 0)")
        self._made([name])
        if kind == "inherited":
            child = self.placed(f"{base}_child")
            self.do(f"CREATE TABLE {child} () INHERITS ({name})", f"INSERT INTO {child} VALUES (1, 1)")
            self._made([child])
        if self.chance(0.3):
            sequence = self.placed(f"{base}_seq")
            self.do(f"CREATE SEQUENCE {sequence}")
            self.sequences.append(sequence)

    def _made(self, tables: list[str]) -> None:
        self.tables += tables
        self.sources += tables

    def _make_foreign_table(self, base: str) -> None:
        name, part = self.placed(base), self.placed(f"{base}_0")
        if self.remote is None or self.chance(0.1):
            self.do("CREATE FOREIGN DATA WRAPPER nothing", "CREATE SERVER far FOREIGN DATA WRAPPER nothing")
        else:
            where = f"host '{self.remote.host}', port '{self.remote.port}', dbname '{self.prefix}'"
            self.do(
                "CREATE EXTENSION postgres_fdw",
                f"CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS ({where})",
            )
            for user in {self.somebody() for dummy in range(self.lot.randint(0, 2))}:
                login = f"\"user\" 'postgres', password '{self.remote.admin_password}'"
                self.do(f"CREATE USER MAPPING FOR {user} SERVER far OPTIONS ({login})")
        schema, table = map(unquoted, self.lot.choice(self.tables).split("."))
        far = f"SERVER far OPTIONS (schema_name '{schema}', table_name '{table}')"
        if self.remote is not None and self.chance(0.2):
            self.do(
                f"CREATE TABLE {name} (a int, b int) PARTITION BY RANGE (a)",
                f"CREATE FOREIGN TABLE {part} PARTITION OF {name} DEFAULT {far}",
            )
            self.far.add(part)
            self.sources.append(part)
        else:
            self.do(f"CREATE FOREIGN TABLE {name} (a int, b int) {far}")
        self.far.add(name)
        self.sources.append(name)

    def _make_function(self, name: str) -> None:
        """A function of an int, scalar or a set, that reads a relation or nothing."""
        rights = self.lot.choice(["SECURITY INVOKER", "SECURITY DEFINER"])
        base = self.lot.choice([source for source in self.sources if source not in self.far])
        scalar = self.lot.choice(
            [
                "RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1'",
                f"RETURNS int LANGUAGE sql STABLE {rights} AS 'SELECT max(a) + $1 FROM {base}'",
                f"RETURNS int LANGUAGE plpgsql {rights} AS 'BEGIN RETURN (SELECT max(b) FROM {base}); END'",
                "RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1; END'",
                f"RETURNS SETOF int LANGUAGE sql STABLE {rights} AS 'SELECT a FROM {base}'",
                "RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'int4abs'",
            ]
        )
        self.do(f"CREATE FUNCTION {name}(int) {scalar}")
        self.functions.append(name)
        if self.chance(0.4):
            self.do(f"REVOKE EXECUTE ON FUNCTION {name}(int) FROM PUBLIC")
            if self.chance(0.5):
                self.do(f"GRANT EXECUTE ON FUNCTION {name}(int) TO {self.somebody()}")

    def _query(self) -> tuple[str, set[str]]:
        """A query with the columns a and b, and the relations that it names."""
        one, two = self.lot.choice(self.sources), self.lot.choice(self.sources)
        shapes = [
            (f"SELECT a, b FROM {one}", {one}),
            (f"SELECT a, b FROM {one}", {one}),
            (f"SELECT a, b FROM {one} WHERE a IS NULL OR a < 10000", {one}),
            (f"SELECT a, a AS b FROM {one}", {one}),
            (f"SELECT count(*)::int AS a, 0 AS b FROM {one}", {one}),
            (f"SELECT a, count(*)::int AS b FROM {one} GROUP BY a", {one}),
            (f"SELECT x.a, y.b FROM {one} AS x CROSS JOIN {two} AS y", {one, two}),
            (f"SELECT x.a, y.b FROM {one} AS x LEFT JOIN {two} AS y ON x.a = y.a", {one, two}),
            (f"SELECT a, b FROM {one} UNION ALL SELECT a, b FROM {two}", {one, two}),
            (f"SELECT a, (SELECT max(b) FROM {two}) AS b FROM {one}", {one, two}),
            (f"SELECT a, b FROM {one} WHERE EXISTS (SELECT FROM {two})", {one, two}),
            (f"SELECT a, b FROM (SELECT * FROM {one}) AS inside", {one}),
            (f"WITH used AS (SELECT a, b FROM {two}) SELECT a, b FROM used", {two}),
            (f"WITH unused AS (SELECT a, b FROM {two}) SELECT a, b FROM {one}", {one, two}),
            (
                f"WITH x AS MATERIALIZED (SELECT a, b FROM {two}), y AS (SELECT * FROM x) SELECT a, b FROM {one}",
                {one, two},
            ),
            (f"SELECT count(*)::int AS a, 0 AS b FROM {one} HAVING true", {one}),
            (f"SELECT DISTINCT a, b FROM {one} ORDER BY 1", {one}),
            (
                f"SELECT a, b FROM (SELECT a, b, (SELECT max(b) FROM {two}) AS c FROM {one}) AS inside",
                {one, two},
            ),
            (f"SELECT x.a, y.b FROM {one} AS x FULL JOIN {two} AS y ON x.a = y.a", {one, two}),
            (f"SELECT a, b FROM {one} WHERE NOT EXISTS (SELECT FROM {two} WHERE a = 100000)", {one, two}),
            (f"SELECT a, count(*)::int AS b FROM {one} GROUP BY ROLLUP (a)", {one}),
            (
                f"WITH x AS (SELECT a, b FROM {two}), y AS (SELECT * FROM x) SELECT a, b FROM {one}",
                {one, two},
            ),
            (f"SELECT a, ('{one}'::regclass::oid::bigint % 7)::int AS b FROM {two}", {one, two}),
            (f"SELECT 1 AS a, count(*)::int AS b FROM {self.lot.choice(CLOSED)}", set()),
            (f"SELECT 1 AS a, count(*)::int AS b FROM {self.lot.choice(OPEN)}", set()),
            ("SELECT 1 AS a, count(*)::int AS b FROM pg_catalog.pg_ls_dir('base')", set()),
        ]
        if self.sequences:
            sequence = self.lot.choice(self.sequences)
            shapes += [
                (f"SELECT last_value::int AS a, 1 AS b FROM {sequence}", set()),
                (f"SELECT a, nextval('{sequence}')::int AS b FROM {one}", {one}),
            ]
        if self.functions:
            call = self.lot.choice(self.functions)
            shapes += [
                (f"SELECT a, {call}(a) AS b FROM {one}", {one}),
                (f"SELECT {call}(1) AS a, 2 AS b", set()),
                (f"SELECT a, b FROM (SELECT a, b, {call}(b) AS c FROM {one}) AS inside", {one}),
                (f"SELECT a, b FROM {one}, LATERAL {call}(b) AS called", {one}),
            ]
        return self.lot.choice(shapes)

    def _make_view(self, name: str) -> None:
        query, names = self._query()
        options = []
        if self.version >= 15 and self.chance(0.2):
            options.append("security_invoker = true")
        if self.chance(0.1):
            options.append("security_barrier = true")
        given = f" WITH ({', '.join(options)})" if options else ""
        self.do(f"CREATE VIEW {name}{given} AS {query}")
        self.views.append(name)
        self.sources.append(name)
        if names & self.far:
            self.far.add(name)

    def _make_materialized(self, name: str) -> None:
        query, names = self._query()
        empty = bool(names & self.far) or self.chance(0.3)
        # Filled first: what reads it may be materialized too, and needs it then.
        self.do(f"CREATE MATERIALIZED VIEW {name} AS {query}" + (" WITH NO DATA" if empty else ""))
        self.views.append(name)
        self.sources.append(name)
        if empty:
            self.far.add(name)

    def _give_owners(self) -> None:
        for function in self.functions:
            if self.chance(0.5):
                self.do(f"ALTER FUNCTION {function}(int) OWNER TO {self.lot.choice(self.owners)}")
        for relation in [*self.tables, *self.views, *self.sequences]:
            if self.chance(0.7):
                owner = self.login if self.chance(0.1) else self.lot.choice(self.owners)
                self.do(f"ALTER TABLE {relation} OWNER TO {owner}")
        if self.chance(0.25):
            self.do(f"ALTER DATABASE {self.prefix} OWNER TO {self.lot.choice([self.login, *self.owners])}")
        if self.chance(0.1):
            self.do(f"ALTER TABLE {self.lot.choice(self.tables)} OWNER TO {self.omni}")

    def _make_policies(self, table: str) -> None:
        self.do(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        if self.chance(0.3):
            self.do(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        for number in range(self.lot.choice([0, 1, 1, 2, 3])):
            other = self.lot.choice(self.tables)
            condition = self.lot.choice(
                [
                    "true",
                    "true",
                    "false",
                    "a = 1",
                    "a = 100",
                    f"EXISTS (SELECT FROM {other} AS o WHERE o.a = {table}.a)",
                    "b = length(current_user)",
                    *(f"a < {call}(1)" for call in self.functions if "SETOF" not in self._text_of(call)),
                ]
            )
            kind = "AS RESTRICTIVE " if self.chance(0.25) else ""
            command = self.lot.choice(["", "", "FOR SELECT ", "FOR UPDATE "])
            to = self.lot.choice([f"TO {self.somebody()} ", f"TO {self.omni} ", ""])
            using = "" if self.chance(0.05) else f"USING ({condition})"
            self.do(f"CREATE POLICY p{number} ON {table} {kind}{command}{to}{using}")

    def _text_of(self, function: str) -> str:
        return next(text for text in self.statements if text.startswith(f"CREATE FUNCTION {function}("))

    def _grant(self) -> None:
        for schema in self.schemas:
            if self.chance(0.93):
                to = self.lot.choice([self.omni, self.omni, "PUBLIC", self.lot.choice(self.groups)])
                option = " WITH GRANT OPTION" if to != "PUBLIC" and self.chance(0.1) else ""
                self.do(f"GRANT USAGE ON SCHEMA {schema} TO {to}{option}")
            if self.chance(0.7):
                self.do(f"GRANT USAGE ON SCHEMA {schema} TO {self.login}")
        for relation in [*self.sources, *self.sequences]:
            self._grant_on(relation, self.omni, 0.95)
            for owner in self.owners:
                self._grant_on(relation, owner, 0.8)
            if self.chance(0.08):
                self.do(f"REVOKE SELECT ON {relation} FROM {self.lot.choice(self.owners)}")
            if self.chance(0.2):
                self._pass_on(relation)

    def _grant_on(self, relation: str, role: str, share: float) -> None:
        way = self.lot.random() / share
        if way < 0.75:
            option = " WITH GRANT OPTION" if self.chance(0.08) else ""
            self.do(f"GRANT SELECT ON {relation} TO {role}{option}")
        elif way < 0.85:
            self.do(f"GRANT SELECT ON {relation} TO {self.lot.choice([*self.groups, 'PUBLIC'])}")
        elif way < 1 and relation not in self.sequences:
            columns = self.lot.choice(["a, b", "a", "b"])
            option = " WITH GRANT OPTION" if self.chance(0.2) else ""
            self.do(f"GRANT SELECT ({columns}) ON {relation} TO {role}{option}")

    def _pass_on(self, relation: str) -> None:
        """A grant by a role that is not the owner; needs USAGE on the schema, since it names the relation."""
        grantor = self.lot.choice([self.login, *self.owners])
        self.do(
            f"GRANT USAGE ON SCHEMA {relation.split('.')[0]} TO {grantor}",
            f"GRANT SELECT ON {relation} TO {grantor} WITH GRANT OPTION",
            f"SET SESSION AUTHORIZATION {grantor}",
            f"GRANT SELECT ON {relation} TO {self.lot.choice([self.omni, *self.groups])}",
            "RESET SESSION AUTHORIZATION",
        )

    def _default_privileges(self) -> None:
        for creator in [*self.owners, self.login, self.groups[0], "postgres"]:
            if self.chance(0.3):
                where = self.lot.choice(["", f" IN SCHEMA {self.lot.choice(self.schemas)}"])
                kind, whom = self.lot.choice(["TABLES", "TABLES", "SEQUENCES"]), self.somebody()
                option = " WITH GRANT OPTION" if whom != "PUBLIC" and self.chance(0.2) else ""
                self.do(
                    f"ALTER DEFAULT PRIVILEGES FOR ROLE {creator}{where} GRANT SELECT ON {kind} TO {whom}{option}"
                )

    def _settings(self) -> None:
        place = self.lot.choice(["", f" IN DATABASE {self.prefix}"])
        if self.chance(0.05):
            self.do(f"ALTER ROLE {self.omni}{place} SET row_security = off")
        if self.chance(0.03):
            self.do(f"ALTER DATABASE {self.prefix} SET row_security = 'no'")
        if self.chance(0.05):
            self.do(f"ALTER ROLE {self.omni}{place} SET role = '{unquoted(self.lot.choice(self.groups))}'")

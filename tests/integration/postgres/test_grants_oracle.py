# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""omni_pg_grants in databases drawn by lot: the catalog is compared before and after each run.

GRANTS_SEEDS=1000 tries as many databases, from GRANTS_SEED on; `-s` shows what there was to do in them.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.grants import DEFINITION
from tests.helpers.generated_database import Generated, generated, quoted, unquoted
from tests.helpers.postgres_modules import perform, unwritten
from tests.integration.postgres.test_grants_states import PRIVILEGES
from tests.sandbox.postgres import PostgresServer

SEEDS = int(os.environ.get("GRANTS_SEEDS", "5"))
FIRST = int(os.environ.get("GRANTS_SEED", "1000"))
#: What was met and counted, over all seeds.
COUNTED: Counter[str] = Counter()

Row = tuple[Any, ...]
Options = dict[str, Any]

#: Each relation of the users': [what people call it, its schema, its owner, its name as SQL writes it].
OBJECTS = """
SELECT CASE relkind WHEN 'S' THEN 'sequence ' ELSE 'table ' END || nspname || '.' || relname,
       nspname, pg_get_userbyid(relowner), c.oid::regclass::text
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND nspname !~ '^pg_' AND nspname <> 'information_schema'
"""


@pytest.fixture(scope="module", autouse=True)
def _figures() -> Iterator[None]:
    yield
    print("\n" + "\n".join(f"{count:8} {what}" for what, count in sorted(COUNTED.items())))


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_a_database_drawn_by_lot(server: PostgresServer, seed: int) -> None:
    lot = random.Random(seed)
    with generated(server, seed) as made:
        run = _Run(server, made, lot)
        _sprinkle(run, lot)
        run.undone_by_absent()
        run.exclusive()
    COUNTED["databases"] += 1


class _Run:
    """The module in one database, with options of its own."""

    def __init__(self, server: PostgresServer, made: Generated, lot: random.Random) -> None:
        self.server, self.made = server, made
        self.schemas = lot.choice([["*"], [lot.choice(made.schemas)], list(made.schemas[:2])])
        self.options: Options = {
            "login_host": server.host,
            "login_port": server.port,
            "login_user": made.login,
            "login_password": made.login_password,
            "login_db": made.database,
            "role": made.role,
            "schemas": self.schemas,
            "exclude_schemas": lot.choice([[], list(made.schemas[2:])]) if self.schemas == ["*"] else [],
            "sequences": lot.random() < 0.8,
            "default_privileges_for": lot.choice([["auto"], ["auto"], ["none"], [lot.choice(made.owners)]]),
            "mode": lot.choice(["direct", "direct", "effective"]),
            "max_listed": 0,
        }
        if lot.random() < 0.25:
            self.options |= {"login_user": server.admin_user, "login_password": server.admin_password}

    def privileges(self) -> set[Row]:
        """(what, grantee, privilege, grantor, whether it may be granted further)"""
        rows = [
            tuple(unquoted(value) if isinstance(value, str) else value for value in row)
            for row in self.server.execute(self.made.database, PRIVILEGES)
        ]
        # What one who makes tables has on them itself: Postgres keeps no default privileges that say only that.
        return {row for row in rows if not (row[0].startswith("later") and row[1] == row[3])}

    def ours(self, rows: set[Row]) -> set[Row]:
        return {row for row in rows if row[1] == self.made.role}

    def converge(self, what: str, **options: Any) -> Options:
        """Check mode, the run, and another run, which all have to tell the same story. Returns the run's result."""
        given = {**self.options, **options}
        where = self.made.database
        with unwritten(self.server, where):
            planned = perform(DEFINITION, given, check=True)
        done = perform(DEFINITION, given)
        assert not done["failed"], (what, done["msg"], self.made.seed)
        assert planned["statements"] == done["statements"]
        for key in ("granted", "revoked"):
            assert planned[key] == done[key]
        # The advice may differ, and with it whom to ask: what the run took, its author lacks afterwards.
        one, other = ({item["what"] for item in result["unmanageable"]["list"]} for result in (planned, done))
        assert one == other
        with unwritten(self.server, where):
            again = perform(DEFINITION, given)
        assert (again["failed"], again["changed"]) == (False, False), (what, again)
        assert again["unmanageable"] == done["unmanageable"]
        COUNTED[f"{what}: runs"] += 1
        COUNTED[f"{what}: statements"] += len(done["statements"])
        COUNTED[f"{what}: as another role"] += sum("SET LOCAL ROLE" in text for text in done["statements"])
        for item in done["unmanageable"]["list"]:
            reason = " ".join(
                word for word in item["reason"].split() if not word.startswith(self.made.database)
            )
            COUNTED[f"{what}: unmanageable: {reason[:60]}"] += 1
        return done

    def undone_by_absent(self) -> None:
        before = self.privileges()
        made = self.converge("present")
        after = self.privileges()
        assert before <= after
        new = after - before
        assert new == self.ours(new)
        assert {row[2] for row in new} <= {"CONNECT", "USAGE", "SELECT"}
        assert not any(row[4] for row in new)
        self._all_is_granted(after, made)
        gone = self.converge("absent", state="absent")
        left = self.privileges()
        # Whatever present granted is gone again, unless it is said not to be.
        said = {item["what"] for item in gone["unmanageable"]["list"]}
        kept = {row for row in left - before if not any(_named(row) in what for what in said)}
        assert kept == set(), (kept, gone["statements"], self.made.seed)
        COUNTED["absent: left over, and said"] += len(left - before)
        # What it takes beyond that, had been granted before, and is what present gives.
        lost = before - left
        assert lost == self.ours(lost)
        assert {row[2] for row in lost} <= {"CONNECT", "USAGE", "SELECT"}
        relations = set(map(unquoted, self._relations()))
        assert not [row for row in lost if "." in row[0] and row[0] not in relations]

    def _relations(self) -> set[str]:
        return {name for dummy, dummy2, dummy3, name in self.server.execute(self.made.database, OBJECTS)}

    def _all_is_granted(self, after: set[Row], result: Options) -> None:
        granted = {row[0] for row in self.ours(after) if row[2] == "SELECT"}
        said = {item["what"] for item in result["unmanageable"]["list"]}
        held = self.server.execute(
            self.made.database,
            f"SELECT name FROM ({OBJECTS}) AS object (what, schema, owner, name)"
            f" WHERE has_table_privilege('{self.made.role}', name::regclass, 'SELECT')",
        )
        for what, schema, owner, name in self.server.execute(self.made.database, OBJECTS):
            if schema not in result["schemas"] or (what.startswith("seq") and not self.options["sequences"]):
                continue
            COUNTED["present: relations"] += 1
            fine = (
                unquoted(name) in granted
                or owner == self.made.role
                or f"SELECT on {what}" in said
                or (name,) in held
            )
            assert fine, (what, result, self.made.seed)

    def exclusive(self) -> None:
        others = {row for row in self.privileges() if row[1] != self.made.role}
        done = self.converge("exclusive", exclusive=True)
        assert {row for row in self.privileges() if row[1] != self.made.role} == others
        for dummy in range(4):
            if not done["unmanageable"]["count"]:
                break
            for item in done["unmanageable"]["list"]:
                self._by_hand(item["statement"])
            done = self.converge("exclusive again", exclusive=True)
        assert done["unmanageable"]["count"] == 0, (done["unmanageable"]["list"][:3], self.made.seed)
        for row in self.ours(self.privileges()):
            what, privilege, option = row[0], row[2], row[4]
            if what.startswith("later") and f" of {self.made.role} in " in what:
                continue
            schema = what.split(" in ")[-1] if what.startswith("later") else what.split(".")[0]
            if schema not in self.options["exclude_schemas"] and not self._owned(what):
                assert privilege in ("CONNECT", "USAGE", "SELECT"), (what, privilege, self.made.seed)
                assert not option, (what, privilege, self.made.seed)

    def _owned(self, what: str) -> bool:
        """Whether it is the role's own; what one owns, one keeps."""
        database, role = self.made.database, {"role": self.made.role}
        schemas = "SELECT nspname FROM pg_namespace WHERE pg_get_userbyid(nspowner) = %(role)s"
        relations = (
            f"SELECT name FROM ({OBJECTS}) AS object (what, schema, owner, name) WHERE owner = %(role)s"
        )
        if (what,) in self.server.execute(database, schemas, role):
            return True
        owned = [unquoted(name) for (name,) in self.server.execute(database, relations, role)]
        return any(what == name or what.startswith(f"{name}.") for name in owned)

    def _by_hand(self, statement: str) -> None:
        """As a superuser. What an earlier statement of the list took along, need not be taken again."""
        with contextlib.suppress(psycopg2.errors.InsufficientPrivilege):
            self.server.execute(self.made.database, statement)


def _named(row: Row) -> str:
    """What a privilege is on, as the module's result words it."""
    what = str(row[0])
    if what.startswith("later"):
        return "later"
    return what


def _sprinkle(run: _Run, lot: random.Random) -> None:
    """More rights than reading, by whoever comes; what the server refuses is left out."""
    made = run.made
    relations = sorted(run._relations())
    role, login = quoted(made.role), quoted(made.login)
    roles = [login, role, *map(quoted, made.owners)]
    takers = [*roles, *map(quoted, made.groups), "PUBLIC"]
    privileges = ["SELECT", "SELECT", "INSERT", "UPDATE", "ALL", "SELECT (a)", "UPDATE (a, b)", "SELECT (b)"]
    with (
        contextlib.closing(run.server.connect(made.database)) as connection,
        connection.cursor() as cursor,
    ):
        for dummy in range(lot.randint(0, 40)):
            relation, giver, taker = lot.choice(relations), lot.choice(roles), lot.choice(takers)
            option = "" if taker == "PUBLIC" else lot.choice(["", "", " WITH GRANT OPTION"])
            privilege = lot.choice(privileges)
            schema = relation.split(".")[0] if "." in relation else "public"
            statement = lot.choice(
                [
                    f"SET ROLE {giver}; GRANT {privilege} ON {relation} TO {taker}{option}",
                    f"GRANT {privilege} ON {relation} TO {taker}{option}",
                    f"GRANT {privilege} ON {relation} TO {role} WITH GRANT OPTION; SET ROLE {role};"
                    f" GRANT {privilege} ON {relation} TO {taker}{option}",
                    f"GRANT {privilege} ON {relation} TO {login} WITH GRANT OPTION; SET ROLE {login};"
                    f" GRANT {privilege} ON {relation} TO {role}{lot.choice(['', ' WITH GRANT OPTION'])}",
                    f"REVOKE GRANT OPTION FOR {privilege} ON {relation} FROM {giver} CASCADE",
                    f"REVOKE SELECT ON {relation} FROM {taker} CASCADE",
                    f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {taker}{option}",
                    f"ALTER TABLE {relation} OWNER TO {giver}",
                    f"ALTER SCHEMA {schema} OWNER TO {giver}",
                    f"REVOKE USAGE ON SCHEMA {schema} FROM {taker}, PUBLIC",
                    f"GRANT USAGE ON SCHEMA {schema} TO {taker}{option}",
                    f"SET ROLE {giver}; GRANT USAGE ON SCHEMA {schema} TO {taker}{option}",
                    f"GRANT CREATE ON SCHEMA {schema} TO {role}{option}",
                    f"GRANT TEMPORARY, CONNECT ON DATABASE {made.database} TO {taker}{option}",
                    f"REVOKE CONNECT ON DATABASE {made.database} FROM PUBLIC;"
                    f" GRANT CONNECT ON DATABASE {made.database} TO {login}{option}",
                    f"SET ROLE {giver}; GRANT CONNECT ON DATABASE {made.database} TO {taker}{option}",
                    f"GRANT {lot.choice(takers[1:-1])} TO {giver} WITH ADMIN OPTION",
                    f"ALTER DEFAULT PRIVILEGES FOR ROLE {giver} GRANT INSERT ON TABLES TO {taker}",
                    f"ALTER DEFAULT PRIVILEGES FOR ROLE {giver} GRANT USAGE ON SCHEMAS TO {taker}",
                    f"ALTER DEFAULT PRIVILEGES FOR ROLE {giver} REVOKE SELECT ON TABLES FROM {taker}",
                    f"ALTER DEFAULT PRIVILEGES FOR ROLE {giver} IN SCHEMA {schema} GRANT SELECT ON SEQUENCES"
                    f" TO {taker}{option}",
                ]
            )
            with contextlib.suppress(psycopg2.Error):
                cursor.execute(statement)
            cursor.execute("RESET ROLE")

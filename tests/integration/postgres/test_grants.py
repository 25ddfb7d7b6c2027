# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Omni role may read, now and later."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

import pytest
from psycopg2.sql import SQL, Identifier

from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres import grants, session, user
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.grants import DEFINITION
from tests.helpers import harness
from tests.helpers.perform import modules
from tests.helpers.postgres_modules import Watch, lifecycle, logged_in, perform, refused, unwritten
from tests.sandbox.postgres import PostgresServer

Login = dict[str, Any]
PASSWORD = "of the role"
ALL = ["internal", "public", "sales_eu", "sales_us", "stats_daily", "stats_monthly"]

# What the role can read, by what Postgres itself says.
READABLE = """
SELECT format('%%I.%%I', nspname, relname) FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND relkind = ANY (%s)
  AND has_schema_privilege(%s, n.oid, 'USAGE') AND has_table_privilege(%s, pg_class.oid, 'SELECT')
"""


@pytest.fixture
def role(login: Login, role_name: str) -> str:
    """The Omni role, as omni_pg_user makes it."""
    assert not perform(user.DEFINITION, {**login, "name": role_name, "password": PASSWORD})["failed"]
    return role_name


@pytest.fixture
def arguments(login: Login, role: str) -> Login:
    return {**login, "role": role, "schemas": ["*"]}


@pytest.fixture
def run(server: PostgresServer, database: str) -> Callable[[str], list[tuple[Any, ...]]]:
    """Runs SQL in the test's database as the superuser."""
    return lambda sql: server.execute(database, sql)


def readable(server: PostgresServer, database: str, role: str, kinds: str = "rpvmfS") -> set[str]:
    return {name for (name,) in server.execute(database, READABLE, (list(kinds), role, role))}


def test_lifecycle(server: PostgresServer, arguments: Login, role: str, door: harness.Door) -> None:
    database = arguments["login_db"]
    made = lifecycle(
        server,
        "omni_pg_grants",
        arguments,
        invalid={"schemas": []},
        outside=lambda: server.execute(
            database, SQL("REVOKE SELECT ON sales_eu.orders FROM {}").format(Identifier(role))
        ),
        repair=[f'GRANT SELECT ON TABLE "sales_eu"."orders" TO "{role}"'],
        door=door,
    )
    assert made["schemas"] == ALL
    assert made["unmanageable"] == {"count": 0, "list": [], "truncated": False}
    assert "warnings" not in made
    everything = {
        name for (name,) in server.execute(database, READABLE, (list("rpvmfS"), "postgres", "postgres"))
    }
    assert made["relations"] == len(everything) > 20
    assert readable(server, database, role) == everything
    assert logged_in(server, database, role, PASSWORD, 'SELECT count(*) FROM sales_us."Umsätze_日本"') == [
        (0,)
    ]
    assert logged_in(server, database, role, PASSWORD, "SELECT count(*) FROM orders_2026, open_orders")


@pytest.mark.parametrize("creator", ["app_owner", "etl", "analyst_team", "dba"])
def test_what_is_made_later_is_readable(
    server: PostgresServer, run: Callable[[str], Any], arguments: Login, role: str, creator: str
) -> None:
    """Each creator makes a table, a view and a sequence where it owns something."""
    perform(DEFINITION, arguments)
    homes = [
        schema
        for (schema,) in run(
            f"SELECT DISTINCT relnamespace::regnamespace::text FROM pg_class WHERE relowner = '{creator}'::regrole"
            " AND relkind IN ('r', 'v', 'm', 'f') UNION SELECT nspname FROM pg_namespace"
            f" WHERE nspowner = '{creator}'::regrole OR nspname = 'public' AND '{creator}' = 'dba'"
        )
        if not schema.startswith("pg_")
    ]
    assert homes
    for schema in homes:
        run(
            f"SET ROLE {creator}; CREATE TABLE {schema}.new_table (id int);"
            f"CREATE VIEW {schema}.new_view AS SELECT 1; CREATE SEQUENCE {schema}.new_sequence"
        )
        for relation in ("new_table", "new_view", "new_sequence"):
            logged_in(server, arguments["login_db"], role, PASSWORD, f"SELECT * FROM {schema}.{relation}")
    assert perform(DEFINITION, arguments)["changed"] is False


@pytest.mark.parametrize(
    ("options", "schemas", "read", "not_read"),
    [
        ({"schemas": ["public"]}, ["public"], {"public.customers", "public.orders"}, {"sales_eu.orders"}),
        ({"schemas": ["stats_*"]}, ALL[4:], {"stats_monthly.revenue"}, {"public.customers"}),
        (
            {"schemas": ["*"], "exclude_schemas": ["s*_*"]},
            ALL[:2],
            {"internal.sessions"},
            {"sales_us.orders"},
        ),
        (
            {"schemas": ["public", "sales_eu"], "exclude_schemas": ["sales_eu"]},
            ["public"],
            {"public.products"},
            {"sales_eu.orders"},
        ),
        ({"schemas": ["*"], "sequences": False}, ALL, {"public.orders"}, {"public.invoice_number"}),
    ],
)
def test_which_schemas(
    server: PostgresServer,
    arguments: Login,
    role: str,
    options: Login,
    schemas: list[str],
    read: set[str],
    not_read: set[str],
) -> None:
    given = {**arguments, **options}
    result = perform(DEFINITION, given)
    assert result["schemas"] == schemas
    found = readable(server, arguments["login_db"], role)
    assert read <= found
    assert not not_read & found
    assert perform(DEFINITION, given)["changed"] is False
    if "sequences" in options:
        assert not any("SEQUENCE" in statement for statement in result["statements"])
        assert readable(server, arguments["login_db"], role, "S") == set()


def test_schemas_that_are_not_there(arguments: Login) -> None:
    result = perform(DEFINITION, {**arguments, "schemas": ["public", "gone_*", "*"]})
    assert (result["unmatched"], result["changed"]) == (["gone_*"], True)
    assert "No schema matches gone_*" in result["warnings"][0]
    planned = perform(DEFINITION, {**arguments, "schemas": ["public", "gone"]}, check=True)
    result = perform(DEFINITION, {**arguments, "schemas": ["public", "gone"]})
    assert result["error"] == {"kind": "prerequisite", "schemas": ["gone"]}
    said = "there is no schema gone. Correct schemas, or create it first"
    assert said in result["msg"]
    assert (
        f"{said}. In check mode it is no error: an earlier task may be about to make it."
        in planned["warnings"][0]
    )


def test_a_role_that_is_not_there_is_missed_by_a_run_alone(server: PostgresServer, login: Login) -> None:
    nobody = {**login, "role": "nobody here"}
    with unwritten(server, login["login_db"]):
        planned = perform(DEFINITION, nobody, check=True)
        result = perform(DEFINITION, nobody)
    assert 'TO "nobody here"' in planned["statements"][0]
    assert result["error"] == {"kind": "prerequisite", "roles": ["nobody here"]}
    assert "there is no role nobody here" in planned["warnings"][0]
    assert "Create it with omni_pg_user first" in result["msg"]


@pytest.mark.parametrize(
    ("undo", "repair"),
    [
        ("REVOKE SELECT ON orders FROM {}", 'GRANT SELECT ON TABLE "public"."orders" TO {}'),
        ("REVOKE SELECT ON open_orders FROM {}", 'GRANT SELECT ON TABLE "public"."open_orders" TO {}'),
        (
            "REVOKE ALL ON stats_daily.customers_by_region FROM {}",
            'GRANT SELECT ON TABLE "stats_daily"."customers_by_region" TO {}',
        ),
        (
            "REVOKE SELECT ON stats_daily.legacy_orders FROM {}",
            'GRANT SELECT ON TABLE "stats_daily"."legacy_orders" TO {}',
        ),
        (
            'REVOKE SELECT ON sales_eu."say ""hello""" FROM {}',
            'GRANT SELECT ON TABLE "sales_eu"."say ""hello""" TO {}',
        ),
        (
            "REVOKE SELECT ON SEQUENCE invoice_number FROM {}",
            'GRANT SELECT ON SEQUENCE "public"."invoice_number" TO {}',
        ),
        ("REVOKE USAGE ON SCHEMA internal FROM {}", 'GRANT USAGE ON SCHEMA "internal" TO {}'),
        ("REVOKE CONNECT ON DATABASE {database} FROM {}", "GRANT CONNECT ON DATABASE {database} TO {}"),
        (
            "ALTER DEFAULT PRIVILEGES FOR ROLE etl IN SCHEMA stats_daily REVOKE SELECT ON TABLES FROM {}",
            'ALTER DEFAULT PRIVILEGES FOR ROLE "etl" IN SCHEMA "stats_daily" GRANT SELECT ON TABLES TO {}',
        ),
        # A grant of another privilege, or of one column, is not what is wanted.
        (
            "REVOKE SELECT ON products FROM {0}; GRANT INSERT, SELECT (name) ON products TO {0}",
            'GRANT SELECT ON TABLE "public"."products" TO {}',
        ),
    ],
)
def test_only_what_is_missing_is_granted(
    server: PostgresServer, run: Callable[[str], Any], arguments: Login, role: str, undo: str, repair: str
) -> None:
    perform(DEFINITION, arguments)
    database = arguments["login_db"]
    run(undo.format(f'"{role}"', database=database))
    watch = Watch(server, database)
    result = perform(DEFINITION, arguments)
    expected = [repair.format(f'"{role}"', database=f'"{database}"')]
    assert result["statements"] == watch.changes == expected
    assert result["granted"]["count"] == 1


def test_a_grant_by_somebody_else_counts(run: Callable[[str], Any], arguments: Login, role: str) -> None:
    """It stands in the ACL under another grantor than the owner."""
    perform(DEFINITION, arguments)
    run(
        f'REVOKE SELECT ON customers FROM "{role}"; GRANT SELECT ON customers TO etl WITH GRANT OPTION;'
        f'SET ROLE etl; GRANT SELECT ON customers TO "{role}"'
    )
    assert perform(DEFINITION, arguments)["changed"] is False
    run(f'SET ROLE etl; REVOKE SELECT ON customers FROM "{role}"')  # DROP OWNED would leave it


def test_a_converged_run_costs_two_queries(server: PostgresServer, arguments: Login) -> None:
    perform(DEFINITION, arguments)
    with unwritten(server, arguments["login_db"]) as watch:
        assert perform(DEFINITION, arguments)["changed"] is False
    assert [text.split(";")[0] for text in watch.everything] == ["SET TRANSACTION READ ONLY"] * 2


@pytest.mark.parametrize("options", [{}, {"exclusive": True}, {"mode": "effective"}, {"state": "absent"}])
def test_reading_locks_no_table_of_the_users(
    arguments: Login, options: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, locked = session.Session.rows, []

    def looked_after(self: Any, query: Any, values: Any) -> Any:
        found = rows(self, query, values)
        locked.extend(
            rows(
                self,
                "SELECT relation::regclass::text FROM pg_locks"
                " WHERE pid = pg_backend_pid() AND relation >= 16384 AND locktype = 'relation'",
                {},
            )
        )
        return found

    monkeypatch.setattr(session.Session, "rows", looked_after)
    assert not perform(DEFINITION, {**arguments, **options}, check=True)["failed"]
    assert locked == []


@pytest.mark.parametrize(
    ("wanted", "creators"),
    [
        (["auto"], {"app_owner", "dba", "etl"}),
        (["none"], set()),
        (["analyst_team"], {"analyst_team"}),
        (["dba", "etl"], {"dba", "etl"}),
    ],
)
def test_default_privileges_for(
    run: Callable[[str], Any], arguments: Login, role: str, wanted: list[str], creators: set[str]
) -> None:
    given = {**arguments, "schemas": ["public"], "default_privileges_for": wanted}
    perform(DEFINITION, given)
    found = run(
        f"SELECT defaclrole::regrole::text, defaclobjtype FROM pg_default_acl, aclexplode(defaclacl)"
        f" WHERE grantee = '\"{role}\"'::regrole AND defaclnamespace = 'public'::regnamespace"
    )
    assert set(found) == {(creator, kind) for creator in creators for kind in "rS"}
    assert perform(DEFINITION, given)["changed"] is False


def test_default_privileges_for_nobody(server: PostgresServer, arguments: Login) -> None:
    with unwritten(server, arguments["login_db"]):
        result = perform(DEFINITION, {**arguments, "default_privileges_for": ["gone"]})
        planned = perform(DEFINITION, {**arguments, "default_privileges_for": ["gone"]}, check=True)
    assert result["error"] == {"kind": "prerequisite", "roles": ["gone"]}
    assert "there is no role gone. " in result["msg"]
    assert "there is no role gone. " in planned["warnings"][0]


def test_global_default_privileges_count(run: Callable[[str], Any], arguments: Login, role: str) -> None:
    for kind in ("TABLES", "SEQUENCES"):
        run(f'ALTER DEFAULT PRIVILEGES FOR ROLE etl GRANT SELECT ON {kind} TO "{role}"')
    statements = perform(DEFINITION, arguments)["statements"]
    assert not [text for text in statements if 'FOR ROLE "etl"' in text]
    assert [text for text in statements if 'FOR ROLE "app_owner"' in text]


@pytest.fixture
def theirs(run: Callable[[str], Any]) -> None:
    """The superuser's own: a table, a sequence, and a schema with a table; the dba may grant on none of them."""
    run(
        "CREATE TABLE theirs (id int); CREATE SEQUENCE their_number;"
        "CREATE SCHEMA vault; CREATE TABLE vault.gold (id int)"
    )


@pytest.mark.usefixtures("theirs")
def test_what_the_login_cannot_grant(
    server: PostgresServer, run: Callable[[str], Any], arguments: Login, role: str
) -> None:
    database = arguments["login_db"]
    call = ("omni_pg_grants", {**arguments, "on_unmanageable": "fail"})
    with unwritten(server, database):
        failed, failed_check = modules([call, (*call, {"check_mode": True})])
    for result in (failed, failed_check):
        assert result["error"]["kind"] == "refused"
        assert (
            "cannot manage 6 of them, first USAGE on schema vault: it belongs to role postgres"
            in result["msg"]
        )
        assert f'Somebody who can should run: GRANT USAGE ON SCHEMA "vault" TO "{role}"' in result["msg"]
    warned, again, ignored = modules(
        [
            ("omni_pg_grants", arguments),
            ("omni_pg_grants", arguments),
            ("omni_pg_grants", {**arguments, "on_unmanageable": "ignore"}),
        ],
    )
    assert (warned["changed"], again["changed"], ignored["changed"]) == (True, False, False)
    items = warned["unmanageable"]["list"]
    assert items == again["unmanageable"]["list"] == ignored["unmanageable"]["list"]
    assert items == failed["error"]["unmanageable"]
    by_what = {item["what"]: (item["owner"], item["statement"]) for item in items}
    assert by_what["SELECT on table public.theirs"] == (
        "postgres", f'GRANT SELECT ON TABLE "public"."theirs" TO "{role}"'
    )  # fmt: skip
    assert set(by_what) == {
        "USAGE on schema vault",
        "SELECT on table public.theirs",
        "SELECT on sequence public.their_number",
        "SELECT on table vault.gold",
        "SELECT on later tables in public, vault",
        "SELECT on later sequences in public, vault",
    }
    for result in (warned, again):
        assert f"cannot manage 6 of the privileges of role {role}" in result["warnings"][0]
    assert "warnings" not in ignored
    assert "public.customers" in readable(server, database, role)
    assert "permission denied" in refused(server, database, role, PASSWORD, "SELECT FROM theirs")

    for item in items:
        run(item["statement"])
    done = perform(DEFINITION, {**arguments, "on_unmanageable": "fail"})
    assert (done["changed"], done["unmanageable"]["count"]) == (False, 0)
    run("CREATE TABLE vault.silver (id int)")
    assert logged_in(server, database, role, PASSWORD, "SELECT * FROM vault.gold, vault.silver, theirs") == []


@pytest.mark.usefixtures("theirs")
def test_what_is_held_in_another_way_is_no_fault(
    run: Callable[[str], Any], arguments: Login, role: str
) -> None:
    run(
        "GRANT USAGE ON SCHEMA vault TO PUBLIC; GRANT SELECT ON theirs, their_number, vault.gold TO PUBLIC;"
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;"
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON SEQUENCES TO PUBLIC"
    )
    given = {**arguments, "on_unmanageable": "fail"}
    assert perform(DEFINITION, given)["unmanageable"]["count"] == 0
    assert perform(DEFINITION, given)["changed"] is False


def test_what_belongs_to_an_extension_is_left_alone(
    server: PostgresServer, run: Callable[[str], Any], arguments: Login, role: str
) -> None:
    run(
        "SET ROLE dba; CREATE TABLE of_extension (id int); CREATE SCHEMA extension_schema;"
        "CREATE TABLE extension_schema.t (id int); RESET ROLE;"
        "ALTER EXTENSION plpgsql ADD TABLE of_extension; ALTER EXTENSION plpgsql ADD SCHEMA extension_schema"
    )
    result = perform(DEFINITION, arguments)
    assert result["schemas"] == ALL
    assert not [text for text in result["statements"] if "extension" in text]
    assert "public.of_extension" not in readable(server, arguments["login_db"], role)


def test_a_table_dropped_between_read_and_apply(
    server: PostgresServer,
    run: Callable[[str], Any],
    arguments: Login,
    role: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    apply = grants.Grants.apply
    dropped: list[object] = []

    def drop_first(resource: Any, changes: Any) -> Any:
        if not dropped:
            dropped.append(run("DROP TABLE products"))
        return apply(resource, changes)

    monkeypatch.setattr(grants.Grants, "apply", drop_first)
    result = perform(DEFINITION, arguments)
    assert (result["failed"], result["changed"]) == (False, True)
    assert not any('"products"' in text for text in result["statements"])
    assert "public.customers" in readable(server, arguments["login_db"], role)
    assert perform(DEFINITION, arguments)["changed"] is False


def test_a_table_that_is_made_anew_meanwhile_is_granted_again(
    run: Callable[[str], Any], arguments: Login, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As dbt does it: the same name, and another object, whose grant is not the one that was sent."""
    apply = grants.Grants.apply
    left = [1, 2]

    def replace_after(resource: Any, changes: Any) -> Any:
        yield from apply(resource, changes)
        if left:
            left.pop()
            run(
                "DROP TABLE products CASCADE; CREATE TABLE products (id int); ALTER TABLE products OWNER TO dba"
            )

    monkeypatch.setattr(grants.Grants, "apply", replace_after)
    result = perform(DEFINITION, arguments)
    assert (result["failed"], left) == (False, []), result
    assert sum('"products"' in text for text in result["statements"]) == 3
    assert perform(DEFINITION, arguments)["changed"] is False


def test_a_grant_without_effect_is_found_out(
    run: Callable[[str], Any], arguments: Login, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server only warns about a grant on a table on which the login holds some privilege, but not that one."""
    run(
        "CREATE TABLE theirs (id int); GRANT INSERT ON theirs TO dba;"
        "CREATE SEQUENCE their_number; GRANT UPDATE ON their_number TO dba"
    )
    read = grants.Grants.read

    def misled(resource: Any) -> Any:
        state = read(resource)
        return state._replace(
            missing=tuple(right if right.later else right._replace(hindrance="") for right in state.missing),
        )

    monkeypatch.setattr(grants.Grants, "read", misled)
    result = perform(DEFINITION, arguments)
    assert result["error"]["kind"] == "not_converged"
    assert f'still missing: GRANT SELECT ON TABLE "public"."theirs" TO "{role}"' in result["msg"]
    for name in ("theirs", "their_number"):
        assert f'WARNING: no privileges were granted for "{name}"' in result["msg"]


@pytest.mark.parametrize(
    ("lock", "seen"),
    [
        ("ALTER TABLE customers ADD COLUMN more int", True),
        # It holds the row of the catalog, and no lock on the table that pg_locks would show.
        ("GRANT INSERT ON customers TO etl", False),
    ],
)
def test_a_lock_keeps_that_table_alone_from_being_granted(
    server: PostgresServer, arguments: Login, role: str, lock: str, seen: bool
) -> None:
    given = {**arguments, "lock_timeout": 1}
    with (
        contextlib.closing(server.connect(arguments["login_db"])) as other,
        other.cursor() as cursor,
    ):
        cursor.execute(f"BEGIN; {lock}")
        result = perform(DEFINITION, {**given, "max_listed": 0})
        error = result["error"]
        assert (error["kind"], error["sqlstate"]) == ("refused", "55P03")
        assert error["locked"] == ["SELECT on table public.customers"]
        assert error["pids"] == ([other.info.backend_pid] if seen else [])
        assert (
            "holds a lock in the way of SELECT on table public.customers. The others are done"
            in result["msg"]
        )
        assert result["changed"]
        assert result["granted"]["count"] == len(result["granted"]["list"])
        assert "SELECT on table public.orders" in result["granted"]["list"]
        assert "SELECT on table public.customers" not in result["granted"]["list"]
        assert not any('"customers"' in text for text in result["statements"])
        found = readable(server, arguments["login_db"], role)
        assert "public.orders" in found
        assert "public.customers" not in found
        cursor.execute("ROLLBACK")
    again = perform(DEFINITION, given)
    assert again["granted"]["list"] == ["SELECT on table public.customers"]


def test_a_lock_that_goes_in_time_is_waited_for(server: PostgresServer, arguments: Login) -> None:
    with contextlib.closing(server.connect(arguments["login_db"])) as other:
        other.cursor().execute("BEGIN; LOCK customers IN ACCESS EXCLUSIVE MODE")
        freed = threading.Timer(1, other.close)
        freed.start()
        result = perform(DEFINITION, {**arguments, "lock_timeout": 60})
        freed.join()
    assert (result["failed"], result["changed"]) == (False, True), result
    assert '"customers"' in result["statements"][-1] or server.version < 18


def test_session_role(run: Callable[[str], Any], arguments: Login, role: str) -> None:
    """As the owner of the statistics, the login can grant those alone."""
    result = perform(DEFINITION, {**arguments, "session_role": "etl"})
    granted = result["granted"]["list"]
    assert "SELECT on table stats_daily.revenue" in granted
    assert "SELECT on table public.customers" not in granted
    assert "app_owner" in {item["owner"] for item in result["unmanageable"]["list"]}


@pytest.mark.parametrize(("most", "shown"), [(2, 2), (0, None)])
@pytest.mark.usefixtures("theirs")
def test_max_listed(arguments: Login, most: int, shown: int | None) -> None:
    result = perform(DEFINITION, {**arguments, "max_listed": most}, check=True)
    granted, unmanageable = result["granted"], result["unmanageable"]
    assert len(granted["list"]) == (shown or granted["count"])
    assert len(unmanageable["list"]) == (shown or unmanageable["count"])
    assert granted["count"] > 20
    assert (unmanageable["count"], granted["truncated"], unmanageable["truncated"]) == (
        6,
        bool(most),
        bool(most),
    )
    (tables,) = (text for text in result["statements"] if text.startswith("GRANT SELECT ON TABLE"))
    assert (" more) TO " in tables) is bool(most)
    assert tables.count('"."') == (shown or tables.count('"."'))
    assert result["diff"]["after"].count("\n") == (most + 1 if most else granted["count"])
    full = perform(DEFINITION, {**arguments, "max_listed": most})
    assert full["granted"] == granted
    assert perform(DEFINITION, arguments)["changed"] is False

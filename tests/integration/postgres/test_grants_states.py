# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What omni_pg_grants takes back, and what it need not grant: state, exclusive, mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres import grants, user
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.grants import DEFINITION
from tests.helpers import harness
from tests.helpers.admins import KINDS, AsAdmin
from tests.helpers.perform import modules
from tests.helpers.postgres_modules import CHECK, Watch, perform, unwritten
from tests.sandbox.postgres import PostgresServer

Login = dict[str, Any]
Run = Callable[[str], list[tuple[Any, ...]]]

# Every privilege that anybody has: on what, whose, which, from whom, and whether it may be granted further.
PRIVILEGES = """
SELECT what, grantee::regrole::text, privilege_type, grantor::regrole::text, is_grantable
FROM (
    SELECT 'database', datacl, acldefault('d', datdba) FROM pg_database WHERE datname = current_database()
    UNION ALL
    SELECT oid::regnamespace::text, nspacl, acldefault('n', nspowner) FROM pg_namespace WHERE nspname !~ '^pg_'
    UNION ALL
    SELECT oid::regclass::text, relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)
    FROM pg_class WHERE relnamespace >= 2200 AND relnamespace::regnamespace::text !~ '^pg_'
    UNION ALL
    SELECT attrelid::regclass || '.' || attname, attacl, NULL FROM pg_attribute WHERE attrelid >= 16384
    UNION ALL
    SELECT format('later %s of %s in %s', defaclobjtype, defaclrole::regrole, defaclnamespace::regnamespace),
        defaclacl, NULL
    FROM pg_default_acl
) AS thing (what, acl, by_default), aclexplode(coalesce(acl, by_default))
"""

# What others did before the first run, and what must be the same after `absent`: {0} is the role.
BEFORE = """
GRANT INSERT, UPDATE ON customers TO {0};
SET ROLE app_owner;
GRANT SELECT (id, name) ON products TO {0};
RESET ROLE;
GRANT TEMPORARY ON DATABASE {database} TO {0};
ALTER DEFAULT PRIVILEGES FOR ROLE etl GRANT SELECT ON TABLES TO {0};
ALTER DEFAULT PRIVILEGES FOR ROLE etl IN SCHEMA stats_daily GRANT SELECT ON TABLES TO analyst_team;
ALTER DEFAULT PRIVILEGES FOR ROLE etl IN SCHEMA stats_daily GRANT INSERT ON TABLES TO {0};
GRANT USAGE ON SCHEMA internal TO {0};
GRANT SELECT ON internal.sessions TO {0};
GRANT USAGE ON SEQUENCE invoice_number TO {0};
"""

# What the role holds beyond reading public and stats_daily, and in the schema that is left alone.
BEYOND = """
GRANT CREATE, TEMPORARY ON DATABASE {database} TO {0};
GRANT CREATE ON SCHEMA public TO {0};
GRANT USAGE, CREATE ON SCHEMA internal TO {0};
GRANT SELECT, DELETE ON internal.sessions TO {0};
GRANT INSERT, UPDATE ON customers, orders TO {0};
GRANT SELECT ON customers TO {0} WITH GRANT OPTION;
GRANT UPDATE (name) ON products TO {0};
GRANT SELECT (id) ON sales_eu.orders TO {0};
GRANT USAGE ON SEQUENCE invoice_number TO {0};
ALTER DEFAULT PRIVILEGES FOR ROLE etl GRANT SELECT ON TABLES TO {0};
ALTER DEFAULT PRIVILEGES FOR ROLE etl GRANT USAGE ON SCHEMAS TO {0};
ALTER DEFAULT PRIVILEGES FOR ROLE etl IN SCHEMA stats_daily GRANT INSERT ON TABLES TO {0};
ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA internal GRANT SELECT ON TABLES TO {0};
"""
LEFT_ALONE = """
CREATE SCHEMA uploads AUTHORIZATION dba;
CREATE TABLE uploads.theirs (id int);
GRANT USAGE, CREATE ON SCHEMA uploads TO {0};
GRANT INSERT ON uploads.theirs TO {0};
SET ROLE {0};
CREATE TABLE uploads.own (id int);
"""


@pytest.fixture
def role(login: Login, role_name: str) -> str:
    """The Omni role, as omni_pg_user makes it."""
    assert not perform(user.DEFINITION, {**login, "name": role_name, "password": "of the role"})["failed"]
    return role_name


@pytest.fixture
def run(server: PostgresServer, database: str, role: str) -> Run:
    """Runs SQL in the test's database as the superuser; {0} in it is the role."""
    server.execute(database, "ALTER SCHEMA public OWNER TO dba")  # up to 14 it is the superuser's
    return lambda sql: server.execute(database, sql.format(role, database=database))


@pytest.fixture
def arguments(login: Login, role: str) -> Login:
    return {**login, "role": role, "schemas": ["public", "stats_daily"]}


def test_absent_takes_back_what_present_gives_and_nothing_else(
    server: PostgresServer, run: Run, arguments: Login
) -> None:
    run(BEFORE)
    before = sorted(run(PRIVILEGES))
    arguments["default_privileges_for"] = ["app_owner", "dba", "etl"]
    made = perform(DEFINITION, arguments)
    # etl's global default counts as granted, and absent must not revoke it.
    assert not [text for text in made["statements"] if '"etl" IN SCHEMA' in text and "ON TABLES" in text]
    absent = {**arguments, "state": "absent"}
    planned, gone, again = modules(
        [
            ("omni_pg_grants", absent, CHECK),
            ("omni_pg_grants", absent, {"diff": True}),
            ("omni_pg_grants", absent),
        ],
    )
    assert sorted(run(PRIVILEGES)) == before
    assert (planned["changed"], gone["changed"], again["changed"]) == (True, True, False)
    assert planned["statements"] == gone["statements"] != []
    assert planned["diff"] == gone["diff"]
    assert gone["revoked"]["count"] == made["granted"]["count"]
    assert set(gone["revoked"]["list"]) == set(made["granted"]["list"])
    assert (gone["granted"]["count"], gone["already"], again["revoked"]["count"]) == (0, 0, 0)
    assert gone["statements"][0].startswith("ALTER DEFAULT PRIVILEGES FOR ROLE")
    assert f"every role has CONNECT on database {arguments['login_db']}" in gone["warnings"][0]


def test_absent_where_nothing_was_ever_given(server: PostgresServer, login: Login, role_name: str) -> None:
    with unwritten(server, login["login_db"]):
        result = perform(
            DEFINITION, {**login, "role": role_name, "schemas": ["gone", "*"], "state": "absent"}
        )
    assert (result["failed"], result["changed"], result["statements"]) == (False, False, [])


def test_absent_finds_what_is_no_longer_an_owners(run: Run, arguments: Login) -> None:
    """The creator sold its last table: nothing but the entry in the catalog tells of it."""
    run("ALTER DEFAULT PRIVILEGES FOR ROLE analyst_team IN SCHEMA public GRANT SELECT ON TABLES TO {0}")
    for creators, left in ((["etl"], 1), (["none"], 1), (["auto"], 0)):
        perform(DEFINITION, {**arguments, "state": "absent", "default_privileges_for": creators})
        assert len(run("SELECT FROM pg_default_acl WHERE defaclrole = 'analyst_team'::regrole")) == left


def test_exclusive(server: PostgresServer, run: Run, arguments: Login) -> None:
    run(LEFT_ALONE)
    perform(DEFINITION, arguments)
    wanted = sorted(run(PRIVILEGES))
    run(BEYOND)
    given = {**arguments, "exclude_schemas": ["uploads"]}
    with unwritten(server, arguments["login_db"]):
        assert perform(DEFINITION, given)["changed"] is False
    exclusive = {**given, "exclusive": True}
    with unwritten(server, arguments["login_db"]):
        planned = perform(DEFINITION, exclusive, check=True)
    watch = Watch(server, arguments["login_db"])
    done, again = modules([("omni_pg_grants", exclusive, {"diff": True}), ("omni_pg_grants", exclusive)])
    assert sorted(run(PRIVILEGES)) == wanted
    assert planned["statements"] == done["statements"] == watch.changes
    assert planned["diff"] == done["diff"]
    assert (done["changed"], again["changed"]) == (True, False)
    assert (done["granted"]["count"], done["unmanageable"]["count"]) == (0, 0)
    names = done["revoked"]["list"]
    assert "UPDATE on table public.products (name)" in names
    assert "SELECT on table sales_eu.orders (id)" in names
    assert "GRANT OPTION FOR SELECT on table public.customers" in names
    with unwritten(server, arguments["login_db"]) as watch:
        perform(DEFINITION, exclusive)
    assert len(watch.everything) == 2


def test_exclusive_needs_what_a_global_default_gave(run: Run, arguments: Login) -> None:
    """It gives more than is wanted, so what is wanted takes its place."""
    run("ALTER DEFAULT PRIVILEGES FOR ROLE etl GRANT SELECT ON TABLES TO {0}")
    perform(DEFINITION, arguments)
    done = perform(DEFINITION, {**arguments, "exclusive": True})
    assert [text.split(' TO "')[0].split(' FROM "')[0] for text in done["statements"]] == [
        'ALTER DEFAULT PRIVILEGES FOR ROLE "etl" IN SCHEMA "public", "stats_daily" GRANT SELECT ON TABLES',
        'ALTER DEFAULT PRIVILEGES FOR ROLE "etl" REVOKE SELECT ON TABLES',
    ]
    assert perform(DEFINITION, {**arguments, "exclusive": True})["changed"] is False


@pytest.mark.parametrize(
    ("options", "what", "grantor"),
    [
        ({"state": "absent"}, "SELECT on table public.products", "etl"),
        ({"exclusive": True, "schemas": ["stats_daily"]}, "SELECT on table public.products", "stranger"),
        ({"exclusive": True}, "DELETE on table public.customers", "stranger"),
    ],
)
def test_what_another_grantor_gave_is_reported(
    server: PostgresServer, run: Run, arguments: Login, role: str, options: Login, what: str, grantor: str
) -> None:
    """A REVOKE by the owner would succeed and remove nothing. The login can act as etl, and not as a stranger."""
    privilege, table = what.replace(" on table ", " ON ").split(" ON ")
    if grantor == "stranger":
        grantor = f"{role}_stranger"
        run(f"CREATE ROLE {grantor}; GRANT USAGE ON SCHEMA public TO {grantor}")
    run(
        f"GRANT {privilege} ON {table} TO {grantor} WITH GRANT OPTION; SET ROLE {grantor};"
        f"GRANT {privilege} ON {table} TO {{0}}"
    )
    try:
        result = perform(DEFINITION, {**arguments, **options})
        (item,) = result["unmanageable"]["list"]
        assert item == {
            "what": what,
            "owner": grantor,
            "reason": f"role {grantor} granted it, and only that role can take it back",
            "statement": f'SET ROLE "{grantor}"; '
            f'REVOKE {privilege} ON TABLE "public"."{table.split(".")[1]}" FROM "{role}"; RESET ROLE',
        }
        assert item["statement"] in "".join(result["warnings"])
        refused = perform(DEFINITION, {**arguments, **options, "on_unmanageable": "fail"})
        assert refused["error"] == {"kind": "refused", "unmanageable": [item]}
        run(item["statement"])
        assert perform(DEFINITION, {**arguments, **options})["unmanageable"]["count"] == 0
    finally:
        run(f"SET ROLE {grantor}; REVOKE {privilege} ON {table} FROM {{0}}")  # DROP OWNED would leave it
        if grantor != "etl":
            run(f"DROP OWNED BY {grantor}; DROP ROLE {grantor}")


#: What the login grants to the role, on what, and how it loses the grant option after. That it is a member of the
#: owner keeps its grant alive.
LOST = {
    "a table": ("SELECT", "lost.t", "REVOKE GRANT OPTION FOR SELECT ON lost.t"),
    "a table, and the privilege too": ("SELECT", "lost.t", "REVOKE SELECT ON lost.t"),
    "a table, but for a column": (
        "SELECT",
        "lost.t",
        "REVOKE SELECT ON lost.t FROM {login} CASCADE; GRANT SELECT (b) ON lost.t TO {login};"
        "GRANT SELECT (c) ON lost.t TO {login} WITH GRANT OPTION; REVOKE GRANT OPTION FOR SELECT (b) ON lost.t",
    ),
    "columns": ("UPDATE (a, b, c)", "lost.t", "REVOKE GRANT OPTION FOR UPDATE (a), UPDATE (b) ON lost.t"),
    "columns of a table's option": (
        "INSERT (a, b)",
        "lost.t",
        "GRANT INSERT ON lost.t TO {login} WITH GRANT OPTION; REVOKE INSERT ON lost.t",
    ),
    "a sequence": ("SELECT", "SEQUENCE lost.s", "REVOKE SELECT ON SEQUENCE lost.s"),
    "a schema": ("USAGE", "SCHEMA lost", "REVOKE GRANT OPTION FOR USAGE ON SCHEMA lost"),
    "the database": ("CONNECT", "DATABASE {database}", "REVOKE CONNECT ON DATABASE {database}"),
}


@pytest.mark.parametrize(
    ("options", "lost"),
    [
        *(({"exclusive": True}, lost) for lost in LOST),
        *(({"state": "absent"}, lost) for lost in LOST if not lost.startswith("columns")),
    ],
)
def test_what_a_role_granted_that_lost_the_grant_option(
    run: Run, arguments: Login, as_admin: AsAdmin, role: str, lost: str, options: Login
) -> None:
    """A REVOKE by that role comes from the owner, whose rights it has, and takes nothing."""
    privilege, what, after = LOST[lost]
    if "exclusive" in options and "(" not in privilege:
        # Reading is what the task gives: another privilege is too much.
        other = {"DATABASE": "TEMPORARY", "SCHEMA": "CREATE"}.get(what.split()[0], "UPDATE")
        after, privilege = after.replace(privilege, other), other
    login = as_admin("createrole")
    names = {"login": login["login_user"], "database": arguments["login_db"]}
    what, after = what.format(**names), after.format(**names)
    run(
        "CREATE SCHEMA lost AUTHORIZATION app_owner; SET ROLE app_owner; CREATE TABLE lost.t (a int, b int, c int);"
        "CREATE SEQUENCE lost.s; RESET ROLE; ALTER DATABASE {database} OWNER TO app_owner;"
        f"GRANT app_owner TO {names['login']};"
        f"GRANT {privilege} ON {what} TO {names['login']} WITH GRANT OPTION"
    )
    run(f"SET ROLE {names['login']}; GRANT {privilege} ON {what} TO {{0}}")
    run(f"{after} FROM {names['login']} CASCADE")
    theirs = {row for row in run(PRIVILEGES) if row[1] != role}
    given = {**login, "role": role, "schemas": ["lost"], "default_privileges_for": ["none"], **options}
    planned = perform(DEFINITION, given, check=True)
    done = perform(DEFINITION, given)
    assert not done["failed"], done
    assert planned["unmanageable"] == done["unmanageable"]
    assert planned["statements"] == done["statements"]
    (item,) = done["unmanageable"]["list"]
    assert (item["owner"], item["what"].split()[0]) == (names["login"], privilege.split()[0])
    assert "lost the grant option" in item["reason"]
    run(item["statement"])
    assert perform(DEFINITION, {**given, "on_unmanageable": "fail"})["changed"] is False
    now = run(PRIVILEGES)
    assert {row for row in now if row[1] != role} == theirs
    assert not [row for row in now if row[1] == role and row[3] == names["login"]]


def test_a_login_that_granted_without_owning_takes_back_its_own(run: Run, arguments: Login) -> None:
    run("CREATE TABLE theirs (id int); GRANT SELECT ON theirs TO etl WITH GRANT OPTION")
    given = {**arguments, "schemas": ["public"], "session_role": "etl", "default_privileges_for": ["none"]}
    assert "SELECT on table public.theirs" in perform(DEFINITION, given)["granted"]["list"]
    gone = perform(DEFINITION, {**given, "state": "absent"})
    assert "SELECT on table public.theirs" in gone["revoked"]["list"]
    assert gone["unmanageable"]["count"] == 0


def test_present_counts_what_was_there(run: Run, arguments: Login) -> None:
    run("GRANT SELECT ON customers, orders TO {0}")
    planned = perform(DEFINITION, arguments, check=True)
    made = perform(DEFINITION, arguments)
    again = perform(DEFINITION, arguments)
    assert planned["already"] == made["already"] == 2
    assert planned["granted"] == made["granted"]
    assert (again["already"], again["granted"]["count"]) == (2 + made["granted"]["count"], 0)


@pytest.mark.parametrize(
    ("holds", "not_granted", "granted"),
    [
        (
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC; GRANT USAGE ON SCHEMA stats_daily TO PUBLIC",
            [
                "CONNECT on database {database}",
                "USAGE on schema stats_daily",
                "SELECT on table public.orders",
            ],
            ["SELECT on table stats_daily.revenue", "SELECT on later tables of etl in schema public"],
        ),
        (
            "GRANT etl TO {0}",
            [
                "SELECT on table stats_daily.revenue",
                "SELECT on table public.customers",
                "SELECT on later tables of etl in schema stats_daily",
            ],
            [
                "SELECT on sequence public.invoice_number",
                "SELECT on later tables of app_owner in schema public",
            ],
        ),
        (
            "ALTER DEFAULT PRIVILEGES FOR ROLE etl GRANT SELECT ON TABLES TO analyst_team; GRANT analyst_team TO {0}",
            ["SELECT on later tables of etl in schema public"],
            ["SELECT on later sequences of etl in schema public"],
        ),
    ],
)
def test_effective_mode_grants_nothing_twice(
    run: Run, arguments: Login, holds: str, not_granted: list[str], granted: list[str]
) -> None:
    run(holds)
    database = arguments["login_db"]
    effective = {**arguments, "mode": "effective", "max_listed": 0}
    result = perform(DEFINITION, effective)
    names = set(result["granted"]["list"])
    assert not names & {name.format(database=database) for name in not_granted}
    assert names >= set(granted)
    again = perform(DEFINITION, effective)
    assert (again["changed"], again["already"]) == (False, result["already"] + len(names))
    direct = perform(DEFINITION, {**arguments, "max_listed": 0})["granted"]["list"]
    assert {name.format(database=database) for name in not_granted} <= set(direct)


def test_effective_mode_with_pg_read_all_data(server: PostgresServer, run: Run, arguments: Login) -> None:
    """It covers all that is there and all that will be; where it goes, the grants come."""
    if server.version < 14:
        pytest.skip("there is no such role yet")
    run("GRANT pg_read_all_data TO {0}")
    effective = {**arguments, "mode": "effective"}
    with unwritten(server, arguments["login_db"]):
        assert perform(DEFINITION, effective)["changed"] is False
    run("REVOKE pg_read_all_data FROM {0}")
    result = perform(DEFINITION, effective)
    assert result["changed"]
    assert "SELECT on table public.orders" in result["granted"]["list"]


@pytest.mark.parametrize("mode", ["direct", "effective"])
@pytest.mark.parametrize("kind", ["schema_owner", "cloud_sql"])
def test_check_mode_knows_what_a_role_yet_to_be_made_will_hold(
    server: PostgresServer, login: Login, as_admin: AsAdmin, role_name: str, kind: str, mode: str
) -> None:
    """What PUBLIC has, every role has: what the login cannot grant of it is not wanted from others."""
    database = login["login_db"]
    given = {**as_admin(kind), "role": role_name, "schemas": ["*"], "mode": mode, "max_listed": 0}
    server.execute(
        database,
        "GRANT SELECT ON customers, invoice_number TO PUBLIC; GRANT USAGE ON SCHEMA stats_daily TO PUBLIC;"
        'GRANT SELECT ON sales_eu."say ""hello""" TO PUBLIC;'
        "ALTER DEFAULT PRIVILEGES FOR ROLE etl GRANT SELECT ON TABLES TO PUBLIC",
    )
    fail = {**given, "on_unmanageable": "fail"}
    fresh, refused = (perform(DEFINITION, options, check=True) for options in (given, fail))
    server.execute(database, f"CREATE ROLE {role_name}")
    assert perform(DEFINITION, fail, check=True)["error"] == refused["error"]
    done = perform(DEFINITION, given)
    for key in ("unmanageable", "granted", "already", "statements"):
        assert fresh[key] == done[key], key
    unmanageable = {item["what"] for item in done["unmanageable"]["list"]}
    assert "SELECT on table public.orders" in unmanageable
    assert not unmanageable & {f"CONNECT on database {database}", "SELECT on table public.customers"}
    once = mode == "effective"
    assert ('SELECT on table sales_eu.say "hello"' in done["granted"]["list"]) is (
        kind == "schema_owner" and not once
    )


@pytest.mark.parametrize("exclusive", [False, True])
def test_what_public_may_do_is_reported_and_left(run: Run, arguments: Login, exclusive: bool) -> None:
    run("REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT CREATE ON SCHEMA stats_daily TO PUBLIC")
    of_public = (
        "SELECT grantee FROM pg_namespace, aclexplode(nspacl) WHERE grantee = 0 AND nspname = 'stats_daily'"
    )
    result = perform(DEFINITION, {**arguments, "exclusive": exclusive})
    rights = [f"TEMPORARY on database {arguments['login_db']}", "CREATE on schema stats_daily"]
    assert result["of_public"] == rights
    warned = f"every role has {', '.join(rights)}, so role {arguments['role']}" in "".join(
        result.get("warnings", ())
    )
    assert warned is exclusive
    assert run(of_public) == [(0,)]


def test_globs_that_match_nothing(arguments: Login) -> None:
    """One in exclude_schemas may be a slip that lets Omni see what it should not."""
    given = {
        **arguments,
        "schemas": ["public", "gone_*"],
        "exclude_schemas": ["secrt_*", "stats_*", "no_such"],
    }
    result = perform(DEFINITION, given)
    assert result["unmatched"] == ["gone_*", "secrt_*"]
    assert "No schema matches gone_*, secrt_*" in result["warnings"][0]


def test_a_schema_dropped_between_read_and_apply(
    run: Run, arguments: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = grants.Grants.apply
    dropped: list[object] = []

    def drop_first(resource: Any, changes: Any) -> Any:
        if not dropped:
            dropped.append(run("DROP SCHEMA stats_monthly CASCADE"))
        return apply(resource, changes)

    monkeypatch.setattr(grants.Grants, "apply", drop_first)
    result = perform(DEFINITION, {**arguments, "schemas": ["*"]})
    assert (result["failed"], result["changed"]) == (False, True), result
    assert "stats_monthly" not in result["schemas"]
    assert not any("stats_monthly" in text for text in result["statements"])


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_admin_does_what_it_can_and_says_the_rest(
    run: Run, arguments: Login, as_admin: AsAdmin, role: str, kind: str
) -> None:
    """What is reported, run by somebody who can, is just what was left: to grant, and then to revoke."""
    given = {**as_admin(kind), "role": role, "schemas": ["*"], "max_listed": 0}
    before = sorted(run(PRIVILEGES))
    for state in ("present", "absent"):
        result = perform(DEFINITION, {**given, "state": state})
        assert not result["failed"], result
        items = result["unmanageable"]["list"]
        assert bool(items) is (kind != "superuser")
        for item in items:
            run(item["statement"].replace("{", "{{").replace("}", "}}"))
        again = perform(DEFINITION, {**given, "state": state, "on_unmanageable": "fail"})
        assert (again["failed"], again["changed"]) == (False, False), again
    assert sorted(run(PRIVILEGES)) == before


def test_the_role_takes_back_what_else_was_granted_but_not_the_uploads(
    run: Run, role_vars: Login, role_name: str
) -> None:
    role_vars |= {"omni_postgres_grants_exclusive": True, "omni_postgres_grants_mode": "effective"}
    tags = ["omni_user", "omni_grants", "omni_upload_schema"]

    def sent() -> list[str]:
        keywords = {"roles": ["omni_analytics.connect.omni_postgres"]}
        done = harness.play(
            [], door="in_process", hosts={"one": role_vars}, tags=tags, play_keywords=keywords
        )
        assert done.rc == 0, done.text
        return [text for result in done.results for text in result.result.get("statements", ())]

    assert f'GRANT USAGE, CREATE ON SCHEMA "omni_uploads" TO "{role_name}"' in sent()
    run("GRANT DELETE ON customers TO {0}")
    assert sent() == [f'REVOKE DELETE ON TABLE "public"."customers" FROM "{role_name}"']


@pytest.fixture
def closed(run: Run) -> None:
    """A schema that the dba cannot use, with a table that it could grant on, and one more that it cannot."""
    run(
        "CREATE SCHEMA closed; CREATE TABLE closed.a (id int); ALTER TABLE closed.a OWNER TO etl;"
        "CREATE TABLE closed.b (id int); GRANT SELECT ON closed.b TO dba WITH GRANT OPTION"
    )


@pytest.mark.usefixtures("closed")
def test_a_schema_that_the_login_may_not_use_stops_nothing_else(
    server: PostgresServer, run: Run, arguments: Login, role: str
) -> None:
    """Naming a relation takes USAGE on its schema, also for who may grant on it."""
    given = {**arguments, "schemas": ["*"], "default_privileges_for": ["none"], "max_listed": 0}
    before = sorted(run(PRIVILEGES))
    planned = perform(DEFINITION, given, check=True)
    made = perform(DEFINITION, given)
    assert not made["failed"], made
    assert planned["statements"] == made["statements"] != []
    assert planned["unmanageable"] == made["unmanageable"]
    found = {item["what"]: item for item in made["unmanageable"]["list"]}
    assert set(found) == {"USAGE on schema closed", "SELECT on table closed.a", "SELECT on table closed.b"}
    for name in "ab":
        item = found[f"SELECT on table closed.{name}"]
        assert "this login lacks USAGE on schema closed" in item["reason"]
        assert item["statement"] == f'GRANT SELECT ON TABLE "closed"."{name}" TO "{role}"'
    for item in found.values():
        run(item["statement"])
    assert perform(DEFINITION, {**given, "on_unmanageable": "fail"})["changed"] is False
    for options in ({"state": "absent"}, {"exclusive": True, "schemas": ["public"]}):
        planned = perform(DEFINITION, {**given, **options}, check=True)
        gone = perform(DEFINITION, {**given, **options})
        assert (gone["failed"], gone["changed"]) == (False, True), gone
        assert planned["statements"] == gone["statements"]
        left = {item["what"]: item["statement"] for item in gone["unmanageable"]["list"]}
        assert set(left) == set(found)
        perform(DEFINITION, given)
    perform(DEFINITION, {**given, "state": "absent"})
    for statement in left.values():
        run(statement)
    assert sorted(run(PRIVILEGES)) == before


#: How a login may come to grant on a table of app_owner's: each is a grantor of its own.
WAYS = {
    "its own option": "GRANT SELECT ON customers TO {login} WITH GRANT OPTION; GRANT app_owner TO {login};",
    "the option of a role that it is in": (
        "GRANT SELECT ON customers TO etl WITH GRANT OPTION; GRANT app_owner, etl TO {login};"
    ),
    "two options of others": (
        "GRANT SELECT ON customers TO etl, analyst_team WITH GRANT OPTION; GRANT etl, analyst_team TO {login};"
    ),
    "one option of another": "GRANT SELECT ON customers TO etl WITH GRANT OPTION; GRANT etl TO {login};",
    "a column's option": (
        "GRANT SELECT (id) ON customers TO etl WITH GRANT OPTION; GRANT app_owner, etl TO {login};"
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_absent_undoes_present_whoever_the_grants_come_from(
    run: Run, arguments: Login, as_admin: AsAdmin, way: str
) -> None:
    login = as_admin("createrole")
    given = {**login, "role": arguments["role"], "schemas": ["public"], "default_privileges_for": ["none"]}
    run("GRANT USAGE ON SCHEMA public TO app_owner, etl, analyst_team")
    run(WAYS[way].format(login=login["login_user"]))
    before = sorted(run(PRIVILEGES))
    made = perform(DEFINITION, given)
    assert "SELECT on table public.customers" in made["granted"]["list"], made
    assert perform(DEFINITION, given)["changed"] is False
    gone = perform(DEFINITION, {**given, "state": "absent"})
    assert gone["unmanageable"]["count"] == 0, gone
    assert sorted(run(PRIVILEGES)) == before
    assert perform(DEFINITION, {**given, "state": "absent"})["changed"] is False
    run(f"DROP OWNED BY {login['login_user']}; REVOKE ALL ON customers FROM etl, analyst_team CASCADE")


def test_columns_keep_what_they_had(run: Run, arguments: Login) -> None:
    """A REVOKE on the table takes the columns' privileges along, and they are given back as they were."""
    run(
        "SET ROLE app_owner; GRANT SELECT (id), SELECT (name) ON products TO {0};"
        "GRANT SELECT (name) ON products TO {0} WITH GRANT OPTION"
    )
    before = sorted(run(PRIVILEGES))
    perform(DEFINITION, arguments)
    exclusive = perform(DEFINITION, {**arguments, "exclusive": True})
    assert exclusive["revoked"]["list"] == ["GRANT OPTION FOR SELECT on table public.products (name)"]
    assert exclusive["unmanageable"]["count"] == 0
    assert perform(DEFINITION, {**arguments, "exclusive": True})["changed"] is False
    run("GRANT SELECT (name) ON products TO {0} WITH GRANT OPTION")
    assert perform(DEFINITION, {**arguments, "state": "absent"})["changed"]
    assert sorted(run(PRIVILEGES)) == before


@pytest.mark.parametrize(
    ("passed_on", "what"),
    [
        ("GRANT SELECT ON orders TO {other}", "SELECT on table public.orders"),
        ("GRANT SELECT (id) ON orders TO PUBLIC", "SELECT on table public.orders"),
        (
            "GRANT SELECT ON orders TO {other} WITH GRANT OPTION; SET ROLE {other}; GRANT SELECT ON orders TO etl",
            "SELECT on table public.orders",
        ),
        ("GRANT USAGE ON SCHEMA stats_daily TO {other}", "USAGE on schema stats_daily"),
    ],
)
@pytest.mark.parametrize("options", [{"state": "absent"}, {"exclusive": True}], ids=["absent", "exclusive"])
def test_what_the_role_passed_on_is_not_taken_from_others(
    server: PostgresServer, run: Run, arguments: Login, role: str, passed_on: str, what: str, options: Login
) -> None:
    other = f"{role}_other"
    run(f"CREATE ROLE {other}; GRANT USAGE ON SCHEMA public TO {other}, {{0}}")
    try:
        perform(DEFINITION, arguments)
        run(
            "GRANT DELETE ON customers TO {0}; SET ROLE app_owner; GRANT SELECT ON orders TO {0} WITH GRANT OPTION"
        )
        run("GRANT USAGE ON SCHEMA stats_daily TO {0} WITH GRANT OPTION")
        run("SET ROLE {0};" + passed_on.replace("{other}", other))
        theirs = {row for row in run(PRIVILEGES) if row[1] != role}
        planned = perform(DEFINITION, {**arguments, **options}, check=True)
        done = perform(DEFINITION, {**arguments, **options})
        assert (done["failed"], done["changed"]) == (False, True), done
        assert planned["statements"] == done["statements"]
        assert {row for row in run(PRIVILEGES) if row[1] != role} == theirs
        prefix = "GRANT OPTION FOR " if "exclusive" in options else ""
        (item,) = done["unmanageable"]["list"]
        assert (item["what"], item["owner"]) == (prefix + what, role)
        assert f"holds it through role {role}, which granted it further" in item["reason"]
        run(item["statement"])
        again = perform(DEFINITION, {**arguments, **options, "on_unmanageable": "fail"})
        assert (again["failed"], len(again["statements"])) == (False, 1), again
        assert perform(DEFINITION, {**arguments, **options})["changed"] is False
    finally:
        run(f"DROP OWNED BY {other} CASCADE; DROP ROLE {other}")

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role gone: what is in the way is listed and stays, and nothing that it made is lost."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from psycopg2.sql import SQL, Identifier

from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.user import DEFINITION
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.user_absent import (
    AbsentRole,
    State,
)
from tests.helpers import harness
from tests.helpers.admins import AsAdmin
from tests.helpers.perform import modules
from tests.helpers.postgres_modules import Watch, perform, unwritten
from tests.integration.conftest import TEMPLATE
from tests.sandbox.postgres import PostgresServer

Login = dict[str, Any]


@pytest.fixture
def other(server: PostgresServer) -> Iterator[str]:
    """A second database of the server."""
    name = f"Other {secrets.token_hex(4)}"
    server.create_database(name, template=TEMPLATE)
    yield name
    server.drop_database(name)


@pytest.fixture
def gone(admin_login: Login, role_name: str) -> Login:
    """The module's options, as a superuser."""
    return {**admin_login, "name": role_name, "state": "absent"}


def sql(server: PostgresServer, database: str, text: str, role: str) -> None:
    server.execute(database, SQL(text).format(role=Identifier(role), database=Identifier(database)))


def reader(server: PostgresServer, database: str, role: str) -> None:
    """What omni_pg_grants gives."""
    sql(
        server,
        database,
        "GRANT CONNECT ON DATABASE {database} TO {role}; GRANT SELECT ON public.customers TO {role};"
        "ALTER DEFAULT PRIVILEGES FOR ROLE etl IN SCHEMA public GRANT SELECT ON TABLES TO {role}",
        role,
    )


def uploader(server: PostgresServer, database: str, role: str) -> None:
    """What uploads leave, and things of its own that nobody inherits."""
    sql(
        server,
        database,
        "CREATE SCHEMA uploads; GRANT USAGE, CREATE ON SCHEMA uploads TO {role}; SET ROLE {role};"
        'CREATE TABLE uploads.budget AS SELECT 1 AS n; CREATE TABLE uploads."Plan.b" ();'
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO etl",
        role,
    )


def exists(server: PostgresServer, role: str) -> bool:
    return bool(server.execute("postgres", "SELECT FROM pg_roles WHERE rolname = %s", (role,)))


def owner(server: PostgresServer, database: str) -> list[tuple[Any, ...]]:
    query = "SELECT tablename, tableowner FROM pg_tables WHERE schemaname = 'uploads' ORDER BY 1"
    return server.execute(database, query)


def test_one_database(server: PostgresServer, gone: Login, role_name: str) -> None:
    database = gone["login_db"]
    sql(server, database, "CREATE ROLE {role} LOGIN", role_name)
    reader(server, database, role_name)
    with unwritten(server, database):
        (planned,) = modules([("omni_pg_user", gone, {"check_mode": True, "diff": True})])
    watch = Watch(server, database)
    dropped, again = modules([("omni_pg_user", gone, {"diff": True}), ("omni_pg_user", gone)])
    statements = [f'DROP OWNED BY "{role_name}"', f'DROP ROLE "{role_name}"']
    assert (
        planned["statements"]
        == dropped["statements"]
        == [f"{text} -- in database {database}" for text in statements]
    )
    assert watch.changes == statements
    assert planned["diff"] == dropped["diff"]
    assert f"role {role_name}: traces in {database}: 3\n" in planned["diff"]["before"]
    assert (planned["exists"], dropped["exists"], dropped["changed"], again["changed"]) == (
        True,
        False,
        True,
        False,
    )
    assert not exists(server, role_name)
    with unwritten(server, database):
        assert perform(DEFINITION, gone)["changed"] is False


@pytest.mark.parametrize("trace", ["reader", "connect", "owner"])
def test_other_databases_stop_it(
    server: PostgresServer, gone: Login, role_name: str, other: str, trace: str
) -> None:
    sql(server, gone["login_db"], "CREATE ROLE {role} LOGIN", role_name)
    reader(server, gone["login_db"], role_name)
    texts = {
        "connect": "GRANT CONNECT ON DATABASE {database} TO {role}",
        "owner": "ALTER DATABASE {database} OWNER TO {role}",
    }
    if trace == "reader":
        reader(server, other, role_name)
    else:
        sql(server, other, texts[trace], role_name)
    with unwritten(server, gone["login_db"]):
        results = [perform(DEFINITION, gone, check=check) for check in (True, False)]
    for stopped in results:
        assert stopped["error"] == {"kind": "conflict", "databases": [other]}
        assert f"which may still be connected to Omni: {other}. Set all_databases: true" in stopped["msg"]
    everywhere = {**gone, "all_databases": True, "reassign_to": "dba"}
    planned = perform(DEFINITION, everywhere, check=True)
    assert exists(server, role_name)
    dropped = perform(DEFINITION, everywhere)
    assert planned["statements"] == dropped["statements"]
    first = (
        f'REASSIGN OWNED BY "{role_name}" TO "dba"' if trace == "owner" else f'DROP OWNED BY "{role_name}"'
    )
    assert dropped["statements"][0] == f"{first} -- in database {other}"
    assert dropped["statements"][-1] == f'DROP ROLE "{role_name}" -- in database {gone["login_db"]}'
    assert not exists(server, role_name)


def test_what_it_owns_stops_it(server: PostgresServer, gone: Login, role_name: str, other: str) -> None:
    here = gone["login_db"]
    sql(server, here, "CREATE ROLE {role} LOGIN", role_name)
    for database in (here, other):
        uploader(server, database, role_name)
    everywhere = {**gone, "all_databases": True}
    heir = {**everywhere, "reassign_to": "app_owner"}
    owned = [
        f"table uploads.{name} in {database}" for database in (other, here) for name in ('"Plan.b"', "budget")
    ]
    check = {"check_mode": True, "diff": True}
    stopped, cut, unknown, planned = modules(
        [
            ("omni_pg_user", everywhere),
            ("omni_pg_user", {**everywhere, "max_listed": 1}, {"check_mode": True}),
            ("omni_pg_user", {**everywhere, "reassign_to": "no such"}),
            ("omni_pg_user", heir, check),
        ],
    )
    assert stopped["error"] == {
        "kind": "conflict",
        "owned": {"count": 4, "list": owned, "truncated": False},
    }
    assert f"it owns {', '.join(owned)}. Name their new owner by reassign_to" in stopped["msg"]
    assert f"it owns {owned[0]}, … (3 more)" in cut["msg"]
    assert unknown["error"] == {"kind": "prerequisite", "roles": ["no such"]}
    # Another task of the play may still make it.
    (warning,) = perform(DEFINITION, {**everywhere, "reassign_to": "no such"}, check=True)["warnings"]
    assert warning.endswith("an earlier task may be about to make it.")
    assert planned["diff"]["after"].splitlines() == [f"owner of {what}: app_owner" for what in owned]
    dropped = perform(DEFINITION, heir)
    assert planned["statements"] == dropped["statements"] == [
        *(
            f"{text} -- in database {database}"
            for database in (other, here)
            for text in (f'REASSIGN OWNED BY "{role_name}" TO "app_owner"', f'DROP OWNED BY "{role_name}"')
        ),
        f'DROP ROLE "{role_name}" -- in database {here}',
    ]  # fmt: skip
    for database in (here, other):
        assert owner(server, database) == [("Plan.b", "app_owner"), ("budget", "app_owner")]
    assert not exists(server, role_name)


#: What the role gives to etl, where it was given the right to do so.
PASSED_ON = """
CREATE TABLE public.given (a int, b int); CREATE FUNCTION public.count_given() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE SCHEMA given; SELECT lo_create(4711);
GRANT SELECT ON public.given TO {role} WITH GRANT OPTION;
GRANT UPDATE (b) ON public.given TO {role} WITH GRANT OPTION;
GRANT EXECUTE ON FUNCTION public.count_given() TO {role} WITH GRANT OPTION;
GRANT USAGE ON SCHEMA given TO {role} WITH GRANT OPTION;
GRANT SELECT ON LARGE OBJECT 4711 TO {role} WITH GRANT OPTION;
GRANT TEMPORARY ON DATABASE {database} TO {role} WITH GRANT OPTION;
SET ROLE {role};
GRANT SELECT ON public.given TO etl; GRANT UPDATE (b) ON public.given TO etl;
GRANT EXECUTE ON FUNCTION public.count_given() TO PUBLIC; GRANT USAGE ON SCHEMA given TO etl;
GRANT SELECT ON LARGE OBJECT 4711 TO etl; GRANT TEMPORARY ON DATABASE {database} TO etl
"""
TAKEN_BACK = """
SET ROLE {role};
REVOKE SELECT ON public.given FROM etl; REVOKE UPDATE (b) ON public.given FROM etl;
REVOKE EXECUTE ON FUNCTION public.count_given() FROM PUBLIC; REVOKE USAGE ON SCHEMA given FROM etl;
REVOKE SELECT ON LARGE OBJECT 4711 FROM etl; REVOKE TEMPORARY ON DATABASE {database} FROM etl
"""


def test_what_it_passed_on_stops_it(
    server: PostgresServer, gone: Login, role_name: str, other: str, between: Any
) -> None:
    """DROP OWNED would take it from the others."""
    here = gone["login_db"]
    sql(server, here, "CREATE ROLE {role} LOGIN", role_name)
    sql(server, here, "CREATE SCHEMA mine AUTHORIZATION {role}; SET ROLE {role}; CREATE TABLE mine.t ();"
        "GRANT SELECT ON mine.t TO app_owner", role_name)  # fmt: skip
    for database in (here, other):
        sql(server, database, PASSED_ON, role_name)
    if server.version >= 16:
        sql(server, here, "GRANT analyst_team TO {role} WITH ADMIN OPTION; SET ROLE {role}; GRANT analyst_team TO"
            " etl", role_name)  # fmt: skip
    everywhere = {**gone, "all_databases": True, "reassign_to": "app_owner"}
    stopped = [perform(DEFINITION, everywhere, check=check) for check in (True, False)]
    given = [
        "EXECUTE on function public.count_given() to PUBLIC",
        "SELECT on large object 4711 to etl",
        "SELECT on table public.given to etl",
        "UPDATE on column b of table public.given to etl",
        "USAGE on schema given to etl",
    ]
    for result in stopped:
        assert result["error"]["kind"] == "conflict"
        listed = result["error"]["passed_on"]["list"]
        for database in (here, other):
            temporary = f"TEMPORARY on database {database} to etl"
            found = {
                line.removesuffix(f" in {database}") for line in listed if line.endswith(f" in {database}")
            }
            assert found >= {*given, temporary.replace(database, f'"{database}"')} or found >= {
                *given,
                temporary,
            }
        memberships = [line for line in listed if line.startswith("membership")]
        assert memberships == [f"membership in role analyst_team to etl in {here}"] * (server.version >= 16)
        assert "public.given to etl in" in result["msg"]
    assert server.execute(here, "SELECT has_table_privilege('etl', 'public.given', 'SELECT')") == [(True,)]
    if server.version >= 16:
        sql(server, here, "SET ROLE {role}; REVOKE analyst_team FROM etl", role_name)
    for database in (here, other):
        sql(server, database, TAKEN_BACK, role_name)
    # What it passes on after somebody looked stops it, too.
    looks = between(
        lambda: sql(server, here, "SET ROLE {role}; GRANT SELECT ON public.given TO etl", role_name)
    )
    assert perform(DEFINITION, everywhere)["error"]["passed_on"]["count"] == 1
    assert len(looks) == 2
    sql(server, here, "SET ROLE {role}; REVOKE SELECT ON public.given FROM etl", role_name)
    dropped = perform(DEFINITION, everywhere)
    assert not dropped["failed"], dropped["msg"]
    assert not exists(server, role_name)
    assert server.execute(here, "SELECT has_table_privilege('app_owner', 'mine.t', 'SELECT')") == [(True,)]


def test_rights_that_are_missing(
    server: PostgresServer, as_admin: AsAdmin, gone: Login, role_name: str
) -> None:
    """The login that made the role may drop it; what it lacks before that is explained, and can be given."""
    mine = {**gone, **as_admin("createrole")}
    me = mine["login_user"]
    make = {**mine, "state": "present", "password": "x"}
    assert perform(DEFINITION, make)["changed"]
    assert perform(DEFINITION, mine)["changed"]
    perform(DEFINITION, make)
    uploader(server, gone["login_db"], role_name)
    heir = {**mine, "reassign_to": "etl"}
    inherit = " WITH INHERIT TRUE" if server.version >= 16 else ""
    option = " WITH INHERIT TRUE" if server.version >= 16 else ""
    stopped = perform(DEFINITION, heir)
    grant = f'GRANT "{role_name}" TO "{me}"{inherit}'
    assert stopped["msg"].endswith(
        f"{me} lacks INHERIT on role {role_name}, and can give it to itself: {grant}"
    )
    server.execute("postgres", f"SET ROLE {me}; {grant}")
    stopped = perform(DEFINITION, heir)
    grant = f'GRANT "etl" TO "{me}"{option}'
    assert stopped["msg"].endswith(grant)
    assert f"{me} lacks INHERIT on role etl" in stopped["msg"]
    assert owner(server, gone["login_db"]) == [("Plan.b", role_name), ("budget", role_name)]
    server.execute("postgres", grant)
    # What somebody else granted, the login cannot revoke: the server only warns, and the role stays.
    stopped = perform(DEFINITION, heir)
    assert stopped["error"] == {"kind": "refused", "sqlstate": "2BP01"}
    assert "(privileges for schema uploads). The login may not remove these" in stopped["msg"]
    assert owner(server, gone["login_db"]) == [("Plan.b", role_name), ("budget", role_name)]
    server.execute(gone["login_db"], f"ALTER SCHEMA uploads OWNER TO {me}")
    dropped = perform(DEFINITION, heir)
    assert not dropped["failed"], dropped["msg"]
    assert not exists(server, role_name)


def test_it_does_not_inherit_from_itself(gone: Login, role_name: str) -> None:
    result = perform(DEFINITION, {**gone, "reassign_to": role_name})
    assert result["error"]["kind"] == "invalid_input"
    assert f"Reading reassign_to: {role_name} is the role to be dropped" in result["msg"]


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], list[State]]:
    """Has something done after the module's first look, and returns the list of its looks."""

    def set_up(something: Callable[[], object]) -> list[State]:
        looks: list[State] = []
        look = AbsentRole.read

        def read(resource: AbsentRole) -> State:
            looks.append(look(resource))
            if len(looks) == 1:
                something()
            return looks[-1]

        monkeypatch.setattr(AbsentRole, "read", read)
        return looks

    return set_up


def test_what_it_makes_meanwhile_is_not_lost(
    server: PostgresServer, gone: Login, role_name: str, between: Any
) -> None:
    """DROP OWNED drops what the role owns at that moment, not what it owned when somebody looked."""
    database = gone["login_db"]
    sql(server, database, "CREATE ROLE {role} LOGIN", role_name)
    reader(server, database, role_name)
    looks = between(lambda: uploader(server, database, role_name))
    stopped = perform(DEFINITION, gone)
    assert stopped["error"]["kind"] == "conflict"
    assert stopped["error"]["owned"]["count"] == 2
    assert owner(server, database) == [("Plan.b", role_name), ("budget", role_name)]
    assert len(looks) == 2


def test_another_run_was_faster(server: PostgresServer, gone: Login, role_name: str, between: Any) -> None:
    sql(server, gone["login_db"], "CREATE ROLE {role} LOGIN", role_name)
    looks = between(lambda: server.drop_role(role_name))
    result = perform(DEFINITION, gone)
    assert (result["failed"], result["changed"], len(looks)) == (False, False, 2), result


@pytest.mark.parametrize("name", ["O\"mni's.100% {Rôle}", "ä" * 31 + "b", "SELECT", "$user\n"])
def test_any_name(server: PostgresServer, gone: Login, name: str) -> None:
    """Of the role, of its group, of the one that inherits, and of the database."""
    group, heir, database = f"G{name[1:]}", f"H{name[1:]}", f"D{name[1:]}"
    server.create_database(database)
    given = {**gone, "login_db": database, "name": name, "reassign_to": heir, "all_databases": True}
    try:
        for other_role in (group, heir):
            sql(server, database, "CREATE ROLE {role}", other_role)
        make = {**given, "state": "present", "password": "x", "memberships": [group], "comment": name}
        make["settings"] = {
            "search_path": [name],
            "application_name": name.encode("ascii", "ignore").decode(),
        }
        assert [perform(DEFINITION, make)["changed"] for dummy in range(2)] == [True, False]
        uploader(server, database, name)
        statements = perform(DEFINITION, given, check=True)["statements"]
        assert perform(DEFINITION, given)["statements"] == statements
        assert owner(server, database) == [("Plan.b", heir), ("budget", heir)]
        assert (exists(server, name), perform(DEFINITION, given)["changed"]) == (False, False)
    finally:
        server.drop_database(database)
        for role in (name, group, heir):
            server.drop_role(role)


def test_many_at_once(server: PostgresServer, gone: Login, role_name: str, other: str) -> None:
    """Eight databases' runs, on two databases of one server, remove and make the one role that they share."""
    make = {
        **gone,
        "state": "present",
        "password": "x",
        "connection_limit": 5,
        "settings": {"lock_timeout": 5},
    }
    drop = {**gone, "all_databases": True, "lock_timeout": 30}
    hosts = {f"host{n}": {"database": (gone["login_db"], other)[n % 2]} for n in range(8)}
    tasks: list[Login] = [
        {"name": name, "omni_analytics.connect.omni_pg_user": {**options, "login_db": "{{ database }}"}}
        for name, options in (("make", make), ("drop", drop), ("make again", make))
    ]
    grant = {
        "name": "grant",
        "omni_analytics.connect.omni_pg_grants": {
            **{name: gone[name] for name in ("login_host", "login_port", "login_user", "login_password")},
            "login_db": "{{ database }}",
            "role": role_name,
        },
    }
    tasks.insert(1, grant)
    run = harness.play(tasks, door="in_process", hosts=hosts, extra_args=["--forks", "8"])
    assert [counts["failed"] for counts in run.recap.values()] == [0] * 8, run.text
    assert exists(server, role_name)

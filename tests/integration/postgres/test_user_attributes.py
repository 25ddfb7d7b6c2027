# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role has beside its password: limits, a comment, settings, memberships; and whose login may set them."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg2.sql import SQL, Identifier

from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.user import DEFINITION
from tests.helpers import harness
from tests.helpers.admins import KINDS, AsAdmin
from tests.helpers.postgres_modules import Watch, lifecycle, logged_in, perform, unwritten
from tests.sandbox.postgres import PostgresServer

Login = dict[str, Any]
PASSWORD = "S3cret"
END = "2099-01-31 12:00:00+00"
ATTRIBUTES: Login = {
    "connection_limit": 5,
    "valid_until": END,
    "comment": "For Omni's eyes: 100% \\ {only}",
    "settings": {
        "statement_timeout": "30s",
        "idle_in_transaction_session_timeout": 60000,
        "search_path": ["$user", "public", 'Stats "daily", all'],
        "DateStyle": "ISO, DMY",
        "jit": False,
        "lock_timeout": None,
    },
}


@pytest.fixture
def arguments(login: Login, role_name: str) -> Login:
    return {**login, "name": role_name, "password": PASSWORD}


@pytest.fixture
def group(server: PostgresServer) -> Iterator[str]:
    """A role that the dba may make others members of."""
    name = f"Readers_{secrets.token_hex(4)}"
    server.execute(
        "postgres", SQL("CREATE ROLE {0}; GRANT {0} TO dba WITH ADMIN OPTION").format(Identifier(name))
    )
    yield name
    server.drop_role(name)


def change(server: PostgresServer, sql: str, **names: str) -> None:
    server.execute("postgres", SQL(sql).format(**{key: Identifier(name) for key, name in names.items()}))


def test_lifecycle(server: PostgresServer, arguments: Login, role_name: str, group: str) -> None:
    given = {**arguments, **ATTRIBUTES, "memberships": [group]}
    inherit = " WITH INHERIT TRUE" if server.version >= 16 else ""
    alter = f'ALTER ROLE "{role_name}"'
    made = lifecycle(
        server,
        "omni_pg_user",
        given,
        invalid={"connection_limit": -2},
        outside=lambda: change(
            server,
            "ALTER ROLE {role} CONNECTION LIMIT 7; ALTER ROLE {role} RESET statement_timeout;"
            "ALTER ROLE {role} SET lock_timeout = 1; ALTER ROLE {role} SET search_path = {group};"
            "REVOKE {group} FROM {role} GRANTED BY dba",
            role=role_name,
            group=group,
        ),
        repair=[
            f"{alter} CONNECTION LIMIT 5",
            f"{alter} SET \"statement_timeout\" = '30s'",
            f"{alter} SET \"search_path\" = '$user', 'public', 'Stats \"daily\", all'",
            f'{alter} RESET "lock_timeout"',
            f'GRANT "{group}" TO "{role_name}"{inherit}',
        ],
        door="in_process",
    )
    assert made["statements"] == [
        f"CREATE ROLE \"{role_name}\" LOGIN PASSWORD '********'",
        f"{alter} CONNECTION LIMIT 5",
        f"{alter} VALID UNTIL '{END}'",
        f"COMMENT ON ROLE \"{role_name}\" IS 'For Omni''s eyes: 100% \\ {{only}}'",
        f"{alter} SET \"statement_timeout\" = '30s'",
        f"{alter} SET \"idle_in_transaction_session_timeout\" = '60000'",
        f"{alter} SET \"search_path\" = '$user', 'public', 'Stats \"daily\", all'",
        f"{alter} SET \"datestyle\" = 'ISO, DMY'",
        f"{alter} SET \"jit\" = 'off'",
        f'GRANT "{group}" TO "{role_name}"{inherit}',
    ]
    assert f"role {role_name}: statement_timeout: 30s\n" in made["diff"]["after"]
    settings = "SELECT current_setting('statement_timeout'), current_setting('search_path')"
    assert logged_in(server, arguments["login_db"], role_name, PASSWORD, settings) == [
        ("30s", '"$user", public, "Stats ""daily"", all"')
    ]


def test_what_is_not_named_is_left_alone(
    server: PostgresServer, arguments: Login, role_name: str, group: str
) -> None:
    perform(DEFINITION, arguments)
    change(
        server,
        "ALTER ROLE {role} CONNECTION LIMIT 7 VALID UNTIL '2098-01-01'; COMMENT ON ROLE {role} IS 'x';"
        "ALTER ROLE {role} SET lock_timeout = 1; GRANT {group} TO {role}",
        role=role_name,
        group=group,
    )
    with unwritten(server, arguments["login_db"]):
        result = perform(DEFINITION, {**arguments, "settings": {"statement_timeout": None}})
    assert (result["failed"], result["changed"]) == (False, False), result


@pytest.mark.parametrize(
    ("given", "outside"),
    [
        ({"valid_until": "infinity"}, ""),
        ({"valid_until": "2099-01-31T13:00:00+01:00"}, "ALTER ROLE {role} VALID UNTIL '2099-01-31 12:00 UTC'"),
        ({"comment": ""}, ""),
        ({"connection_limit": -1}, ""),
        (
            {"settings": {"search_path": '"$user",Public, "A ""b"""'}},
            'ALTER ROLE {role} SET search_path = "$user", public, "A ""b"""',
        ),
        ({"settings": {"search_path": ""}}, "ALTER ROLE {role} SET search_path = ''"),
        ({"settings": {"TimeZone": "UTC"}}, "ALTER ROLE {role} SET timezone = 'UTC'"),
        ({"settings": {"enable_seqscan": True}}, "ALTER ROLE {role} SET enable_seqscan = on"),
    ],
)  # fmt: skip
def test_what_means_the_same_is_not_sent(
    server: PostgresServer, arguments: Login, role_name: str, given: Login, outside: str
) -> None:
    perform(DEFINITION, arguments)
    if outside:
        change(server, outside, role=role_name)
    result = perform(DEFINITION, {**arguments, **given})
    assert (result["failed"], result["changed"]) == (False, False), result


def test_dates_as_yaml_has_them(
    server: PostgresServer, arguments: Login, role_name: str, door: harness.Door
) -> None:
    moment = datetime.datetime(2099, 1, 31, 12, tzinfo=datetime.UTC)
    ends = (moment.date(), moment, moment)
    calls = [("omni_pg_user", {**arguments, "valid_until": end}) for end in ends]
    assert [result["changed"] for result in harness.modules(calls, door=door)] == [True, True, False]
    query = "SELECT rolvaliduntil FROM pg_roles WHERE rolname = %s"
    assert server.execute("postgres", query, (role_name,)) == [(moment,)]


@pytest.mark.parametrize(
    ("days", "warned"), [(15.5, ""), (14, "days left: 14"), (0.5, "days left: 1"), (-1, "which is over")]
)
def test_a_warning_before_the_role_expires(
    server: PostgresServer, arguments: Login, role_name: str, days: float, warned: str
) -> None:
    perform(DEFINITION, arguments)
    (((until,),),) = (
        server.execute(
            "postgres", "SELECT (now() + %s * interval '1 day' - interval '1 minute')::text", (days,)
        ),
    )
    for warn, result in (
        (warned, perform(DEFINITION, {**arguments, "valid_until": until}, check=True)),
        (warned, perform(DEFINITION, {**arguments, "valid_until": until})),
        (warned, perform(DEFINITION, arguments)),
        ("", perform(DEFINITION, {**arguments, "valid_until": END}, check=True)),
    ):
        warnings = [text for text in result.get("warnings", []) if "is valid until" in text]
        assert len(warnings) == bool(warn)
        assert all(warn in text and "Set valid_until to a later day" in text for text in warnings)


def test_settings_that_would_break_uploads(server: PostgresServer, arguments: Login, role_name: str) -> None:
    read_only = {**arguments, "settings": {"default_transaction_read_only": "on"}}
    stopped = perform(DEFINITION, {**read_only, "upload_schema": "omni_uploads"})
    assert stopped["error"]["kind"] == "invalid_input"
    assert "uploads tables to schema omni_uploads, and every upload would fail" in stopped["msg"]
    perform(DEFINITION, arguments)
    schema = f"uploads_{role_name}"
    server.execute(
        arguments["login_db"], f"CREATE SCHEMA {schema}; GRANT CREATE ON SCHEMA {schema} TO {role_name}"
    )
    with unwritten(server, arguments["login_db"]):
        stopped = perform(DEFINITION, read_only)
    assert stopped["error"]["kind"] == "invalid_input"
    assert f"uploads tables to schema {schema}" in stopped["msg"]
    for value in ("Off", False, "f", 0):
        off = {**arguments, "settings": {"default_transaction_read_only": value}, "upload_schema": schema}
        assert perform(DEFINITION, off)["changed"]


def test_memberships_are_added_to(
    server: PostgresServer, arguments: Login, role_name: str, group: str
) -> None:
    given = {**arguments, "memberships": [group, "no such", group]}
    check, run = perform(DEFINITION, given, check=True), perform(DEFINITION, given)
    assert [text.partition(" TO ")[0] for text in check["statements"][1:]] == [
        f'GRANT "{group}"',
        'GRANT "no such"',
    ]
    assert run["error"] == {"kind": "prerequisite", "roles": ["no such"]}
    assert not server.execute("postgres", "SELECT FROM pg_roles WHERE rolname = %s", (role_name,))
    wanted = {**arguments, "memberships": [group]}
    perform(DEFINITION, wanted)
    change(server, "GRANT pg_monitor TO {role}", role=role_name)
    if server.version >= 16:
        change(
            server, "GRANT {group} TO {role} WITH INHERIT FALSE GRANTED BY dba", role=role_name, group=group
        )
        assert perform(DEFINITION, wanted)["changed"]
    assert perform(DEFINITION, wanted)["changed"] is False
    held = "SELECT pg_has_role(%s, 'pg_monitor', 'USAGE'), pg_has_role(%s, %s, 'USAGE')"
    assert server.execute("postgres", held, (role_name, role_name, group)) == [(True, True)]


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_admin(
    server: PostgresServer, as_admin: AsAdmin, arguments: Login, role_name: str, kind: str
) -> None:
    """Whoever may make roles can do all of it; the others are told what to ask for, and need nothing of it
    where there is nothing to do."""
    given = {**arguments, **ATTRIBUTES, **as_admin(kind)}
    me = given["login_user"]
    if kind == "schema_owner":
        refused = perform(DEFINITION, given)
        assert refused["error"] == {"kind": "refused", "sqlstate": "42501"}
        assert refused["msg"].endswith(
            f'{me} may not manage roles. A superuser can run: ALTER ROLE "{me}" CREATEROLE'
        )
        perform(DEFINITION, {**given, **as_admin("superuser")})
    else:
        watch = Watch(server, given["login_db"])
        assert perform(DEFINITION, given)["changed"]
        assert not [text for text in watch.changes if "SUPERUSER" in text]
    with unwritten(server, given["login_db"]):
        result = perform(DEFINITION, given)
    assert (result["failed"], result["changed"], result["password"]["state"]) == (False, False, "fits"), (
        result
    )


def test_a_missing_right_is_explained(
    server: PostgresServer, as_admin: AsAdmin, arguments: Login, role_name: str, group: str
) -> None:
    """By the very statement that gives it."""
    perform(DEFINITION, {**arguments, **as_admin("superuser")})
    given = {**arguments, **as_admin("createrole")}
    me = given["login_user"]
    cases: list[Login] = (
        [{"memberships": [group]}]
        if server.version < 16
        else [{"connection_limit": 3}, {"comment": "x"}, {"memberships": [group]}]
    )
    for options in cases:
        role = group if "memberships" in options else role_name
        result = perform(DEFINITION, {**given, **options})
        if server.version < 16:
            # CREATEROLE was enough there.
            assert result["changed"]
            continue
        statement = f'GRANT "{role}" TO "{me}" WITH ADMIN TRUE'
        who = "a superuser or dba" if role == group else "a superuser"
        assert result["msg"].endswith(f"{me} lacks ADMIN on role {role}. To be run by {who}: {statement}")
        server.execute("postgres", statement)
        assert perform(DEFINITION, {**given, **options})["changed"]
        assert perform(DEFINITION, {**given, **options})["changed"] is False
        server.execute("postgres", f'REVOKE "{role}" FROM "{me}" CASCADE')


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"connection_limit": -2}, "Reading connection_limit: -2 is out of range. Choose -1 for no limit"),
        ({"connection_limit": 2**31}, "is out of range"),
        ({"valid_until": "tomorrow"}, "Reading valid_until: 'tomorrow' is no point in time. Give one such as"),
        ({"valid_until": "2030-02-31"}, "Reading valid_until: date/time field value out of range"),
        ({"valid_until": "2030-02-01 Nowhere/Else"}, "Reading valid_until: "),
        ({"settings": {"search_path": {"a": 1}}}, "Reading settings: search_path: it takes one value"),
        ({"settings": {"work_mem": ["1MB"]}}, "Reading settings: work_mem: it takes one value"),
        ({"settings": {"work_mem": "a\0b"}}, "Reading settings: it has a NUL"),
        ({"comment": "a\0b"}, "Reading comment: it has a NUL"),
        ({"memberships": ["omni"], "name": "omni"}, "Reading memberships: omni is the role itself"),
        ({"state": "absent", "reassign_to": ""}, "Reading reassign_to: it is empty"),
        ({"memberships": [""]}, "Reading memberships: it is empty"),
        ({"settings": {"no_such": 1}}, 'SET "no_such" = \'1\': unrecognized configuration parameter "no_such"'),
        ({"settings": {"work_mem": "much"}}, 'invalid value for parameter "work_mem": "much"'),
    ],
)  # fmt: skip
def test_bad_input(server: PostgresServer, arguments: Login, options: Login, said: str) -> None:
    result = perform(DEFINITION, {**arguments, **options})
    assert result["failed"]
    assert said in result["msg"]
    name = options.get("name", arguments["name"])
    assert not server.execute("postgres", "SELECT FROM pg_roles WHERE rolname = %s", (name,))


def test_the_roles_variables(server: PostgresServer, role_vars: Login, role_name: str, group: str) -> None:
    given = {
        **role_vars,
        "omni_postgres_connection_limit": 0,
        "omni_postgres_valid_until": END,
        "omni_postgres_role_comment": "x",
        "omni_postgres_role_settings": {"statement_timeout": "30s"},
        "omni_postgres_role_memberships": [group],
        "omni_postgres_password_encryption": "plaintext",
    }
    keywords = {"roles": ["omni_analytics.connect.omni_postgres"]}
    run = harness.play(
        [], door="in_process", hosts={"one": given}, play_keywords=keywords, tags=["omni_user"]
    )
    result = run.result("Keep the role that Omni logs in as").result
    assert [text.partition(role_name)[2][2:].split(" ")[0] for text in result["statements"][:5]] == [
        "LOGIN", "CONNECTION", "VALID", "IS", "SET"
    ]  # fmt: skip
    assert (len(result["statements"]), result["password"]["how"]) == (6, "by this run, in clear")
    given["omni_postgres_role_settings"] = {"default_transaction_read_only": "on"}
    run = harness.play(
        [], door="in_process", hosts={"one": given}, play_keywords=keywords, tags=["omni_user"]
    )
    assert (
        "uploads tables to schema omni_uploads"
        in run.result("Keep the role that Omni logs in as").result["msg"]
    )

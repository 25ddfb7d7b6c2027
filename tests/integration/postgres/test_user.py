# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role that Omni logs in as, and its password."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies
from psycopg2.extensions import encrypt_password
from psycopg2.sql import SQL, Identifier, Literal

from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres import scram
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.user import DEFINITION
from tests.helpers import harness
from tests.helpers.postgres_modules import Watch, lifecycle, logged_in, perform, refused, unwritten
from tests.sandbox.postgres import PostgresServer

Login = dict[str, Any]
# What quotes, JSON, YAML, SQL and URLs escape stands before what would give them away.
PASSWORD = "S3cret: ' \\ %(x)s"
OTHER = "é'\"\\\t%s{}: an0ther"


@pytest.fixture
def arguments(login: Login, role_name: str) -> Login:
    """The module's options, with the dba's login, who cannot read pg_authid."""
    return {**login, "name": role_name, "password": PASSWORD}


def alter(server: PostgresServer, role: str, sql: str, *values: Any) -> None:
    server.execute("postgres", SQL("ALTER ROLE {} " + sql).format(Identifier(role), *map(Literal, values)))


def test_lifecycle(server: PostgresServer, arguments: Login, role_name: str, door: harness.Door) -> None:
    mark = server.log.stat().st_size
    made = lifecycle(
        server,
        "omni_pg_user",
        arguments,
        invalid={"name": ""},
        outside=lambda: alter(server, role_name, "NOLOGIN"),
        repair=[f'ALTER ROLE "{role_name}" LOGIN'],
        door=door,
    )
    assert made["statements"] == [f"CREATE ROLE \"{role_name}\" LOGIN PASSWORD '********'"]
    assert stored(server, role_name).startswith("SCRAM-SHA-256$")
    database = arguments["login_db"]
    assert logged_in(server, database, role_name, PASSWORD, "SELECT current_user") == [(role_name,)]
    assert PASSWORD not in server.log_text(mark)


def stored(server: PostgresServer, role: str) -> str:
    ((secret,),) = server.execute("postgres", "SELECT rolpassword FROM pg_authid WHERE rolname = %s", (role,))
    return str(secret)


@pytest.mark.parametrize("how", ["by logging in", "by pg_authid"])
def test_a_password_that_differs(
    server: PostgresServer, arguments: Login, admin_login: Login, role_name: str, how: str
) -> None:
    """The dba, who may not read pg_authid, finds out by logging in."""
    given = {**arguments, **admin_login} if how == "by pg_authid" else arguments
    perform(DEFINITION, given)
    alter(server, role_name, "PASSWORD {}", OTHER)
    with unwritten(server, arguments["login_db"]):
        told = perform(DEFINITION, given)
    assert told["changed"] is False
    known = {"algorithm": "scram-sha-256"} if how == "by pg_authid" else {}
    assert told["password"] == {"state": "differs", "how": how, **known}
    assert f"The password of role {role_name} is not the one given ({how})" in told["warnings"][0]
    assert "update_password: always changes it" in told["warnings"][0]

    always = {**given, "update_password": "always"}
    with unwritten(server, arguments["login_db"]):
        planned = perform(DEFINITION, always, check=True)
    watch = Watch(server, arguments["login_db"])
    repaired = perform(DEFINITION, always)
    repair = [f"ALTER ROLE \"{role_name}\" PASSWORD '********'"]
    assert planned["statements"] == repaired["statements"] == watch.changes == repair
    assert repaired["password"] == {"state": "set", "how": "by this run", **known}
    with unwritten(server, arguments["login_db"]):
        again = perform(DEFINITION, always)
    assert (again["changed"], again["password"]) == (False, {"state": "fits", "how": how, **known})
    assert logged_in(server, arguments["login_db"], role_name, PASSWORD, "SELECT 1") == [(1,)]
    assert "password authentication failed" in refused(server, arguments["login_db"], role_name, OTHER)


def test_no_secret_is_shown(
    server: PostgresServer, arguments: Login, role_name: str, door: harness.Door
) -> None:
    mark = server.log.stat().st_size
    # By variables: Ansible quotes the lines of a task that failed.
    secrets = {"password": PASSWORD, "other": OTHER, "login": arguments["login_password"]}
    given = {**arguments, "password": "{{ password }}", "login_password": "{{ login }}"}
    calls: list[tuple[Login, Login, str]] = [
        (given, {"check_mode": True}, "changed"),
        (given, {}, "changed"),
        (given, {}, "ok"),
        ({**given, "password": "{{ other }}"}, {}, "ok"),
        ({**given, "password": "{{ other }}", "update_password": "always"}, {}, "changed"),
        ({**given, "login_password": "{{ other }}"}, {}, "failed"),
        ({**given, "login_db": "gone"}, {}, "failed"),
    ]
    tasks: list[Login] = [
        {"name": f"call {number}", "omni_analytics.connect.omni_pg_user": options, "ignore_errors": True}
        | more
        for number, (options, more, dummy) in enumerate(calls)
    ]
    run = harness.play(tasks, door=door, diff=True, verbosity=4, vars=secrets)
    assert [run.result(task["name"]).status for task in tasks] == [status for *dummy, status in calls]
    log = server.log_text(mark)
    for secret in (*secrets.values(), "S3cret", "an0ther", "SCRAM-SHA-256$"):
        assert secret not in run.text
        assert secret not in log or secret == "SCRAM-SHA-256$"


def test_where_the_password_cannot_be_found_out(
    server: PostgresServer, arguments: Login, admin_login: Login, role_name: str
) -> None:
    assert perform(DEFINITION, arguments)["changed"]
    always = {**arguments, "update_password": "always"}

    def found(**options: Any) -> tuple[Any, ...]:
        result = perform(DEFINITION, {**arguments, **options})
        assert not result["failed"], result
        return result["password"]["state"], result["password"]["how"], result["changed"]

    for lines, words in (
        ("trust", "without asking for a password"),
        ("reject", "pg_hba.conf rejects connection"),
    ):
        with server.hba(f"host all {role_name} 127.0.0.1/32 {lines}"):
            state, how, changed = found()
            assert (state, words in how, changed) == ("unknown", True, False)
            assert found(**admin_login) == ("fits", "by pg_authid", False)
            result = perform(DEFINITION, always)
            assert result["statements"] == [f"ALTER ROLE \"{role_name}\" PASSWORD '********'"]
            assert "unknown: " in perform(DEFINITION, arguments)["warnings"][0]

    alter(server, role_name, "CONNECTION LIMIT 0")
    assert found() == ("fits", "by logging in", False)
    assert found(password=OTHER) == ("differs", "by logging in", False)
    alter(server, role_name, "CONNECTION LIMIT -1 VALID UNTIL '2020-01-01'")
    assert found() == ("unknown", "the role's VALID UNTIL is over", False)
    alter(server, role_name, "VALID UNTIL 'infinity' PASSWORD NULL")
    assert found() == ("differs", "by logging in", False)
    assert found(**admin_login) == ("differs", "by pg_authid", False)


def test_a_role_that_may_not_log_in(server: PostgresServer, arguments: Login, role_name: str) -> None:
    """Its password is set with its first login where that was asked for, or looked at after it."""
    perform(DEFINITION, arguments)
    alter(server, role_name, "NOLOGIN PASSWORD {}", OTHER)
    result = perform(DEFINITION, arguments, check=True)
    assert (result["statements"], result["password"]["state"]) == (
        [f'ALTER ROLE "{role_name}" LOGIN'],
        "unknown",
    )
    result = perform(DEFINITION, {**arguments, "update_password": "always"})
    assert [text.rpartition('" ')[2] for text in result["statements"]] == ["LOGIN", "PASSWORD '********'"]
    alter(server, role_name, "NOLOGIN PASSWORD {}", OTHER)
    result = perform(DEFINITION, arguments)
    assert (result["changed"], result["password"]["state"]) == (True, "differs")
    assert "is not the one given" in result["warnings"][0]


def test_an_md5_secret_is_recognised(
    server: PostgresServer, arguments: Login, admin_login: Login, role_name: str
) -> None:
    perform(DEFINITION, arguments)
    with contextlib.closing(server.connect("postgres")) as connection:
        md5 = encrypt_password(PASSWORD, role_name, connection, "md5")
    alter(server, role_name, "PASSWORD {}", md5)
    for options, state in ((admin_login, "fits"), ({**admin_login, "password": OTHER}, "differs")):
        assert perform(DEFINITION, {**arguments, **options})["password"]["state"] == state
    with server.hba(f"host all {role_name} 127.0.0.1/32 md5"):
        assert perform(DEFINITION, arguments)["password"] == {"state": "fits", "how": "by logging in"}


@pytest.mark.parametrize(
    "password", ["pässwörd", "a\u00a0b\u200bc", "I\u00adX", "\u2168", "密码", "\u0627\u0031", "🔑"]
)
def test_passwords_beyond_ascii(
    server: PostgresServer, arguments: Login, admin_login: Login, role_name: str, password: str
) -> None:
    given = {**arguments, "password": password}
    assert perform(DEFINITION, given)["changed"]
    assert perform(DEFINITION, given)["password"] == {"state": "fits", "how": "by logging in"}
    assert perform(DEFINITION, {**given, **admin_login})["password"] == {
        "state": "fits",
        "how": "by pg_authid",
        "algorithm": "scram-sha-256",
    }
    assert logged_in(server, arguments["login_db"], role_name, password, "SELECT 1") == [(1,)]


@pytest.fixture(scope="module")
def connection(server: PostgresServer) -> Iterator[Any]:
    with contextlib.closing(server.connect("postgres")) as opened:
        yield opened


NASTY = strategies.sampled_from(
    "aé\u00a0\u00ad\u200b\u2168\u0627\u05d0\u0301\u00b2\u2000\ue000\u0007\u1806'$"
)


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(
    strategies.text(
        NASTY | strategies.characters(exclude_characters="\0", exclude_categories=["Cs", "Cn"]),
        min_size=1,
        max_size=6,
    )
)
def test_a_password_is_prepared_as_libpq_does_it(connection: Any, password: str) -> None:
    assert scram.fits(encrypt_password(password, "omni", connection, "scram-sha-256"), password, "omni")


def test_a_superuser_is_warned_of(server: PostgresServer, arguments: Login, role_name: str) -> None:
    perform(DEFINITION, arguments)
    alter(server, role_name, "SUPERUSER")
    result = perform(DEFINITION, arguments)
    assert (result["changed"], result["password"]["state"]) == (False, "fits")
    assert "is a superuser" in result["warnings"][0]


def test_somebody_elses_role_is_refused(server: PostgresServer, arguments: Login, role_name: str) -> None:
    """CREATEROLE does not let the dba change a superuser, nor from 16 on a role that somebody else made."""
    kind = "" if server.version >= 16 else "SUPERUSER"
    server.execute("postgres", SQL("CREATE ROLE {} " + kind).format(Identifier(role_name)))
    result = perform(DEFINITION, {**arguments, "update_password": "always"})
    assert result["error"] == {"kind": "refused", "sqlstate": "42501"}
    assert f'ALTER ROLE "{role_name}" LOGIN' in result["msg"]
    grant = f'dba lacks ADMIN on role {role_name}. To be run by a superuser: GRANT "{role_name}" TO "dba" WITH ADMIN'
    super_only = f"Role {role_name} is a superuser, which only a superuser may change."
    assert (grant if server.version >= 16 else super_only) in result["msg"]
    role = server.execute(
        "postgres", "SELECT rolcanlogin, rolpassword FROM pg_authid WHERE rolname = %s", (role_name,)
    )
    assert role == [(False, None)]

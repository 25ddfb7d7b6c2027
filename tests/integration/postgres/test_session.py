# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connecting to servers that are silent, or speak another language, and the transactions of a session."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg2.sql import SQL, Identifier

from ansible_collections.omni_analytics.connect.plugins.module_utils._errors import Refused, Unreachable
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres import session as sessions
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres import user
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.session import LOCK, Session
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.statement import Statement
from tests.helpers.postgres_modules import perform
from tests.helpers.wire import Proxy, Silent
from tests.sandbox.postgres import PostgresServer

Login = dict[str, Any]
PASSWORD = "of the role"
WHO = "SELECT current_user::text AS name, current_setting('client_connection_check_interval', true) AS looks"


@pytest.fixture
def params(login: Login) -> Login:
    """All options of a session."""
    defaults = {name: option.get("default") for name, option in user.DEFINITION.options.items()}
    return {**defaults, **login}


@pytest.mark.parametrize(("silent", "hosts"), [("127.0.0.9", "127.0.0.9,127.0.0.1"), ("::1", "localhost")])
def test_the_next_address_is_tried_where_the_first_is_silent(
    server: PostgresServer, params: Login, silent: str, hosts: str
) -> None:
    """Hosts in turn, and the addresses of one name in turn."""
    try:
        listening = Silent(silent, server.port)
    except OSError:
        pytest.skip(f"{silent} is no address of this machine")
    with listening, Session({**params, "login_host": hosts, "connect_timeout": 2}) as session:
        assert session.rows(WHO, {})[0]["name"] == "dba"
        assert session.connection.info.host in hosts.split(",")


def test_a_server_that_does_not_look_for_its_clients(server: PostgresServer, params: Login) -> None:
    """Where the system cannot tell it, the setting is refused; here, since the value is changed on the way."""
    refused = []

    def out_of_range(data: bytes) -> bytes:
        if b"client_connection_check_interval\" = '1s'" in data:
            refused.append(data)
        return data.replace(b"= '1s'", b"= '-1'")

    with (
        Proxy(server.port, to_server=out_of_range) as proxy,
        Session({**params, "login_port": proxy.port, "ssl_mode": "disable"}) as session,
    ):
        with session.transaction():
            pass
        assert session.rows(WHO, {})[0]["looks"] in ("0", None)
    assert len(refused) == (server.version >= 14)  # asked once, and never again


def test_a_query_changes_nothing_and_keeps_its_limits(server: PostgresServer, params: Login) -> None:
    """It is one message with the settings of its transaction; from 13 on the login's own do not count."""
    if server.version >= 13:
        own = SQL("ALTER ROLE dba IN DATABASE {} SET statement_timeout = 100")
        server.execute("postgres", own.format(Identifier(params["login_db"])))
    with Session({**params, "statement_timeout": 2}) as session:
        session.rows("SELECT pg_sleep(0.3)", {})
        for query, code in (("CREATE TABLE made ()", "25006"), ("SELECT pg_sleep(60)", "57014")):
            with pytest.raises(Refused) as refused:
                session.rows(query, {})
            assert refused.value.detail == {"sqlstate": code}
            assert session.connection.info.transaction_status == 0


@pytest.mark.parametrize(
    ("session_role", "said"),
    [('not there, 100 % "sure"', "does not exist"), ("omni_sandbox_closed", "permission denied to set role")],
)
def test_a_role_that_the_login_cannot_act_as(
    server: PostgresServer, params: Login, role_name: str, session_role: str, said: str
) -> None:
    """It is not taken for a mistake in another option, whose errors have the same SQLSTATE; nor where the server's
    language quotes it in another way."""
    if session_role == "omni_sandbox_closed":
        session_role = role_name
        server.execute("postgres", SQL("CREATE ROLE {}").format(Identifier(role_name)))
    given = {
        **params,
        "name": "omni",
        "valid_until": "2030-01-31",
        "session_role": session_role,
        "ssl_mode": "disable",
    }
    with Proxy(server.port, to_client=lambda data: data.replace(b'"', b"'")) as proxy:
        for port in (server.port, proxy.port):
            result = perform(user.DEFINITION, {**given, "login_port": port}, check=True)
            assert result["error"]["kind"] == "prerequisite"
            assert result["msg"].startswith("Acting as session_role in database sales_")
            assert said in result["msg"]


def test_what_is_refused_beside_a_role_is_not_laid_to_it(params: Login, role_name: str) -> None:
    given = {**params, "name": role_name, "comment": "x", "session_role": params["login_user"]}
    with Session(given) as session, pytest.raises(Refused) as refused:
        session.rows("SELECT set_config('TimeZone', %(zone)s, true)", {"zone": params["login_user"]})
    assert refused.value.kind == "refused"
    assert refused.value.detail == {"sqlstate": "22023"}


def test_a_commit_whose_answer_is_lost_is_said_to_be_unknown(server: PostgresServer, params: Login) -> None:
    writing = []

    def broken(data: bytes) -> bytes:
        writing.append(b"CREATE TEMP" in data)
        if any(writing) and data.startswith(b"Q") and b"COMMIT" in data:
            raise ConnectionResetError
        return data

    with (
        Proxy(server.port, to_server=broken) as proxy,
        Session({**params, "login_port": proxy.port, "ssl_mode": "disable"}) as session,
        pytest.raises(Unreachable, match=r"Whether the changes before it were made is not known"),
        session.transaction(),
    ):
        session.execute(Statement("CREATE TEMP TABLE {} ()", (("unknown",),)))


@contextlib.contextmanager
def another_run(server: PostgresServer, database: str, ends: threading.Event) -> Iterator[int]:
    """A run that changes the database until `ends` is set. Its server process."""
    with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN; SELECT pg_backend_pid(), pg_advisory_xact_lock(%s)", (LOCK,))
        ((pid, dummy),) = cursor.fetchall()

        def end() -> None:
            ends.wait(60)
            cursor.execute("ROLLBACK")

        ending = threading.Thread(target=end)
        ending.start()
        try:
            yield pid
        finally:
            ends.set()
            ending.join()


def test_a_run_waits_for_another_one(
    server: PostgresServer, params: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than for anybody's lock, without a transaction of its own meanwhile; and it says so, once."""
    monkeypatch.setattr(sessions, "LOCK_SILENCE", 0)
    ends = threading.Event()
    waits: list[int] = []
    lines: list[str] = []
    with Session({**params, "lock_timeout": 1, "statement_timeout": 1}) as session:

        def look() -> None:
            waits.append(session.connection.info.transaction_status)
            if len(waits) == 5:
                ends.set()

        session.before_write, session.progress = look, lines.append
        with another_run(server, params["login_db"], ends), session.transaction():
            assert ends.is_set()
    assert set(waits) == {0}
    assert [line.startswith("waiting for another run that changes database sales_") for line in lines] == [
        True
    ]


def test_a_run_that_waited_too_long_says_for_whom(
    server: PostgresServer, params: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "LOCK_PATIENCE", 0)
    with (
        another_run(server, params["login_db"], threading.Event()) as pid,
        Session(params) as session,
        pytest.raises(
            Refused, match=rf"another run of this collection .* \(server process {pid}\)"
        ) as caught,
        session.transaction(),
    ):
        pass
    assert caught.value.detail == {"pids": [pid]}


@pytest.mark.parametrize("session_role", [None, "app_owner"])
def test_a_statement_as_another_role(params: Login, session_role: str | None) -> None:
    with Session({**params, "session_role": session_role}) as session:
        made = Statement("CREATE SCHEMA {}", (("of_etl",),), as_role="etl")
        assert session.text(made) == 'SET LOCAL ROLE "etl"; CREATE SCHEMA "of_etl"'
        owner = "SELECT pg_get_userbyid(nspowner)::text AS name FROM pg_namespace WHERE nspname = 'of_etl'"
        with session.transaction(keep=False):
            grant = Statement("GRANT CREATE ON DATABASE {} TO etl", ((params["login_db"],),), as_role="dba")
            session.execute(grant)
            session.execute(made)
            assert session.rows(owner, {}) == [{"name": "etl"}]
            assert session.rows(WHO, {})[0]["name"] == (session_role or "dba")


ENGLISH = b"password authentication failed for user"
GERMAN = b"Passwort-Authentifizierung schlug fehl:".ljust(len(ENGLISH))


@pytest.mark.parametrize(("password", "state"), [(PASSWORD, "fits"), ("another", "differs")])
def test_a_password_is_judged_in_any_language(
    server: PostgresServer, as_admin: Any, role_name: str, password: str, state: str
) -> None:
    """By a login that cannot read pg_authid, on a server that does not speak English."""
    login = {**as_admin("createrole"), "name": role_name}
    perform(user.DEFINITION, {**login, "password": PASSWORD})
    with Proxy(server.port, to_client=lambda data: data.replace(ENGLISH, GERMAN)) as proxy:
        given = {**login, "login_port": proxy.port, "password": password, "ssl_mode": "disable"}
        result = perform(user.DEFINITION, given)
        assert result["password"] == {"state": state, "how": "by logging in"}
        wrong = perform(user.DEFINITION, {**given, "login_password": "wrong"})
    assert "Passwort-Authentifizierung" in wrong["msg"]
    assert wrong["msg"].endswith("Check login_user and login_password.")

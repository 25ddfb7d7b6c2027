# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a login, and what a refused one means: libpq is real, and the servers are a few lines each."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies
from psycopg2 import extensions

from ansible_collections.omni_analytics.connect.plugins.module_utils._errors import InvalidInput, Unreachable
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres import user
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.connect import connect
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.login import Login
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.login_errors import (
    LoginRefused,
)
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.login_options import OPTIONS
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.password_proof import (
    prove_password,
)
from tests.helpers.perform import said
from tests.helpers.wire import Refusing, Silent

DEFAULTS = {name: option.get("default") for name, option in OPTIONS.items()}


def options(**given: Any) -> dict[str, Any]:
    return {**DEFAULTS, "login_db": "sales", **given}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"login_db": ""}, "Reading login_db: it is empty"),
        ({"login_db": "ä" * 32}, "has 64 bytes"),
        ({"login_db": "a\0b"}, "Reading login_db: it has a NUL"),
        ({"login_user": ""}, "Reading login_user: it is empty"),
        ({"login_user": "\udcff"}, "Reading login_user: it has a NUL, or bytes that are not UTF-8"),
        ({"login_host": ""}, "Reading login_host: it is empty"),
        ({"login_host": " "}, "Reading login_host: it is empty"),
        ({"login_unix_socket": ""}, "Reading login_unix_socket: it is empty"),
        ({"session_role": ""}, "Reading session_role: it is empty"),
        ({"ca_cert": ""}, "Reading ca_cert: it is empty"),
        ({"login_password": "\udcff"}, "Reading login_password: it has a NUL"),
        ({"login_port": 0}, "Reading login_port: 0 is out of range"),
        ({"connect_timeout": 0}, "Reading connect_timeout: 0 is out of range"),
        ({"lock_timeout": 2**40}, "Reading lock_timeout: .* is out of range"),
        ({"max_listed": -1}, "Reading max_listed: -1 is out of range"),
        ({"connect_params": {"user": "x"}}, r"connect_params: user: .* Use login_user instead"),
        ({"connect_params": {"port": 1}}, r"Use login_port instead"),
        ({"connect_params": {"dbname": "x"}}, r"Use login_db instead"),
        ({"connect_params": {"host": None}}, r"Use login_host instead"),
        ({"connect_params": {"sslmode": "disable"}}, r"Use ssl_mode instead"),
        ({"connect_params": {"client_encoding": "latin1"}}, r"the modules set it themselves\. Leave it out"),
        ({"connect_params": {"async": 1}}, "this libpq knows no such keyword"),
        ({"connect_params": {"dsn": "host=x"}}, "this libpq knows no such keyword"),
        ({"connect_params": {"hots": "x"}}, "this libpq knows no such keyword"),
        ({"connect_params": {1: "x"}}, "this libpq knows no such keyword"),
        ({"connect_params": {"a b": "x"}}, "this libpq knows no such keyword"),
        ({"connect_params": {"options": "-c role=dba"}}, "it sets a role. Use session_role"),
        ({"connect_params": {"options": "-cjit=off --session-authorization=dba"}}, "it sets a role"),
        ({"connect_params": {"options": "a\0"}}, "it has a NUL"),
    ],
)
def test_options_that_no_login_could_use(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Login.of(options(**given))
    assert re.search(words, said(caught.value, user.DEFINITION))


@pytest.mark.parametrize(
    "given",
    [
        {"login_db": "a=b"},
        {"login_db": "select"},
        {"login_host": "@abstract"},
        {"connect_params": {"hostaddr": "127.0.0.1", "service": "sales", "target_session_attrs": "primary"}},
        {"connect_params": {"options": "-c role.x=1 -c work_mem=1GB", "channel_binding": None}},
    ],
)
def test_options_that_a_login_can_use(given: dict[str, Any]) -> None:
    assert Login.of(options(**given))


@hypothesis.settings(max_examples=300, deadline=None)
@hypothesis.given(
    strategies.dictionaries(
        strategies.sampled_from(
            ["options", "application_name", "hostaddr", "keepalives", "sslcrl", "passfile"]
        )
        | strategies.text(max_size=5),
        strategies.text(max_size=5) | strategies.integers() | strategies.lists(strategies.text(max_size=2)),
        max_size=2,
    )
)
def test_any_connect_params_are_taken_or_refused(given: dict[str, Any]) -> None:
    with contextlib.suppress(InvalidInput):
        login = Login.of(options(connect_params=given))
        assert extensions.make_dsn(**login.keywords())


@pytest.mark.parametrize(
    "name",
    [
        "postgresql://admin:s3cret@db.example.com/sales",
        "jdbc:postgresql://db.example.com/sales?password=s3cret",
        "host=db.example.com password=s3cret",
        " passwrd=x password = s3cret",
    ],
)
def test_a_connection_string_as_database_name_is_refused_and_hidden(name: str) -> None:
    params = {option: value.get("default") for option, value in user.DEFINITION.options.items()}
    result, secrets = user.DEFINITION.perform({**params, "login_db": name}, check_mode=True)
    assert "it is a connection string, not the name of a database" in result["msg"]
    assert result["error"] == {"kind": "invalid_input"}
    assert "s3cret" not in repr(result)
    assert name in secrets  # the doors hide it in `invocation`


def test_a_secret_in_connect_params_is_hidden() -> None:
    with pytest.raises(InvalidInput, match=r"Use O\(ssl_key_password\) instead") as caught:
        Login.of(options(connect_params={"sslpassword": "s3cret"}))
    assert caught.value.secrets == {"s3cret"}
    assert "s3cret" not in str(caught.value)


GERMAN = "Passwort-Authentifizierung für Benutzer »omni« fehlgeschlagen"


@pytest.mark.parametrize(
    ("sqlstate", "text", "asks", "state"),
    [
        ("28P01", GERMAN, True, "differs"),
        ("28P01", 'password authentication failed for user "omni"', True, "differs"),
        ("08P01", "SASL authentication failed", True, "differs"),  # PgBouncer 1.18
        # A refusal by pg_hba.conf reads the same whatever the password is.
        ("28000", "kein pg_hba.conf-Eintrag für Host »127.0.0.1«", False, "unknown"),
        ("28000", "LDAP-Authentifizierung für Benutzer »omni« fehlgeschlagen", True, "unknown"),
        ("53300", 'too many connections for role "omni"', True, "fits"),
        ("53300", 'too many connections for role "omni"', False, "unknown"),  # a server that trusts
        ("42501", 'permission denied for database "sales"', True, "fits"),
        ("53300", "zu viele Verbindungen für Rolle »omni«", True, "unknown"),
        ("53300", "sorry, too many clients already", True, "unknown"),
    ],
)
def test_whether_a_refused_login_was_for_the_password(
    sqlstate: str, text: str, asks: bool, state: str
) -> None:
    with Refusing(sqlstate, text, asks) as server:
        params = options(login_host="127.0.0.1", login_port=server.port, ssl_mode="disable")
        found, how = prove_password(params, Login.of(params).as_user("omni", "a:b\\c"))
        # Nobody ever tries a password that is not the one given: some servers count those.
        assert server.given == ["a:b\\c"] * asks
    assert found == state
    if state == "unknown":
        assert text in how
    assert "/proc/self" not in how


@pytest.mark.parametrize("password", ["", "x", "a:b\\c", "ü" * 400, "two\nlines", "end\r", " # "])
@pytest.mark.parametrize("memory", [True, False])
def test_the_password_that_a_server_gets_is_the_one_given(
    password: str, memory: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever the environment says, and whether the system has files in memory or not."""
    monkeypatch.setenv("PGPASSWORD", "another")
    if not memory:
        monkeypatch.delattr(os, "memfd_create")
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Refusing("28P01", GERMAN) as server:
        params = options(login_host="127.0.0.1", login_port=server.port, ssl_mode="disable")
        with pytest.raises(LoginRefused):
            connect(Login.of(params).as_user("omni", password))
        assert server.given == [password] * bool(password)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("sqlstate", "text", "advice"),
    [
        ("28P01", GERMAN, "Check login_user and login_password."),
        ("28000", 'pg_hba.conf rejects connection for host "::1"', "pg_hba.conf does not allow"),
        ("28000", 'no pg_hba.conf entry for host "::1", user "u"', "pg_hba.conf does not allow"),
        ("3D000", 'database "d" does not exist', "Check login_db"),
        ("42501", 'permission denied for database "d"', "Grant CONNECT on the database"),
        ("57P03", "the database system is starting up", "Run again when the server is up."),
        ("53300", "sorry, too many clients already", "are in use: run again later."),
        ("53300", 'too many connections for role "omni"', "are in use: run again later."),
        ("53300", "remaining connection slots are reserved", "are in use: run again later."),
        ("28000", 'role "root" does not exist', "Where it is not set, the name is that of the system user"),
        ("28000", 'Peer authentication failed for user "postgres"', "become: true, and become_user."),
        ("57P01", "session is read-only", "None of the hosts is a primary just now. Run again when one is"),
        ("57P01", "server is not in hot standby mode", "See connect_params."),
        ("57P01", "terminating connection due to administrator command", "Run again when it is up."),
        ("08006", "server closed the connection unexpectedly", "Run again when it is up; or see its log."),
        ("XX000", "etwas anderes", "Check the login options."),
    ],
)
def test_what_to_do_about_a_refusal_of_the_server(sqlstate: str, text: str, advice: str) -> None:
    with Refusing(sqlstate, text) as server:
        params = options(login_host="127.0.0.1", login_port=server.port, ssl_mode="disable")
        with pytest.raises(LoginRefused) as caught:
            connect(Login.of(params).as_user("database", "x"))
    assert advice in said(caught.value, user.DEFINITION)


GERMAN_PEER = "FATAL:  Peer-Authentifizierung für Benutzer »postgres« fehlgeschlagen"


@pytest.mark.parametrize(
    ("host", "advice"),
    [
        ("/run/postgresql", "mostly lets in only the system user of the name that logs in"),
        ("db1.example.com", "Check the login options."),
    ],
)
def test_a_socket_that_refuses_in_any_language(host: str, advice: str) -> None:
    by_socket = Login.of(options(login_host=host)).by_socket
    refused = LoginRefused("Logging in", GERMAN_PEER, by_socket=by_socket)
    assert advice in said(refused, user.DEFINITION)
    assert by_socket == ("become_user" in said(refused, user.DEFINITION))


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ({"login_host": "database-1.invalid"}, "Check login_host."),
        ({"login_host": "127.0.0.1", "login_port": 1}, "Check login_host and login_port, and that the"),
        (
            {"login_unix_socket": "/nowhere"},
            "Check login_unix_socket, the folder of the socket on the host where",
        ),
        ({"login_host": "a" * 64 + ".example.com"}, "Check login_host."),
    ],
)
def test_what_to_do_about_a_server_that_is_not_there(given: dict[str, Any], advice: str) -> None:
    with pytest.raises(Unreachable) as caught:
        connect(Login.of(options(**given)))
    assert advice in said(caught.value, user.DEFINITION)


GERMAN_LOGIN = """
import locale
locale.setlocale(locale.LC_ALL, "")
from tests.unit.postgres import test_login
try:
    test_login.connect(test_login.Login.of(test_login.options(login_host="127.0.0.1", login_port=1)))
except test_login.Unreachable as error:
    print(test_login.said(error, test_login.user.DEFINITION))
import os
print(os.strerror(111))
"""


def test_advice_does_not_depend_on_the_language_of_the_controller() -> None:
    german = {"LANGUAGE": "de", "LC_ALL": "C.UTF-8"}
    environment = {**os.environ, **german, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", GERMAN_LOGIN], capture_output=True, text=True, env=environment, check=True
    )
    message, words = run.stdout.splitlines()
    if words == os.strerror(errno.ECONNREFUSED):
        pytest.skip("this system has no German words")
    assert "Check login_host and login_port, and that the server runs." in message


def test_a_silent_server_is_given_up() -> None:
    with Silent() as server:
        params = options(login_host="127.0.0.1", login_port=server.port, connect_timeout=1)
        with pytest.raises(Unreachable, match=r"raise O\(connect_timeout\)"):
            connect(Login.of(params))


def test_a_name_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """libpq asks it in C, where nothing gets through; any call that blocks stands for it."""
    answered, closed = threading.Event(), threading.Event()
    late = SimpleNamespace(close=closed.set)
    monkeypatch.setattr("psycopg2.connect", lambda **dummy: late if answered.wait(20) else None)
    params = options(login_host="db.invalid", connect_timeout=1)
    with pytest.raises(Unreachable, match=r"no answer within 1 s. Check the address, the name server"):
        connect(Login.of(params))
    answered.set()
    assert closed.wait(20)  # nothing is left open by an answer that comes too late


WITHOUT_PSYCOPG2 = """
import sys
sys.modules["psycopg2"] = None
from ansible_collections.omni_analytics.connect.plugins.modules import omni_pg_access_info, omni_pg_user
for module in (omni_pg_access_info, omni_pg_user):
    result, secrets = module.DEFINITION.perform({}, True)
    print(result["error"]["kind"], result["error"]["library"])
"""


def test_without_psycopg2_a_module_says_so() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_PSYCOPG2], capture_output=True, text=True, env=environment, check=True
    )
    assert run.stdout.splitlines() == ["missing_library psycopg2"] * 2

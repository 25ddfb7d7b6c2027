# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Input that cannot work: one clear error that says what to do, and nothing half-done."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres import user
from tests.helpers.perform import modules
from tests.helpers.postgres_modules import perform, unwritten
from tests.sandbox.postgres import PostgresServer

Login = dict[str, Any]
USER, GRANTS, UPLOAD, ACCESS = "omni_pg_user", "omni_pg_grants", "omni_upload_schema", "omni_pg_access_info"
UNREACHABLE, INVALID, PREREQUISITE = "unreachable", "invalid_input", "prerequisite"

#: What is given, the kind of the error, and what its message has to say.
CASES: list[tuple[str, Login, str, tuple[str, ...]]] = [
    *(
        (
            module,
            {"login_password": "wrong"},
            UNREACHABLE,
            (" as dba: ", "Check login_user and login_password."),
        )
        for module in (USER, GRANTS, UPLOAD, ACCESS)
    ),
    (USER, {"login_db": "no such"}, UNREACHABLE, ('database "no such" does not exist', "Check login_db")),
    (
        USER,
        {"login_port": "closed"},
        UNREACHABLE,
        ("Connection refused", "Check login_host and login_port"),
    ),
    (
        USER,
        {"login_port": "silent", "connect_timeout": 1},
        UNREACHABLE,
        ("timeout expired", "Check the address, the port and the firewall"),
    ),
    (USER, {"login_password": None}, UNREACHABLE, ("no password supplied", "Set login_password.")),
    (USER, {"ssl_mode": "require"}, UNREACHABLE, ("does not support SSL", "set ssl_mode to what it offers")),
    *(
        (USER, {option: value}, INVALID, (f"Reading {option}: {value} is out of range", "Choose"))
        for option, value in (
            ("login_port", 65536),
            ("connect_timeout", 0),
            ("lock_timeout", 0),
            ("statement_timeout", -1),
        )
    ),
    (USER, {"password": None}, INVALID, ("no password was given", "Set password.")),
    (USER, {"password": ""}, INVALID, ("Reading password: it is empty", "Choose another one")),
    (USER, {"name": ""}, INVALID, ("Reading name: it is empty", "Give one")),
    (
        USER,
        {"name": "ä" * 32},
        INVALID,
        ("has 64 bytes, and Postgres cuts names after 63", "Choose a shorter"),
    ),
    (USER, {"name": "pg_omni"}, INVALID, ("keeps the role name pg_omni for itself", "Choose another one")),
    *(
        (module, {"role": "public"}, INVALID, ("Reading role: Postgres keeps the role name public", "Choose"))
        for module in (GRANTS, UPLOAD, ACCESS)
    ),
    *(
        (module, {"schemas": schemas}, INVALID, ("Reading schemas", words))
        for module in (GRANTS, ACCESS)
        for schemas, words in (
            ([], "it names no schema. List the schemas, or set schemas to ['*'] for all"),
            (["public", "pg_catalog"], "pg_catalog belongs to Postgres itself. Leave it out"),
        )
    ),
    (GRANTS, {"schemas": ["no such"]}, PREREQUISITE, ("there is no schema no such", "create it first")),
    (GRANTS, {"schemas": ["public", "x" * 64]}, INVALID, ("has 64 bytes", "Choose a shorter name")),
    (UPLOAD, {"name": "x" * 64}, INVALID, ("has 64 bytes", "Choose a shorter name")),
    (UPLOAD, {"name": "pg_temp"}, INVALID, ("pg_temp belongs to Postgres itself",)),
    (
        UPLOAD,
        {"modelled_schemas": ["uploads"]},
        INVALID,
        ("uploads is the schema for table uploads", "take it out"),
    ),
    (
        ACCESS,
        {"schemas": ["uploads"], "upload_schema": "uploads"},
        INVALID,
        ("take it out of schemas, or choose another one",),
    ),
    (ACCESS, {"try_upload": True}, INVALID, ("Reading try_upload: there is no schema", "Set upload_schema.")),
    *(
        (ACCESS, {"verify_host": given}, INVALID, ("Reading verify_host: it is empty",))
        for given in ("", " ")
    ),
    (ACCESS, {"upload_schema": "pg_temp"}, INVALID, ("pg_temp belongs to Postgres itself",)),
    (
        ACCESS,
        {"system_timezone": "Mars/Olympus"},
        INVALID,
        ('Reading system_timezone: time zone "Mars/Olympus" not recognized', "such as Europe/Berlin"),
    ),
    (UPLOAD, {"readers": ["public"]}, INVALID, ("Reading readers: Postgres keeps the role name public",)),
    (UPLOAD, {"readers": ["omni"]}, INVALID, ("omni owns what it uploads", "Take it out")),
    (UPLOAD, {"readers": ["no such"]}, PREREQUISITE, ("there is no role omni, no such",)),
    (UPLOAD, {"name": ""}, INVALID, ("Reading name: it is empty", "Give one")),
    (UPLOAD, {"owner": "pg_monitor"}, INVALID, ("Reading owner: Postgres keeps the role name pg_monitor",)),
    *(
        (module, {"max_listed": -1}, INVALID, ("Reading max_listed: -1 is out of range", "0 lists all"))
        for module in (UPLOAD, ACCESS)
    ),
]
NEEDED: dict[str, Login] = {
    USER: {"name": "omni", "password": "of the role"},
    GRANTS: {},
    UPLOAD: {"name": "uploads"},
    ACCESS: {},
}


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def closed() -> Iterator[int]:
    """A port that nobody listens on, and that nobody else gets."""
    with contextlib.closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def test_bad_input(server: PostgresServer, login: Login, silent: int, closed: int) -> None:
    ports = {"silent": silent, "closed": closed}
    calls = []
    for module, options, *dummy in CASES:
        arguments = {**login, **NEEDED[module], **options}
        calls.append(
            (module, {**arguments, "login_port": ports.get(arguments["login_port"], arguments["login_port"])})
        )
    with unwritten(server, login["login_db"]):
        results = modules(calls)
    wrong = []
    for (module, options, kind, words), result in zip(CASES, results, strict=True):
        fits = (
            result["failed"]
            and result["error"]["kind"] == kind
            and all(word in result["msg"] for word in words)
        )
        if not fits or "\n" in result["msg"]:
            wrong.append((module, options, words, result["msg"]))
    assert wrong == []


def test_a_silent_server_costs_no_more_than_connect_timeout(login: Login, silent: int) -> None:
    begin = time.monotonic()
    result = perform(
        user.DEFINITION,
        {**login, "login_port": silent, "connect_timeout": 1, "name": "omni", "password": "x"},
    )
    assert result["error"]["kind"] == UNREACHABLE
    assert 0.9 < time.monotonic() - begin < 5


def test_a_login_that_the_server_does_not_allow(server: PostgresServer, login: Login) -> None:
    with server.hba(f"host {login['login_db']} dba 127.0.0.1/32 reject"):
        result = perform(user.DEFINITION, {**login, "name": "omni", "password": "x"})
    assert result["error"]["kind"] == UNREACHABLE
    assert "pg_hba.conf rejects connection" in result["msg"]
    assert result["msg"].endswith("The server's pg_hba.conf does not allow this login from here.")

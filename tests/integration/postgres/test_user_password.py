# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of the role's password into the server: what the server may see of it, and what it may refuse."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg2.extensions import encrypt_password
from psycopg2.sql import SQL, Identifier, Literal

from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.user import DEFINITION
from tests.helpers.perform import modules
from tests.helpers.postgres_modules import logged_in, perform, refused
from tests.sandbox.postgres import PostgresServer

Login = dict[str, Any]
PASSWORD = "S3cret-of-the-role"
OTHER = "an0ther-of-the-role"
REFUSAL = "Only passwords in plain text are taken here"


@pytest.fixture
def arguments(login: Login, role_name: str) -> Login:
    return {**login, "name": role_name, "password": PASSWORD}


def alter(server: PostgresServer, role: str, sql: str, *values: Any) -> None:
    server.execute("postgres", SQL("ALTER ROLE {} " + sql).format(Identifier(role), *map(Literal, values)))


class NoVerifiers(socketserver.BaseRequestHandler):
    """Between a client and a Postgres server: passes everything on, but answers a query that has a SCRAM
    verifier in it by an error of its own, as servers do that keep passwords elsewhere."""

    def handle(self) -> None:
        with contextlib.closing(socket.create_connection(self.server.upstream)) as upstream:  # type: ignore[attr-defined]
            answers = threading.Thread(target=self.pass_answers, args=(upstream,), daemon=True)
            answers.start()
            with contextlib.suppress(EOFError, OSError):
                while (startup := self.read(self.read_length())) and startup.startswith(b"\x04\xd2"):
                    self.request.sendall(b"N")  # neither TLS nor GSSAPI
                upstream.sendall(struct.pack("!I", len(startup) + 4) + startup)
                while True:
                    kind = self.read(1)
                    body = self.read(self.read_length())
                    if kind == b"Q" and b"SCRAM-SHA-256$" in body:
                        error = f"SERROR\0C{self.server.sqlstate}\0M{REFUSAL}\0\0".encode()  # type: ignore[attr-defined]
                        self.request.sendall(b"E" + struct.pack("!I", len(error) + 4) + error)
                        self.request.sendall(b"Z\0\0\0\x05E")
                    else:
                        upstream.sendall(kind + struct.pack("!I", len(body) + 4) + body)
            with contextlib.suppress(OSError):
                upstream.shutdown(socket.SHUT_RDWR)
            answers.join()

    def read_length(self) -> int:
        return int(struct.unpack("!I", self.read(4))[0]) - 4

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.request.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def pass_answers(self, upstream: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := upstream.recv(65536):
                self.request.sendall(data)


@pytest.fixture
def no_verifiers(server: PostgresServer, request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of a server that takes no verifiers, and says so with the SQLSTATE that a test gives."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), NoVerifiers) as proxy:
        proxy.daemon_threads = True
        proxy.sqlstate = getattr(request, "param", "XX000")  # type: ignore[attr-defined]
        proxy.upstream = (server.host, server.port)  # type: ignore[attr-defined]
        threading.Thread(target=proxy.serve_forever, args=(0.05,), daemon=True).start()
        yield int(proxy.server_address[1])
        proxy.shutdown()


def test_a_server_that_takes_no_verifiers(
    server: PostgresServer, arguments: Login, role_name: str, no_verifiers: int
) -> None:
    given = {**arguments, "login_port": no_verifiers}
    plain = {**given, "password_encryption": "plaintext"}
    refusal, made, again, changed = modules(
        [
            ("omni_pg_user", given),
            ("omni_pg_user", plain),
            ("omni_pg_user", plain),
            ("omni_pg_user", {**plain, "password": OTHER, "update_password": "always"}),
        ]
    )
    assert refusal["error"] == {"kind": "refused", "sqlstate": "XX000"}
    assert (
        f"CREATE ROLE \"{role_name}\" LOGIN PASSWORD '********': {REFUSAL}. If it is the SCRAM"
        in refusal["msg"]
    )
    assert "set password_encryption: plaintext. The server then sees the password" in refusal["msg"]
    assert made["password"] == {"state": "set", "how": "by this run, in clear"}
    assert made["statements"] == [f"CREATE ROLE \"{role_name}\" LOGIN PASSWORD '********'"]
    assert (again["changed"], again["password"]["state"]) == (False, "fits")
    assert changed["password"] == {"state": "set", "how": "by this run, in clear"}
    assert logged_in(server, arguments["login_db"], role_name, OTHER, "SELECT 1") == [(1,)]
    assert not [
        result for result in (made, again, changed) if OTHER in str(result) or PASSWORD in str(result)
    ]


@pytest.mark.parametrize(
    ("no_verifiers", "blamed"),
    [
        ("0A000", True),
        ("22023", True),
        ("P0001", True),
        ("53100", False),  # disk_full
        ("57P01", False),  # admin_shutdown
        ("XX001", False),  # data_corrupted
        ("42501", False),
        ("58030", False),  # io_error
    ],
    indirect=["no_verifiers"],
)
def test_only_what_can_mean_the_verifier_blames_it(arguments: Login, no_verifiers: int, blamed: bool) -> None:
    result = perform(DEFINITION, {**arguments, "login_port": no_verifiers})
    assert REFUSAL in result["msg"]
    assert ("password_encryption: plaintext" in result["msg"]) is blamed


def test_other_refusals_do_not_speak_of_verifiers(
    server: PostgresServer, arguments: Login, role_name: str
) -> None:
    perform(DEFINITION, arguments)
    server.execute("postgres", f"ALTER ROLE {role_name} SUPERUSER")
    result = perform(DEFINITION, {**arguments, "password": OTHER, "update_password": "always"})
    assert result["error"] == {"kind": "refused", "sqlstate": "42501"}
    assert "plaintext" not in result["msg"]


@pytest.fixture(scope="module")
def observed(server: PostgresServer) -> Iterator[PostgresServer]:
    """A server that counts statements by their text; there are programs that have no such extension."""
    library = next(server.bin_dir.parent.glob("lib/**/pg_stat_statements.*"), None)
    if library is None:
        pytest.skip(f"{server.bin_dir} has no pg_stat_statements")
    settings = {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track_utility": "on"}
    with PostgresServer(server.bin_dir, settings) as running:
        running.execute("postgres", "CREATE EXTENSION pg_stat_statements")
        yield running


@pytest.mark.parametrize("encryption", ["scram-sha-256", "plaintext"])
def test_what_the_server_keeps_of_a_password(observed: PostgresServer, encryption: str) -> None:
    """That of a run with plaintext is found by the same means."""
    mark = observed.log.stat().st_size
    given = {
        "login_host": observed.host,
        "login_port": observed.port,
        "login_user": observed.admin_user,
        "login_password": observed.admin_password,
        "login_db": "postgres",
        "name": f"omni_{encryption[:5]}",
        "password": PASSWORD,
        "password_encryption": encryption,
        "update_password": "always",
    }
    assert perform(DEFINITION, given)["changed"]
    assert perform(DEFINITION, {**given, "password": OTHER})["changed"]
    statements = (
        "SELECT query FROM pg_stat_statements WHERE query ILIKE '%%role%%password%%' AND query LIKE %s"
    )
    kept = [text for (text,) in observed.execute("postgres", statements, (f"%{given['name']}%",))]
    assert len(kept) == 2
    for place in ("".join(kept), observed.log_text(mark)):
        assert [secret in place for secret in (PASSWORD, OTHER)] == [encryption == "plaintext"] * 2


def test_an_md5_secret_is_told_of_and_kept(
    server: PostgresServer, arguments: Login, admin_login: Login, role_name: str
) -> None:
    given = {**arguments, **admin_login}
    perform(DEFINITION, given)
    with contextlib.closing(server.connect("postgres")) as connection:
        md5 = encrypt_password(PASSWORD, role_name, connection, "md5")
    alter(server, role_name, "PASSWORD {}", md5)
    told = perform(DEFINITION, given)
    assert told["changed"] is False
    assert told["password"] == {"state": "fits", "how": "by pg_authid", "algorithm": "md5"}
    assert [
        text for text in told["warnings"] if "is stored as MD5" in text and "always makes it SCRAM" in text
    ]
    plain = perform(DEFINITION, {**given, "update_password": "always", "password_encryption": "plaintext"})
    assert (plain["changed"], len(plain["warnings"])) == (False, 1)
    always = {**given, "update_password": "always"}
    planned, replaced = perform(DEFINITION, always, check=True), perform(DEFINITION, always)
    assert (
        planned["statements"] == replaced["statements"] == [f"ALTER ROLE \"{role_name}\" PASSWORD '********'"]
    )
    assert f"role {role_name}: password: fits (by pg_authid), stored as md5\n" == planned["diff"]["before"]
    assert "warnings" not in planned
    again = perform(DEFINITION, always)
    assert (again["changed"], again["password"]["algorithm"]) == (False, "scram-sha-256")


def test_what_a_server_says_past_the_password(
    server: PostgresServer, arguments: Login, role_name: str
) -> None:
    """Too many connections, and a database that the role may not enter, tell that the password was right, unless
    the server asks for none."""
    perform(DEFINITION, arguments)
    database = arguments["login_db"]
    closed = SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(Identifier(database))

    def found(**options: Any) -> str:
        return str(perform(DEFINITION, {**arguments, **options})["password"]["state"])

    def everywhere() -> tuple[str, str, str]:
        with server.hba(f"host all {role_name} 127.0.0.1/32 trust"):
            trusted = found()
        return found(), found(password=OTHER), trusted

    alter(server, role_name, "CONNECTION LIMIT 0")
    assert everywhere() == ("fits", "differs", "unknown")
    alter(server, role_name, "CONNECTION LIMIT -1")
    server.execute("postgres", closed)
    assert "permission denied for database" in refused(server, database, role_name, PASSWORD)
    assert everywhere() == ("fits", "differs", "unknown")

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PgBouncer in transaction mode, in front of a sandbox server."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from pathlib import Path

from psycopg2.extensions import encrypt_password
from psycopg2.sql import SQL, Identifier, Literal

from .pooler import Pooler, find
from .postgres import PostgresServer, SandboxError, free_port, system_user

ROLE = "pgbouncer"  # reads the verifiers of those who log in

# One server connection per database and user: what one client leaves behind, the next one finds.
CONFIGURATION = """\
[databases]
* = host={socket_dir} port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
pool_mode = transaction
default_pool_size = 1
auth_type = scram-sha-256
auth_file = userlist.txt
auth_user = {role}
auth_query = SELECT usename, passwd FROM pg_shadow WHERE usename = $1
"""

# Ends with the Python process that holds the other end of its stdin, as a PostgresServer does.
SUPERVISOR = """\
"$1" pgbouncer.ini >log 2>&1 &
read -r _
kill $!
wait
rm -rf "$2"
"""


class PgBouncer(Pooler):
    """Use it as a context manager, around a server that runs: every role of it can log in at host and port.

    Entering raises SandboxError if PgBouncer is not installed (see program()) or does not start.
    """

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    def __enter__(self) -> PgBouncer:
        found = program()
        if found is None:
            raise SandboxError("PgBouncer is not installed; Debian's package is pgbouncer")
        user, password = system_user(), secrets.token_urlsafe(18)
        self._make_role(password)
        base = Path(tempfile.mkdtemp(prefix="omni-bouncer-", dir="/tmp" if user else None))
        self.port = free_port()
        (base / "userlist.txt").write_text(f'"{ROLE}" "{password}"\n')
        (base / "pgbouncer.ini").write_text(
            CONFIGURATION.format(
                socket_dir=self._server.socket_dir, server_port=self._server.port, port=self.port, role=ROLE
            )
        )
        self._launch("PgBouncer", SUPERVISOR, found, base, user)
        return self

    def __exit__(self, *exc_info: object) -> None:
        super().__exit__(*exc_info)
        self._server.drop_role(ROLE)

    def _make_role(self, password: str) -> None:
        with contextlib.closing(self._server.connect("postgres")) as connection:
            # As a verifier: the server's log, which tests search for passwords, holds none.
            verifier = encrypt_password(password, ROLE, connection, "scram-sha-256")
            connection.cursor().execute(
                SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}").format(Identifier(ROLE), Literal(verifier))
            )


def program() -> str | None:
    """Returns the path of the program, or None where it is not installed."""
    return find("pgbouncer")

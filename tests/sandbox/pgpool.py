# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pgpool-II in front of a sandbox server and its standby, which shares the reading among the two."""

from __future__ import annotations

import tempfile
from pathlib import Path

from .pooler import Pooler, find
from .postgres import PostgresServer, SandboxError, free_port, system_user
from .standby import Standby

CONFIGURATION = """\
backend_clustering_mode = 'streaming_replication'
listen_addresses = '127.0.0.1'
port = {port}
socket_dir = '{base}'
pcp_port = {pcp_port}
pcp_socket_dir = '{base}'
pid_file_name = '{base}/pid'
logdir = '{base}'
enable_pool_hba = on
num_init_children = 8
load_balance_mode = on
backend_hostname0 = '127.0.0.1'
backend_port0 = {primary_port}
backend_weight0 = {primary_weight}
backend_hostname1 = '127.0.0.1'
backend_port1 = {standby_port}
backend_weight1 = {standby_weight}
sr_check_user = '{admin}'
sr_check_password = '{password}'
"""
POOL_HBA = "host all all 127.0.0.1/32 scram-sha-256\n"

# Ends with the Python process that holds the other end of its stdin, as a PostgresServer does.
SUPERVISOR = """\
"$1" -n -D -f pgpool.conf -a pool_hba.conf -F pcp.conf >log 2>&1 &
read -r _
kill -INT $!
wait
rm -rf "$2"
"""


class Pgpool(Pooler):
    """Use it as a context manager, around a primary and a standby that run. Clients log in at host and port.

    It knows the passwords of the server's administrators; of others after let_in(). Of the SELECTs it sends to the
    standby what `standby_weight` says: 1 all, 0 none.

    Entering raises SandboxError if Pgpool-II is not installed (see program()) or does not start.
    """

    def __init__(self, primary: PostgresServer, standby: Standby, standby_weight: int = 1) -> None:
        self._primary, self._standby, self._weight = primary, standby, standby_weight

    def __enter__(self) -> Pgpool:
        found = program()
        if found is None:
            raise SandboxError("Pgpool-II is not installed; Debian's package is pgpool2")
        user, primary = system_user(), self._primary
        self._base = base = Path(tempfile.mkdtemp(prefix="omni-pgpool-", dir="/tmp" if user else None))
        self.port = free_port()
        (base / "pgpool.conf").write_text(
            CONFIGURATION.format(
                base=base,
                port=self.port,
                pcp_port=free_port(),
                primary_port=primary.port,
                primary_weight=1 - self._weight,
                standby_port=self._standby.port,
                standby_weight=self._weight,
                admin=primary.admin_user,
                password=primary.admin_password,
            )
        )
        (base / "pool_hba.conf").write_text(POOL_HBA)
        (base / "pcp.conf").touch()
        (base / "pool_passwd").touch()
        self.let_in(primary.admin_user, primary.admin_password)
        self.let_in(primary.dba_user, primary.dba_password)
        self._launch("Pgpool-II", SUPERVISOR, found, base, user)
        return self

    def let_in(self, role: str, password: str) -> None:
        """Let a role log in with this password: for SCRAM, Pgpool-II has to know it. It reads it each time."""
        with (self._base / "pool_passwd").open("a") as file:
            file.write(f"{role}:TEXT{password}\n")


def program() -> str | None:
    """Returns the path of the program, or None where it is not installed."""
    return find("pgpool")

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What PgBouncer and Pgpool-II have in common: a program in front of Postgres, with a folder of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from pathlib import Path

from .postgres import SandboxError, run_as, wait_until


class Pooler:
    """Clients log in at host and port, once it listens. A subclass enters by _launch()."""

    host = "127.0.0.1"
    port: int

    def _launch(
        self, name: str, supervisor: str, program: str, base: Path, user: pwd.struct_passwd | None
    ) -> None:
        """Starts what has its configuration in the folder `base`, as the user, and waits until it listens.

        supervisor: a shell script, of the program and the folder, that ends with its stdin and leaves no folder.
        """
        if user:
            for path in (base, *base.iterdir()):
                os.chown(path, user.pw_uid, user.pw_gid)
        self._supervisor = subprocess.Popen(
            ["/bin/sh", "-c", supervisor, "sh", program, str(base)],
            stdin=subprocess.PIPE,
            cwd=base,
            umask=0o077,
            start_new_session=True,
            **run_as(user),
        )
        try:
            wait_until(self._listens, f"{name} to listen:", (base / "log").read_text)
        except SandboxError:
            self.__exit__()
            raise

    def __exit__(self, *exc_info: object) -> None:
        self._supervisor.communicate(timeout=30)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) == 0


def find(program: str) -> str | None:
    """Returns the path of a program, which may be one of the system's; None where it is not installed."""
    return shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hot standby of a sandbox server, by streaming replication."""

from __future__ import annotations

import contextlib
import pwd

import psycopg2

from .postgres import PostgresServer, packaged_bin_dir, runnable, wait_until


class Standby(PostgresServer):
    """A second server that only reads, and follows the primary, a server that runs already.

    It has the primary's version, logins and passwords. See PostgresServer; what writes there fails here. A
    replication slot makes the primary keep what it has not received yet; without one, a checkpoint of a busy
    primary removes that, and the standby never catches up. One standby a primary.
    """

    slot = "standby"

    def __init__(self, primary: PostgresServer) -> None:
        source = f"host={primary.socket_dir} port={primary.port} user={primary.admin_user}"
        super().__init__(primary.bin_dir, {"primary_conninfo": source, "primary_slot_name": self.slot})
        self._primary = primary
        self.admin_password, self.dba_password = primary.admin_password, primary.dba_password

    def stop(self) -> None:
        """Stops the standby; the primary need not keep anything for it any more. See PostgresServer."""
        super().stop()

        def dropped() -> bool:
            # In use until the primary notices that the standby is gone.
            with contextlib.suppress(psycopg2.errors.ObjectInUse):
                self._primary.execute(
                    "postgres",
                    "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s",
                    (self.slot,),
                )
                return True
            return False

        wait_until(dropped, "the primary to drop the standby's replication slot")

    def _make_data(self, user: pwd.struct_passwd | None) -> list[str]:
        # Not every version comes with this program; this one copies from older servers too. What it would
        # write into the copy's configuration is for newer ones only.
        basebackup = runnable(packaged_bin_dir(), user) / "pg_basebackup"
        source = ["--dbname", str(self._settings["primary_conninfo"]), "--create-slot", "--slot", self.slot]
        copy = [str(basebackup), "-D", "data", *source, "--checkpoint=fast", "--no-sync"]
        script = '"$@" && touch data/standby.signal'
        return ["/bin/sh", "-c", script, "sh", *copy]

    def catch_up(self) -> None:
        """Waits until all that the primary has written so far can be read here."""
        self._primary.execute("postgres", "CHECKPOINT")  # the primary commits before it writes to the disk
        ((written,),) = self._primary.execute("postgres", "SELECT pg_current_wal_flush_lsn()")

        def replayed() -> bool:
            return bool(self.execute("postgres", "SELECT pg_last_wal_replay_lsn() >= %s", (written,))[0][0])

        wait_until(replayed, "the standby to catch up")

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two Postgres servers under Patroni, with an etcd of their own: either becomes the primary when it is told to."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import requests
import yaml

from .postgres import (
    BASE_SETTINGS,
    HBA,
    PostgresServer,
    SandboxError,
    free_port,
    packaged_bin_dir,
    run_as,
    runnable,
    system_user,
    wait_until,
)

#: Two addresses with one port: where several hosts are named, they share it.
ADDRESSES = ("127.0.0.11", "127.0.0.12")
REPLICATION = "replicator"
#: Of both servers' pg_hba.conf, which Patroni writes.
RULES = [
    *HBA.replace("127.0.0.1/32", "127.0.0.0/8").splitlines(),
    f"host replication {REPLICATION} 127.0.0.0/8 trust",
]
PATIENCE = 60.0  # seconds for what takes a few

# Ends with the Python process that holds the other end of its stdin, as a PostgresServer does.
SUPERVISOR = """\
etcd=$1 patroni=$2 bin=$3 base=$4
shift 4
"$etcd" --config-file etcd.yml >etcd.log 2>&1 & programs=$!
for member; do "$patroni" "$member.yml" >"$member.log" 2>&1 & programs="$programs $!"; done
read -r _
kill -9 $programs
for member; do "$bin/pg_ctl" -D "$member/data" -m immediate stop >/dev/null 2>&1; done
wait
rm -rf "$base"
"""


class Member(PostgresServer):
    """One of the two servers; Patroni starts and stops it."""

    def __init__(self, address: str, port: int, base: Path, passwords: PostgresServer | None) -> None:
        super().__init__()
        self.host, self.port = address, port
        self.rest = f"http://{address}:{port + 1}"
        self.name = f"member-{address.rpartition('.')[2]}"
        self.folder = self.socket_dir = base / self.name
        if passwords:
            self.admin_password, self.dba_password = passwords.admin_password, passwords.dba_password

    def is_primary(self) -> bool:
        try:
            return requests.get(f"{self.rest}/primary", timeout=5).status_code == 200
        except requests.RequestException:
            return False


class Patroni:
    """Use it as a context manager. Entering raises SandboxError where a program is not installed (see programs()),
    or where there is no primary with a standby in time.

    members: both servers; primary and standby: the one that is it now.
    """

    def __enter__(self) -> Patroni:
        if None in (found := programs()):
            raise SandboxError(
                "Patroni or etcd is not installed; Debian's packages are patroni and etcd-server"
            )
        user = system_user()
        bin_dir = runnable(packaged_bin_dir(), user)
        self._base = base = Path(tempfile.mkdtemp(prefix="omni-patroni-", dir="/tmp" if user else None))
        port, etcd, peers = _free_ports()
        first = Member(ADDRESSES[0], port, base, None)
        self.members = (first, Member(ADDRESSES[1], port, base, first))
        client = f"http://127.0.0.1:{etcd}"
        peer = f"http://127.0.0.1:{peers}"
        _write(
            base / "etcd.yml",
            {
                "name": "one",
                "enable-v2": True,  # Debian's has no HTTP gateway for version 3
                "data-dir": str(base / "etcd"),
                "listen-client-urls": client,
                "advertise-client-urls": client,
                "listen-peer-urls": peer,
                "initial-advertise-peer-urls": peer,
                "initial-cluster": f"one={peer}",
            },
        )
        for member in self.members:
            member.folder.mkdir(mode=0o755)
            member.bin_dir = bin_dir
            _write(base / f"{member.name}.yml", _configuration(member, bin_dir, f"127.0.0.1:{etcd}"))
        if user:
            for path in (base, *base.iterdir()):
                os.chown(path, user.pw_uid, user.pw_gid)
        self._supervisor = subprocess.Popen(
            [
                "/bin/sh",
                "-c",
                SUPERVISOR,
                "sh",
                *map(str, (*found, bin_dir, base)),
                *(m.name for m in self.members),
            ],
            stdin=subprocess.PIPE,
            cwd=base,
            umask=0o077,
            start_new_session=True,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
            **run_as(user),
        )
        try:
            self.wait_for_both()
        except BaseException:
            self.__exit__()
            raise
        for member in self.members:
            member.version = int(member.execute("postgres", "SHOW server_version_num")[0][0]) // 10000
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._supervisor.communicate(timeout=30)

    @property
    def primary(self) -> Member:
        return next(member for member in self.members if member.is_primary())

    @property
    def standby(self) -> Member:
        return next(member for member in self.members if not member.is_primary())

    def switchover(self) -> None:
        """Make the standby the primary. Returns when Patroni says that it is."""
        leader, candidate = self.primary, self.standby
        told = {"leader": leader.name, "candidate": candidate.name}
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = requests.post(f"{leader.rest}/switchover", json=told, timeout=PATIENCE)
            if answer.status_code == 200:
                return
            # It refuses while the standby is not seen to be close enough.
            if time.monotonic() > deadline:
                raise SandboxError(f"Patroni does not switch over: {answer.text}")
            time.sleep(0.2)

    def configure(self, settings: dict[str, Any]) -> None:
        """Change the configuration of the cluster, as `patronictl edit-config` does."""
        requests.patch(f"{self.primary.rest}/config", json=settings, timeout=PATIENCE).raise_for_status()

    def wait_for_both(self) -> None:
        """Waits until there is a primary, and the other one follows it."""
        deadline = time.monotonic() + PATIENCE
        while not self._both_run():
            if time.monotonic() > deadline or self._supervisor.poll() is not None:
                logs = "".join(path.read_text()[-2000:] for path in self._base.glob("*.log"))
                raise SandboxError(f"waited {PATIENCE:g} s for a primary and a standby:\n{logs}")
            time.sleep(0.1)

    def catch_up(self) -> None:
        """Waits until all that the primary has written so far can be read on the standby."""
        ((written,),) = self.primary.execute("postgres", "SELECT pg_current_wal_insert_lsn()")
        standby = self.standby
        wait_until(
            lambda: (
                standby.execute("postgres", "SELECT pg_last_wal_replay_lsn() >= %s", (written,)) == [(True,)]
            ),
            "the standby to catch up",
        )

    def _both_run(self) -> bool:
        try:
            answer = requests.get(f"{self.members[0].rest}/cluster", timeout=5).json()
        except requests.RequestException:  # also where it is no JSON yet
            return False
        found = sorted((member["role"], member["state"]) for member in answer.get("members", ()))
        return found in ([("leader", "running"), ("replica", state)] for state in ("running", "streaming"))


def _configuration(member: Member, bin_dir: Path, etcd: str) -> dict[str, Any]:
    left_out = ("listen_addresses", "full_page_writes", "synchronous_commit", "min_wal_size", "max_wal_size")
    settings = {name: value for name, value in BASE_SETTINGS.items() if name not in left_out}
    rest = member.rest.removeprefix("http://")
    return {
        "scope": "sandbox",
        "name": member.name,
        "restapi": {"listen": rest, "connect_address": rest},
        "etcd": {"host": etcd},
        "bootstrap": {
            "dcs": {
                "ttl": 20,
                "loop_wait": 1,
                "retry_timeout": 3,
                "maximum_lag_on_failover": 1 << 30,
                "postgresql": {
                    "use_pg_rewind": False,
                    "pg_hba": RULES,
                },
            },
            "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, "no-sync"],
        },
        "postgresql": {
            "listen": f"{member.host}:{member.port}",
            "connect_address": f"{member.host}:{member.port}",
            "data_dir": str(member.folder / "data"),
            "bin_dir": str(bin_dir),
            "authentication": {
                "superuser": {"username": member.admin_user, "password": member.admin_password},
                "replication": {"username": REPLICATION, "password": member.admin_password},
            },
            "parameters": {**settings, "unix_socket_directories": str(member.folder)},
        },
    }


def _write(path: Path, data: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(data, sort_keys=False))


def _free_ports() -> tuple[int, int, int]:
    """A port that is free at both addresses, as is the next one; and two of 127.0.0.1."""
    for port in range(20000 + os.getpid() % 10000, 60000, 2):
        try:
            for address in ADDRESSES:
                for one in (port, port + 1):
                    with socket.create_server((address, one)):
                        pass
        except OSError:
            continue
        return port, free_port(), free_port()
    raise SandboxError("no port is free")


def programs() -> tuple[str | None, str | None]:
    """Returns the paths of etcd and patroni; None for one that is not installed."""
    return shutil.which("etcd"), shutil.which("patroni")

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines that differ from this one in nothing but their network (Linux namespaces), and their SSH servers.

They are gone with the process that made them, however that ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.sandbox.postgres import wait_until

CLONE_NEWNET = 0x40000000
SSHD = "/usr/sbin/sshd"
SSHD_CONFIG = """\
ListenAddress {address}:22
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/key.pub
StrictModes no
UsePAM no
PidFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
"""
SSH_CONFIG = """\
IdentityFile {folder}/key
IdentitiesOnly yes
UserKnownHostsFile /dev/null
StrictHostKeyChecking no
LogLevel ERROR
"""


PROGRAMS = ("ip", "unshare", "nsenter", "setpriv", "ssh", "ssh-keygen", SSHD)


def missing_programs() -> list[str]:
    return [program for program in PROGRAMS if shutil.which(program) is None]


def may_make_machines() -> bool:
    """Whether we are a root who may, which one in a container mostly may not."""
    may = subprocess.run(["unshare", "--net", "true"], check=False, capture_output=True)
    return os.geteuid() == 0 and may.returncode == 0


class Machine:
    """A machine without any address but loopback, until it is linked to others."""

    def __init__(self) -> None:
        # Lives for as long as this process holds the other end of its input.
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "up\n"
        self.network = f"/proc/{self._holder.pid}/ns/net"

    def run(self, *command: str) -> None:
        """Runs a command there."""
        subprocess.run(["nsenter", f"--net={self.network}", *command], check=True, capture_output=True)

    def link(self, address: str, other: Machine, others_address: str) -> None:
        """Lays a cable to another machine; the addresses have their prefix."""
        cable = f"to_{other._holder.pid}", f"to_{self._holder.pid}"
        pair = f"add {cable[0]} type veth peer name {cable[1]} netns {other._holder.pid}"
        self.run("ip", "link", *pair.split())
        for machine, end, its in ((self, cable[0], address), (other, cable[1], others_address)):
            machine.run("ip", "address", "add", its, "dev", end)
            machine.run("ip", "link", "set", end, "up")

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """The calling thread, and what it starts, is on that machine meanwhile."""
        with open("/proc/thread-self/ns/net") as home, open(self.network) as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())

    def stop(self) -> None:
        """Ends all that runs there: without a network, a connection does not hear that its other end is gone."""
        network = os.stat(self.network).st_ino
        for process in psutil.process_iter():
            with contextlib.suppress(OSError, psutil.NoSuchProcess):
                if os.stat(f"/proc/{process.pid}/ns/net").st_ino == network:
                    process.kill()
        self._holder.communicate()


def _enter(network: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(network, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def machines(number: int) -> Iterator[list[Machine]]:
    made: list[Machine] = []
    try:
        for _number in range(number):
            made.append(Machine())
        yield made
    finally:
        for machine in made:
            machine.stop()


def make_keys(folder: Path) -> Path:
    """Makes the keys of all servers and of their one user; returns the configuration of a client (ssh -F)."""
    for name in ("host_key", "key"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    config = folder / "ssh_config"
    config.write_text(SSH_CONFIG.format(folder=folder))
    return config


@contextlib.contextmanager
def ssh_server(machine: Machine, address: str, folder: Path) -> Iterator[None]:
    """A real sshd on that machine, which lets in root by the key of make_keys()."""
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd locks its children in
    config = folder / f"sshd_config_{address}"
    config.write_text(SSHD_CONFIG.format(address=address, folder=folder))

    def answers() -> bool:
        with contextlib.suppress(OSError), socket.create_connection((address, 22), 1) as stream:
            return stream.recv(3) == b"SSH"
        return False

    with machine.inside(), (folder / f"sshd_{address}.log").open("wb") as log:
        server = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", SSHD, "-D", "-e", "-f", str(config)], stderr=log
        )
        try:
            wait_until(answers, f"sshd on {address}", lambda: Path(log.name).read_text())
        except BaseException:
            server.kill()
            raise
    try:
        yield
    finally:
        server.terminate()
        server.wait()

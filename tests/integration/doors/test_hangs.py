# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that hangs: however a run is ended then, it ends soon, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from psycopg2.sql import SQL, Identifier

from tests.helpers import harness
from tests.sandbox.fake_omni import FakeOmni
from tests.sandbox.postgres import PostgresServer

SOON = 25  # seconds: enough for a loaded machine, and little beside the ten minutes of the hangs
LIMITS = {"connect_timeout": 3, "lock_timeout": 3, "statement_timeout": 4}

Hanging = tuple[dict[str, dict[str, Any]], Callable[[], bool]]


class Proxy(threading.Thread):
    """Forwards each connection to a server until the client sends `until`; from then on it is silent."""

    def __init__(self, port: int, until: bytes) -> None:
        super().__init__(daemon=True)
        self._port, self._until = port, until
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.silent = threading.Event()

    def __enter__(self) -> Proxy:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self.join()
        self._listener.close()

    def run(self) -> None:
        with contextlib.suppress(OSError):  # the listener was shut down
            while True:
                client, dummy = self._listener.accept()
                threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._port)) as server:
            heard = b""
            while True:
                for source in select.select([client, server], [], [])[0]:
                    data = source.recv(65536)
                    if not data:
                        return
                    heard += data if source is client else b""
                    if self._until in heard:
                        self.silent.set()
                    else:
                        (server if source is client else client).sendall(data)


def sessions(server: PostgresServer, that: str = "true") -> int:
    """How many sessions the collection has, of those that fit a condition."""
    query = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'omni_analytics.connect' AND " + that
    return len(server.execute("postgres", query))


def comes_true(state: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SOON
    while not state() and time.monotonic() < deadline:
        time.sleep(0.1)
    return state()


@pytest.fixture
def hanging(server: PostgresServer, database: str, role_name: str) -> Iterator[Hanging]:
    """Hosts, one for each kind of hang, and whether all of them hang by now."""
    role = Identifier(role_name)
    locked = f"{database}_locked"
    server.execute("postgres", SQL("CREATE ROLE {} LOGIN").format(role))
    server.create_database(locked, template=database)
    with (
        contextlib.closing(server.connect(database)) as one,
        contextlib.closing(server.connect(locked)) as another,
        Proxy(server.port, b"") as never,
        Proxy(server.port, b"SELECT") as later,
    ):
        one.cursor().execute(SQL("BEGIN; ALTER ROLE {} CONNECTION LIMIT 7").format(role))
        another.cursor().execute("BEGIN; LOCK TABLE pg_namespace IN ACCESS EXCLUSIVE MODE")
        hosts = {
            "locked_role": {"db": database, "db_port": server.port},
            "locked_catalog": {"db": locked, "db_port": server.port},
            "never_answers": {"db": database, "db_port": never.port},
            "falls_silent": {"db": database, "db_port": later.port},
        }
        yield (
            hosts,
            lambda: (
                never.silent.is_set()
                and later.silent.is_set()
                and sessions(server, "wait_event_type = 'Lock'") == 2
            ),
        )
    server.drop_database(locked)


@pytest.mark.parametrize(
    ("end", "says"),
    [
        ("interrupt", {}),
        (
            "timeout",
            dict.fromkeys(
                ("locked_role", "locked_catalog", "never_answers", "falls_silent"), r"after 5|\(5\)"
            ),
        ),
        (
            "limits",
            {
                "locked_role": "lock timeout",
                "locked_catalog": "lock timeout",
                "never_answers": "timeout expired",
                "falls_silent": "the server stopped answering",
            },
        ),
    ],
)
def test_a_hang_ends_and_leaves_nothing_behind(
    door: harness.Door,
    end: str,
    says: dict[str, str],
    server: PostgresServer,
    hanging: Hanging,
    admin_login: dict[str, Any],
    role_name: str,
) -> None:
    hosts, all_hang = hanging
    wanted = {"name": role_name, "password": "wanted", "update_password": "always"}
    where = {"login_db": "{{ db }}", "login_port": "{{ db_port }}"}
    # Up to 13, a server that waits does not look whether its client is gone: the limits end it there.
    limits = LIMITS if end == "limits" else dict.fromkeys(LIMITS, 600 if server.version >= 14 else 15)
    task: dict[str, Any] = {
        "omni_analytics.connect.omni_pg_user": {**admin_login, **where, **wanted, **limits}
    }
    if end == "timeout":
        task["timeout"] = 5
    env = {"ANSIBLE_PIPELINING": "false"}  # as people have it
    with harness.started(harness.plays([task]), door=door, hosts=hosts, env=env) as playing:
        assert comes_true(all_hang), playing.output()
        begin = time.monotonic()
        if end == "interrupt":
            playing.interrupt()
        run = playing.finish(timeout=SOON)
        assert comes_true(lambda: not playing.processes()), playing.processes()
    assert comes_true(lambda: sessions(server) == 0)
    assert time.monotonic() - begin < SOON
    assert run.rc != 0
    said = {result.host: result.result["msg"] for result in run.results}
    assert said.keys() == says.keys()
    assert not {host: text for host, text in said.items() if not re.search(says[host], text)}


def test_an_orphan_writes_nothing_more(omni: FakeOmni, door: harness.Door) -> None:
    """Only ansible-playbook is killed; its worker, or the module that was shipped, waits for its turn at Omni."""
    connection = {
        "name": "sales",
        "host": "db.example.com",
        "database": "sales",
        "password": "a password",
        "api_url": omni.url,
        "api_token": omni.token,
        "ca_path": omni.ca_file,
        "requests_per_minute": 1,
    }
    tasks = [{"omni_analytics.connect.omni_connection": connection}]
    patches = {"ANSIBLE_CALLBACKS_ENABLED": "json_lines,patches", "ANSIBLE_PIPELINING": "false"}
    patches["HARNESS_PATCHES"] = "_omni.rate_limiter:MINUTE=4.0"
    with harness.started(harness.plays(tasks), door=door, env=patches) as playing:
        assert comes_true(lambda: len(omni.requests) > 0), playing.output()
        playing.process.kill()
        playing.process.wait()
        assert comes_true(lambda: not playing.processes()), playing.processes()
    assert [request["method"] for request in omni.requests if request["method"] != "GET"] == []
    assert not omni.connections

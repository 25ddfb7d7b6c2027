# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests look through: psql in a container, a login as the Omni role, the fake Omni's own state, and the
records of what was run (record.py)."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import requests
import testinfra

STATE = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])

HISTORY = STATE / "history"

Psql = Callable[..., list[str]]
Cursor = psycopg2.extensions.cursor


class Fake:
    """The fake Omni: its API, and its memory, which no route of Omni's own shows."""

    def __init__(self) -> None:
        self._found = json.loads((STATE / "fake_omni.json").read_text())
        self.token: str = self._found["token"]

    def call(self, method: str, path: str, **body: str) -> Any:
        answer = requests.request(
            method,
            self._found["url"] + path,
            json=body or None,
            headers={"Authorization": f"Bearer {self.token}"},
            verify=self._found["ca_file"],
            timeout=10,
        )
        answer.raise_for_status()
        return answer.json()

    def state(self) -> dict[str, list[dict[str, Any]]]:
        """All that it keeps, what was archived included: connections, models, schedules, environments, requests."""
        return dict(self.call("GET", "/_fake/state"))

    def connections(self, name: str) -> list[dict[str, Any]]:
        """The live connections of this name."""
        return [one for one in self.state()["connections"] if one["name"] == name and not one["deletedAt"]]

    def password_matches(self, connection_id: str, password: str) -> bool:
        answer = self.call("POST", "/_fake/password_matches", connection_id=connection_id, password=password)
        return bool(answer["matches"])


def read_instance() -> dict[str, Any]:
    """What shared/create.yml wrote down."""
    return dict(json.loads((STATE / "instance.json").read_text()))


def ask(instance: dict[str, Any], sql: str, database: str = "sales", server: str | None = None) -> list[str]:
    """Runs SQL inside the container, or that of the named server, as the superuser; returns what psql printed."""
    name = instance["servers"][server]["container"] if server else instance["container"]
    container = testinfra.get_host(f"{instance['engine']}://postgres@{name}")
    command = (
        "psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1"
        " --username=postgres --dbname=%s --command=%s"
    )
    return list(container.check_output(command, database, sql).splitlines())


@pytest.fixture(scope="session")
def instance() -> dict[str, Any]:
    return read_instance()


@pytest.fixture(scope="session")
def fake() -> Fake:
    return Fake()


@pytest.fixture(scope="session")
def psql(instance: dict[str, Any]) -> Psql:
    """Runs SQL inside the container, as the superuser or as `role`; returns the lines that psql printed."""

    def run(sql: str, role: str | None = None) -> list[str]:
        return ask(instance, f"SET ROLE {role}; {sql}" if role else sql)

    return run


@pytest.fixture(scope="session")
def log_in(instance: dict[str, Any]) -> Callable[..., psycopg2.extensions.connection]:
    """Logs in as the Omni role from outside; the arguments replace those of libpq."""

    def connect(**arguments: Any) -> psycopg2.extensions.connection:
        usual: dict[str, Any] = {
            "host": "localhost",
            "port": instance["port"],
            "dbname": "sales",
            "user": "omni",
            "password": instance["omni_password"],
            "sslmode": "verify-full",
            "sslrootcert": str(STATE / "client.pem"),
            "connect_timeout": 10,
        }
        connection: psycopg2.extensions.connection = psycopg2.connect(**usual | arguments)
        return connection

    return connect


@dataclass(frozen=True)
class Record:
    """How a command ended, and what could be seen from outside after it (see record.py)."""

    rc: int
    said: str
    outside: Any

    def recap(self, count: str) -> dict[str, int]:
        """One of the counts, such as `changed`, of each host in Ansible's recap."""
        return {
            host: int(n)
            for host, n in re.findall(rf"^(\S+) +: ok=.*\b{count}=(\d+)", self.said, re.MULTILINE)
        }


def history(name: str) -> Record:
    """The record of that name."""
    return Record(**json.loads((HISTORY / f"{name}.json").read_text()))


@pytest.fixture
def omni(log_in: Callable[..., psycopg2.extensions.connection]) -> Iterator[Cursor]:
    """A cursor of the Omni role. What it changes is rolled back."""
    connection = log_in()
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()

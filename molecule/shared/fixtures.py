# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests look through: psql in the container, a login as the Omni role, the fake Omni's own state."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import requests
import testinfra

STATE = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])

Psql = Callable[..., list[str]]
Cursor = psycopg2.extensions.cursor


class Fake:
    """The fake Omni's memory, which no route of Omni's own API shows."""

    def __init__(self) -> None:
        self._found = json.loads((STATE / "fake_omni.json").read_text())

    def _call(self, method: str, path: str, **body: str) -> Any:
        answer = requests.request(
            method,
            self._found["url"] + path,
            json=body or None,
            headers={"Authorization": f"Bearer {self._found['token']}"},
            verify=self._found["ca_file"],
            timeout=10,
        )
        answer.raise_for_status()
        return answer.json()

    def connections(self, name: str) -> list[dict[str, Any]]:
        """The live connections of this name."""
        found = self._call("GET", "/_fake/state")["connections"]
        return [one for one in found if one["name"] == name and not one["deletedAt"]]

    def password_matches(self, connection_id: str, password: str) -> bool:
        answer = self._call("POST", "/_fake/password_matches", connection_id=connection_id, password=password)
        return bool(answer["matches"])


@pytest.fixture(scope="session")
def instance() -> dict[str, Any]:
    return dict(json.loads((STATE / "instance.json").read_text()))


@pytest.fixture(scope="session")
def fake() -> Fake:
    return Fake()


@pytest.fixture(scope="session")
def psql(instance: dict[str, Any]) -> Psql:
    """Runs SQL inside the container, as the superuser or as `role`; returns the lines that psql printed."""
    container = testinfra.get_host(f"{instance['engine']}://{instance['container']}")
    command = (
        "psql --no-psqlrc --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1"
        " --username=postgres --dbname=sales --command=%s"
    )

    def run(sql: str, role: str | None = None) -> list[str]:
        if role:
            sql = f"SET ROLE {role}; {sql}"
        return list(container.check_output(command, sql).splitlines())

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


@pytest.fixture
def omni(log_in: Callable[..., psycopg2.extensions.connection]) -> Iterator[Cursor]:
    """A cursor of the Omni role. What it changes is rolled back."""
    connection = log_in()
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()

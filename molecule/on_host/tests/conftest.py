# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests look through: programs in the container, and the fake Omni's own state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import testinfra
from fixtures import fake, instance

__all__ = ["fake", "instance"]


@pytest.fixture(scope="session")
def container(instance: dict[str, Any]) -> testinfra.host.Host:
    return testinfra.get_host(f"{instance['engine']}://{instance['container']}")


@pytest.fixture(scope="session")
def as_omni(container: testinfra.host.Host, instance: dict[str, Any]) -> Callable[[str], Any]:
    """Runs SQL after a login as the Omni role over TLS, and returns how psql ended."""

    def run(sql: str) -> Any:
        return container.run(
            "PGPASSWORD=%s psql --no-psqlrc --tuples-only --no-align --command=%s %s",
            instance["omni_password"],
            sql,
            "host=127.0.0.1 port=5433 dbname=sales user=omni sslmode=require",
        )

    return run


@pytest.fixture(scope="session")
def as_postgres(container: testinfra.host.Host) -> Callable[..., Any]:
    """Runs SQL as the system user postgres, over the socket, and returns how psql ended."""

    def run(sql: str, *options: str) -> Any:
        psql = ["psql", "-XAt", "--port=5433", *options, f'--command="{sql}"']
        return container.run("su postgres -c %s", " ".join(psql))

    return run


@pytest.fixture(scope="session")
def rules_file(as_postgres: Callable[..., Any]) -> str:
    """The path of the pg_hba.conf that the server reads."""
    return str(as_postgres("SHOW hba_file").stdout.strip())

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many runs at once: on one database, and on many databases of one server that share the role."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres import (
    grants,
    upload_schema,
    user,
)
from tests.helpers import harness
from tests.helpers.postgres_modules import logged_in, perform
from tests.sandbox.postgres import PostgresServer

Login = dict[str, Any]
FORKS = 20
DATABASES = 50
PASSWORD = "of the role"


def options(login: Login, role: str) -> dict[str, Login]:
    """Each module's options."""
    return {
        "omni_pg_user": {**login, "name": role, "password": PASSWORD, "update_password": "always"},
        "omni_pg_grants": {**login, "role": role, "schemas": ["*"], "exclude_schemas": ["uploads"]},
        "omni_upload_schema": {**login, "role": role, "name": "uploads"},
    }


def all_at_once(hosts: Mapping[str, Login], login: Login, role: str) -> None:
    """Runs the modules on all hosts, each in a process of its own, which are not to wait for each other; none may
    fail."""
    arguments = options({**login, "login_db": "{{ database }}"}, role)
    tasks = [{f"omni_analytics.connect.{name}": given} for name, given in arguments.items()]
    run = harness.play(
        tasks,
        door="in_process",
        hosts=hosts,
        extra_args=["--forks", str(FORKS)],
        play_keywords={"strategy": "free"},
        timeout=300,
    )
    ended = {host: (count["ok"], count["failed"]) for host, count in run.recap.items()}
    assert ended == dict.fromkeys(hosts, (len(tasks), 0)), run.text


def assert_converged(server: PostgresServer, login: Login, role: str) -> None:
    arguments = options(login, role)
    for name, definition in (
        ("omni_pg_user", user.DEFINITION),
        ("omni_pg_grants", grants.DEFINITION),
        ("omni_upload_schema", upload_schema.DEFINITION),
    ):
        assert perform(definition, arguments[name])["changed"] is False
    assert logged_in(server, login["login_db"], role, PASSWORD, "SELECT count(*) FROM orders") == [(600,)]


def test_twenty_runs_on_one_database(server: PostgresServer, login: Login, role_name: str) -> None:
    """Twenty hosts of an inventory that are one database, and a role that has yet to be made."""
    hosts = {f"host{number}": {"database": login["login_db"]} for number in range(FORKS)}
    all_at_once(hosts, login, role_name)
    assert_converged(server, login, role_name)


@pytest.fixture
def databases(server: PostgresServer) -> Iterator[list[str]]:
    prefix = f"fleet_{secrets.token_hex(3)}"
    names = [f"{prefix}_{number}" for number in range(DATABASES)]
    with contextlib.ExitStack() as made:
        for name in names:
            server.create_database(name, template="sales")
            made.callback(server.drop_database, name)
        yield names


def test_fifty_databases_that_share_the_role(
    server: PostgresServer, login: Login, role_name: str, databases: list[str]
) -> None:
    """Its password differs at first, so that all of them find the same row of a shared catalog to change."""
    perform(user.DEFINITION, {**login, "name": role_name, "password": "another one"})
    hosts = {name: {"database": name} for name in databases}
    all_at_once(hosts, login, role_name)
    for name in databases:
        assert_converged(server, {**login, "login_db": name}, role_name)

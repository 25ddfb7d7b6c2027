# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real hot standby: it can be asked everything, and whoever must change something is sent to the primary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres import allowlist
from tests.helpers import harness
from tests.helpers.perform import modules
from tests.helpers.postgres_modules import perform
from tests.helpers.wire import Proxy
from tests.sandbox.postgres import PostgresServer
from tests.sandbox.standby import Standby

UPLOADS = "omni_uploads"
Calls = list[tuple[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def standby(server: PostgresServer) -> Iterator[Standby]:
    with Standby(server) as running:
        yield running


@pytest.fixture
def on_standby(standby: Standby, login: dict[str, Any]) -> dict[str, Any]:
    """A module's login options for the test's database on the standby."""
    standby.catch_up()
    return {**login, "login_port": standby.port}


def calls(login: dict[str, Any], role_name: str, **options: Any) -> Calls:
    """The modules that change something, in the order of the guide."""
    return [
        ("omni_pg_user", {**login, "name": role_name, "password": "wanted", **options}),
        ("omni_pg_grants", {**login, "role": role_name, "schemas": ["public", "sales_*"], **options}),
        ("omni_upload_schema", {**login, "role": role_name, "name": UPLOADS, **options}),
    ]


def report(login: dict[str, Any], role_name: str) -> tuple[str, dict[str, Any]]:
    return (
        "omni_pg_access_info",
        {**login, "role": role_name, "password": "wanted", "upload_schema": UPLOADS},
    )


def told(results: list[dict[str, Any]]) -> list[tuple[bool, list[str]]]:
    assert not [result["msg"] for result in results if result["failed"]]
    return [(result["changed"], result["statements"]) for result in results]


def test_check_mode_tells_the_same_as_on_the_primary(
    login: dict[str, Any], on_standby: dict[str, Any], role_name: str
) -> None:
    results = modules(
        [*calls(on_standby, role_name), *calls(login, role_name), report(on_standby, role_name)],
        check=True,
    )
    there, here, found = told(results[:3]), told(results[3:6]), results[6]
    assert there == here
    assert all(changed and statements for changed, statements in there)
    assert (found["failed"], found["role_exists"]) == (False, False)


def test_what_converged_on_the_primary_is_so_on_the_standby(
    standby: Standby, login: dict[str, Any], on_standby: dict[str, Any], role_name: str
) -> None:
    assert all(changed for changed, dummy in told(modules(calls(login, role_name))))
    standby.catch_up()
    *results, found = modules([*calls(on_standby, role_name), report(on_standby, role_name)])
    assert told(results) == [(False, [])] * 3
    assert (found["failed"], found["login"]["state"], found["problems"]) == (False, "succeeded", [])


def test_a_run_that_must_change_something_fails_or_is_skipped(
    door: harness.Door,
    server: PostgresServer,
    standby: Standby,
    database: str,
    on_standby: dict[str, Any],
    role_name: str,
) -> None:
    server.execute("postgres", f'CREATE ROLE "{role_name}"')
    standby.catch_up()
    before = server.catalog_writes(database)
    given = calls(on_standby, f"{role_name}_absent")[:1]
    if door == "in_process":  # what a door makes of it is the same for each
        given += calls(on_standby, role_name)
    tasks = [
        {f"omni_analytics.connect.{name}": {**arguments, "on_standby": choice}, "ignore_errors": True}
        for choice in ("fail", "skip")
        for name, arguments in given
    ]
    results = harness.play(tasks, door=door).results
    assert [result.status for result in results] == ["failed"] * len(given) + ["skipped"] * len(given)
    for result in results:
        text = result.result["msg" if result.status == "failed" else "skip_reason"]
        assert "it is a standby, which only reads" in text
    assert server.catalog_writes(database) == before


def test_the_role_on_a_standby(
    standby: Standby, on_standby: dict[str, Any], login: dict[str, Any], role_name: str
) -> None:
    """Its variable reaches every step; those that find nothing to change do not ask for it."""
    hosts = {
        name: {
            **{
                f"omni_postgres_{option}": value
                for option, value in on_standby.items()
                if option != "login_db"
            },
            "omni_postgres_database": login["login_db"],
            "omni_postgres_role": role_name,
            "omni_postgres_password": "wanted",
            "omni_postgres_upload_schema": UPLOADS,
            **({"omni_postgres_on_standby": name} if name != "default" else {}),
        }
        for name in ("default", "fail", "skip")
    }
    keywords = {"roles": ["omni_analytics.connect.omni_postgres"]}
    tags = ["omni_user", "omni_grants", "omni_upload_schema"]

    def apply(tags: list[str]) -> list[tuple[str, str]]:
        run = harness.play([], door="in_process", hosts=hosts, tags=tags, play_keywords=keywords)
        return sorted((result.host, result.status) for result in run.results if "omni_" in result.action)

    assert apply(["omni_user"]) == [("default", "failed"), ("fail", "failed"), ("skip", "skipped")]
    told(modules(calls(login, role_name)))
    standby.catch_up()
    hosts = {
        name: {**variables, "omni_postgres_schemas": ["public", "sales_*"]}
        for name, variables in hosts.items()
    }
    assert apply(tags) == [(name, "ok") for name in hosts for dummy in tags]


def test_an_upload_that_is_tried_on_a_standby(
    standby: Standby, on_standby: dict[str, Any], login: dict[str, Any], role_name: str
) -> None:
    told(modules(calls(login, role_name)))
    standby.catch_up()
    name, arguments = report(on_standby, role_name)
    results = modules(
        [(name, {**arguments, "try_upload": True, "on_standby": choice}) for choice in ("fail", "skip")]
    )
    how = "it is a standby, which only reads"
    assert [result["upload_tried"] for result in results] == [
        {"state": "failed", "how": how}, {"state": "not_tried", "how": how}
    ]  # fmt: skip
    assert [result["uploads"] for result in results] == [False, True]


def test_several_hosts_lead_to_the_primary(
    server: PostgresServer, on_standby: dict[str, Any], role_name: str
) -> None:
    port = on_standby["login_port"]
    hosts = {
        **on_standby,
        "login_host": f"{server.host},127.0.0.9",
        "connect_params": {"target_session_attrs": "read-write"},
    }
    with Proxy(server.port, address="127.0.0.9", at=port):
        results = modules([*calls(hosts, role_name), *calls(hosts, role_name)])
    assert [changed for changed, dummy in told(results)] == [True] * 3 + [False] * 3


def test_a_standby_has_a_pg_hba_conf_of_its_own(server: PostgresServer, standby: Standby) -> None:
    options = {
        "login_db": "postgres",
        "login_user": "postgres",
        "addresses": ["127.0.7.7"],
        "connection_type": "host",
    }
    sockets = [
        {"login_unix_socket": str(one.socket_dir), "login_port": one.port} for one in (standby, server)
    ]
    here, there = (perform(allowlist.DEFINITION, {**options, **socket}, check=True) for socket in sockets)
    made = perform(allowlist.DEFINITION, {**options, **sockets[0]})
    assert made["changed"], made
    assert "The server is a standby. A pg_hba.conf is not replicated" in "\n".join(made["warnings"])
    assert "The server has standbys (1)" in "\n".join(there["warnings"])
    assert here["path"] != there["path"]
    assert perform(allowlist.DEFINITION, {**options, **sockets[1]}, check=True)["changed"] is True
    assert perform(allowlist.DEFINITION, {**options, **sockets[0]})["changed"] is False

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database that only its own host and a bastion can reach, by each of the ways that docs/reaching_databases.md has.

The controller, the bastion and the database's host have networks of their own, with a cable from each to the next.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
import venv
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.helpers import harness
from tests.helpers.machines import (
    Machine,
    machines,
    make_keys,
    may_make_machines,
    missing_programs,
    ssh_server,
)
from tests.sandbox.fake_omni import FakeOmni
from tests.sandbox.postgres import PostgresServer, fill

ROLE = "omni_analytics.connect.omni_postgres"
CONTROLLER, BASTION = "192.0.2.1/30", "192.0.2.2/30"
BASTIONS_OTHER, DATABASE = "192.0.2.5/30", "192.0.2.6/30"


def plain(address: str) -> str:
    return address.partition("/")[0]


class Site(NamedTuple):
    controller: Machine
    server: PostgresServer
    omni: FakeOmni
    ssh_config: Path


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    if missing_programs() and os.environ.get("CI") != "true":
        pytest.skip(f"NOT TESTED through a bastion: there is no {', '.join(missing_programs())}")
    if not may_make_machines():
        pytest.skip(
            "NOT TESTED through a bastion: networks of their own take root, and this one may not make any"
        )
    with ExitStack() as stack:
        controller, bastion, host = stack.enter_context(machines(3))
        controller.link(CONTROLLER, bastion, BASTION)
        bastion.link(BASTIONS_OTHER, host, DATABASE)
        ssh_config = make_keys(tmp_path)
        for machine, address in ((bastion, BASTION), (host, DATABASE)):
            stack.enter_context(ssh_server(machine, plain(address), tmp_path))
        with host.inside():
            server = stack.enter_context(PostgresServer(settings={"listen_addresses": plain(DATABASE)}))
        fill(server, "sales")
        stack.enter_context(server.hba("host all all 192.0.2.4/30 scram-sha-256"))
        with controller.inside():
            omni = stack.enter_context(FakeOmni())
        yield Site(controller, server, omni, ssh_config)


def test_through_a_bastion(site: Site, tmp_path: Path) -> None:
    """And the controller's Python has no psycopg2: it takes none there, where nothing is run in it."""
    controller, server, omni, ssh_config = site
    without = tmp_path / "controllers" / "psycopg2.py"
    without.parent.mkdir()
    without.write_text("raise ImportError(\"No module named 'psycopg2'\")\n")
    venv.create(tmp_path / "venv", symlinks=True)
    other_python = str(tmp_path / "venv" / "bin" / Path(sys.executable).name)

    bastion = {"ansible_host": plain(BASTION)}
    from_bastion = {
        "omni_postgres_login_host": plain(DATABASE),
        "omni_postgres_login_user": server.dba_user,
        "omni_postgres_login_password": server.dba_password,
    }
    hosts: dict[str, dict[str, Any]] = {
        "by_jump": {
            "ansible_host": plain(DATABASE),
            "ansible_ssh_common_args": f"-F {ssh_config} -o ProxyJump={plain(BASTION)}",
            "omni_postgres_login_unix_socket": str(server.socket_dir),
            "omni_postgres_login_user": server.admin_user,
            "omni_postgres_verify_host": plain(DATABASE),
        },
        "on_bastion": {**bastion, **from_bastion},
        "delegated": {**from_bastion, "ansible_connection": "local", "runs_on": "the_bastion"},
        "without_psycopg2": {**bastion, **from_bastion, "ansible_python_interpreter": other_python},
    }
    for name, values in hosts.items():
        values["omni_postgres_role"] = f"omni_{name}"
    role = {
        "name": "connect",
        "ansible.builtin.import_role": {"name": ROLE},
        "delegate_to": "{{ runs_on | default(inventory_hostname) }}",
    }
    with controller.inside():
        with pytest.raises(OSError, match="unreachable"):
            socket.create_connection((plain(DATABASE), server.port), 5)
        run = harness.play(
            [role],
            door="in_process",
            hosts={**hosts, "the_bastion": bastion},
            play_keywords={"hosts": ",".join(hosts)},
            vars={
                "ansible_connection": "ssh",
                "ansible_ssh_common_args": f"-F {ssh_config}",
                "ansible_python_interpreter": sys.executable,
                "ansible_pipelining": True,
                "omni_postgres_login_port": server.port,
                "omni_postgres_database": "sales",
                "omni_postgres_ssl_mode": "disable",
                "omni_postgres_password": secrets.token_urlsafe(18),
                "omni_postgres_model": False,
                "omni_postgres_host": "sales.example.com",
                "omni_postgres_api_url": omni.url,
                "omni_postgres_api_token": omni.token,
                "omni_postgres_ca_path": omni.ca_file,
            },
            env={"PYTHONPATH": str(without.parent)},
        )
    connected = ["by_jump", "on_bastion", "delegated"]
    assert {host: run.recap[host]["failed"] for host in hosts} == {
        **dict.fromkeys(connected, 0), "without_psycopg2": 1
    }, run.text  # fmt: skip
    for host in connected:
        assert run.result("Prove that Omni can read", host).result["login"] == {
            "state": "succeeded", "how": "with its password"
        }  # fmt: skip
        assert run.result("Keep the connection in Omni", host).status == "changed"
    wrong = run.result("Keep the role that Omni logs in as", "without_psycopg2").result
    assert wrong["error"] == {"kind": "missing_library", "library": "psycopg2"}
    assert f"Importing psycopg2 in {other_python} on {socket.gethostname()}" in wrong["msg"]

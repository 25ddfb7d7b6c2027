# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worked example in docs/example_repository, used as its README says: installed from a built artifact, with its
own ansible.cfg, roles and vaults. Only addresses are other than in the example."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from psycopg2 import sql

from tests.helpers import harness
from tests.sandbox.fake_omni import FakeOmni
from tests.sandbox.postgres import PostgresServer

EXAMPLE = harness.ROOT / "docs" / "example_repository"
VAULT = ["--vault-password-file", "vault-password.txt"]
BIN = Path(sys.prefix) / "bin"
HOSTS = ("sales", "support", "finance")
#: As in the example's vaults.
ADMIN_PASSWORD = "the admin's example password"
TOKEN = "omni_osk_example_token_of_the_repository"
PASSWORD = "the Omni role's example password"


class Repository:
    """A checkout of the example."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {
            "PATH": f"{BIN}:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(folder.parent),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_HOME": str(folder.parent / "home"),
            "ANSIBLE_NOCOLOR": "true",
            "ANSIBLE_LOCALHOST_WARNING": "false",
        }

    def run(self, playbook: str, *arguments: str) -> harness.Run:
        """Runs one of its playbooks, with the addresses of the test's servers."""
        command = [str(BIN / "ansible-playbook"), playbook, "-i", "inventory", "-i", "addresses.yml", *VAULT]
        env = {
            **self.env,
            "ANSIBLE_CALLBACK_PLUGINS": str(Path(harness.__file__).parent / "callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "json_lines",
        }
        (self.folder / "results.jsonl").unlink(missing_ok=True)
        playing = harness.Playing([*command, *arguments], env, self.folder)
        try:
            return playing.finish()
        finally:
            playing.kill()

    def report(self) -> list[str]:
        return (self.folder / "reports" / "all").read_text().splitlines()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The example, with the collection installed by its requirements.yml."""
    folder = tmp_path_factory.mktemp("example") / "repository"
    shutil.copytree(EXAMPLE, folder)
    repository = Repository(folder)
    files = folder / "files"
    galaxy = [str(BIN / "ansible-galaxy"), "collection"]
    build = [*galaxy, "build", str(harness.ROOT), "--output-path", str(files)]
    subprocess.run(build, cwd=folder, env=repository.env, check=True, stdout=subprocess.DEVNULL)
    (artifact,) = files.iterdir()
    artifact.rename(files / "omni_analytics-connect.tar.gz")
    install = [*galaxy, "install", "--offline", "-r", "requirements.yml", "-p", "collections"]
    subprocess.run(install, cwd=folder, env=repository.env, check=True, stdout=subprocess.DEVNULL)
    return repository


@pytest.fixture
def databases(server: PostgresServer, role_name: str) -> Iterator[dict[str, str]]:
    """A database for each host of the example, by the host's name; and the login that its inventory names."""
    suffix = role_name.rpartition("_")[2]
    names = {host: f"{host}_{suffix}" for host in HOSTS}
    for name in names.values():
        server.create_database(name, template="sales")
    create = sql.SQL("CREATE ROLE admin SUPERUSER LOGIN PASSWORD {}").format(sql.Literal(ADMIN_PASSWORD))
    server.execute("postgres", create)
    yield names
    for name in names.values():
        server.drop_database(name)
    server.drop_role("admin")


@pytest.fixture
def repository(
    installed: Repository,
    server: PostgresServer,
    omni: FakeOmni,
    databases: dict[str, str],
    role_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Repository:
    monkeypatch.setattr(omni, "token", TOKEN)
    shutil.rmtree(installed.folder / "reports", ignore_errors=True)
    addresses = {
        "omni_postgres_login_host": server.host,
        "omni_postgres_login_port": server.port,
        "omni_postgres_ssl_mode": "prefer",
        "omni_postgres_role": role_name,
        "omni_postgres_api_url": omni.url,
        "omni_postgres_ca_path": str(omni.ca_file),
        "omni_postgres_requests_per_minute": 500,
    }
    hosts = {host: {**addresses, "omni_postgres_database": name} for host, name in databases.items()}
    listed = [{"name": name} for name in [databases["sales"], "nowhere", databases["support"]]]
    server_host = {"db2": {**addresses, "databases": listed}}
    inventory = {"databases": {"hosts": hosts}, "servers": {"hosts": server_host}}
    (installed.folder / "addresses.yml").write_text(yaml.safe_dump(inventory))
    return installed


def changed(run: harness.Run) -> dict[str, int]:
    return {host: counts["changed"] for host, counts in run.recap.items()}


def test_a_repository_of_ones_own(
    repository: Repository, server: PostgresServer, databases: dict[str, str], omni: FakeOmni, role_name: str
) -> None:
    def role_exists() -> bool:
        rows: list[Any] = server.execute("postgres", "SELECT FROM pg_roles WHERE rolname = %s", [role_name])
        return bool(rows)

    # The role beside another one; first what it would do, then some hosts, without what is Omni's.
    checked = repository.run("site.yml", "--check", "--diff")
    assert checked.rc == 0, checked.text
    assert not role_exists()
    assert not any(request["method"] != "GET" for request in omni.requests)
    asked = len(omni.requests)
    part = repository.run(
        "site.yml", "--limit", "sales,support", "--skip-tags", "omni_connection,omni_model,reporting"
    )
    assert part.rc == 0, part.text
    assert sorted(part.recap) == ["sales", "support"]
    assert role_exists()
    assert len(omni.requests) == asked

    # In batches of two, of which one host fails and is rescued. Its schema is not there.
    missing = '{"omni_postgres_schemas": ["public", "nowhere"]}'
    run = repository.run("rollout.yml", "--limit", "finance", "--extra-vars", missing)
    assert run.rc == 2, run.text
    assert "there is no schema nowhere" in repository.report()[0]
    run = repository.run("rollout.yml")
    assert run.rc == 0, run.text
    assert [line.split(":")[0] for line in repository.report()] == sorted(HOSTS)
    assert all("relations" in line for line in repository.report())
    assert sorted(connection["name"] for connection in omni.connections) == sorted(HOSTS)

    # One step by tasks_from; a second run of all has nothing to do.
    with contextlib.closing(server.connect(databases["sales"], role_name, PASSWORD)) as connection:
        connection.cursor().execute("SELECT FROM public.customers")
    again = repository.run("grants.yml", "--tags", "nightly")
    assert again.rc == 0, again.text
    assert changed(again) == dict.fromkeys(HOSTS, 0)
    assert {result.action for result in again.results} >= {"omni_analytics.connect.omni_pg_grants"}
    proof = repository.run("verify.yml")
    assert proof.rc == 0, proof.text
    assert proof.text.count("can read") >= len(HOSTS)
    for secret in (PASSWORD, ADMIN_PASSWORD, TOKEN):
        assert not any(secret in each.text for each in (checked, part, run, again, proof))


def test_a_host_that_is_a_server(
    repository: Repository, server: PostgresServer, databases: dict[str, str], omni: FakeOmni, role_name: str
) -> None:
    there = {f"db2 {databases[name]}" for name in ("sales", "support")}
    first = repository.run("servers.yml")
    assert first.rc == 2, first.text
    failure = first.result("Fail where a database failed, now that the others are done").result["msg"]
    assert failure[0].startswith("nowhere: ")
    assert 'database "nowhere" does not exist' in failure[0]
    assert {connection["name"] for connection in omni.connections} == there
    kept = [
        result.result["ansible_facts"]["connected_databases"]
        for result in first.results
        if "connected_databases" in result.result.get("ansible_facts", {})
    ][-1]
    ids = {connection["name"]: connection["id"] for connection in omni.connections}
    assert {f"db2 {name}": said["connection"]["connection_id"] for name, said in kept.items()} == ids

    # One step of all of them, and again all.
    without = [
        "--extra-vars",
        json.dumps({"databases": [{"name": databases[name]} for name in ("sales", "support")]}),
    ]
    step = repository.run("servers.yml", *without, "--tags", "omni_grants")
    assert step.rc == 0, step.text
    ran = [result.action.rpartition(".")[2] for result in step.results if "omni_" in result.action]
    assert ran == ["omni_pg_grants", "omni_pg_grants"]
    again = repository.run("servers.yml", *without)
    assert (again.rc, changed(again)) == (0, {"db2": 0}), again.text

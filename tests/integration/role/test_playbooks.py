# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks: what they show is what they send, they keep secrets, and hosts do not harm each other."""

from __future__ import annotations

import json
import re
import shutil
import textwrap
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from ansible.parsing.vault import VaultLib, VaultSecret

from tests.helpers import harness
from tests.sandbox.fake_omni import FakeOmni
from tests.sandbox.postgres import PostgresServer

CONNECT = "omni_analytics.connect.connect"
VERIFY = "omni_analytics.connect.verify"

VERIFIER = r"SCRAM-SHA-256\$[^'\"\s]+"
STATEMENT = re.compile(r"^.* omni_analytics\.connect LOG:  statement: (.*(?:\n\t.*)*)", re.MULTILINE)
READS = re.compile(
    r"""SET\ TRANSACTION\ READ\ ONLY;\  | BEGIN(;\ SET\ LOCAL\ "\w+"\ =\ '\w+')+;\ SELECT\ [^;]*$
      | \s*(SELECT|WITH)\s | COMMIT$ | ROLLBACK$""",
    re.VERBOSE,
)
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SENT = re.compile(r"(CREATE|ALTER|GRANT|REVOKE|DROP|COMMENT|POST|PUT|PATCH|DELETE) ")


class Watch:
    """What reaches a database and Omni while inside, as people see it; and what was written there."""

    def __init__(self, server: PostgresServer, omni: FakeOmni, database: str) -> None:
        self._server, self._omni, self._database = server, omni, database

    def __enter__(self) -> Watch:
        self._written = self._server.catalog_writes(self._database)
        self._requests = len(self._omni.requests)
        self._mark = self._server.log.stat().st_size
        return self

    def __exit__(self, *_exception: object) -> None:
        log = self._server.log_text(self._mark)
        statements = [re.sub(VERIFIER, "********", found) for found in STATEMENT.findall(log)]
        assert statements
        requests = self._omni.requests[self._requests :]
        self.writes = [text for text in statements if not READS.match(text)]
        self.writes += [as_shown(request) for request in requests if request["method"] != "GET"]
        self.asked_omni = bool(requests)
        self.wrote_catalog = self._server.catalog_writes(self._database) != self._written


def as_shown(request: dict[str, Any]) -> str:
    """A request that Omni got, with a placeholder for each id."""
    query = f"?{urlencode(request['query'])}" if request["query"] else ""
    body = "" if request["body"] is None else f" {json.dumps(request['body'])}"
    return ID.sub("<new id>", f"{request['method']} {request['path']}{query}{body}")


def shown(run: harness.Run) -> list[str]:
    """The statements and requests in what Ansible printed, with a placeholder for each id."""
    return [ID.sub("<new id>", line) for line in run.stdout.splitlines() if SENT.match(line)]


def test_a_run_sends_what_check_mode_showed(
    server: PostgresServer, omni: FakeOmni, database: str, role_vars: dict[str, Any], door: harness.Door
) -> None:
    role_vars |= {
        "omni_postgres_schemas": ["*"],
        "omni_postgres_upload_schema": 'Up "loads" (%)',
        "omni_postgres_refresh_schedules": [{"schedule": "0 2 * * ? *"}],
    }
    options: dict[str, Any] = {"door": door, "hosts": {database: role_vars}, "diff": True}

    with Watch(server, omni, database) as checked:
        check = harness.playbook(CONNECT, check=True, **options)
    assert check.rc == 0, check.text
    assert checked.writes == []
    assert not checked.wrote_catalog
    assert checked.asked_omni
    assert not omni.connections

    with Watch(server, omni, database) as connected:
        run = harness.playbook(CONNECT, **options)
    assert run.recap[database] == check.recap[database], run.text
    assert connected.writes == shown(check) == shown(run)
    # A foreign table whose server nobody asks.
    summary = rf"{database}: \d+ of \d+ relations readable, 1 unknown; uploads work; connection"
    assert re.search(summary, run.text)
    assert "changed user, grants, upload_schema, connection, model, schedule" in run.text
    assert len(connected.writes) > 10
    (connection,) = omni.connections
    assert omni.password_of(connection["id"]) == role_vars["omni_postgres_password"]

    for source in (CONNECT, VERIFY):
        with Watch(server, omni, database) as repeated:
            again = harness.playbook(source, **options)
        assert again.rc == 0
        assert again.recap[database]["changed"] == 0, again.text
        assert repeated.writes == shown(again) == []
        assert not repeated.wrote_catalog
        assert repeated.asked_omni == (source == CONNECT)
    assert omni.violations == []


def vaulted(value: str, folder: Path) -> tuple[str, list[str]]:
    """A value as inline vaulted YAML, and the arguments with which ansible-playbook can read it."""
    (folder / "key").write_text("opens the vault")
    text = VaultLib([("default", VaultSecret(b"opens the vault"))]).encrypt(value).decode()
    return "!vault |\n" + textwrap.indent(text, " " * 10), ["--vault-password-file", str(folder / "key")]


def assert_hidden(run: harness.Run, *secrets: str) -> None:
    everything = run.text + repr(run.results)
    assert [secret for secret in secrets if secret in everything] == []
    assert not re.search(VERIFIER, everything)


def test_no_secret_is_shown(
    server: PostgresServer, omni: FakeOmni, role_vars: dict[str, Any], door: harness.Door, tmp_path: Path
) -> None:
    password = role_vars.pop("omni_postgres_password")
    value, key = vaulted(password, tmp_path)
    (tmp_path / "vars.yml").write_text(f"omni_postgres_password: {value}")
    secrets = [password, server.dba_password, omni.token]
    wrong = {"login_password": "wrong-admin-secret", "api_token": "wrong-token-secret"}
    hosts = {name: {f"omni_postgres_{name}": value} for name, value in wrong.items()}
    options: dict[str, Any] = {"door": door, "vars": role_vars, "diff": True, "verbosity": 4}
    with_key = {**options, "extra_args": ["--extra-vars", f"@{tmp_path / 'vars.yml'}", *key]}

    begin = server.log.stat().st_size
    # That a shipped module shows none in check mode either is what the tests of the modules prove.
    for check in (True, False) if door == "in_process" else (False,):
        run = harness.playbook(CONNECT, hosts={"good": {}, **hosts}, check=check, **with_key)
        # An error of one host is that host's alone.
        failed = {host: recap["failed"] for host, recap in run.recap.items()}
        assert failed == {"good": 0, "login_password": 1, "api_token": 1}
        assert run.result("Keep the connection in Omni", "good").status == "changed"
        assert_hidden(run, *secrets, *wrong.values())
    assert omni.password_of(omni.connections[0]["id"]) == password

    for update, failures in (("on_create", 1), ("always", 0)):
        changes = {"omni_postgres_password": "another-secret", "omni_postgres_update_password": update}
        run = harness.playbook(CONNECT, hosts={"good": changes}, **options)
        assert run.recap["good"]["failed"] == failures
        assert_hidden(run, *secrets, "another-secret")
    assert omni.password_of(omni.connections[0]["id"]) == "another-secret"
    log = server.log_text(begin)
    assert not [secret for secret in (*secrets, *wrong.values(), "another-secret") if secret in log]


def test_no_inline_vaulted_option_is_shown(
    login: dict[str, Any], role_name: str, door: harness.Door, tmp_path: Path
) -> None:
    value, key = vaulted("kept in the vault", tmp_path)
    source = tmp_path / "play.yml"
    task = f"""
- hosts: all
  gather_facts: false
  tasks:
    - name: call
      omni_analytics.connect.omni_pg_user:
        password: {value}
        name: "{{{{ role }}}}"
        login_host: {login["login_host"]}
        login_port: {login["login_port"]}
        login_db: "{{{{ db }}}}"
        login_user: {login["login_user"]}
        login_password: "{{{{ login_password }}}}"
"""
    source.write_text(task)
    run = harness.playbook(
        source,
        door=door,
        hosts={"good": {"db": login["login_db"]}, "bad": {"db": "no such database"}},
        vars={"role": role_name, "login_password": login["login_password"]},
        verbosity=4,
        extra_args=key,
    )
    assert run.result("call", "good").status == "changed", run.text
    assert run.result("call", "bad").result["error"] == {"kind": "unreachable"}
    assert_hidden(run, "kept in the vault", login["login_password"])


def test_databases_of_one_server_share_the_role(
    server: PostgresServer, omni: FakeOmni, role_vars: dict[str, Any], database: str
) -> None:
    """The workers are processes, so that the other door would make no difference."""
    del role_vars["omni_postgres_database"]
    count = 10
    names = [database, *(f"{database}_{number}" for number in range(1, count))]
    for name in names[1:]:
        server.create_database(name, template=database)
    options: dict[str, Any] = {
        "door": "in_process",
        "hosts": {name: {"omni_postgres_database": name} for name in names},
        "extra_args": ["--forks", "20"],
    }
    try:
        first = harness.playbook(CONNECT, vars=role_vars, **options)
        changed = {"omni_postgres_password": "another", "omni_postgres_update_password": "always"}
        second = harness.playbook(CONNECT, vars={**role_vars, **changed}, **options)
    finally:
        for name in names[1:]:
            server.drop_database(name)
    for run in (first, second):
        assert run.rc == 0, run.text
        assert run.recap.keys() == set(names)
    made = [result.status for result in first.results if "role that Omni" in result.task]
    assert sorted(made) == ["changed"] + ["ok"] * (count - 1)
    assert len(omni.connections) == count


def test_a_relative_path_does_not_lead_into_the_installed_collection(
    role_vars: dict[str, Any], omni: FakeOmni
) -> None:
    """Which is where the playbooks of the collection are, and a new version would delete what lies there. It is
    refused before either door."""
    there = [harness.ROOT / "playbooks" / name for name in ("connections", "$NOWHERE")]
    paths = {
        "plain": "connections",
        "expanded": "$RECORDS",
        "unset": "$NOWHERE/connections",
        "whole": "{{ inventory_dir }}/connections",
    }
    hosts = {name: {**role_vars, "omni_postgres_record_path": path} for name, path in paths.items()}
    try:
        run = harness.playbook(
            CONNECT, door="in_process", hosts=hosts, tags=["omni_connection"], env={"RECORDS": "connections"}
        )
        assert not [folder for folder in there if folder.exists()]
    finally:
        for folder in there:
            shutil.rmtree(folder, ignore_errors=True)
    failed = {result.host: result.result for result in run.results if result.status == "failed"}
    assert set(failed) == set(paths) - {"whole"}
    for name, result in failed.items():
        begins = f"Reading omni_postgres_record_path: {paths[name]} begins where the playbook is"
        assert result["msg"].startswith(begins)
        assert f'"{{{{ inventory_dir }}}}/{paths[name]}"' in result["msg"]
        assert result["error"] == {"kind": "invalid_input"}

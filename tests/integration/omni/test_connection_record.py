# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a connection through both doors, and passwords that both sides share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers import harness
from tests.integration.role.test_role import ROLE, apply_role, steps
from tests.sandbox.fake_omni import FakeOmni
from tests.sandbox.postgres import PostgresServer

from .test_connection import CHECK, PASSWORD, call, wanted

NEW = "the n3w password"


def test_a_record_beside_the_playbook(omni: FakeOmni, door: harness.Door) -> None:
    kept = {"record_path": "records/connections"}
    moved = {**kept, "host": "db2.example.com"}
    read = ("ansible.builtin.shell", {"cmd": "cat records/connections/*", "chdir": "{{ playbook_dir }}"})
    made, text, again, failed, warned, checked, accepted, quiet, changed, done, replaced = harness.modules(
        [
            call(omni, **kept),
            read,
            call(omni, **kept, update_password="always"),
            call(omni, **moved),
            call(omni, **moved, on_immutable_change="warn"),
            call(omni, CHECK, **moved, on_immutable_change="accept"),
            call(omni, **moved, on_immutable_change="accept"),
            call(omni, **moved, on_immutable_change="accept"),
            call(omni, **moved, password=NEW, update_password="always"),
            call(omni, **moved, password=NEW, update_password="always"),
            call(omni, **kept, password=NEW, on_immutable_change="replace"),
        ],
        door=door,
        diff=True,
    )
    record = yaml.safe_load(text["stdout"])
    assert (record["id"], record["settings"]["host"]) == (made["connection_id"], "db1.example.com")
    assert PASSWORD not in text["stdout"]
    assert (again["changed"], again["unverifiable"], again["differences"]) == (False, [], {})
    difference = {"host": {"is": "db1.example.com", "wanted": "db2.example.com"}}
    assert failed["error"]["differences"] == warned["differences"] == difference
    assert "host is 'db1.example.com'" in warned["warnings"][0]
    assert checked["diff"] == accepted["diff"]
    assert (checked["changed"], accepted["changed"], quiet["changed"]) == (True, True, False)
    assert (changed["password"]["state"], done["password"]["state"]) == ("set", "fits")
    assert (changed["changed"], done["changed"]) == (True, False)
    assert [one["method"] for one in omni.writes()][:2] == ["POST", "PATCH"]
    assert (replaced["changed"], replaced["replaced"]) == (True, made["connection_id"])
    (live,) = [one for one in omni.connections if not one["deletedAt"]]
    assert (live["id"], live["host"]) == (replaced["connection_id"], "db1.example.com")


def test_twenty_forks_and_one_folder(omni: FakeOmni, tmp_path: Path) -> None:
    given = {**wanted(omni), "name": "{{ inventory_hostname }}", "record_path": str(tmp_path / "records")}
    task = {"omni_analytics.connect.omni_connection": {**given, "update_password": "always"}}
    hosts = [f"host{number}" for number in range(20)]
    run = harness.play(
        [{"name": "make", **task}, {"name": "again", **task}],
        door="in_process",
        hosts=hosts,
        extra_args=["--forks", "20"],
    )
    assert [run.result("make", host).status for host in hosts] == ["changed"] * 20, run.text
    assert [run.result("again", host).status for host in hosts] == ["ok"] * 20, run.text
    records = [yaml.safe_load(file.read_text()) for file in (tmp_path / "records").iterdir()]
    assert sorted(record["name"] for record in records) == sorted(hosts)


@pytest.fixture
def rotating(role_vars: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """The role's variables, with a connection made by them, and then with a new password."""
    role_vars |= {
        "omni_postgres_record_path": str(tmp_path / "records"),
        "omni_postgres_model": False,
        "omni_postgres_upload_schema": "",
    }
    assert apply_role(role_vars).rc == 0
    return {**role_vars, "omni_postgres_password": NEW, "omni_postgres_update_password": "always"}


def logs_in(server: PostgresServer, role_vars: dict[str, Any], password: str) -> bool:
    import psycopg2

    try:
        server.connect(role_vars["omni_postgres_database"], role_vars["omni_postgres_role"], password).close()
    except psycopg2.OperationalError:
        return False
    return True


def test_omni_is_looked_at_before_a_password_changes(
    omni: FakeOmni, server: PostgresServer, rotating: dict[str, Any]
) -> None:
    hosts = {
        "token": {"omni_postgres_api_token": "omni_osk_wrong"},
        "host": {"omni_postgres_host": "other.example.com"},
    }
    same = {**rotating, "omni_postgres_connection_name": omni.connections[0]["name"]}
    run = harness.play([], door="in_process", hosts=hosts, vars=same, play_keywords={"roles": [ROLE]})
    for host, words in (
        ("token", "Check omni_postgres_api_token"),
        ("host", "Omni's API cannot change that"),
    ):
        *_before, last = [result for result in run.results if result.host == host]
        assert last.task.endswith("Check the variables and look at Omni before anything changes")
        assert words in last.result["msg"]
    assert not logs_in(server, rotating, NEW)
    assert [one["method"] for one in omni.writes()] == ["POST"]


def test_a_rotation_that_was_cut_off_is_finished_by_the_next_run(
    omni: FakeOmni, server: PostgresServer, rotating: dict[str, Any]
) -> None:
    (connection,) = omni.connections
    for kind, new in (("drop_before", NEW), ("drop_after", f"{NEW}er")):
        rotating["omni_postgres_password"] = new
        omni.fault("PATCH", "*", times=99, kind=kind)
        run = apply_role(rotating)
        assert steps(run)["omni_connection"] == "failed", run.text
        assert logs_in(server, rotating, new)
        omni.clear_faults()
        run = apply_role(rotating)
        assert (steps(run)["omni_user"], steps(run)["omni_connection"]) == ("ok", "changed"), run.text
        assert logs_in(server, rotating, new)
        assert omni.password_of(connection["id"]) == new
    run = apply_role(rotating)
    assert run.recap["one"]["changed"] == 0, run.text

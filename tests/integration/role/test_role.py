# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role in other people's plays: tags, become, variables that are missing or misleading."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import harness
from tests.sandbox.postgres import PostgresServer

ROLE = "omni_analytics.connect.omni_postgres"
STEPS = {
    "omni_user": "Keep the role that Omni logs in as",
    "omni_grants": "Grant what Omni reads, now and later",
    "omni_upload_schema": "Keep the schema for table uploads",
    "omni_verify": "Prove that Omni can read",
    "omni_connection": "Keep the connection in Omni",
    "omni_model": "Keep the schema model, and let Omni prove that it can read",
    "omni_schedule": "Keep the refresh schedules in Omni",
}
IN_DATABASE = {"omni_user", "omni_grants", "omni_upload_schema", "omni_verify"}
SCHEDULES = {"omni_postgres_refresh_schedules": [{"schedule": "0 2 * * ? *"}]}


def apply_role(role_vars: dict[str, Any], door: harness.Door = "in_process", **options: Any) -> harness.Run:
    """Runs the role on the host `one`, in a play of its own."""
    keywords = {"roles": [ROLE], **options.pop("play_keywords", {})}
    tasks = options.pop("tasks", [])
    return harness.play(tasks, door=door, hosts={"one": role_vars}, play_keywords=keywords, **options)


def steps(run: harness.Run) -> dict[str, str]:
    """What each step of the role did."""
    done = {result.task.rpartition(" : ")[2]: result.status for result in run.results}
    return {tag: done[task] for tag, task in STEPS.items() if task in done}


def test_each_step_runs_alone(role_vars: dict[str, Any], door: harness.Door) -> None:
    role_vars |= SCHEDULES
    for tag in STEPS:
        run = apply_role(role_vars, door, tags=[tag])
        assert steps(run) == {tag: "ok" if tag == "omni_verify" else "changed"}, run.text
    run = apply_role(role_vars, door, tags=["omni"])
    assert steps(run) == dict.fromkeys(STEPS, "ok"), run.text


def test_a_step_needs_only_its_own_variables(role_vars: dict[str, Any]) -> None:
    needed = {"database", "role", "password", "host", "api_url", "api_token", "ca_path"}
    few = {f"omni_postgres_{name}": role_vars[f"omni_postgres_{name}"] for name in needed}
    assert steps(apply_role(few, tags=["omni_connection"])) == {"omni_connection": "changed"}

    api = {"omni_postgres_host", "omni_postgres_api_url", "omni_postgres_api_token", "omni_postgres_ca_path"}
    for name in api | {"omni_postgres_upload_schema"}:
        del role_vars[name]
    run = apply_role(role_vars, tags=sorted(IN_DATABASE))
    assert steps(run) == {
        "omni_user": "changed", "omni_grants": "changed", "omni_upload_schema": "skipped", "omni_verify": "ok"
    }, run.text  # fmt: skip


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ("login_host", "Set omni_postgres_login_host (or omni_postgres_login_unix_socket) for this host."),
        ("database", "Set omni_postgres_database for this host."),
        ("password", "Set password."),
    ],
)
def test_what_is_missing_is_named(
    role_vars: dict[str, Any], server: PostgresServer, missing: str, says: str
) -> None:
    del role_vars[f"omni_postgres_{missing}"]
    environment = {"PGHOST": server.host, "PGDATABASE": role_vars.get("omni_postgres_database", "sales")}
    run = apply_role(role_vars, env=environment)
    assert run.recap["one"]["failed"] == 1
    assert says in str(run.results[-1].result["msg"])


def test_libpqs_environment_leads_nowhere_else(role_vars: dict[str, Any], door: harness.Door) -> None:
    elsewhere = {
        "PGHOST": "127.0.0.9",
        "PGHOSTADDR": "127.0.0.9",
        "PGPORT": "1",
        "PGDATABASE": "x",
        "PGUSER": "x",
    }
    run = apply_role(role_vars, door, tags=["omni_user"], env=elsewhere)
    assert steps(run) == {"omni_user": "changed"}, run.text


def test_a_table_that_omni_cannot_read_fails_the_proof(
    server: PostgresServer, database: str, role_vars: dict[str, Any], role_name: str
) -> None:
    assert apply_role(role_vars, tags=["omni_user", "omni_grants", "omni_upload_schema"]).rc == 0
    server.execute(database, "CREATE TABLE public.hidden ()")
    server.execute(database, f"REVOKE CREATE ON SCHEMA omni_uploads FROM {role_name}")
    said = (
        f"Role {role_name} can read 8 of 9 relations; 1 cannot be read, first public.hidden (it lacks SELECT); "
        "it cannot upload: it lacks USAGE or CREATE on schema omni_uploads"
    )
    run = apply_role(role_vars, tags=["omni_verify", "omni_connection"])
    assert steps(run) == {"omni_verify": "failed"}
    assert run.results[-1].result["msg"].endswith(said)
    run = harness.playbook("omni_analytics.connect.verify", door="in_process", hosts={"one": role_vars})
    assert run.results[-1].result["msg"].endswith(said)
    # Another creator for whom nothing is granted by default; before 15, everybody may create in public.
    others = 1 + (server.version < 15)
    timezone = {"omni_postgres_system_timezone": "Europe/Berlin"}
    for fail_on, status, warnings in (
        (["relations", "timezone"], "failed", 1 + others), (["schemas"], "ok", 3 + others), ([], "ok", 3 + others)
    ):  # fmt: skip
        choice = {**role_vars, **timezone, "omni_postgres_verify_fail_on": fail_on}
        run = apply_role(choice, tags=["omni_verify"])
        assert steps(run) == {"omni_verify": status}
        assert len(run.results[-1].result["warnings"]) == warnings
        assert run.text.count("[WARNING]: Role omni_") == warnings
    checked = apply_role(role_vars, tags=["omni_verify"], check=True)
    assert "warnings" not in checked.results[-1].result
    assert steps(checked) == {"omni_verify": "ok"}


# Else Ansible would not even try where root becomes root.
ALWAYS_BECOME = {"ANSIBLE_BECOME_ALLOW_SAME_USER": "true"}


def test_become_of_others_does_not_reach_the_role(role_vars: dict[str, Any], door: harness.Door) -> None:
    inventory = {"ansible_become": True, "ansible_become_exe": "/nonexistent"}
    control = {"name": "control", "ansible.builtin.ping": {}, "ignore_errors": True}
    run = apply_role(
        {**role_vars, **inventory}, door, tasks=[control], play_keywords={"become": True}, env=ALWAYS_BECOME
    )
    assert run.result("control").status == "failed"
    assert set(steps(run)) == set(STEPS)
    assert run.rc == 0, run.text
    run = harness.playbook(
        "omni_analytics.connect.verify", door=door, hosts={"one": role_vars}, vars=inventory
    )
    assert steps(run) == {"omni_verify": "ok"}, run.text


def test_the_database_steps_become_who_they_shall(role_vars: dict[str, Any], tmp_path: Path) -> None:
    log, program = tmp_path / "log", tmp_path / "become"
    program.write_text(
        f'#!/bin/sh\necho "$@" >>{log}\nwhile [ "$1" != /bin/sh ]; do shift; done\nexec "$@"\n'
    )
    program.chmod(0o755)
    role_vars |= {
        "ansible_become_exe": str(program),
        "ansible_python_interpreter": sys.executable,
        "omni_postgres_become": True,
        "omni_postgres_become_user": "root",
    }
    run = apply_role(role_vars, env=ALWAYS_BECOME)
    assert run.rc == 0, run.text
    assert set(steps(run)) == set(STEPS)
    became = log.read_text().splitlines()
    assert len(became) == len(IN_DATABASE), became
    assert all("-u root " in line for line in became)
    run = harness.playbook(
        "omni_analytics.connect.verify", door="in_process", hosts={"one": role_vars}, env=ALWAYS_BECOME
    )
    assert run.rc == 0, run.text
    assert len(log.read_text().splitlines()) == len(IN_DATABASE) + 1

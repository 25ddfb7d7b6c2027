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
from tests.sandbox.fake_omni import FakeOmni
from tests.sandbox.postgres import PostgresServer

ROLE = "omni_analytics.connect.omni_postgres"
STEPS = {
    "omni_preflight": "Check the variables and look at Omni before anything changes",
    "omni_user": "Keep the role that Omni logs in as",
    "omni_grants": "Grant what Omni reads, now and later",
    "omni_upload_schema": "Keep the schema for table uploads",
    "omni_allowlist": "Let Omni's addresses in",
    "omni_verify": "Prove that Omni can read",
    "omni_connection": "Keep the connection in Omni",
    "omni_model": "Keep the schema model, and let Omni prove that it can read",
    "omni_schedule": "Keep the refresh schedules in Omni",
    "omni_environments": "Keep the environments of the connection",
}
#: What the steps do that never change anything, or have nothing to do in these tests.
UNCHANGING = {
    "omni_preflight": "ok",
    "omni_allowlist": "skipped",
    "omni_verify": "ok",
    "omni_environments": "skipped",
}
IN_DATABASE = {"omni_user", "omni_grants", "omni_upload_schema", "omni_verify"}
# Else Ansible would not even try where root becomes root.
ALWAYS_BECOME = {"ANSIBLE_BECOME_ALLOW_SAME_USER": "true"}
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


def test_each_step_runs_alone(role_vars: dict[str, Any]) -> None:
    """The door makes no difference to that: other tests run all steps through both."""
    role_vars |= SCHEDULES
    expected = dict.fromkeys(STEPS, "changed") | UNCHANGING
    for tag in STEPS:
        run = apply_role(role_vars, tags=[tag])
        looked = {"omni_preflight": "ok"} if tag == "omni_connection" else {}
        assert steps(run) == {**looked, tag: expected[tag]}, run.text
    run = apply_role(role_vars, tags=["omni"])
    assert steps(run) == {**dict.fromkeys(STEPS, "ok"), **UNCHANGING}, run.text


def test_each_step_can_be_included(role_vars: dict[str, Any]) -> None:
    """By its file, with the role's variables, and with the connection and the user that the role would have."""
    role_vars |= {**SCHEDULES, "ansible_become": True, "ansible_become_exe": "/nonexistent"}
    includes: list[dict[str, Any]] = [
        {"ansible.builtin.include_role": {"name": ROLE, "tasks_from": tag.removeprefix("omni_")}}
        for tag in STEPS
    ]
    includes.append(
        {"name": "result", "ansible.builtin.debug": {"var": "omni_postgres_result.verify.readable"}}
    )
    includes[-2]["ansible.builtin.include_role"]["public"] = True
    run = harness.play(includes, door="in_process", hosts={"one": role_vars}, env=ALWAYS_BECOME)
    assert steps(run) == {**dict.fromkeys(STEPS, "changed"), **UNCHANGING}, run.text
    assert int(run.result("result").result["omni_postgres_result.verify.readable"]) > 0  # text, up to 2.18
    # Each is held to its own part of the specification.
    wrong = {**role_vars, "omni_postgres_grants_mode": "nonsense"}
    run = harness.play(includes[2:3], door="in_process", hosts={"one": wrong})
    assert "value of omni_postgres_grants_mode must be one of" in run.text


def test_a_step_needs_only_its_own_variables(role_vars: dict[str, Any]) -> None:
    needed = {"database", "role", "password", "host", "api_url", "api_token", "ca_path"}
    few = {f"omni_postgres_{name}": role_vars[f"omni_postgres_{name}"] for name in needed}
    run = apply_role(few, tags=["omni_connection"])
    assert steps(run) == {"omni_preflight": "ok", "omni_connection": "changed"}, run.text

    api = {"omni_postgres_host", "omni_postgres_api_url", "omni_postgres_api_token", "omni_postgres_ca_path"}
    for name in api | {"omni_postgres_upload_schema"}:
        del role_vars[name]
    run = apply_role(role_vars, tags=sorted(IN_DATABASE))
    assert steps(run) == {
        "omni_user": "changed", "omni_grants": "changed", "omni_upload_schema": "skipped", "omni_verify": "ok"
    }, run.text  # fmt: skip


@pytest.mark.parametrize("tags", [["omni_user"], ["omni_connection"]])
def test_what_is_missing_is_named(
    role_vars: dict[str, Any], server: PostgresServer, tags: list[str], door: harness.Door
) -> None:
    """Null is not given, and empty is no name; the variables are named, not the options of the modules."""
    says = {
        "omni_user": {
            "login_host=": "Reading omni_postgres_login_host: neither it nor omni_postgres_login_unix_socket is set",
            "database=": "missing required arguments: omni_postgres_database",
            "database=none": "missing required arguments: omni_postgres_database",
            "database=empty": "Reading omni_postgres_database",
            "role=empty": "Reading omni_postgres_role",
            "login_port=wrong": "argument 'omni_postgres_login_port' is of type",
        },
        "omni_connection": {
            "host=empty": "Reading omni_postgres_host",
            "database=none": "Reading omni_postgres_database",
            "password=": "Set omni_postgres_password",
            "api_token=": "omni_postgres_api_token (or OMNI_API_TOKEN or OMNI_API_KEY in the environment)",
            "api_url=none": "missing required arguments: omni_postgres_api_url (or OMNI_BASE_URL in the environment)",
        },
    }[tags[0]]
    hosts: dict[str, dict[str, Any]] = {}
    for case in says:
        name, _equals, how = case.partition("=")
        values = dict(role_vars)
        values.pop(f"omni_postgres_{name}")
        if how:
            values[f"omni_postgres_{name}"] = {"none": None, "empty": "", "wrong": "{{ 'x' }}"}[how]
        hosts[case] = values
    tasks = [{"ansible.builtin.include_role": {"name": ROLE, "tasks_from": tags[0].removeprefix("omni_")}}]
    environment = {"PGHOST": server.host, "PGDATABASE": role_vars["omni_postgres_database"]}
    run = harness.play(tasks, door=door, hosts=hosts, env=environment)
    said = {result.host: str(result.result["msg"]) for result in run.results if result.status == "failed"}
    assert {case: says[case] in said.get(case, "") for case in says} == dict.fromkeys(says, True), said


def test_a_misspelled_variable_is_told_of_once(role_vars: dict[str, Any]) -> None:
    wrong = {**role_vars, "omni_postgres_shemas": ["sales"], "omni_postgres_port_": 1}
    run = harness.play(
        [],
        door="in_process",
        hosts={"one": wrong, "two": wrong},
        play_keywords={"roles": [ROLE]},
        tags=["omni_grants", "omni_upload_schema"],
        check=True,
    )
    said = " ".join(run.text.split())
    assert (
        said.count(
            "has no variable omni_postgres_shemas, so it does nothing. Is omni_postgres_schemas meant?"
        )
        == 1
    )
    assert said.count("Is omni_postgres_port meant?") == 1


def test_a_plays_module_defaults_reach_what_the_role_leaves_unset(
    role_vars: dict[str, Any], login: dict[str, Any]
) -> None:
    del role_vars["omni_postgres_login_user"], role_vars["omni_postgres_login_password"]
    group = {
        "login_user": login["login_user"],
        "login_password": login["login_password"],
        "connect_timeout": "no number",
    }
    defaults = {"module_defaults": {"group/omni_analytics.connect.postgres": group}}
    run = apply_role(role_vars, tags=["omni_user"], play_keywords=defaults)
    assert steps(run) == {"omni_user": "changed"}, run.text


def test_what_does_not_fit_any_step_is_refused_before_the_first(
    role_vars: dict[str, Any], server: PostgresServer, omni: FakeOmni
) -> None:
    """By the role's names, all at once, and no secret is repeated."""
    cases: dict[str, tuple[Any, str]] = {
        "verify_prove": (
            "all",
            "value of omni_postgres_verify_prove must be one of: none, rights, row, got: all",
        ),
        "verify_fail_on": (["role", "x"], "value of omni_postgres_verify_fail_on must be one or more of: "),
        "grants_exclusive": ("{{ 'x' ~ 'y' }}", "argument 'omni_postgres_grants_exclusive' is of type "),
        "model_wait_timeout": ("soon", "argument 'omni_postgres_model_wait_timeout' is of type "),
        "model": ("perhaps", "argument 'omni_postgres_model' is of type "),
        "allowlist_by": (
            "nobody",
            "value of omni_postgres_allowlist_by must be one of: pg_hba, provider, got: nobody",
        ),
        "environment_default_values": (
            {"a": 1},
            "argument 'omni_postgres_environment_default_values' is of type ",
        ),
        "refresh_schedules": (
            [{"every": "night"}],
            "Unsupported parameters: omni_postgres_refresh_schedules.every. Supported parameters include: ",
        ),
    }
    wrong = {f"omni_postgres_{name}": value for name, (value, _says) in cases.items()}
    hosts = {name: {**role_vars, f"omni_postgres_{name}": value} for name, (value, _says) in cases.items()}
    hosts["whole"] = {**role_vars, **wrong}
    hosts["secret"] = {
        **role_vars,
        "omni_postgres_connection_limit": "hush",
        "omni_postgres_password": "hush",
    }
    run = harness.play([], door="in_process", hosts=hosts, play_keywords={"roles": [ROLE]})
    said = {result.host: str(result.result["msg"]) for result in run.results if result.status == "failed"}
    assert said.keys() == hosts.keys(), run.text
    missing = {
        (host, says)
        for name, (_value, says) in cases.items()
        for host in (name, "whole")
        if says not in said[host]
    }
    assert not missing, said
    assert "omni_postgres_connection_limit" in said["secret"]
    assert "hush" not in run.text
    assert {result.task.rpartition(" : ")[2] for result in run.results} == {STEPS["omni_preflight"]}
    # Without preflight, the first step in the database answers for the others.
    run = apply_role(hosts["verify_prove"], tags=["omni_user", "omni_verify"])
    assert steps(run) == {"omni_user": "failed"}
    assert cases["verify_prove"][1] in run.text
    assert not server.execute(
        "postgres", "SELECT FROM pg_roles WHERE rolname = %s", [role_vars["omni_postgres_role"]]
    )
    assert omni.connections == []

    # What no module has as an option is checked by the step that it decides about, too.
    hosts = {name: hosts[name] for name in ("model", "allowlist_by")}
    hosts["allowlist_by"]["omni_postgres_allowlist"] = ["203.0.113.7"]
    omitted = ("omni_postgres_model", "omni_postgres_allowlist_by", "omni_postgres_become_user")
    hosts["omitted"] = {**role_vars, **dict.fromkeys(omitted, "{{ omit }}")}
    run = harness.play(
        [],
        door="in_process",
        hosts=hosts,
        play_keywords={"roles": [ROLE]},
        tags=["omni_allowlist", "omni_model"],
        check=True,
    )
    said = {result.host: str(result.result["msg"]) for result in run.results if result.status == "failed"}
    assert {name: cases[name][1] in said[name] for name in said} == {"model": True, "allowlist_by": True}, (
        run.text
    )


def test_omni_is_looked_at_first(role_vars: dict[str, Any], omni: FakeOmni) -> None:
    """Wrong options, tokens and addresses end a host before its database is touched; a difference of an existing
    connection does not, unless a new password could not be sent for it."""
    hosts: dict[str, dict[str, Any]] = {
        "good": {},
        "token": {"omni_postgres_api_token": "wrong"},
        "member": {"omni_postgres_api_token": omni.member_token},
        "loopback": {"omni_postgres_host": "127.0.0.1"},
        "schema": {"omni_postgres_default_schema": "nowhere"},
        "twin": {},
        "differs": {},
        "differs_and_always": {"omni_postgres_update_password": "always"},
    }
    for name in ("twin", "twin", "differs", "differs_and_always"):
        omni.add_connection(
            name, database="other" if "differs" in name else role_vars["omni_postgres_database"]
        )
    play: dict[str, Any] = {"door": "in_process", "hosts": hosts, "vars": role_vars}
    run = harness.play(
        [], **play, play_keywords={"roles": [ROLE]}, tags=["omni_preflight", "omni_user"], check=True
    )
    passed = {
        host
        for host in hosts
        if any(STEPS["omni_user"] in one.task for one in run.results if one.host == host)
    }
    assert passed == {"good", "differs"}, run.text
    del role_vars["omni_postgres_api_token"]
    ways: list[dict[str, Any]] = [
        {"tags": ["omni_user"]},
        {"extra_args": ["--skip-tags", "omni_connection,omni_model"]},
    ]
    for given in ways:
        run = apply_role(role_vars, check=True, **given)
        assert run.rc == 0, run.text
        assert not {"omni_preflight", "omni_connection"} & steps(run).keys()


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
    assert steps(run) == {"omni_preflight": "ok", "omni_verify": "failed"}
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
        # The inventory's own, which is for other roles.
        "ansible_become_user": "nobody",
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
    became = log.read_text().splitlines()
    assert len(became) == len(IN_DATABASE) + 1
    assert "-u root " in became[-1]

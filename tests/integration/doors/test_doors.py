# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two doors: which one a task takes and why, and that it makes no difference to its result."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
import venv
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers import harness
from tests.sandbox.fake_omni import FakeOmni
from tests.sandbox.postgres import PostgresServer

ACCESS = "omni_analytics.connect.omni_pg_access_info"
USER = "omni_analytics.connect.omni_pg_user"
IN_PROCESS = "in-process"

# Fails as no resource does: with something that is no Exception, or that is a bug.
ILL_BEHAVED = """
from ansible_collections.omni_analytics.connect.plugins.module_utils._converge import Resource
from ansible_collections.omni_analytics.connect.plugins.module_utils._definition import Definition, Library
from ansible_collections.omni_analytics.connect.plugins.plugin_utils._in_process_door import InProcess

class IllBehaved(Resource):
    def __init__(self, params):
        super().__init__()
        self.ends = params["ends"]

    def read(self):
        if self.ends == "exits":
            raise SystemExit(3)
        if self.ends == "breaks":
            raise RecursionError("too deep")

class ActionModule(InProcess):
    definition = Definition(IllBehaved, {"ends": {"type": "str"}}, Library("none", "none", None))
"""


def shipped(reason: str) -> str:
    return f"through the module door ({reason})"


def doors_taken(run: harness.Run) -> list[str]:
    """What the lines at -vvv say of the door that each task took."""
    found = re.findall(rf"^<.+> {re.escape(ACCESS)}: (.+)$", run.stdout, re.MULTILINE)
    return [re.sub(rf", in {re.escape(sys.prefix)}/bin/python\S*$", "", line) for line in found]


@pytest.fixture
def other_python(tmp_path: Path) -> str:
    """A Python that links to the one that runs Ansible, and has none of its libraries."""
    venv.create(tmp_path / "venv", symlinks=True)
    return str(tmp_path / "venv" / "bin" / Path(sys.executable).name)


def test_which_door_and_why(login: dict[str, Any], other_python: str, tmp_path: Path) -> None:
    pinned = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    cases: list[tuple[dict[str, Any], str]] = [
        ({}, IN_PROCESS),
        ({"vars": {"omni_connect_in_process": "no", **pinned}}, shipped("omni_connect_in_process is false")),
        (
            {"vars": {"omni_connect_in_process": "{{ 1 == 2 }}", **pinned}},
            shipped("omni_connect_in_process is false"),
        ),
        ({"delegate_to": "localhost"}, IN_PROCESS),
        ({"delegate_to": "elsewhere"}, shipped(f"the interpreter is {other_python}")),
        (
            {"vars": {"ansible_python_interpreter": other_python}},
            shipped(f"the interpreter is {other_python}"),
        ),
        ({"vars": pinned}, IN_PROCESS),
        ({"vars": {"ansible_python_interpreter": "auto_silent"}}, IN_PROCESS),
        ({"become": True}, shipped("become is set")),
        ({"vars": {"ansible_become": True}}, shipped("become is set")),
        ({"become": True, "vars": {"ansible_become": False}}, IN_PROCESS),
        ({"async": 30, "poll": 1}, shipped("the task is async")),
        ({"environment": {"PGAPPNAME": "{{ 'x' }}"}}, shipped("the task has an environment")),
        ({"environment": {}}, IN_PROCESS),
        ({"vars": {"ansible_connection": "ssh", "ansible_port": 1}}, shipped("the connection is ssh")),
        ({"check_mode": True, "diff": True, "timeout": 30, "throttle": 1}, IN_PROCESS),
    ]
    run = harness.play(
        [
            {"name": f"case {number}", ACCESS: {**login, "role": "etl"}, "ignore_errors": True}
            | {"ignore_unreachable": True, **keywords}
            for number, (keywords, dummy) in enumerate(cases)
        ],
        door="in_process",
        hosts={"here": {}, "elsewhere": {"ansible_python_interpreter": other_python}},
        vars={
            "ansible_host": "127.0.0.1",
            "ansible_ssh_common_args": "-F /dev/null",
            "ansible_become_exe": "/nonexistent",
            # Ansible writes below $HOME and looks below the user's home, which differ here.
            "ansible_async_dir": str(tmp_path),
        },
        play_keywords={"hosts": "here"},
        env={
            # Where Ansible would find another Python, if it looked.
            "PATH": "/usr/bin:/bin",
            # Else it would not even try where root becomes root.
            "ANSIBLE_BECOME_ALLOW_SAME_USER": "true",
        },
        verbosity=3,
    )
    for number, ((keywords, expected), door) in enumerate(zip(cases, doors_taken(run), strict=True)):
        assert door == expected, keywords
        result = run.result(f"case {number}")
        if "interpreter is" in door:
            assert result.result["error"] == {"kind": "missing_library", "library": "psycopg2"}
            assert other_python in result.result["msg"]
        elif "become is" in door or "ssh" in door:
            assert result.status in ("failed", "unreachable"), keywords
        else:
            assert result.status == "ok", (keywords, result)


def test_where_no_python_of_the_controller_has_the_library(
    login: dict[str, Any], other_python: str, tmp_path: Path
) -> None:
    """Both are named: the one that Ansible took, and the one that runs Ansible."""
    (tmp_path / "psycopg2.py").write_text("raise ImportError(\"No module named 'psycopg2'\")\n")
    found = harness.module(
        "omni_pg_access_info",
        {**login, "role": "etl"},
        door="in_process",
        vars={"ansible_python_interpreter": other_python},
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert found["error"] == {"kind": "missing_library", "library": "psycopg2"}
    assert found["msg"] == (
        f"Importing psycopg2 in {other_python} on {socket.gethostname()}: No module named 'psycopg2'. "
        f"Install it there: {other_python} -m pip install psycopg2-binary. "
        f"Or in the Python that runs Ansible: {sys.executable} -m pip install psycopg2-binary."
    )


def test_kept_files_are_shipped_to_ansibles_own_python(login: dict[str, Any]) -> None:
    run = harness.play(
        [{"name": "call", ACCESS: {**login, "role": "etl"}}],
        door="in_process",
        env={"ANSIBLE_KEEP_REMOTE_FILES": "true", "PATH": "/usr/bin:/bin"},
        verbosity=3,
    )
    assert doors_taken(run) == [shipped("keep_remote_files is set")]
    assert run.result("call").status == "ok"
    # The one in /usr/bin may have the libraries as well.
    bins = "|".join(re.escape(f"{prefix}/bin") for prefix in (sys.prefix, os.path.realpath(sys.prefix)))
    assert re.search(rf"EXEC .*({bins})/python\S* \S*AnsiballZ", run.stdout), run.stdout


def test_both_doors_return_the_same(
    server: PostgresServer, omni: FakeOmni, login: dict[str, Any], role_name: str
) -> None:
    role = {"name": role_name, "password": "e"}  # a password that is part of every word, of "changed" too
    api = {"api_url": omni.url, "api_token": omni.token, "ca_path": omni.ca_file}
    misspelled = {**login, "pasword": "kept out of sight"}
    calls: list[tuple[Any, ...]] = [
        ("omni_pg_user", {**login, **role}, {"check_mode": True, "diff": True}),
        ("omni_pg_user", {**login, "role": role_name, "password": "first"}),
        ("omni_pg_user", {**login, "name": role_name, "password": "second"}),
        ("omni_pg_grants", {**login, "role": role_name, "schemas": ["sales_eu", "stats_*"]}),
        ("omni_pg_grants", {**login, "role": role_name, "schemas": ["nowhere"]}),
        ("omni_upload_schema", {**login, "role": role_name, "name": "uploads"}),
        ("omni_pg_access_info", {**login, "role": role_name, "password": "first", "max_listed": 2}),
        ("omni_pg_user", {**login, "name": role_name, "login_password": "wrong"}),
        ("omni_pg_user", {"name": "{{ item }}"}, {"loop": ["one", "two"]}),
        ("omni_pg_user", {**login, "name": role_name, "login_port": "none"}),
        ("omni_pg_user", {**login, "password": "e", "update_password": "never"}),
        ("omni_connection_info", {**api, "name": "nothing"}),
        # From ansible-core 2.21 on, a result repeats the arguments only where that is wanted.
        (
            "omni_connection_info",
            {**api, "name": "nothing"},
            {"vars": {"ansible_inject_invocation": False}},
        ),
        ("omni_connection", {**api, "name": "one", "host": "h", "database": "d"}, {"check_mode": True}),
        ("omni_connection", {**api, "name": "one", "api_url": "http://127.0.0.1"}),
        ("omni_pg_user", misspelled),
    ]
    answers = {}
    for door in harness.DOORS:
        answers[door] = harness.modules(
            calls,
            door=door,
            vars={"ansible_inject_invocation": True},
            env={"ANSIBLE_PIPELINING": "false"},  # as people have it
        )
        server.execute(login["login_db"], "DROP SCHEMA uploads")
        server.drop_role(role_name)
    *one, last = answers["in_process"]
    *other, last_shipped = answers["module"]
    for call, here, there in zip(calls, one, other, strict=False):
        assert here == there, call
    assert [answer["failed"] for answer in answers["in_process"]] == [
        False, False, False, False, True, False, False, True, True, True, True, False, False, True, True, True
    ]  # fmt: skip
    # AnsibleModule repeats an option that it does not know, with its value.
    assert "kept out of sight" not in str(last)
    assert last_shipped["invocation"]["module_args"].pop("pasword") == "kept out of sight"
    assert last == last_shipped


KEYWORDS = yaml.safe_load("""
- name: loop
  omni_analytics.connect.omni_pg_user: {name: "{{ item }}"}
  loop: [a, b]
  check_mode: true
- name: until
  omni_analytics.connect.omni_pg_access_info:
  register: access
  until: access.attempts > 1
  retries: 3
  delay: 0
- name: once
  omni_analytics.connect.omni_pg_user:
  run_once: true
  check_mode: true
  register: made
- ansible.builtin.debug: {var: made.statements}
  name: registered
- name: quiet
  omni_analytics.connect.omni_pg_user:
  no_log: true
  throttle: 1
- name: block
  block:
    - omni_analytics.connect.omni_pg_user: {login_db: nowhere}
  rescue:
    - ansible.builtin.debug: {var: ansible_failed_result.error}
      name: rescued
""")


def test_keywords_of_a_task(
    server: PostgresServer, login: dict[str, Any], role_name: str, door: harness.Door
) -> None:
    run = harness.play(
        KEYWORDS,
        door=door,
        hosts=["a", "b"],
        play_keywords={
            "module_defaults": {
                "group/omni_analytics.connect.postgres": login,
                USER: {"name": role_name, "password": "not to be seen"},
            }
        },
    )
    statement = f"CREATE ROLE \"{role_name}\" LOGIN PASSWORD '********'"
    assert run.rc == 0, run.text
    items = run.result("loop", "a").result["results"]
    assert [item["statements"] for item in items] == [[statement.replace(role_name, name)] for name in "ab"]
    assert run.result("until", "b").result["attempts"] == 2
    assert run.result("once").result["statements"] == [statement]
    assert run.result("registered", "b").result["made.statements"] == [statement]
    assert sorted(run.result("quiet", host).status for host in "ab") == ["changed", "ok"]
    assert run.result("quiet", "a").result.keys() >= {"censored", "changed"}
    assert run.result("rescued", "a").result["ansible_failed_result.error"] == {"kind": "unreachable"}


def test_a_relative_path_starts_at_the_playbook(omni: FakeOmni, door: harness.Door, tmp_path: Path) -> None:
    shutil.copy(omni.ca_file, tmp_path / "omni.pem")
    arguments = {"api_url": omni.url, "api_token": "{{ token }}", "ca_path": "omni.pem"}
    playbook = tmp_path / "play.yml"
    tasks = [{"name": "call", "omni_analytics.connect.omni_connection_info": arguments}]
    playbook.write_text(yaml.safe_dump(harness.plays(tasks)))
    run = harness.playbook(playbook, door=door, vars={"token": omni.token})
    assert run.result("call").status == "ok", run.text


def test_a_resource_that_ends_the_process_fails_one_task(tmp_path: Path) -> None:
    (tmp_path / "ill_behaved.py").write_text(ILL_BEHAVED)
    run = harness.play(
        [
            {"name": "call", "ill_behaved": {"ends": "{{ inventory_hostname }}"}},
            {"name": "on", "ansible.builtin.ping": {}},
        ],
        door="in_process",
        hosts=["exits", "breaks", "works"],
        env={"ANSIBLE_ACTION_PLUGINS": str(tmp_path)},
    )
    assert run.result("call", "exits").result["msg"] == "A library ended the task: exit 3"
    assert run.result("call", "breaks").result["error"] == {"kind": "bug"}
    assert {run.result("call", host).status for host in ("exits", "breaks")} == {"failed"}
    assert run.result("on").host == "works"

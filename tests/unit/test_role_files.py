# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's files name the same variables, with the same defaults."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles" / "omni_postgres"
NAME = re.compile(r"\bomni_postgres_\w+")


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


SPEC = load(ROLE / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
DEFAULTS = load(ROLE / "defaults" / "main.yml")
VARS = load(ROLE / "vars" / "main.yml")
TASKS = {path.stem: load(path) for path in (ROLE / "tasks").glob("*.yml")}


def test_defaults_are_those_of_the_specs() -> None:
    assert {name: option["default"] for name, option in SPEC.items() if "default" in option} == DEFAULTS


def test_every_variable_is_specified_used_and_documented() -> None:
    registered = {task["register"] for tasks in TASKS.values() for task in tasks if "register" in task}
    files = [*ROLE.glob("tasks/*.yml"), *ROLE.glob("vars/*.yml"), *ROOT.glob("playbooks/*.yml")]
    used = {name for path in files for name in NAME.findall(path.read_text())}
    assert used - registered - VARS.keys() == SPEC.keys()
    assert SPEC.keys() <= set(NAME.findall((ROLE / "README.md").read_text()))


def test_no_variable_is_required() -> None:
    """A step that runs alone has no use for those of the others."""
    assert not [name for name, option in SPEC.items() if option.get("required")]


def test_secrets_may_be_vaulted() -> None:
    """Before 2.19, ansible-core fails to validate an inline vaulted value of an option with no_log."""
    assert not [name for name, option in SPEC.items() if "no_log" in option]


def test_each_step_is_a_file_with_one_task_and_two_tags() -> None:
    steps = {step["ansible.builtin.import_tasks"]: step for block in TASKS["main"] for step in block["block"]}
    assert steps.keys() == {f"{stem}.yml" for stem in TASKS if stem != "main"}
    for file, step in steps.items():
        assert step["tags"] == ["omni", f"omni_{file.removesuffix('.yml')}"]
        assert len(TASKS[file.removesuffix(".yml")]) == 1

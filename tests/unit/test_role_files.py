# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's files name the same variables, with the same defaults."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.omni_analytics.connect.plugins.plugin_utils import _role_check as check
from ansible_collections.omni_analytics.connect.plugins.plugin_utils import _role_variables as role
from tests.helpers import harness

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles" / "omni_postgres"
NAME = re.compile(r"(?<!_)\bomni_postgres_\w+")


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


SPECS = {
    entry: spec["options"]
    for entry, spec in load(ROLE / "meta" / "argument_specs.yml")["argument_specs"].items()
}
SPEC = SPECS["main.yml"]
DEFAULTS = load(ROLE / "defaults" / "main.yml")
VARS = load(ROLE / "vars" / "main.yml")
MAIN = load(ROLE / "tasks" / "main.yml")
STEPS = {
    path.stem: load(path)[0]
    for path in sorted((ROLE / "tasks").glob("*.yml"))
    if path.stem not in ("main", "summary")
}
RESULT = "omni_postgres_result"


def module(step: str) -> str:
    (action,) = [key for key in STEPS[step] if key.startswith("omni_analytics.connect.")]
    return action.rpartition(".")[2]


def test_defaults_are_those_of_the_specs() -> None:
    assert {name: option["default"] for name, option in SPEC.items() if "default" in option} == DEFAULTS


def test_every_variable_is_specified_known_and_documented() -> None:
    known = {name for step in STEPS for name in role.callers_names(module(step)).values()} | role.OTHERS
    assert known == {*SPEC, RESULT}
    assert {*SPEC, RESULT} == set(NAME.findall((ROLE / "README.md").read_text()))


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *(ROOT / "docs").glob("*.md")], ids=lambda page: page.name
)
def test_pages_name_variables_that_there_are(page: Path) -> None:
    assert set(NAME.findall(page.read_text())) - {*SPEC, RESULT} == set()


@pytest.mark.parametrize("step", STEPS)
def test_a_step_specifies_what_it_uses(step: str) -> None:
    from_options = {*role.ROLE_VARIABLES[module(step)].values(), *role.BESIDES.get(module(step), ())}
    instead = {role.INSTEAD[name] for name in from_options if name in role.INSTEAD}
    named = set(NAME.findall((ROLE / "tasks" / f"{step}.yml").read_text()))
    assert (from_options | instead | named) & SPEC.keys() <= SPECS[step].keys()
    assert all(SPECS[step][name] == SPEC[name] for name in SPECS[step])


def test_the_specs_say_what_the_steps_take() -> None:
    """Ansible checks the variables by the specification where a step is included alone, and the step preflight by
    the options of the modules."""
    assert check.OPTIONS.keys() == role.ROLE_VARIABLES.keys()

    def kind(option: Any) -> dict[str, Any]:
        kinds = {"type": option.get("type", "str"), "elements": option.get("elements")}
        return {**kinds, "choices": sorted(option.get("choices", ()))}

    assert {name: kind(option) for name, option in check.SPEC.items()} == {
        name: kind(option) for name, option in SPEC.items()
    }


def test_the_readme_says_how_the_variables_are_shown() -> None:
    (command,) = re.findall(r"`(ansible-doc -t role [^`]+)`", (ROOT / "README.md").read_text())
    program = Path(sys.executable).with_name("ansible-doc")
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(harness.link_collection())}
    shown = subprocess.run(
        [program, *command.split()[1:]], check=True, capture_output=True, text=True, env=environment
    ).stdout
    assert {name for name in SPEC if name not in shown} == set()


def test_no_variable_is_required() -> None:
    """A step that runs alone has no use for those of the others."""
    assert not [name for name, option in SPEC.items() if option.get("required")]


def test_secrets_may_be_vaulted() -> None:
    """Before 2.19, ansible-core fails to validate an inline vaulted value of an option with no_log."""
    assert not [name for name, option in SPEC.items() if "no_log" in option]


def test_each_step_is_a_file_with_one_task_and_its_tags() -> None:
    assert SPECS.keys() == {"main.yml", *STEPS}
    assert [step["ansible.builtin.import_tasks"] for step in MAIN] == [f"{stem}.yml" for stem in VARS[RESULT]]
    assert sorted(VARS[RESULT]) == sorted(STEPS)
    for imported, stem in zip(MAIN, VARS[RESULT], strict=True):
        also = ["omni_connection"] if stem == "preflight" else []
        assert imported["tags"] == ["omni", f"omni_{stem}", *also]
        assert len(load(ROLE / "tasks" / f"{stem}.yml")) == 1
        assert STEPS[stem]["register"] == f"__omni_postgres_{stem}"
        assert VARS[RESULT][stem] == f"{{{{ __omni_postgres_{stem} | default({{}}) }}}}"

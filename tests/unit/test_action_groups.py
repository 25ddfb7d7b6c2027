# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each module needs beside its own file."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
import yaml

from ansible_collections.omni_analytics.connect.plugins.module_utils._version import VERSION

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = "ansible_collections.omni_analytics.connect.plugins"
GROUPS = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]
HALVES = {"postgres": "_postgres.login_options", "omni": "_omni.api_options"}
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))


def test_every_module_is_in_one_action_group() -> None:
    assert GROUPS.keys() == HALVES.keys()
    assert sorted(module for group in GROUPS.values() for module in group) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_both_doors_of_a_module_lead_to_its_definition(module: str) -> None:
    definition = import_module(f"{PLUGINS}.modules.{module}").DEFINITION
    assert import_module(f"{PLUGINS}.action.{module}").ActionModule.definition is definition


@pytest.mark.parametrize(
    ("group", "module"), [(group, module) for group in GROUPS for module in GROUPS[group]]
)
def test_defaults_of_a_group_fit_its_modules(group: str, module: str) -> None:
    shared = import_module(f"{PLUGINS}.module_utils.{HALVES[group]}").OPTIONS
    assert import_module(f"{PLUGINS}.modules.{module}").DEFINITION.options.items() >= shared.items()


def test_actions_have_modules() -> None:
    assert sorted(path.stem for path in (ROOT / "plugins" / "action").glob("*.py")) == MODULES


def test_the_version_is_that_of_galaxy_yml() -> None:
    assert yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"] == VERSION

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's steps in Omni, run in this process as the in-process door runs them, without Ansible around."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.omni_analytics.connect.plugins.module_utils._omni import (
    connection,
    refresh_schedule,
    schema_model,
)
from tests.helpers.perform import perform
from tests.sandbox.fake_omni import FakeOmni

NAME = "Sales"
PASSWORD = "a password that nobody may see"
SCHEDULE = {"schedule": "0 2 * * ? *", "timezone": "UTC", "hard_refresh": None}

Options = Mapping[str, Mapping[str, Any]]

#: What each step is given beside the way to Omni.
STEPS: dict[str, tuple[Any, dict[str, Any]]] = {
    "connection": (
        connection.DEFINITION,
        {"name": NAME, "host": "db.example.com", "database": "sales", "password": PASSWORD},
    ),
    "model": (schema_model.DEFINITION, {"connection": NAME}),
    "schedule": (refresh_schedule.DEFINITION, {"connection": NAME, "schedules": [SCHEDULE]}),
}


def run(
    omni: FakeOmni, run_dir: Path, check: bool = False, **changed: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Run the steps one after the other up to the first that fails, and return their results.

    :param run_dir: the folder of this run, new for each.
    :param changed: other options for a step, by its name.
    """
    results = {}
    for step, (definition, usual) in STEPS.items():
        defaults = {name: option.get("default") for name, option in definition.options.items()}
        api = {"api_url": omni.url, "api_token": omni.token, "ca_path": omni.ca_file}
        params = {**defaults, **api, **usual, **changed.get(step, {})}
        results[step] = perform(definition, params, check, run_dir=str(run_dir))
        if results[step].get("failed"):
            break
    return results

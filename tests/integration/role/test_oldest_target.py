# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole role through the module door, with the oldest Python that modules are shipped to."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest

from tests.helpers import harness
from tests.runners.versions import TARGET_PYTHON

CONNECT = "omni_analytics.connect.connect"


def test_every_step_runs_there(role_vars: dict[str, Any]) -> None:
    python = os.environ.get("TEST_TARGET_PYTHON")
    if not python:
        pytest.skip(
            f"NOT TESTED with modules on Python {TARGET_PYTHON}: `make versions` does where there is one"
        )
    version = subprocess.run([python, "--version"], check=True, capture_output=True, text=True).stdout
    assert version.startswith(f"Python {TARGET_PYTHON}.")
    role_vars["omni_postgres_refresh_schedules"] = [{"schedule": "0 2 * * ? *"}]
    # Of the delegated steps too, which run on localhost.
    interpreter = {"ansible_python_interpreter": python}
    first, second = (
        harness.playbook(CONNECT, door="module", hosts={"one": role_vars}, vars=interpreter, verbosity=2)
        for dummy in range(2)
    )
    assert first.rc == second.rc == 0, first.text + second.text
    done = [result.status for result in first.results if "omni_analytics.connect" in result.action]
    assert done.count("changed") == 6, first.text
    assert second.recap["one"]["changed"] == 0, second.text

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for all of docs/recipes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import harness
from tests.integration.recipes.conftest import RECIPES, Play
from tests.runners.recipe_needs import COLLECTIONS, LIBRARIES

PLAYBOOKS = sorted(RECIPES.glob("*.yml"))


def test_there_is_a_recipe_for_each_service() -> None:
    assert [path.stem for path in PLAYBOOKS] == [
        "aws_security_group",
        "azure_flexible_server",
        "google_cloud_sql",
    ]


@pytest.mark.parametrize("recipe", PLAYBOOKS, ids=lambda path: path.stem)
@pytest.mark.parametrize("addresses", [[], ["192.0.2.1", "192.0.2.300"], ["0.0.0.0/1", "128.0.0.0/1"]])
def test_what_is_no_list_of_addresses(recipe: Path, addresses: list[str], play: Play) -> None:
    """Refused by the first task, before anything is asked of the service."""
    (result,) = play(recipe, {"omni_postgres_allowlist": addresses}).results
    assert result.status == "failed"
    assert f"and is {addresses}. Nothing was changed." in result.result["msg"]


def test_ansible_lint(tmp_path: Path) -> None:
    """In the strictest profile, with the modules' own argument specs."""
    linted = subprocess.run(
        [
            *(Path(sys.prefix) / "bin" / "ansible-lint", "--strict", "--nocolor", "--offline"),
            *("--config-file", Path(__file__).with_name("ansible-lint.yml")),
            *PLAYBOOKS,
        ],
        cwd=harness.ROOT,
        env={
            **os.environ,
            "HOME": str(tmp_path),
            "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}",
            "PYTHONPATH": str(LIBRARIES),
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        },
        check=False,
        capture_output=True,
        text=True,
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr

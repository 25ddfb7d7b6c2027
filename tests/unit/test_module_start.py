# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a shipped module loads at its start. Python compiles all of it in each task: a packed module has no bytecode."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import harness

PLUGINS = Path(__file__).parents[2] / "plugins"
COLLECTION = "ansible_collections.omni_analytics.connect.plugins"
#: What a module has for an option, or a way to be run, that is rare.
RARE = {
    "omni_pg_user": ["_postgres.user_absent"],
    "omni_upload_schema": ["_postgres.upload_schema_readers", "_postgres.grants_plan"],
    "omni_pg_access_info": ["_postgres.access_info_proof"],
    "omni_pg_grants": [],
}
RARE_EVERYWHERE = [f"{COLLECTION}.module_utils._option_marks", "psycopg2.extras"]


@pytest.mark.parametrize("module", RARE)
def test_a_module_loads_what_is_rarely_wanted_only_then(module: str) -> None:
    code = f"import {COLLECTION}.modules.{module}, sys; print(*sys.modules, sep='\\n')"
    environment = {**os.environ, "PYTHONPATH": str(harness.link_collection())}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    loaded = set(run.stdout.split())
    rare = [*RARE_EVERYWHERE, *(f"{COLLECTION}.module_utils.{name}" for name in RARE[module])]
    assert f"{COLLECTION}.module_utils._converge" in loaded
    assert loaded & set(rare) == set()


def test_values_are_named_tuples() -> None:
    """A dataclass has Python write and compile its methods at each start, and takes five times as long."""
    assert [path.name for path, name in _imported() if name == "dataclasses"] == []


def _imported() -> Iterator[tuple[Path, str]]:
    for path in (PLUGINS / "module_utils").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((path, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield path, node.module

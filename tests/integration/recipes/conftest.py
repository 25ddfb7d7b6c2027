# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks of docs/recipes, run as they are. Only names and the services' addresses are other ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import harness
from tests.runners.recipe_needs import COLLECTIONS, LIBRARIES

RECIPES = harness.ROOT / "docs" / "recipes"
#: An address, one with its prefix, a net, and one of IPv6; as a person would write them.
ADDRESSES = ["192.0.2.10", "192.0.2.11/32", "198.51.100.16/29", "2001:DB8:100::7"]

Play = Callable[..., harness.Run]


@pytest.fixture(scope="package", autouse=True)
def needs() -> Iterator[None]:
    """What `make recipes` fetches."""
    if not LIBRARIES.exists():
        pytest.skip("the recipes' collections and libraries are not there: `make recipes` fetches them")
    # Behind those of the tests, and for these tests alone.
    sys.path.append(str(LIBRARIES))
    yield
    sys.path.remove(str(LIBRARIES))


@pytest.fixture
def play() -> Play:
    """Runs a recipe: its file, its variables, and what else goes into the environment."""

    def run(
        recipe: Path,
        variables: dict[str, Any],
        env: dict[str, str] | None = None,
        collections: tuple[Path, ...] = (),
        extra_args: tuple[str, ...] = (),
        **options: Any,
    ) -> harness.Run:
        searched = [*collections, harness.link_collection(), COLLECTIONS]
        environment = {
            "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join(map(str, searched)),
            "PYTHONPATH": str(LIBRARIES),
            **(env or {}),
        }
        given = ["--extra-vars", json.dumps(variables), *extra_args]
        # The recipes' localhost is the one that no inventory has; it gets the variables of all hosts.
        options = {"hosts": ["unused"], "vars": {"omni_postgres_allowlist": ADDRESSES}, **options}
        return harness.playbook(recipe, door="in_process", env=environment, extra_args=given, **options)

    return run


def documented_options(*modules: str) -> dict[str, dict[str, Any]]:
    """The argument spec of each module, as far as its documentation tells it."""
    listed = subprocess.run(
        [Path(sys.prefix) / "bin" / "ansible-doc", "--json", *modules],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)},
        check=True,
        capture_output=True,
        text=True,
    )
    told = ("type", "elements", "required", "default", "choices", "aliases", "no_log")
    return {
        name: {
            option: {key: value for key, value in described.items() if key in told}
            for option, described in entry["doc"]["options"].items()
        }
        for name, entry in json.loads(listed.stdout).items()
    }

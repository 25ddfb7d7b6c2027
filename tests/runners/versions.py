# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What touches Ansible, on several versions of ansible-core; then one table that says how each ended.

``python -m tests.runners.versions [MINOR …]`` runs the named versions, or all. It exits 1 if one failed, or if this
machine has no Python for it; with ``ALLOW_SKIP=1`` in the environment, what lacks a Python counts as skipped. A Python
is looked for on the path, and among pyenv's.

Each version has a virtual environment of its own below .build/, and is one process, with one more of them than cores,
since tests wait for servers. What a version prints is shown when it has ended.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".build" / "ansible-core"
REQUIREMENTS = ("tests/requirements-pytest.txt", "tests/requirements-demo.txt")
#: By version, the Pythons that both it and the tests run on. The oldest and the newest are the README's.
VERSIONS = {
    "2.16": ("3.11", "3.12"),
    "2.18": ("3.11", "3.12", "3.13"),
    "2.21": ("3.12", "3.13", "3.14"),
}
#: The oldest Python that modules are shipped to, and the libraries that they need there.
TARGET_PYTHON = "3.8"
TARGET_LIBRARIES = ("psycopg2-binary", "requests")
#: The version whose modules meet it: later ones of ansible-core support newer Pythons only.
WITH_TARGET = min(VERSIONS)
TESTS = ("tests/integration/doors", "tests/integration/role")
UNIT_TESTS = (
    "action_groups",
    "converge",
    "definition",
    "docs",
    "in_process_door",
    "option_names",
    "role_files",
)
#: What takes long, and is about the database or Omni rather than about Ansible.
LEFT_OUT = (
    "doors/test_hangs.py::test_a_hang_ends_and_leaves_nothing_behind[in_process-limits-says2]",
    "doors/test_hangs.py::test_a_hang_ends_and_leaves_nothing_behind[module-limits-says2]",
    "role/test_cost.py",
    "role/test_playbooks.py::test_a_run_sends_what_check_mode_showed[module]",
    "role/test_playbooks.py::test_databases_of_one_server_share_the_role",
    "role/test_role.py::test_a_table_that_omni_cannot_read_fails_the_proof",
    "role/test_role.py::test_become_of_others_does_not_reach_the_role[module]",
    "role/test_role.py::test_each_step_runs_alone",
    "role/test_role.py::test_omni_is_looked_at_first",
)
AT_ONCE = (os.cpu_count() or 1) + 1
#: What the table says where this machine lacks a Python.
NOT_TESTED = "NOT TESTED"


class Ended(NamedTuple):
    """How a version ended. What was printed, and what is said of it in the table."""

    version: str
    state: str
    seconds: float
    output: str
    note: str


def find_python(versions: Sequence[str]) -> str | None:
    """The first of these Pythons that is on this machine, and can make a virtual environment."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for version in versions:
        candidates = [f"python{version}", *sorted(map(str, pyenv.glob(f"{version}.*/bin/python{version}")))]
        for candidate in candidates:
            find = "import sys, ensurepip, venv; print(sys.executable)"
            try:
                # A version manager's stand-in may be on the path for a Python that it does not run.
                found = subprocess.run([candidate, "-c", find], check=True, capture_output=True, text=True)
            except (OSError, subprocess.CalledProcessError):
                continue
            return found.stdout.strip()
    return None


def environment(name: str, python: str, *arguments: str) -> str:
    """The Python of a virtual environment with what these arguments of pip install, made where it is not there or
    out of date. Raises CalledProcessError, with what pip printed, where that fails."""
    folder = HOME / name
    made_from = "\n".join([python, *arguments, *((ROOT / one).read_text() for one in REQUIREMENTS)])
    stamp = folder / "made-from"
    in_it = str(folder / "bin" / "python")
    if stamp.exists() and stamp.read_text() == made_from:
        return in_it
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([python, "-m", "venv", folder], check=True)
    pip = [in_it, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    subprocess.run(
        [*pip, *arguments], check=True, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    stamp.write_text(made_from)
    return in_it


def run(version: str) -> Ended:
    started = time.monotonic()

    def ended(state: str, output: str, note: str) -> Ended:
        return Ended(version, state, time.monotonic() - started, output, note)

    found = find_python(VERSIONS[version])
    if found is None:
        pythons = ", ".join(VERSIONS[version])
        return ended(NOT_TESTED, "", f"this machine has none of Python {pythons}, with its venv module")
    target = find_python([TARGET_PYTHON]) if version == WITH_TARGET else None
    try:
        python = environment(version, found, "-r", REQUIREMENTS[0], f"ansible-core=={version}.*")
        variables = dict(os.environ)
        if target:
            variables["TEST_TARGET_PYTHON"] = environment("target", target, *TARGET_LIBRARIES)
    except subprocess.CalledProcessError as failure:
        return ended("FAILED", failure.stdout or "", "its virtual environment cannot be made")
    which = "import sys, ansible.release as r; print(r.__version__, 'on Python', sys.version.split()[0])"
    left_out = LEFT_OUT if target else (*LEFT_OUT, "role/test_oldest_target.py")
    note = subprocess.run([python, "-c", which], check=True, capture_output=True, text=True).stdout.strip()
    if version == WITH_TARGET:
        note += f"; modules on Python {TARGET_PYTHON}{'' if target else f': {NOT_TESTED}, it is not on this machine'}"
    done = subprocess.run(
        [
            *(python, "-m", "pytest", "-q", "-o", f"cache_dir=.build/pytest-{version}", *TESTS),
            *(f"tests/unit/test_{name}.py" for name in UNIT_TESTS),
            *(f"--deselect=tests/integration/{name}" for name in left_out),
        ],
        check=False,
        cwd=ROOT,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    closing = (done.stdout.splitlines() or [""])[-1]
    return ended("FAILED" if done.returncode else "ok", done.stdout, f"{closing}  {note}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Runs what touches Ansible on several versions of ansible-core."
    )
    parser.add_argument("versions", nargs="*", metavar="MINOR", help="such as 2.16; none means all")
    chosen = parser.parse_args().versions or list(VERSIONS)
    if unknown := set(chosen) - set(VERSIONS):
        parser.error(f"not one of {', '.join(VERSIONS)}: {', '.join(sorted(unknown))}")
    allow_skip = os.environ.get("ALLOW_SKIP") == "1"

    print(f"ansible-core {', '.join(chosen)}, {AT_ONCE} at once", flush=True)
    rows = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for running in as_completed([pool.submit(run, version) for version in chosen]):
            rows.append(running.result())
            print(f"\n== ansible-core {rows[-1].version}\n{rows[-1].output}", end="", flush=True)

    print()
    for row in sorted(rows):
        print(f"ansible-core {row.version}  {row.state:10} {row.seconds:6.1f} s  {row.note}")
    not_tested = any(NOT_TESTED in f"{row.state} {row.note}" for row in rows)
    failed = any(row.state == "FAILED" for row in rows)
    return 1 if failed or (not_tested and not allow_skip) else 0


if __name__ == "__main__":
    sys.exit(main())

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tests that need Postgres, on every major version; then one table that says how each ended.

``python -m tests.runners.matrix [MAJOR …]`` runs the named versions, or all. It exits 1 if one failed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

from tests.sandbox import postgres_versions as versions

PYTEST = [sys.executable, "-m", "pytest", "-q", "-n", "auto", "-m", "postgres", "tests/integration"]
#: What hardly depends on the version, and takes long: the oldest, and the one of `make test`, are enough.
ON_THE_OLDEST = ["doors", "role", "sandbox"]


def run(major: int) -> tuple[bool, str]:
    """Show what pytest prints while it runs; return whether all passed, and its closing line."""
    names = [] if major == min(versions.VERSIONS) else ON_THE_OLDEST
    left_out = [f"--ignore=tests/integration/{name}" for name in names]
    with subprocess.Popen(
        [*PYTEST, *left_out],
        env={**os.environ, "TEST_POSTGRES": str(major)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        line = ""
        for line in process.stdout:
            print(line, end="", flush=True)
    return process.returncode == 0, line.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs the tests that need Postgres on every version.")
    parser.add_argument(
        "majors", nargs="*", type=int, metavar="MAJOR", help="a major version; none means all"
    )
    chosen = parser.parse_args().majors or list(versions.VERSIONS)
    if unknown := set(chosen) - set(versions.VERSIONS):
        parser.error(f"no such version: {', '.join(map(str, sorted(unknown)))}")

    rows = []
    for major in chosen:
        print(f"\n== Postgres {versions.VERSIONS[major]}", flush=True)
        versions.bin_dir(major)
        started = time.monotonic()
        passed, closing = run(major)
        rows.append((major, passed, time.monotonic() - started, closing))

    print()
    for major, passed, seconds, closing in rows:
        print(f"{major}  {'ok' if passed else 'FAILED':6} {seconds:6.1f} s  {closing}")
    return 0 if all(passed for dummy, passed, dummy, dummy in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tests that need Postgres, on every major version; then one table that says how each ended.

``python -m tests.runners.matrix [MAJOR …]`` runs the named versions, or all. It exits 1 if one failed.

Each version is one process, and there is one more of them than cores, since tests wait for servers. What a version
prints is shown when it has ended.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import NamedTuple

from tests.sandbox import postgres_versions as versions

PYTEST = [sys.executable, "-m", "pytest", "-q", "-m", "postgres", "tests/integration"]
#: What hardly depends on the version, and takes long: the oldest, and the one of `make test`, are enough. So it is
#: with the slower of the two doors; see the fixture `door`.
ON_THE_OLDEST = ["doors", "role", "sandbox"]
AT_ONCE = (os.cpu_count() or 1) + 1


class Ended(NamedTuple):
    """How the tests of a version ended: what pytest printed, and what this took."""

    major: int
    passed: bool
    seconds: float
    output: str


def run(major: int) -> Ended:
    names = [] if major == min(versions.VERSIONS) else ON_THE_OLDEST
    left_out = [f"--ignore=tests/integration/{name}" for name in names]
    started = time.monotonic()
    done = subprocess.run(
        [*PYTEST, *left_out],
        check=False,
        env={**os.environ, "TEST_POSTGRES": str(major)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return Ended(major, done.returncode == 0, time.monotonic() - started, done.stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs the tests that need Postgres on every version.")
    parser.add_argument(
        "majors", nargs="*", type=int, metavar="MAJOR", help="a major version; none means all"
    )
    chosen = parser.parse_args().majors or list(versions.VERSIONS)
    if unknown := set(chosen) - set(versions.VERSIONS):
        parser.error(f"no such version: {', '.join(map(str, sorted(unknown)))}")

    for major in chosen:
        versions.bin_dir(major)
    print(
        f"Postgres {', '.join(versions.VERSIONS[major] for major in chosen)}, {AT_ONCE} at once", flush=True
    )
    rows = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        # The oldest first: it has the most to do.
        for running in as_completed([pool.submit(run, major) for major in sorted(chosen)]):
            rows.append(running.result())
            print(f"\n== Postgres {versions.VERSIONS[rows[-1].major]}\n{rows[-1].output}", end="", flush=True)

    print()
    for row in sorted(rows):
        closing = (row.output.splitlines() or [""])[-1]
        print(f"{row.major}  {'ok' if row.passed else 'FAILED':6} {row.seconds:6.1f} s  {closing}")
    return 0 if all(row.passed for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

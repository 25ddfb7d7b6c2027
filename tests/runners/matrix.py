# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tests that need Postgres, on every major version; then one table that says how each leg ended.

``python -m tests.runners.matrix [MAJOR …]`` runs the named versions, or all. It exits 1 if a leg failed.

A version has a leg, the oldest and the newest have another one each. A leg is one process, and there is one more of
them than cores, since tests wait for servers. What a leg prints is shown when it has ended.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import NamedTuple

from tests.sandbox import postgres_versions as versions

PYTEST = [sys.executable, "-m", "pytest", "-q"]
#: What hardly depends on the version, and takes long: the oldest, and the one of `make test`, are enough. So it is
#: with the slower of the two doors; see the fixture `door`.
ON_THE_OLDEST = ("doors", "role", "sandbox")
#: Whose programs few machines have, and where the version hardly matters: the one of `make test` is enough.
ON_THE_NEWEST = ("clusters",)
AT_ONCE = (os.cpu_count() or 1) + 1


class Leg(NamedTuple):
    """Some of the tests, on one version. `major` None is the one of `make test`."""

    name: str
    major: int | None
    arguments: tuple[str, ...]


class Ended(NamedTuple):
    """How a leg ended: what pytest printed, and what this took."""

    name: str
    passed: bool
    seconds: float
    output: str


def legs(majors: Iterable[int]) -> list[Leg]:
    """What runs on these versions, the longest first, so that none of them ends the run alone."""
    apart = [f"--ignore=tests/integration/{name}" for name in (*ON_THE_OLDEST, *ON_THE_NEWEST)]
    found = [
        Leg(str(major), major, ("-m", "postgres", "tests/integration", *apart)) for major in sorted(majors)
    ]
    if min(versions.VERSIONS) in majors:
        folders = [f"tests/integration/{name}" for name in ON_THE_OLDEST]
        oldest = min(versions.VERSIONS)
        found.insert(0, Leg(f"{oldest} {', '.join(ON_THE_OLDEST)}", oldest, ("-m", "postgres", *folders)))
    if max(versions.VERSIONS) in majors:
        folders = [f"tests/integration/{name}" for name in ON_THE_NEWEST]
        found.append(Leg(f"{max(versions.VERSIONS)} {', '.join(ON_THE_NEWEST)}", None, tuple(folders)))
    return found


def run(leg: Leg) -> Ended:
    started = time.monotonic()
    version = {} if leg.major is None else {"TEST_POSTGRES": str(leg.major)}
    done = subprocess.run(
        [*PYTEST, *leg.arguments],
        check=False,
        env={**os.environ, **version},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return Ended(leg.name, done.returncode == 0, time.monotonic() - started, done.stdout)


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
        f"Postgres {', '.join(versions.VERSIONS[major] for major in chosen)}, {AT_ONCE} legs at once",
        flush=True,
    )
    rows = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for running in as_completed([pool.submit(run, leg) for leg in legs(set(chosen))]):
            rows.append(running.result())
            print(f"\n== Postgres {rows[-1].name}\n{rows[-1].output}", end="", flush=True)

    print()
    for row in sorted(rows):
        closing = (row.output.splitlines() or [""])[-1]
        print(f"{row.name:24} {'ok' if row.passed else 'FAILED':6} {row.seconds:6.1f} s  {closing}")
    return 0 if all(row.passed for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

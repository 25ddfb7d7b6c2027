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
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import NamedTuple

from tests.sandbox import postgres_versions as versions

PYTEST = [sys.executable, "-m", "pytest", "-q"]
#: What hardly depends on the version, and takes long: the oldest, and the one of `make test`, are enough. So it is
#: with the slower of the two doors, which the other legs leave out.
ON_THE_OLDEST = ("doors", "role", "omni", "sandbox")
#: Whose programs few machines have, and where the version hardly matters: the one of `make test` is enough.
ON_THE_NEWEST = ("clusters",)
AT_ONCE = (os.cpu_count() or 1) + 1


class Leg(NamedTuple):
    """Some of the tests, with an environment that chooses version and doors; none means those of `make test`."""

    name: str
    environment: Mapping[str, str]
    arguments: tuple[str, ...]


class Ended(NamedTuple):
    """How a leg ended: what pytest printed, and what this took."""

    name: str
    passed: bool
    seconds: float
    output: str


def folders(names: Iterable[str]) -> list[str]:
    return [f"tests/integration/{name}" for name in names]


def legs(majors: Iterable[int]) -> list[Leg]:
    """What runs on these versions, the longest first, so that none of them ends the run alone."""
    oldest, newest = min(versions.VERSIONS), max(versions.VERSIONS)
    apart = [f"--ignore={folder}" for folder in folders((*ON_THE_OLDEST, *ON_THE_NEWEST))]
    found = [
        Leg(
            str(major),
            {"TEST_POSTGRES": str(major), "TEST_DOOR": "in_process"},
            ("-m", "postgres", "tests/integration", *apart),
        )
        for major in sorted(majors)
    ]
    if oldest in majors:
        arguments = ("-m", "postgres", *folders(ON_THE_OLDEST))
        found.insert(
            0, Leg(f"{oldest} {', '.join(ON_THE_OLDEST)}", {"TEST_POSTGRES": str(oldest)}, arguments)
        )
    if newest in majors:
        found.append(Leg(f"{newest} {', '.join(ON_THE_NEWEST)}", {}, tuple(folders(ON_THE_NEWEST))))
    return found


def run(leg: Leg) -> Ended:
    started = time.monotonic()
    done = subprocess.run(
        [*PYTEST, *leg.arguments],
        check=False,
        env={**os.environ, **leg.environment},
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
        print(f"{row.name:28} {'ok' if row.passed else 'FAILED':6} {row.seconds:6.1f} s  {closing}")
    return 0 if all(row.passed for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

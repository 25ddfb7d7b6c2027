# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench`: the role beside what else does the same, in turn, on the same databases.

Prints a table for each comparison: medians of the repeats, and how many times the first column's the other's is. What a
run sends is counted in a round of its own, with the server's log on and through a proxy.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.sandbox.postgres import PostgresServer

from . import grants
from .fleet import ANSIBLE, HERE, Cost, Count, Fleet

ROLE, COMMUNITY, DEBUG = HERE / "role.yml", HERE / "community.yml", HERE / "debug.yml"
FORKS = 20


class Side(NamedTuple):
    """One of those that are compared: its playbook, and the tags of the part that is compared."""

    name: str
    playbook: Path
    tags: Sequence[str] = ()


class Measured(NamedTuple):
    """What was found out about a side."""

    costs: list[Cost]
    counted: Count | None


STEPS = ("omni_user", "omni_grants", "omni_upload_schema")
WHOLE = (Side("role", ROLE), Side("community.postgresql and uri", COMMUNITY))
DATABASE = (Side("role, database steps", ROLE, STEPS), Side("community.postgresql", COMMUNITY, ["database"]))
FLOOR = (Side("debug tasks", DEBUG), Side("role", ROLE))


def first_runs(fleet: Fleet, sides: Sequence[Side], repeat: int) -> list[Measured]:
    """Each time on databases that nobody touched yet. All sides have to leave the same behind."""
    counts, states = [], []
    for side in sides:
        fleet.reset()
        counts.append(fleet.count(side.playbook, side.tags))
        states.append(fleet.state())
    assert all(state == states[0] for state in states), states
    costs: list[list[Cost]] = [[] for dummy in sides]
    for dummy in range(repeat):
        for side, found in zip(sides, costs, strict=True):
            fleet.reset()
            found.append(fleet.cost(side.playbook, side.tags))
    return [Measured(found, count) for found, count in zip(costs, counts, strict=True)]


def again(fleet: Fleet, sides: Sequence[Side], repeat: int) -> list[Measured]:
    """Where nothing is left to do."""
    fleet.reset()
    maker = next(side for side in sides if side.playbook == ROLE)
    fleet.cost(maker.playbook, maker.tags)
    counts = [
        None if side.playbook == DEBUG else fleet.count(side.playbook, side.tags, changes=False)
        for side in sides
    ]
    costs: list[list[Cost]] = [[] for dummy in sides]
    for dummy in range(repeat):
        for side, found in zip(sides, costs, strict=True):
            found.append(fleet.cost(side.playbook, side.tags, changes=False))
    return [Measured(found, count) for found, count in zip(costs, counts, strict=True)]


class Comparison(NamedTuple):
    """What is compared, on how many hosts, over how long a way to the server."""

    title: str
    sides: Sequence[Side]
    measure: Callable[[Fleet, Sequence[Side], int], list[Measured]]
    hosts: int = 20
    delay: float = 0.0


COMPARISONS = {
    "database": Comparison("The three database steps, nothing to do", DATABASE, again),
    "again": Comparison("The whole role, nothing to do", WHOLE, again),
    "first": Comparison("The whole role, first run", WHOLE, first_runs),
    "floor": Comparison("The whole role beside as many debug tasks, nothing to do", FLOOR, again, hosts=200),
    "distance": Comparison("The whole role, 20 ms away, nothing to do", WHOLE, again, hosts=1, delay=0.02),
}


TIMED = {
    "wall": ("wall, s", ".2f"),
    "cpu": ("CPU of Ansible, s", ".2f"),
    "controller": ("… of its controller, s", ".2f"),
    "workers": ("… of its workers, s", ".2f"),
    "server": ("CPU of the server, s", ".2f"),
    "memory": ("memory of the controller, MB", ".0f"),
}
COUNTED = {
    "statements": "statements",
    "connections": "connections",
    "round_trips": "round trips to the server",
    "rows": "catalog rows written",
    "wal": "WAL bytes",
    "requests": "API requests",
}


def table(comparison: Comparison, hosts: int, measured: Sequence[Measured]) -> str:
    """In Markdown."""

    def row(name: str, values: Sequence[float | None], form: str) -> str:
        first, *others = values
        cells = ["" if value is None else format(value, form) for value in values]
        ratios = [format(other / first, ".1f") if first and other is not None else "" for other in others]
        return f"| {' | '.join([name, *cells, *ratios])} |"

    others = comparison.sides[1:]
    heads = ["", *(side.name for side in comparison.sides), *("times" for dummy in others)]
    lines = [f"| {' | '.join(heads)} |", f"| --- |{' ---: |' * (len(heads) - 1)}"]
    for field, (name, form) in TIMED.items():
        medians = [statistics.median(getattr(cost, field) for cost in one.costs) for one in measured]
        lines.append(row(name, medians, form))
    for field, name in COUNTED.items():
        values = [getattr(one.counted, field) / hosts if one.counted else None for one in measured]
        lines.append(row(f"{name} a host", values, ".1f"))
    return "\n".join(lines)


def machine() -> str:
    """What the figures were measured with."""
    version = subprocess.run([ANSIBLE, "--version"], check=True, capture_output=True, text=True).stdout
    manifest = next(
        ANSIBLE.parents[1].glob("lib/*/site-packages/ansible_collections/community/postgresql/MANIFEST.json")
    )
    found = next(line for line in manifest.read_text().splitlines() if '"version"' in line).split('"')[3]
    return (
        f"{version.splitlines()[0]}, community.postgresql {found}, Python {platform.python_version()}, "
        f"{os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--hosts", type=int, help="how many, for each comparison")
    parser.add_argument("--repeat", type=int, default=3, help="how often each side is timed")
    parser.add_argument(
        "--only", action="append", choices=[*COMPARISONS, "tables"], help="a comparison; repeatable"
    )
    options = parser.parse_args()
    chosen = options.only or [*COMPARISONS, "tables"]
    print(machine())
    with PostgresServer(settings={"max_connections": 200}) as server:
        print(f"Postgres {server.version}, {FORKS} forks, medians of {options.repeat}")
        for name in chosen:
            if name == "tables":
                continue
            comparison = COMPARISONS[name]
            hosts = options.hosts or comparison.hosts
            with Fleet(server, hosts, FORKS, comparison.delay) as fleet:
                measured = comparison.measure(fleet, comparison.sides, options.repeat)
            print(f"\n{comparison.title}: {hosts} hosts\n\n{table(comparison, hosts, measured)}", flush=True)
    if "tables" in chosen:
        print()
        grants.main(grants.SIZES)


if __name__ == "__main__":
    main()

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench`: the role beside what else does the same, in turn, on the same databases.

Prints in Markdown what docs/benchmarks.md shows: a table for each comparison, with medians of the repeats and how many
times the first column's the other's is, and at the end the targets. What a run sends is counted in a round of its own,
with the server's log on and through a proxy. Without --only, it draws docs/benchmarks.svg.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.helpers import harness
from tests.sandbox.postgres import PostgresServer

from . import grants, plot, start
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
    counts = _connected(fleet, sides, counted=True)
    costs: list[list[Cost]] = [[] for dummy in sides]
    for dummy in range(repeat):
        for side, found in zip(sides, costs, strict=True):
            found.append(fleet.cost(side.playbook, side.tags, changes=False))
    return [Measured(found, count) for found, count in zip(costs, counts, strict=True)]


def uncounted(fleet: Fleet, sides: Sequence[Side], repeat: int) -> list[Measured]:
    """The same, of which only the time is of interest."""
    _connected(fleet, sides, counted=False)
    return [
        Measured([fleet.cost(side.playbook, side.tags, changes=False) for dummy in range(repeat)], None)
        for side in sides
    ]


def _connected(fleet: Fleet, sides: Sequence[Side], counted: bool) -> list[Count | None]:
    fleet.reset()
    maker = next(side for side in sides if side.playbook == ROLE)
    fleet.connect(maker.playbook, maker.tags)
    return [
        fleet.count(side.playbook, side.tags, changes=False) if counted and side.playbook != DEBUG else None
        for side in sides
    ]


def round_trips(fleet: Fleet, sides: Sequence[Side], repeat: int) -> list[Measured]:
    """As again(); and prints what each step in the database sends, which is what distance makes dear."""
    measured = again(fleet, sides, repeat)
    print("\n| step | connections | round trips | statements |\n| --- | ---: | ---: | ---: |")
    for step in (*STEPS, "omni_verify"):
        count = fleet.count(ROLE, [step], changes=False)
        print(f"| {step} | {count.connections} | {count.round_trips} | {count.statements} |")
    return measured


class Comparison(NamedTuple):
    """What is compared, on how many hosts, over how long a way to the server."""

    title: str
    sides: Sequence[Side]
    measure: Callable[[Fleet, Sequence[Side], int], list[Measured]]
    hosts: Sequence[int] = (20,)
    delay: float = 0.0


COMPARISONS = {
    "again": Comparison("The whole role, nothing to do", WHOLE, again, hosts=(5, 20)),
    "first": Comparison("The whole role, first run", WHOLE, first_runs),
    "floor": Comparison(
        "The whole role beside as many debug tasks, nothing to do", FLOOR, uncounted, hosts=(20, 200, 1000)
    ),
    "distance": Comparison(
        "The whole role, 20 ms away, nothing to do", WHOLE, round_trips, hosts=(1,), delay=0.02
    ),
    "database": Comparison("The three database steps, nothing to do", DATABASE, again),
}
#: Only on request: what it shows is in "again" too.
EXTRA = ("database",)
#: How many databases there are at most. More hosts share them, so that a thousand of them fit on one machine.
DATABASES = 20

#: By comparison and number of hosts.
Results = dict[tuple[str, int], list[Measured]]


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
    for field, name in COUNTED.items() if any(one.counted for one in measured) else ():
        values = [getattr(one.counted, field) / hosts if one.counted else None for one in measured]
        lines.append(row(f"{name} a host", values, ".1f"))
    return "\n".join(lines)


def median(measured: Measured, field: str) -> float:
    return statistics.median(getattr(cost, field) for cost in measured.costs)


def targets(results: Results, started: Mapping[str, float]) -> str:
    """What is to be reached and what was, in Markdown, as far as it was measured."""
    rows: list[tuple[str, str, str]] = []

    def times(key: tuple[str, int], field: str) -> float:
        one, other = results[key]
        return median(other, field) / median(one, field)

    for name, words, wall, cpu in (("again", "nothing to do", 12, 15), ("first", "first run", 6, None)):
        if (name, 20) in results:
            what = f"whole role, {words}, 20 databases"
            rows.append((f"{what}, wall", f"{wall} times less", f"{times((name, 20), 'wall'):.1f} times"))
            wanted = f"{cpu} times less" if cpu else ""
            rows.append((f"{what}, CPU of Ansible", wanted, f"{times((name, 20), 'cpu'):.1f} times"))
    if ("floor", 200) in results:
        for field, words, wanted in (("wall", "wall", "at most 1.8 times"), ("cpu", "CPU of Ansible", "")):
            what = f"whole role, 200 hosts, beside nine debug tasks, {words}"
            rows.append((what, wanted, f"{times(('floor', 200), field):.2f} times"))
    if ("floor", 200) in results and ("floor", 1000) in results:
        few, many = results["floor", 200], results["floor", 1000]
        for field, words, wanted in (("wall", "wall", "at most 1.1 times"), ("cpu", "CPU", "")):
            floor, role = (
                median(more, field) / 1000 / (median(less, field) / 200)
                for less, more in zip(few, many, strict=True)
            )
            what = f"growth of {words} per host from 200 to 1,000 hosts, beside the floor's own"
            rows.append((what, wanted, f"{role / floor:.2f} times"))
        floor, role = (
            (median(more, "memory") - median(less, "memory")) * 1024 / 800
            for less, more in zip(few, many, strict=True)
        )
        what = "memory of the controller a host, beyond the floor's"
        rows.append((what, "less than 20 kB", f"{role - floor:.0f} kB"))
    for name, found in started.items():
        if name != start.LEAST:
            what = f"{name} shipped: import and start, beside a module that only imports psycopg2"
            rows.append((what, "at most 1.1 times", f"{found / started[start.LEAST]:.2f} times"))
    head = ["| | to reach | measured |", "| --- | --- | --- |"]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)]) if rows else ""


def curves(results: Results) -> dict[str, plot.Line]:
    """By side: the wall time for each number of hosts."""
    found: dict[str, dict[int, float]] = {}
    for name in ("again", "floor"):
        for (measured_as, hosts), measured in results.items():
            if measured_as == name:
                for side, one in zip(COMPARISONS[name].sides, measured, strict=True):
                    found.setdefault(side.name, {})[hosts] = median(one, "wall")
    return {name: dict(line) for name, line in found.items()}


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
    parser.add_argument("--repeat", type=int, default=1, help="how often each side is timed")
    names = [*COMPARISONS, "start", "tables"]
    parser.add_argument("--only", action="append", choices=names, help="a comparison; repeatable")
    parser.add_argument("--plot", type=Path, help="the file to draw into")
    options = parser.parse_args()
    chosen = options.only or [name for name in names if name not in EXTRA]
    drawn = options.plot or (None if options.only else harness.ROOT / "docs" / "benchmarks.svg")
    results: Results = {}
    print(machine())
    with PostgresServer(settings={"max_connections": 200}) as server:
        print(f"Postgres {server.version}, {FORKS} forks, medians of {options.repeat}")
        for name, comparison in COMPARISONS.items():
            for hosts in [options.hosts] if options.hosts else comparison.hosts:
                if name not in chosen:
                    continue
                print(f"\n### {comparison.title}: {hosts} host{'s' * (hosts != 1)}", flush=True)
                with Fleet(server, hosts, FORKS, comparison.delay, DATABASES) as fleet:
                    measured = comparison.measure(fleet, comparison.sides, options.repeat)
                results[name, hosts] = measured
                print(f"\n{table(comparison, hosts, measured)}", flush=True)
    started = start.milliseconds(10) if "start" in chosen else {}
    if started:
        print("\n### Import and start of a shipped module\n\n| | CPU, ms |\n| --- | ---: |")
        print("\n".join(f"| {name} | {found:.0f} |" for name, found in started.items()))
    if "tables" in chosen:
        print("\n### omni_pg_grants beside GRANT … ON ALL TABLES\n", flush=True)
        grants.main(grants.SIZES)
    reached = targets(results, started)
    if reached:
        print(f"\n### Targets\n\n{reached}")
    if drawn and curves(results):
        drawn.write_text(plot.svg(curves(results)))


if __name__ == "__main__":
    main()

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the server makes of a pg_hba.conf what this module does. Its reading counts: a change that it reads in
another way is not made."""

from __future__ import annotations

from .._errors import Conflict
from .allowlist_block import File, Wanted
from .allowlist_server import Facts, Row


def check_before(path: str, facts: Facts, file: File) -> None:
    """
    :raises Conflict: the file is broken, or read in another way, before anything was changed.
    """
    if broken := _complaints(facts):
        raise Conflict(
            f"Reading {path}",
            "it was broken before this task came, and the server would load no change of it: " + broken,
            "Repair it first.",
            lines=[row.number for row in facts.rows if row.fatal],
        )
    rules = [rule for rule in file.rules if not rule.unreadable]
    read = [(rule.number, rule.kind, rule.method) for rule in rules]
    if len(rules) == len(file.rules) and read != [(row.number, row.kind, row.method) for row in facts.rows]:
        raise Conflict(
            f"Reading {path}",
            "the server finds other rules in it than this module does",
            "Add Omni's rules by hand, and report this as a bug.",
        )


def check_after(
    path: str, wanted: Wanted, absent: bool, before: tuple[Facts, File], after: tuple[Facts, File]
) -> None:
    """
    :param before: what the server said of the file, and the file; ``after``, once it was replaced.
    :raises Conflict: the server does not read the new file, or finds in it anything but the old rules and those
        that are ``wanted``.
    """
    doing = f"Adding rules to {path}"
    facts, file = after
    if facts.data != file.data:
        raise Conflict(
            doing,
            "the server still sees the old file, which is another one or is mounted alone, as containers do",
            "Nothing was changed. Run the task where the server runs, or mount the folder instead of the file.",
        )
    if bad := _complaints(facts):
        raise Conflict(doing, f"the server does not take them: {bad}", "The file is as it was.")
    ours, others = _split(wanted, facts, file)
    rule = (wanted.kind.encode(), wanted.method.encode())
    meant = [] if absent else [rule] * len(wanted.nets)
    if [(row.kind, row.method) for row in ours] != meant or _readings(others) != _readings(
        _split(wanted, *before)[1]
    ):
        raise Conflict(
            doing,
            "the server reads other rules than were meant",
            "The file is as it was. Add the rules by hand, and report this as a bug.",
        )


def check_loaded(doing: str, facts: Facts) -> None:
    """
    :raises Conflict: the file that was loaded last is not one that the server takes.
    """
    if bad := _complaints(facts):
        raise Conflict(doing, f"somebody broke the file meanwhile: {bad}", "Repair it, and run again.")


def _complaints(facts: Facts) -> str:
    """What the server says of the first lines for which it would load nothing; empty where there is none."""
    return "; ".join(map(facts.complaint, [row for row in facts.rows if row.fatal][:3]))


def _split(wanted: Wanted, facts: Facts, file: File) -> tuple[list[Row], list[Row]]:
    """The server's rows for the block of ``wanted``, and all others."""
    block = file.find(wanted)
    lines = range(block.begin + 1, block.end + 1) if block else ()
    ours = [row for row in facts.rows if row.file in ("", facts.path) and row.number in lines]
    return ours, [row for row in facts.rows if row not in ours]


def _readings(rows: list[Row]) -> list[tuple[bytes, bytes, str, str]]:
    """The rows without their places, which a block above them moves."""
    return [(row.kind, row.method, row.error, row.rest) for row in rows]

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our block in a pg_hba.conf: what is in it, where it is, where it belongs, and the file with and without it.

Bytes in, bytes out. Nothing outside of the block changes, not by a byte.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from .._errors import Conflict
from .pg_hba import CONTINUATIONS, REGEXES, Files, Line, Net, Rule, lines, rules
from .pg_hba_judgement import Attempt, Decision, decide, spelled

#: Words that mean something else than a name where they stand without quotes.
PLAIN = re.compile(rb"[a-z_][a-z0-9_]*")
#: The comments in which Ansible, we and others keep a block.
MARKER = re.compile(rb"# (BEGIN|END) (.*?)\r?\n?\Z")
KEYWORDS = (b"all", b"sameuser", b"samerole", b"samegroup", b"replication")


def word(name: str, version: int) -> bytes:
    """A database's or role's name as a rule has it, so that it means nothing else."""
    text = name.encode()
    if PLAIN.fullmatch(text) and text not in KEYWORDS:
        return text
    if (
        text.startswith(b"/") and version >= REGEXES
    ):  # in quotes it would be a regular expression all the same
        text = b"/^" + re.sub(rb"([^A-Za-z0-9\x80-\xff])", rb"\\\1", text) + b"$"
    return b'"' + text.replace(b'"', b'""') + b'"'


class Block(NamedTuple):
    """Where the block is in the file, in lines: ``begin`` is its first, ``end`` the one behind its last."""

    begin: int
    end: int


class Wanted(NamedTuple):
    """What the block shall hold. ``role`` and ``database`` name it too: the file may hold others' blocks."""

    role: str
    database: str
    nets: tuple[Net, ...]
    kind: str
    method: str

    @property
    def markers(self) -> tuple[bytes, bytes]:
        # The quotes keep a name that ends in a backslash from joining the next line.
        name = "omni_analytics.connect: role {}, database {}".format(
            *('"' + name.replace('"', '""') + '"' for name in (self.role, self.database))
        ).encode()
        return b"# BEGIN " + name, b"# END " + name

    def rules(self, version: int) -> list[bytes]:
        who = [word(name, version) for name in (self.database, self.role)]
        return [
            b"\t".join([self.kind.encode(), *who, spelled(net).encode(), self.method.encode()])
            for net in self.nets
        ]

    def text(self, version: int) -> list[bytes]:
        begin, end = self.markers
        return [begin, *self.rules(version), end]


class File:
    """A pg_hba.conf as it is: ``raw`` has its lines with their ends, and the last may have none."""

    def __init__(self, data: bytes, path: str, version: int, files: Files) -> None:
        self.data, self.path, self.version, self.files = data, path, version, files
        self.raw = re.findall(rb"[^\n]*\n|[^\n]+\Z", data)
        self.lines = list(lines(data, version))
        self.rules = rules(data, path, version, files)

    def find(self, wanted: Wanted) -> Block | None:
        """Our block, if the file has it.

        :raises Conflict: there is only a part of it, or more than one.
        """
        begin, end = (
            [number for number, line in enumerate(self.raw) if line.rstrip(b"\r\n") == marker]
            for marker in wanted.markers
        )
        if not begin and not end:
            return None
        starts = {line.number - 1 for line in self.lines if line.length == 1}
        if len(begin) != 1 or len(end) != 1 or begin > end or not {*begin, *end} <= starts:
            raise Conflict(
                f"Looking for the rules of role {wanted.role} and database {wanted.database} in {self.path}",
                "the comments that begin and end them are not one pair: lines "
                + ", ".join(str(number + 1) for number in sorted([*begin, *end])),
                "Remove these lines, and the rules of ours between them, then run again.",
            )
        return Block(begin[0], end[0] + 1)

    def held(self, block: Block) -> list[bytes]:
        """What is in the block, its first and last line included."""
        return [line.rstrip(b"\r\n") for line in self.raw[block.begin : block.end]]

    def inside(self, block: Block | None) -> list[Rule]:
        """The rules of the block."""
        return [rule for rule in self.rules if block and block.begin < rule.top <= block.end]

    def others(self, block: Block | None) -> list[Rule]:
        """All other rules."""
        ours = self.inside(block)
        return [rule for rule in self.rules if rule not in ours]

    def without(self, block: Block | None) -> File:
        """The file as it would be without the block."""
        if block is None:
            return self
        before, after = self.raw[: block.begin], self.raw[block.end :]
        if before and not self.raw[block.end - 1].endswith(b"\n"):  # see with_block
            before[-1] = re.sub(rb"\r?\n\Z", b"", before[-1])
        return File(b"".join([*before, *after]), self.path, self.version, self.files)

    def with_block(self, wanted: Wanted, at: int) -> bytes:
        """The file with the block before line ``at`` (the first is 0); behind the last one, ``len(self.raw)``.

        Where the last line has no end, it gets one, and the block's last line has none instead: so the file
        comes back as it was when the block goes.
        """
        before = self.raw[:at]
        ends = [line for line in [*before[::-1], *self.raw[at:]] if line.endswith(b"\n")]
        end = b"\r\n" if ends and ends[0].endswith(b"\r\n") else b"\n"  # as the lines nearby have it
        text = [line + end for line in wanted.text(self.version)]
        if before and not before[-1].endswith(b"\n"):
            before.append(end)
            text[-1] = text[-1][: -len(end)]
        return b"".join([*before, *text, *self.raw[at:]])

    def above(self, number: int) -> int:
        """The place above line ``number`` (the first is 1) and the comments on it. Where some other program
        keeps a block around it, above that: what is written into such a block is lost."""
        place = number - 1
        starts = {line.number - 1: line for line in self.lines}
        while place - 1 in starts and _is_comment(self.raw[place - 1], starts[place - 1]):
            place -= 1
        begun: dict[bytes, int] = {}
        for at, raw in enumerate(self.raw[:place]):
            found = MARKER.match(raw)
            if found and found[1] == b"BEGIN":
                begun.setdefault(found[2], at)
            elif found:
                begun.pop(found[2], None)
        ended = {found[2] for found in map(MARKER.match, self.raw[place:]) if found and found[1] == b"END"}
        return min([at for name, at in begun.items() if name in ended] + [place])


def _is_comment(raw: bytes, line: Line) -> bool:
    """Whether a comment is all that there is on the line, and not the end of somebody's block."""
    ended = MARKER.match(raw)
    return line.length == 1 and not line.tokens and raw.strip() != b"" and not (ended and ended[1] == b"END")


def place(file: File, block: Block | None, wanted: Wanted, attempts: Sequence[Attempt]) -> int:
    """The line, of the file without the block, before which the block belongs: above the first rule that
    decides one of the addresses, or may, and below each reject that does. A block that is in effect stays
    where it is.

    :raises Conflict: a reject decides, or may decide, before the block could.
    """
    rest = file.without(block)
    found = [
        (rest.rules.index(decision.rule), decision)
        for net in wanted.nets
        for attempt in attempts
        for decision in decide(rest.rules, net, attempt)
        if decision.rule
    ]
    here = len(rest.rules)
    standing: set[int] = set()
    if block is not None:
        here = sum(rule.top <= block.begin for rule in rest.rules)
        standing = {number for number in _standing(file, block, rest, attempts) if number >= here}
    rejects = [(number, d) for number, d in found if d.rule and d.rule.method == b"reject"]
    against = [d for number, d in rejects if not d.unsure and number not in standing]
    if against:
        raise _rejected(against, wanted, rest, block)
    letting = [number for number, d in found if d.rule and d.rule.method != b"reject"]
    first = min([*letting, *standing, here])
    if block is not None and all(number >= here for number in letting):
        at = block.begin
    elif first < len(rest.rules):
        at = rest.above(rest.rules[first].top)
    elif rest.version >= CONTINUATIONS and re.search(rb"\\\r*\n?\Z", rest.data):
        raise Conflict(
            f"Adding rules to {rest.path}",
            "its last line ends in a backslash, which would join the next one to it",
            "Remove the backslash.",
        )
    else:
        at = len(rest.raw)
    over = [d for number, d in rejects if d.rule and d.rule.top > at and number not in standing]
    if over:
        raise _rejected(over, wanted, rest, block)
    return at


def _standing(file: File, block: Block, rest: File, attempts: Sequence[Attempt]) -> set[int]:
    """The rules that would decide an address which the block lets in already: that it stands above these was
    decided when it came there. One that has no rules yet was put there by hand, above all that follows."""
    inside = file.inside(block)
    if not inside:
        return set(range(len(rest.rules)))
    return {
        rest.rules.index(decision.rule)
        for rule in inside
        if rule.net
        for attempt in attempts
        for decision in decide(rest.rules, rule.net, attempt)
        if decision.rule
    }


def _rejected(against: Sequence[Decision], wanted: Wanted, rest: File, block: Block | None) -> Conflict:
    """The error about rules of the file without the block, with the numbers that their lines have in the file."""
    said, numbers = [], []
    for decision in against:
        if decision.rule is None:
            raise AssertionError(decision)
        number = decision.rule.number
        if block is not None and decision.rule.file == rest.path and number > block.begin:
            number += block.end - block.begin
        numbers.append(number)
        where = f"line {number} of {decision.rule.file}"
        nets = ", ".join(spelled(net) for net in decision.nets[:5])
        said.append(
            f"{where} may reject {nets} ({decision.unsure})" if decision.unsure else f"{where} rejects {nets}"
        )
    begin, end = (marker.decode() for marker in wanted.markers)
    return Conflict(
        f"Letting role {wanted.role} into database {wanted.database} in {rest.path}",
        "; ".join(dict.fromkeys(said)),
        "That is somebody's decision, and stays. Take the address out of O(addresses); or change that line; or, where "
        f"the rules shall stand above it all the same, put two lines there by hand: {begin!r} and {end!r}.",
        lines=list(dict.fromkeys(numbers)),
    )

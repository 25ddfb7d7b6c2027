# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SQL statements as data: what is sent, and what is shown of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from .._converge import MASK
from .driver import sql

#: How many objects one statement names. Postgres 18 holds a lock on each of them until the commit.
CHUNK = 500

Entry = TypeVar("Entry")


class Names(tuple):  # type: ignore[type-arg]  # tuple[…] is no base class in Python 3.8
    """Several identifiers, each a tuple of its parts."""


class Secret(str):
    """A literal that is sent as it is and shown as asterisks."""

    def __repr__(self) -> str:
        return repr(MASK)


class Statement(NamedTuple):
    """One SQL statement: its text, and for each {} in it an identifier or a literal.

    A tuple is an identifier of one or more parts, Names are several of them, a string is a literal.

    :param as_role: the role that it is run as, where that is not the session's own; a REVOKE that has to come
        from who granted it, for example.
    :param database: the one that it is sent in, where that may be another than the session's.
    """

    text: str
    parts: tuple[Any, ...] = ()
    as_role: str | None = None
    database: str | None = None

    def compose(self) -> Any:
        """What is sent."""
        return sql.SQL(self.text).format(*(_composed(part) for part in self.parts))

    def masked(self, max_listed: int = 0) -> Any:
        """What is shown: no secrets, and no more than ``max_listed`` names of a list (0: all)."""
        shown = sql.SQL(self.text).format(*(_composed(part, max_listed, mask=True) for part in self.parts))
        return sql.SQL("; ").join([set_role(self.as_role), shown]) if self.as_role else shown


def set_role(role: str) -> Any:
    """What makes the rest of a transaction run as ``role``; ``none`` is the role that logged in."""
    return sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _composed(part: Any, max_listed: int = 0, mask: bool = False) -> Any:
    if isinstance(part, Names):
        shown = part[:max_listed] if max_listed else part
        # Thousands of sql.Identifier would take longer than the server does.
        listed = sql.SQL(", ".join(".".join(map(_quoted, name)) for name in shown))
        rest = len(part) - len(shown)
        return listed + sql.SQL(f", … ({rest} more)") if rest else listed
    if isinstance(part, tuple):
        return sql.Identifier(*part)
    return sql.Literal(MASK if mask and isinstance(part, Secret) else str(part))


def chunks(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """``entries`` in their order, at most CHUNK at a time."""
    for start in range(0, len(entries), CHUNK):
        yield entries[start : start + CHUNK]

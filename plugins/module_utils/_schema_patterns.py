# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which schemas a list of names and globs means. The same words are understood on both sides, in
Postgres and in Omni's Include Schemas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ._errors import InvalidInput


class SchemaPatterns:
    """Plain names and globs, in which ``*`` is any run of characters and nothing else is special.

    ``name in patterns`` costs one look-up and a comparison for each glob, however many names there are.

    :param patterns: what the option lists.
    :param option: its name, for messages.
    """

    def __init__(self, patterns: Iterable[str], option: str = "schemas") -> None:
        self.option = option
        self.names = tuple(dict.fromkeys(pattern for pattern in patterns if "*" not in pattern))
        self._names = frozenset(self.names)
        self._globs = {pattern: pattern.split("*") for pattern in patterns if "*" in pattern}

    def __contains__(self, name: str) -> bool:
        return name in self._names or any(_fits(name, parts) for parts in self._globs.values())

    def missing(self, there: Iterable[str]) -> list[str]:
        """The plain names that are not there."""
        found = set(there)
        return [name for name in self.names if name not in found]

    def unmatched(self, there: Sequence[str]) -> list[str]:
        """The globs that match nothing."""
        return [glob for glob, parts in self._globs.items() if not any(_fits(name, parts) for name in there)]

    def refuse_upload_schema(self, upload: str) -> None:
        """Refuse an upload schema that is modelled too: Omni allows no other tables in it.

        A glob never means the upload schema, so only its own name is an overlap.

        :raises InvalidInput: the list names ``upload``.
        """
        if upload in self._names:
            raise InvalidInput(
                f"Reading O({self.option})",
                f"{upload} is the schema for table uploads, and is listed among the modelled schemas too",
                f"Omni needs a schema of its own for uploads: take it out of O({self.option}), or choose another one.",
            )


def _fits(name: str, parts: Sequence[str]) -> bool:
    """Whether ``name`` is the parts of a glob with anything between them. One pass: the leftmost place is
    as good as any for each part in the middle."""
    first, last = parts[0], parts[-1]
    position, end = len(first), len(name) - len(last)
    if position > end or not name.startswith(first) or not name.endswith(last):
        return False
    for part in parts[1:-1]:
        found = name.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True


class Chosen(NamedTuple):
    """What a list of patterns means among the schemas that are there.

    :param names: the schemas that are meant, in the order of those that are there.
    :param missing: plain names that are not there. Each has to be made first, or corrected.
    :param unmatched: globs that match nothing, those that exclude too. Each may be a slip, and is a warning.
    """

    names: tuple[str, ...]
    missing: tuple[str, ...]
    unmatched: tuple[str, ...]


def choose(there: Sequence[str], patterns: SchemaPatterns, excluded: SchemaPatterns) -> Chosen:
    """The schemas of ``there`` that are in ``patterns`` and not in ``excluded``, and what matches nothing."""
    return Chosen(
        names=tuple(name for name in there if name in patterns and name not in excluded),
        missing=tuple(patterns.missing(there)),
        unmatched=(*patterns.unmatched(there), *excluded.unmatched(there)),
    )


def modelled(patterns: Sequence[str], option: str = "schemas") -> SchemaPatterns:
    """The patterns of an option that lists what Omni models.

    :raises InvalidInput: it is empty, or names a schema that belongs to Postgres.
    """
    if not patterns or not all(patterns):
        raise InvalidInput(
            f"Reading O({option})",
            "it names no schema",
            f"List the schemas, or set O({option}) to ['*'] for all.",
        )
    refuse_system(patterns, option)
    return SchemaPatterns(patterns, option)


def refuse_system(names: Iterable[str], option: str) -> None:
    """
    :raises InvalidInput: one of ``names`` is a schema that belongs to Postgres.
    """
    system = sorted(name for name in names if name.startswith("pg_") or name == "information_schema")
    if system:
        raise InvalidInput(
            f"Reading O({option})", f"{', '.join(system)} belongs to Postgres itself", "Leave it out."
        )

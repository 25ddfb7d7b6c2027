# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which schemas a list of names and globs means. The same words are understood on both sides, in
Postgres and in Omni's Include Schemas."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from ._errors import InvalidInput

SYSTEM = re.compile(r"pg_.*|information_schema", re.DOTALL)


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether one of ``patterns`` is ``name``, or matches it; * is any run of characters."""
    return any(
        re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name, re.DOTALL) for pattern in patterns
    )


def choose(there: Iterable[str], patterns: Sequence[str], excluded: Sequence[str] = ()) -> list[str]:
    """The schemas of ``there`` that are meant, in its order."""
    return [name for name in there if matches(name, patterns) and not matches(name, excluded)]


def absent(there: Collection[str], patterns: Iterable[str]) -> list[str]:
    """The plain names that are not there."""
    return [name for name in patterns if "*" not in name and name not in there]


def unmatched(there: Iterable[str], patterns: Iterable[str]) -> list[str]:
    """The globs that match nothing."""
    return [pattern for pattern in patterns if "*" in pattern and not choose(there, [pattern])]


def check(schemas: Sequence[str], option: str = "schemas") -> None:
    """Refuse a list that cannot be meant.

    :raises InvalidInput: it is empty, or names a schema that belongs to Postgres.
    """
    if not schemas or not all(schemas):
        raise InvalidInput(
            f"Reading {option}", "it names no schema", f"List the schemas, or set {option} to ['*'] for all."
        )
    system = sorted(name for name in schemas if SYSTEM.fullmatch(name))
    if system:
        raise InvalidInput(
            f"Reading {option}", f"{', '.join(system)} belongs to Postgres itself", "Leave it out."
        )


def check_apart(upload: str, schemas: Sequence[str], option: str) -> None:
    """Refuse an upload schema that is modelled too: Omni allows no other tables in it.

    A glob never means the upload schema, so only its own name is an overlap.

    :raises InvalidInput: ``schemas`` names ``upload``.
    """
    if upload in schemas:
        raise InvalidInput(
            f"Reading {option}",
            f"{upload} is the schema for table uploads, and is listed among the modelled schemas too",
            "Omni needs a schema of its own for uploads: take it out of one of the two.",
        )

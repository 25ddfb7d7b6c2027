# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cron expressions that Omni takes: those of AWS EventBridge, with six fields."""

from __future__ import annotations

import re
from typing import NamedTuple

from .._errors import InvalidInput
from .connection_checks import marked


class Field(NamedTuple):
    """One of the six fields: its range, the names of its values, and what else it may be (a pattern)."""

    what: str
    least: int
    most: int
    names: tuple[str, ...] = ()
    special: str = "(?!)"


DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
FIELDS = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    # L: the last day; 15W: the weekday nearest to the 15th.
    Field("day-of-month", 1, 31, special=r"\?|LW?|([1-9]|[12]\d|3[01])W"),
    Field("month", 1, 12, MONTHS),
    # 6L: the last Friday; 6#3: the third one.
    Field("day-of-week", 1, 7, DAYS, special=rf"\?|L|([1-7]|{'|'.join(DAYS)})(L|#[1-5])"),
    Field("year", 1970, 2199),
)


def normal(text: str) -> str:
    """The expression in the one spelling in which two of them are compared."""
    return " ".join(text.upper().split())


def check(text: str, option: str) -> None:
    """Refuse what is no such expression.

    :raises InvalidInput: names the field that is wrong.
    """
    parts = normal(text).split()
    if len(parts) != len(FIELDS):
        raise _invalid(text, option, f"{len(parts)} fields instead of 6")
    for field, part in zip(FIELDS, parts):
        if not re.fullmatch(field.special, part) and not all(_fits(field, item) for item in part.split(",")):
            raise _invalid(text, option, f"{part} for its {field.what}")
    if (parts[2] == "?") == (parts[4] == "?"):
        raise _invalid(text, option, "not exactly one ? for day-of-month or day-of-week")


def _fits(field: Field, item: str) -> bool:
    """Whether ``item`` is a value, a range, or *, with a step or without."""
    found = re.fullmatch(r"(?:\*|(\w+)(?:-(\w+))?)(?:/([1-9]\d{0,3}))?", item, re.ASCII)
    if found is None:
        return False
    numbers = [_number(field, value) for value in found.groups()[:2] if value]
    return all(field.least <= number <= field.most for number in numbers) and numbers == sorted(numbers)


def _number(field: Field, value: str) -> int:
    if value in field.names:
        return field.least + field.names.index(value)
    return int(value) if value.isdigit() else -1


def _invalid(text: str, option: str, has: str) -> InvalidInput:
    return InvalidInput(
        f"Reading {marked(option)}",
        f"the cron expression {text!r} has {has}",
        "Omni takes six fields, minute hour day-of-month month day-of-week year, with ? for one of the two "
        "days: 0 2 * * ? * is every day at 2:00.",
    )

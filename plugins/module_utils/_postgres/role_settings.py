# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A role's settings (ALTER ROLE … SET), as people give them and as Postgres stores them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .._errors import InvalidInput
from .names import check_text

#: The settings of a role that are lists of names. Everything else is one value, commas included.
LISTS = ("local_preload_libraries", "search_path", "session_preload_libraries", "temp_tablespaces")
ITEM = r'"((?:[^"]|"")*)"|([^",\s]+)'
#: What Postgres takes for no: any beginning of these words that fits only one word.
NO = ("f", "fa", "fal", "fals", "false", "n", "no", "of", "off", "0")


def wanted(settings: Mapping[str, Any]) -> dict[str, list[str] | None]:
    """The values by name in lower case, as the literals that ALTER ROLE … SET takes; None is to be reset.

    :raises InvalidInput: a value that no setting has.
    """
    values: dict[str, list[str] | None] = {}
    for given, value in settings.items():
        name = str(given).lower()
        if value is None:
            values[name] = None
        elif isinstance(value, list) and name in LISTS:
            values[name] = [str(item) for item in value] or [""]
        elif isinstance(value, (list, dict)):
            raise InvalidInput(
                f"Reading O(settings): {given}", "it takes one value", "Give a text or a number."
            )
        else:
            text = {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
            values[name] = _literals(name, text)
        check_text("".join([name, *(values[name] or ())]), "settings")
    return values


def stored(entries: Iterable[str]) -> dict[str, list[str]]:
    """The same of pg_roles.rolconfig, whose entries are name=value."""
    pairs = (entry.partition("=") for entry in entries)
    return {name.lower(): _literals(name.lower(), value) for name, dummy, value in pairs}


def _literals(name: str, value: str) -> list[str]:
    if name not in LISTS:
        return [value]
    names = [bare.lower() if bare else quoted.replace('""', '"') for quoted, bare in re.findall(ITEM, value)]
    return names or [""]


def is_on(value: str) -> bool:
    """Whether a switch that is stored as this is on: Postgres keeps ``true``, ``1`` and ``yes`` as given."""
    return value.lower() not in NO

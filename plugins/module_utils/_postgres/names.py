# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which names Postgres keeps for objects and roles."""

from __future__ import annotations

from .._errors import InvalidInput

#: The longest identifier that Postgres keeps, in bytes; anything longer it cuts without an error.
NAME_BYTES = 63


def check_name(name: str, option: str) -> str:
    """``name`` if Postgres can keep it as an identifier, whatever characters it has.

    :raises InvalidInput: it is empty, or Postgres would cut it.
    """
    size = len(name.encode())
    if not name or "\0" in name:
        raise InvalidInput(
            f"Reading {option}", f"{name!r} is no name that Postgres can keep", "Choose another one."
        )
    if size > NAME_BYTES:
        raise InvalidInput(
            f"Reading {option}",
            f"{name} has {size} bytes, and Postgres cuts names after {NAME_BYTES}",
            "Choose a shorter name.",
        )
    return name


def check_role(name: str, option: str) -> str:
    """As :func:`check_name`, and no name that Postgres keeps for itself."""
    check_name(name, option)
    if name.startswith("pg_") or name in ("public", "none"):
        raise InvalidInput(
            f"Reading {option}", f"Postgres keeps the role name {name} for itself", "Choose another one."
        )
    return name

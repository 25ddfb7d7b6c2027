# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which names and texts Postgres keeps."""

from __future__ import annotations

from collections.abc import Sequence

from .._errors import InvalidInput, Prerequisite

#: The longest identifier that Postgres keeps, in bytes; anything longer it cuts without an error.
NAME_BYTES = 63


def check_text(text: str, option: str) -> str:
    """``text`` if it can be sent at all. It is not repeated in the message: it may be a secret.

    :raises InvalidInput: it has a NUL, or half of a surrogate pair, which is how Python keeps bytes that are
        not UTF-8.
    """
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise InvalidInput(
            f"Reading O({option})",
            "it has a NUL, or bytes that are not UTF-8, and Postgres keeps neither",
            "Take them out.",
        )
    return text


def check_name(name: str, option: str) -> str:
    """``name`` if Postgres can keep it as an identifier, whatever characters it has.

    :raises InvalidInput: it is empty, or Postgres would cut it.
    """
    if not name:
        raise InvalidInput(
            f"Reading O({option})", "it is empty, which is no name", "Give one, or leave it out."
        )
    size = len(check_text(name, option).encode())
    if size > NAME_BYTES:
        raise InvalidInput(
            f"Reading O({option})",
            f"{name} has {size} bytes, and Postgres cuts names after {NAME_BYTES}",
            "Choose a shorter name.",
        )
    return name


def check_role(name: str, option: str) -> str:
    """As :func:`check_name`, and no name that Postgres keeps for itself."""
    check_name(name, option)
    if name.startswith("pg_") or name in ("public", "none"):
        raise InvalidInput(
            f"Reading O({option})", f"Postgres keeps the role name {name} for itself", "Choose another one."
        )
    return name


def no_role(doing: str, roles: Sequence[str], todo: str) -> Prerequisite:
    """The error about roles that are not there (yet)."""
    return Prerequisite(doing, f"there is no role {', '.join(roles)}", todo, roles=list(roles))

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a login, which every module of this half has, and their checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._errors import InvalidInput

OPTIONS: dict[str, Any] = {
    "login_db": {"type": "str", "aliases": ["database"], "required": True},
    "login_host": {"type": "str"},
    "login_port": {"type": "int", "default": 5432},
    "login_user": {"type": "str"},
    "login_password": {"type": "str", "no_log": True},
    "login_unix_socket": {"type": "path"},
    "ssl_mode": {
        "type": "str",
        "default": "prefer",
        "choices": ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
    },
    "ca_cert": {"type": "path"},
    "ssl_cert": {"type": "path"},
    "ssl_key": {"type": "path"},
    "session_role": {"type": "str"},
    "connect_params": {"type": "dict", "default": {}},
    "connect_timeout": {"type": "int", "default": 10},
    "lock_timeout": {"type": "int", "default": 5},
    "statement_timeout": {"type": "int", "default": 30},
    "on_standby": {"type": "str", "default": "fail", "choices": ["fail", "skip"]},
    "max_listed": {"type": "int", "default": 50},
}

#: The least and the most of each number, and the advice where one is out of that range. Postgres keeps its
#: timeouts as milliseconds in 32 bits.
_SECONDS = (1, 2_000_000, "Choose 1 second or more.")
RANGES = {
    "login_port": (1, 65535, "Choose one from 1 to 65535."),
    "connect_timeout": _SECONDS,
    "lock_timeout": _SECONDS,
    "statement_timeout": _SECONDS,
    "max_listed": (0, 2**31, "0 lists all."),
}


def check(params: Mapping[str, Any]) -> None:
    """Refuse what no login could use.

    :raises InvalidInput: saying which option, and why.
    """
    for option, (least, most, todo) in RANGES.items():
        if not least <= params[option] <= most:
            raise InvalidInput(f"Reading {option}", f"{params[option]} is out of range", todo)

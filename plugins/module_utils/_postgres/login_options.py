# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of a login, which every module of this half has, and their checks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .._errors import InvalidInput, out_of_range
from .driver import extensions, psycopg2
from .names import check_name, check_text

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
    "ssl_key_password": {"type": "str", "no_log": True},
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


#: libpq's keywords that have an option, or that the collection sets itself (None). Given in connect_params too,
#: they could lead a login somewhere else than the options and the messages say.
#: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
OPTION_OF = {
    "client_encoding": None,
    "connect_timeout": "connect_timeout",
    "dbname": "login_db",
    "host": "login_host",
    "password": "login_password",
    "port": "login_port",
    "sslcert": "ssl_cert",
    "sslkey": "ssl_key",
    "sslmode": "ssl_mode",
    "sslpassword": "ssl_key_password",
    "sslrootcert": "ca_cert",
    "user": "login_user",
}
#: What psycopg2.connect takes beside libpq's keywords.
_OF_PSYCOPG2 = ("async", "async_", "connection_factory", "cursor_factory", "dsn")
#: A role that libpq's ``options`` sets, such as ``-c role=x`` and ``--session-authorization=x``.
_SETS_ROLE = r"(?:-c\s*|--)(?:role|session[_-]authorization)\s*="
#: What looks like the address of a database and is no name of one.
_URL = re.compile(r"[a-z][a-z0-9+.:-]*://", re.IGNORECASE)
_CONNECTION_STRING = re.compile(r"\b(?:dbname|host|hostaddr|password|port|user)\s*=", re.IGNORECASE)


def check(params: Mapping[str, Any]) -> None:
    """Refuse what no login could use.

    :raises InvalidInput: saying which option, and why.
    """
    _check_database(params["login_db"])
    for option in ("login_user", "session_role"):
        if params[option] is not None:
            check_name(params[option], option)
    for option in ("login_host", "login_unix_socket", "ca_cert", "ssl_cert", "ssl_key"):
        check_given(params[option], option)
    for option in ("login_password", "ssl_key_password"):
        check_text(params[option] or "", option)
    _check_connect_params(params["connect_params"])
    for option, (least, most, todo) in RANGES.items():
        if not least <= params[option] <= most:
            raise out_of_range(option, params[option], todo)


def check_given(value: str | None, option: str) -> None:
    """Refuse a value that names nothing; None is not given."""
    if value is not None and not check_text(value, option).strip():
        raise InvalidInput(f"Reading O({option})", "it is empty", "Give a value, or leave it out.")


def _check_database(name: str) -> None:
    """Refuse a URL or a connection string, and hide it: there may be a password in it."""
    if _URL.match(name.strip()) or _CONNECTION_STRING.search(name):
        error = InvalidInput(
            "Reading O(login_db)",
            "it is a connection string, not the name of a database",
            "Give the name alone; host, port, user and password have options of their own.",
        )
        error.secrets.add(name)
        raise error
    check_name(name, "login_db")


def _check_connect_params(given: Mapping[str, Any]) -> None:
    for keyword, value in given.items():
        reading = f"Reading O(connect_params): {check_text(str(keyword), 'connect_params')}"
        if keyword in OPTION_OF:
            option = OPTION_OF[keyword]
            error = InvalidInput(
                reading,
                "it would win over the module's own option" if option else "the modules set it themselves",
                f"Use O({option}) instead." if option else "Leave it out.",
            )
            if "password" in keyword and value:
                error.secrets.add(str(value))
            raise error
        text = check_text("" if value is None else str(value), "connect_params")
        if keyword == "options" and re.search(_SETS_ROLE, text, re.IGNORECASE):
            raise InvalidInput(reading, "it sets a role", "Use O(session_role) instead.")
        try:
            known = keyword not in _OF_PSYCOPG2 and extensions.make_dsn(**{str(keyword): text})
        except psycopg2.Error:
            known = False
        if not known:
            raise InvalidInput(reading, "this libpq knows no such keyword", "Correct or remove it.")

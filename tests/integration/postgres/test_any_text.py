# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any text in any option is taken, or refused by a message: it is never a bug."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres import (
    access_info,
    grants,
    upload_schema,
    user,
)
from tests.helpers.postgres_modules import perform

#: Surrogates, which are bytes that are not UTF-8, NUL, and what a normalisation makes longer or nothing.
CHARACTERS = ["\udcff", "\ud83d", "\0", "\ufdfa" * 20, "\u00ad", "\u0340", "\n", "\r", "\t", " ", "x" * 70]
#: What quotes, formats, patterns, names and addresses are made of.
SIGNS = [
    "'",
    '"',
    "\\",
    "%s",
    "%(x)s",
    "{}",
    "{{ 1 }}",
    "$$",
    ";--",
    "a.b",
    "*",
    "[",
    "=",
    "postgres://",
    "/",
    ",",
]
WORDS = [
    "infinity",
    "2030-01-01",
    "9999999999-",
    "-infinity",
    "\u0661\u0662\u0663\u0664-",
    "on",
    "pg_",
    "public",
]
PIECES = strategies.sampled_from([*CHARACTERS, *SIGNS, *WORDS])
TEXT = strategies.lists(PIECES | strategies.text(max_size=3), max_size=3).map("".join)
SCALAR = TEXT | strategies.integers(-(2**70), 2**70) | strategies.booleans() | strategies.none()
VALUES = {
    "str": TEXT,
    "path": TEXT,
    "int": strategies.integers(-(2**70), 2**70),
    "list": strategies.lists(TEXT, max_size=3),
    "dict": strategies.dictionaries(TEXT, SCALAR | strategies.lists(SCALAR, max_size=2), max_size=2),
}
#: Where the login goes is not for chance to say: tests reach loopback alone.
NOT_BY_CHANCE = (
    "login_host",
    "login_port",
    "login_unix_socket",
    "connect_params",
    "connect_timeout",
    "state",
)


@pytest.mark.parametrize("module", [user, grants, upload_schema, access_info])
@hypothesis.settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
@hypothesis.given(data=strategies.data())
def test_any_text(module: Any, admin_login: dict[str, Any], data: Any) -> None:
    options = module.DEFINITION.options
    free = sorted(
        name
        for name, option in options.items()
        if option["type"] in VALUES and "choices" not in option and name not in NOT_BY_CHANCE
    )
    given: dict[str, Any] = {**admin_login, "connect_timeout": 5}
    for required in ("name", "password"):
        if required in options:
            given[required] = "omni_any_text"
    for name in data.draw(
        strategies.lists(strategies.sampled_from(free), min_size=1, max_size=3, unique=True)
    ):
        given[name] = data.draw(VALUES[options[name]["type"]])
    result = perform(module.DEFINITION, given, check=True)  # fails the test itself where it is a bug
    assert "\n" not in result.get("msg", "")

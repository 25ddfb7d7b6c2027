# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fields of Omni's form for a connection, each declared once. The options of the module, the request that
creates a connection, what is compared and what is recorded all come from here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .._errors import InvalidInput
from .connection_checks import (
    check_given,
    check_host,
    check_name,
    check_names,
    check_query_timezone,
    check_schemas,
    check_timezone,
    default_schema,
    within,
)

TEXT = {"type": "str"}
FLAG = {"type": "bool"}


_SNAKE = re.compile(r"_([a-z])")


class Field(NamedTuple):
    """One field.

    :param option: its name as an option of the module.
    :param spec: the option, as in an argument spec.
    :param check: raises InvalidInput for a value (and an option's name) that cannot be meant.
    :param api: its name in Omni's API, where that is not the option in camel case.
    :param required: what a connection cannot be without, where it is that.
    :param mutable: whether Omni's API can change it.
    :param shown: whether Omni's API shows it.
    """

    option: str
    spec: Mapping[str, Any]
    check: Callable[[Any, str], None] | None = None
    api: str = ""
    required: str = ""
    mutable: bool = False
    shown: bool = False

    @property
    def api_name(self) -> str:
        """Its name in Omni's API."""
        return self.api or _SNAKE.sub(lambda found: found[1].upper(), self.option)


FIELDS = (
    Field("name", TEXT, check_name, shown=True),
    Field("host", TEXT, check_host, required="the address at which Omni reaches the database"),
    Field("port", {"type": "int", "default": 5432}, within(1, 65535)),
    Field("database", TEXT, check_name, required="one", shown=True),
    Field("username", {"type": "str", "default": "omni"}, check_name, required="one"),
    Field("default_schema", TEXT, check_name, shown=True),
    Field("include_schemas", {"type": "list", "elements": "str"}, check_names),
    Field("offloaded_schemas", {"type": "list", "elements": "str"}, check_names),
    Field("scratch_schema", {"type": "str", "aliases": ["upload_schema"]}, check_name),
    Field(
        "system_timezone",
        {"type": "str", "default": "UTC", "aliases": ["database_timezone"]},
        check_timezone,
    ),
    Field("query_timezone", {"type": "str", "default": "NONE"}, check_query_timezone),
    Field("allows_user_specific_timezones", {"type": "bool", "default": False}),
    Field("query_timeout_seconds", {"type": "int", "aliases": ["query_timeout"]}, within(1, 3600)),
    Field("infer_relationships_from_foreign_keys", FLAG),
    Field("infer_relationships_from_column_names", FLAG),
    Field("always_scope_view_names", FLAG),
    Field("base_role", TEXT, check_name, mutable=True, shown=True),
    Field("password", {"type": "str", "no_log": True}, check_given, api="passwordUnencrypted", mutable=True),
)

BY_OPTION = {field.option: field for field in FIELDS}
OPTIONS = {field.option: field.spec for field in FIELDS}
#: Those that a connection is found by, or that Omni's API can change, are no settings; all else is.
SETTINGS = {field.option: field for field in FIELDS if field.option != "name" and not field.mutable}


def check(params: Mapping[str, Any]) -> None:
    """Refuse values of fields that Omni, or the database behind it, could not use.

    :raises InvalidInput: names the option.
    """
    for field in FIELDS:
        value = params[field.option]
        if field.required and not value:
            raise InvalidInput(
                f"Reading O({field.option})", "it is missing", f"A connection needs {field.required}."
            )
        if value is not None and field.check:
            field.check(value, field.option)
    include = params["include_schemas"]
    default = params["default_schema"] or default_schema(include)
    check_schemas(include, default, params["scratch_schema"])


def wanted(params: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that have a value. No include list, or one with * in it, is every schema: ["*"]."""
    include = params["include_schemas"]
    values = {
        **params,
        "default_schema": params["default_schema"] or default_schema(include),
        "include_schemas": ["*"] if not include or "*" in include else include,
    }
    return {option: values[option] for option in SETTINGS if values[option] is not None}


def body(values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` of fields as the API takes them when a connection is created."""
    sent = {
        field.api_name: values[field.option]
        for field in FIELDS
        if field.option in values and (field.option, values[field.option]) != ("include_schemas", ["*"])
    }
    return {name: ",".join(value) if isinstance(value, list) else value for name, value in sent.items()}


def shown(connection: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that the API shows of ``connection``, by option. It may keep the default schema to itself."""
    values = {option: connection[field.api_name] for option, field in SETTINGS.items() if field.shown}
    return {
        option: value for option, value in values.items() if option != "default_schema" or value is not None
    }


def as_it_is(
    params: Mapping[str, Any], connection: Mapping[str, Any], recorded: Mapping[str, Any]
) -> dict[str, Any]:
    """The settings of ``connection`` that are known. What Omni shows counts before what is ``recorded``; and
    what somebody mistyped in the record is not known."""
    want = wanted(params)
    fitting = {
        option: value
        for option, value in recorded.items()
        if option in SETTINGS and (option not in want or type(value) in (type(want[option]), type(None)))
    }
    return {**fitting, **shown(connection)}


def differences(
    params: Mapping[str, Any], connection: Mapping[str, Any], recorded: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """The settings that are not as wanted, so far as Omni or the record tells. Wanted None: it is set, and
    nothing is given for it any more."""
    want = wanted(params)
    known = as_it_is(params, connection, recorded)
    return {
        option: {"is": known[option], "wanted": want.get(option)}
        for option in SETTINGS
        if option in known and not same(known[option], want.get(option))
    }


def same(one: Any, other: Any) -> bool:
    """Whether two values of a setting mean the same; the order of schemas means nothing."""
    return bool(_normal(one) == _normal(other))


def _normal(value: Any) -> Any:
    return sorted(set(map(str, value))) if isinstance(value, list) else value


def told(differing: Mapping[str, Mapping[str, Any]]) -> str:
    """Differences as people read them."""
    said = []
    for option, pair in differing.items():
        what = f"O({option})" if option in OPTIONS else option
        wanted = f" where {pair['wanted']!r} is wanted" if pair["wanted"] is not None else ", wanted: not set"
        said.append(f"{what} is {pair['is']!r}{wanted}")
    return ", ".join(said)

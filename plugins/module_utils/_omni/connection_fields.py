# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of a connection that Omni's API does not change: which they are, and whether they can be meant."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Mapping, Sequence
from typing import Any

try:
    from zoneinfo import ZoneInfo
except ImportError:  # Python 3.8
    ZoneInfo = None  # type: ignore[assignment, misc]

from .. import _schema_patterns as _schemas
from .._errors import InvalidInput

#: As options of the module. Each is a field of the API too.
SETTINGS = (
    "host",
    "port",
    "database",
    "username",
    "default_schema",
    "include_schemas",
    "scratch_schema",
    "system_timezone",
    "query_timezone",
    "allows_user_specific_timezones",
    "query_timeout_seconds",
)

LOCAL_NAME = re.compile(r"(.*\.)?localhost6?(\.localdomain6?)?\.?", re.IGNORECASE)
ZONE = re.compile(r"[A-Za-z][\w+-]*(/[\w+-]+)*", re.ASCII)


def wanted(params: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that have a value. No include list, or one with * in it, is every schema: ["*"]."""
    include = params["include_schemas"]
    values = {**params, "include_schemas": ["*"] if not include or "*" in include else include}
    return {option: values[option] for option in SETTINGS if values[option] is not None}


def same(one: Any, other: Any) -> bool:
    """Whether two values of a setting mean the same; the order of schemas means nothing."""
    return _normal(one) == _normal(other)


def _normal(value: Any) -> Any:
    return sorted(set(map(str, value))) if isinstance(value, list) else value


def check(params: Mapping[str, Any]) -> None:
    """Refuse settings of a connection that Omni, or the database behind it, could not use.

    :raises InvalidInput: names the option.
    """
    for option in ("host", "database", "username"):
        if not params[option]:
            raise InvalidInput(f"Reading {option}", "it is missing", "A connection needs one.")
    for option in ("password", "default_schema", "scratch_schema", "base_role"):
        if params[option] == "":
            raise InvalidInput(f"Reading {option}", "it is empty", "Leave it out, or give it a value.")
    check_host(params["host"])
    for option, most in (("port", 65535), ("query_timeout_seconds", 3600)):
        if params[option] is not None and not 1 <= params[option] <= most:
            raise InvalidInput(
                f"Reading {option}", f"{params[option]} is out of range", f"Give it from 1 to {most}."
            )
    check_timezone(params["system_timezone"], "system_timezone")
    if params["query_timezone"] != "NONE":
        check_timezone(params["query_timezone"], "query_timezone", " or NONE")
    check_schemas(params["include_schemas"], params["default_schema"], params["scratch_schema"])


def check_host(host: str) -> None:
    """Refuse an address that Omni could not reach, or that is none.

    :raises InvalidInput: says which of the two.
    """
    if re.search(r"[\s,/@\[\]\\]", host) or re.fullmatch(r"[^:]*:\d*", host):
        raise InvalidInput(
            "Reading host",
            "it is no host name or IP address",
            "Give the one host; its port belongs into port.",
        )
    address = _address(host)
    if LOCAL_NAME.fullmatch(host) or (address and (address.is_loopback or address.is_unspecified)):
        raise InvalidInput(
            "Reading host",
            f"{host} is this machine, and Omni connects from elsewhere",
            "Set host to the address at which Omni reaches the database.",
        )


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address that ``host`` is, in whatever spelling (127.1 is one), or None for a name."""
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        pass
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        return None
    return address.ipv4_mapped or address


def check_timezone(name: str, option: str, other: str = "") -> None:
    """Refuse what is no IANA time zone; where there is no database of them, what does not look like one.

    :raises InvalidInput: quotes the name.
    """
    if name == "NONE" or not ZONE.fullmatch(name) or (_known_zone("UTC") and not _known_zone(name)):
        raise InvalidInput(
            f"Reading {option}",
            f"{name!r} is no time zone",
            f"Give an IANA name{other}, such as Europe/Berlin.",
        )


def _known_zone(name: str) -> bool:
    try:
        return ZoneInfo is not None and bool(ZoneInfo(name))
    except (ValueError, OSError, LookupError):
        return False


def check_schemas(include: Sequence[str], default: str, upload: str | None) -> None:
    """Refuse schemas that contradict each other.

    :raises InvalidInput: names the option.
    """
    commas = [name for name in include if "," in name]
    if commas:
        raise InvalidInput(
            "Reading include_schemas",
            f"{commas[0]!r} has a comma, which in Omni separates two schemas",
            "Leave it out: Omni cannot include a schema of that name.",
        )
    if include:
        included = _schemas.modelled(include, "include_schemas")
        if default not in included:
            raise InvalidInput(
                "Reading default_schema",
                f"{default} is not among include_schemas ({', '.join(include)})",
                "Add it there, or choose another default_schema.",
            )
    if upload is not None:
        for option, names in (("include_schemas", include), ("default_schema", [default])):
            _schemas.SchemaPatterns(names, option).refuse_upload_schema(upload)

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the value of a connection's field can be meant: addresses, time zones, schemas, texts."""

from __future__ import annotations

import ipaddress
import re
import socket
import unicodedata
from collections.abc import Callable, Sequence

try:
    from zoneinfo import ZoneInfo
except ImportError:  # Python 3.8
    ZoneInfo = None  # type: ignore[assignment, misc]

from .._errors import InvalidInput, out_of_range
from .._schema_patterns import SchemaPatterns, modelled

LOCAL_NAME = re.compile(r"(.*\.)?localhost6?(\.localdomain6?)?\.?", re.IGNORECASE)
NO_HOST = re.compile(r"[\s,/@\[\]\\]")
WITH_PORT = re.compile(r"[^:]*:\d*")
ZONE = re.compile(r"[A-Za-z][\w+-]*(/[\w+-]+)*", re.ASCII)


def marked(option: str) -> str:
    """An option as messages name it, be it within another one: schedules[0].timezone is in schedules."""
    return re.sub(r"^\w+", r"O(\g<0>)", option)


def check_given(value: str, option: str) -> None:
    """
    :raises InvalidInput: it is empty.
    """
    if not value:
        raise InvalidInput(f"Reading {marked(option)}", "it is empty", "Leave it out, or give it a value.")


def check_name(value: str, option: str) -> None:
    """Refuse what names nothing, or has a character that no name has.

    :raises InvalidInput: names the option.
    """
    check_given(value, option)
    if any(unicodedata.category(character) == "Cc" for character in value):
        raise InvalidInput(
            f"Reading {marked(option)}",
            "it has a control character, such as a line's end",
            "Correct it where it comes from.",
        )


def check_names(values: Sequence[str], option: str) -> None:
    """As :func:`check_name`, for names in a list that Omni gets as text with commas between them.

    :raises InvalidInput: names the option.
    """
    for value in values:
        if value:
            check_name(value, option)
        if "," in value:
            raise InvalidInput(
                f"Reading {marked(option)}",
                f"{value!r} has a comma, which in Omni separates two schemas",
                "Leave it out: Omni cannot be told of a schema of that name.",
            )


def within(least: int, most: int) -> Callable[[int, str], None]:
    """A check that a number is in that range."""

    def check(value: int, option: str) -> None:
        if not least <= value <= most:
            raise out_of_range(option, value, f"Give it from {least} to {most}.")

    return check


def check_host(host: str, option: str = "host") -> None:
    """Refuse an address that Omni could not reach, or that is none.

    :raises InvalidInput: says which of the two.
    """
    check_name(host, option)
    labels = host.rstrip(".").split(".")
    too_long = len(host) > 253 or any(len(label) > 63 for label in labels)
    if too_long or NO_HOST.search(host) or WITH_PORT.fullmatch(host):
        raise InvalidInput(
            "Reading O(host)",
            "it is no host name or IP address",
            "Give the one host; its port belongs into O(port).",
        )
    address = _address(host)
    if LOCAL_NAME.fullmatch(host) or (address and (address.is_loopback or address.is_unspecified)):
        raise InvalidInput(
            "Reading O(host)",
            f"{host} is this machine, and Omni connects from elsewhere",
            "Set O(host) to the address at which Omni reaches the database.",
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
            f"Reading {marked(option)}",
            f"{name!r} is no time zone",
            f"Give an IANA name{other}, such as Europe/Berlin.",
        )


def _known_zone(name: str) -> bool:
    try:
        return ZoneInfo is not None and bool(ZoneInfo(name))
    except (ValueError, OSError, LookupError):
        return False


def check_query_timezone(name: str, option: str) -> None:
    """As :func:`check_timezone`; NONE is taken too."""
    if name != "NONE":
        check_timezone(name, option, " or NONE")


def check_schemas(include: Sequence[str] | None, default: str, upload: str | None) -> None:
    """Refuse schemas that contradict each other.

    :raises InvalidInput: names the option.
    """
    if include is not None:
        included = modelled(include, "include_schemas")
        if default not in included:
            raise InvalidInput(
                "Reading O(default_schema)",
                f"{default} is not among O(include_schemas) ({', '.join(include)})",
                "Add it there, or choose another O(default_schema).",
            )
        if upload is not None:
            included.refuse_upload_schema(upload)
    if upload is not None:
        SchemaPatterns([default], "default_schema").refuse_upload_schema(upload)


def default_schema(include: Sequence[str] | None) -> str:
    """The default schema where none is given: public where it is modelled, else the first plain name.

    :raises InvalidInput: there is neither; so somebody has to choose.
    """
    if not include or "public" in SchemaPatterns(include, "include_schemas"):
        return "public"
    plain = [name for name in include if name and "*" not in name]
    if not plain:
        raise InvalidInput(
            "Reading O(default_schema)",
            f"it is missing, and O(include_schemas) ({', '.join(include)}) neither names a schema nor matches public",
            "Give O(default_schema).",
        )
    return plain[0]

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the way to Omni, which every module of this half has, and their checks."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from typing import Any

from .._definition import from_environment
from .._errors import InvalidInput, out_of_range

OPTIONS: dict[str, Any] = {
    "api_url": {"type": "str", "required": True, "fallback": from_environment("OMNI_BASE_URL")},
    "api_token": {
        "type": "str",
        "required": True,
        "no_log": True,
        "fallback": from_environment("OMNI_API_TOKEN", "OMNI_API_KEY"),
    },
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "timeout": {"type": "int", "default": 30},
    "total_timeout": {"type": "int", "default": 900},
    "requests_per_minute": {"type": "int", "default": 60},
}

# Compiled once, before Ansible forks: a pattern that is first met in a worker is compiled in each of them.
_TOKEN = re.compile("[!-~]+")
_HOST = re.compile(rb"[\w.-]+")
#: An instance's address, as it is, with /api as the documentation has it, or with /api/v1.
_URL = re.compile(
    r"(?P<root>https://(?P<host>[^\s/?#@\\:\[\]]+|\[[\da-f:.]+\])(:(?P<port>\d{1,5}))?)(/api(/v1)?)?/*",
    re.IGNORECASE,
)


def check(params: Mapping[str, Any]) -> None:
    """Refuse what no request could be sent with.

    :raises InvalidInput: saying which option, and why.
    """
    for option, value in params.items():
        _check_encodable(option, value)
    if not _TOKEN.fullmatch(params["api_token"]):
        raise InvalidInput(
            "Reading O(api_token)",
            "it is empty, or has a character that no token has, such as a blank or a line's end",
            "Check O(api_token), or the variable OMNI_API_TOKEN or OMNI_API_KEY where it comes from.",
        )
    for option in ("timeout", "total_timeout", "requests_per_minute"):
        if not 1 <= params[option] <= 2_000_000:
            raise out_of_range(option, params[option], "Give 1 or more.")
    ca_path = params["ca_path"]
    if params["validate_certs"] and ca_path and not os.path.exists(ca_path):
        raise InvalidInput("Reading O(ca_path)", f"there is no {ca_path} where the module runs")


def _check_encodable(option: str, value: Any) -> None:
    """Refuse text that cannot be sent: half of a surrogate pair, which a broken file or decoder leaves."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidInput(
                f"Reading O({option})",
                "it has half of a surrogate pair, which is no character",
                "Look where it comes from: most often that was read in the wrong encoding.",
            ) from None
    elif isinstance(value, Mapping):
        for part in (*value, *value.values()):
            _check_encodable(option, part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            _check_encodable(option, part)


def root(url: str) -> str:
    """The address that the paths of the API start from, of an ``api_url`` as people write it.

    :raises InvalidInput: it is no address that a token may be sent to. A wrong one is not quoted: it
        may have a password in it.
    """
    found = _URL.fullmatch(url)
    if found and int(found["port"] or 443) in range(1, 65536) and _is_host(found["host"]):
        return found["root"]
    if url.lower().startswith("http://"):
        raise InvalidInput(
            "Reading O(api_url)",
            "http:// would send the token unencrypted",
            "Use https://; with a certificate of your own, set O(ca_path).",
        )
    raise InvalidInput(
        "Reading O(api_url)",
        "it is not the address of an Omni instance",
        "Give it like https://example.omniapp.co, without user, query or another path.",
    )


def _is_host(host: str) -> bool:
    """Whether a name can be looked up: its labels have up to 63 characters, and it has up to 253."""
    if host.startswith("["):
        try:
            return bool(ipaddress.IPv6Address(host[1:-1]))
        except ValueError:
            return False
    try:
        name = host.encode("idna")
    except UnicodeError:
        return False
    return len(name) <= 253 and bool(_HOST.fullmatch(name))

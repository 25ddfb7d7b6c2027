# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The addresses that are let in, as they are given."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Union

from .._errors import InvalidInput
from .pg_hba import Net

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
EVERYTHING = ("0.0.0.0/0", "::/0")


def networks(addresses: Sequence[str], allow_any: bool) -> tuple[Net, ...]:
    """The addresses in a fixed order, so that the order in which they are listed makes no difference.

    :raises InvalidInput: there is none, one is no address, or together they are every address that there is.
    """
    if not addresses:
        raise _invalid("it names no address", "List Omni's addresses; or set O(state=absent).")
    found: list[Network] = []
    for text in addresses:
        found += [_network(one) for one in (EVERYTHING if text.strip() == "all" else (text.strip(),))]
    # Two halves are all, too.
    whole: list[Network] = [
        *ipaddress.collapse_addresses(net for net in found if isinstance(net, ipaddress.IPv4Network)),
        *ipaddress.collapse_addresses(net for net in found if isinstance(net, ipaddress.IPv6Network)),
    ]
    every = [str(net) for net in whole if net.prefixlen == 0]
    if every and not allow_any:
        raise _invalid(
            f"together they are every address that there is ({', '.join(every)})",
            "List Omni's own addresses; where everybody may come, set O(allow_any_address=true).",
        )
    ordered = sorted(set(found), key=lambda net: (net.version, net.network_address.packed, net.prefixlen))
    return tuple(Net(net.max_prefixlen, int(net.network_address), int(net.netmask)) for net in ordered)


def _network(text: str) -> Network:
    host = text.partition("/")[0]
    if "%" in text or re.search(r"(^|\.)0\d", host):
        raise _invalid(f"{text!r} is no address that means one thing everywhere", "Write it plainly.")
    try:
        net: Network = ipaddress.ip_network(text, strict=False)
        exact = ipaddress.ip_address(host) == net.network_address
    except ValueError:
        raise _invalid(
            f"{text!r} is no address",
            "List IPv4 and IPv6 addresses, or nets such as 203.0.113.0/28.",
        ) from None
    if not exact:
        raise _invalid(f"{text} is an address inside of a net", f"Write {host} or {net}.")
    if net.version == 6 and net.subnet_of(ipaddress.IPv6Network("::ffff:0:0/96")):
        raise _invalid(
            f"{text} is an IPv4 address in IPv6's clothes, which Postgres never sees", "Write it as IPv4."
        )
    return net


def _invalid(said: str, todo: str) -> InvalidInput:
    return InvalidInput("Reading O(addresses)", said, todo)

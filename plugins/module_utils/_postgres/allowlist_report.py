# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people are told of an allowlist: which line decides each address, and what else keeps Omni out."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from .allowlist_block import Wanted
from .allowlist_server import Facts
from .pg_hba import Net, Rule
from .pg_hba_judgement import Attempt, Decision, decide, spelled


def decisions(
    path: str, rules: Sequence[Rule], nets: Sequence[Net], attempts: Sequence[Attempt]
) -> list[dict[str, Any]]:
    """The line that decides each address, for each way of logging in; several where they decide parts of a net
    or cannot be judged. ``path`` is where there would be one that is not there."""
    return [
        _told(path, net, attempt, decision)
        for net in nets
        for attempt in attempts
        for decision in decide(rules, net, attempt)
    ]


def _told(path: str, net: Net, attempt: Attempt, decision: Decision) -> dict[str, Any]:
    rule = decision.rule
    part = [spelled(one) for one in decision.nets]
    told: dict[str, Any] = {
        "address": spelled(net),
        "part": [] if part == [spelled(net)] else part[:10],
        "tls": attempt.tls,
        "method": "none",
        "file": path,
        "line": None,
        "unsure": decision.unsure,
    }
    if rule is not None:
        method = rule.method.decode(errors="replace") or "unknown"
        told.update(method=method, file=rule.file, line=rule.number)
    return told


def trusted(told: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """Where an address gets in without a password: the line, and which addresses by which way."""
    return [
        (f"line {one['line']} of {one['file']}", f"{', '.join(one['part'] or [one['address']])} {_way(one)}")
        for one in told
        if one["method"] == "trust"
    ]


def _way(one: dict[str, Any]) -> str:
    return "with TLS" if one["tls"] else "without TLS"


def warnings(
    facts: Facts,
    wanted: Wanted,
    before: Sequence[dict[str, Any]],
    after: Sequence[dict[str, Any]],
    changed: bool,
) -> list[str]:
    """What deserves a look.

    :param after: who decides the addresses in the file as it is now, or would be.
    :param before: who would, were the block not there.
    """
    found = []
    for line, whom in trusted(after):
        found.append(
            f"{line} (trust) lets role {wanted.role} into database {wanted.database} without a password from {whom}. "
            "Remove it, or change its method."
        )
    now = trusted(after)
    for line, whom in trusted(before) if changed else ():
        if whom not in [other for _line, other in now]:
            found.append(
                f"{line} (trust) let role {wanted.role} into database {wanted.database} without a password from "
                f"{whom}; the new rules come before it. It still does so for others."
            )
    unsure = [one for one in after if one["unsure"]]
    if unsure:
        first = unsure[0]
        found.append(
            f"What line {first['line']} of {first['file']} decides for {first['address']} cannot be judged from "
            f"outside: {first['unsure']}."
            + (f" There are {len(unsure) - 1} more of these." if unsure[1:] else "")
        )
    if wanted.kind == "hostssl" and not facts.tls:
        found.append(
            "The server has no TLS (ssl is off), so that rules of the type hostssl let nobody in. Switch it on; or, in "
            "a network that nobody else hears, set O(connection_type=host)."
        )
    deaf = _deaf(facts.listens, wanted.nets)
    if deaf:
        found.append(deaf)
    if changed and (facts.standby or facts.standbys):
        what = "is a standby" if facts.standby else f"has standbys ({facts.standbys})"
        found.append(
            f"The server {what}. A pg_hba.conf is not replicated: run the step on the others as well."
        )
    return found


def _deaf(listens: str, nets: Sequence[Net]) -> str:
    """Why the addresses do not reach the server, whatever its rules are."""
    names = [name.strip() for name in listens.split(",") if name.strip()]
    heard = set()
    for name in names:
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            heard |= set() if name == "localhost" else {32, 128}
            continue
        heard |= set() if address.is_loopback else {address.max_prefixlen}
    missing = {net.bits for net in nets} - heard
    if not missing or all(_loopback(net) for net in nets if net.bits in missing):
        return ""
    family = "" if len(missing) == 2 or not heard else " over IPv6" if 128 in missing else " over IPv4"
    return (
        f"The server listens on {listens or 'no address at all'} (listen_addresses), where Omni does not reach "
        f"it{family}. Change that setting, which takes a restart, unless something on this host passes its attempts on."
    )


def _loopback(net: Net) -> bool:
    family = ipaddress.IPv4Address if net.bits == 32 else ipaddress.IPv6Address
    return bool(family(net.address & net.mask).is_loopback)

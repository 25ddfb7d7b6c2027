# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which rule of a pg_hba.conf decides a login over the network.

The server asks the rules in turn, and the first that means the login decides it. Some rules cannot be judged from
outside: they *may* decide, and say why they are not sure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .pg_hba import REGEXES, Net, Rule, Token

#: What of Postgres' regular expressions means the same in Python, byte by byte.
REGEX = re.compile(
    rb"(?:[A-Za-z0-9_ @:,;/~!%&='\"<>#-]|\\[^A-Za-z0-9\x80-\xff]|\[\^?[A-Za-z0-9_](?:-?[A-Za-z0-9_])*\]|\.|\^|\$"
    rb"|(?<=[A-Za-z0-9_.\])])[*+?](?![*+?])|\((?!\?)|\)|\|)*"
)


class Attempt(NamedTuple):
    """Who logs in, and how.

    :param groups: every role that ``role`` is in, itself included; none where there is no such role.
    """

    role: bytes
    database: bytes
    groups: frozenset[bytes]
    tls: bool
    version: int


class Decision(NamedTuple):
    """A rule that decides some of the addresses, or where it says why it is ``unsure``, may do so. Without a
    rule it is the server's refusal of what no rule means."""

    rule: Rule | None
    nets: tuple[Net, ...]
    unsure: str = ""


def decide(rules: Sequence[Rule], net: Net, attempt: Attempt) -> list[Decision]:
    """The rules that decide a login from the addresses of ``net``, in their order. What a rule decides for sure
    is no longer there for those behind it; what is left at the end no rule means."""
    found = []
    left = [net]
    for rule in rules:
        means, unsure = _means(rule, attempt)
        if not means:
            continue
        hit = left if rule.net is None else [both for part in left for both in _common(part, rule.net)]
        if not hit:
            continue
        found.append(Decision(rule, tuple(hit), unsure))
        if not unsure:
            left = [] if rule.net is None else [rest for part in left for rest in _without(part, rule.net)]
        if not left:
            return found
    return [*found, Decision(None, tuple(left))]


def _means(rule: Rule, attempt: Attempt) -> tuple[bool, str]:
    """Whether the rule means such a login, its address aside, and why that is not sure."""
    if rule.unreadable:
        return True, rule.unreadable
    if rule.kind in (b"local", b"hostgssenc", b"hostnossl" if attempt.tls else b"hostssl"):
        return False, ""
    unsure = ""
    for names, name in ((rule.databases, attempt.database), (rule.roles, attempt.role)):
        words = [_word_means(token, name, attempt, names is rule.databases) for token in names]
        if not any(words):
            return False, ""
        if True not in words:
            unsure = "a regular expression in Postgres' own dialect"
    if rule.address:
        unsure = f"the address is {_shown(rule.address)}, which only the server can resolve"
    return True, unsure


def _word_means(token: Token, name: bytes, attempt: Attempt, database: bool) -> bool | str:
    """Whether a word means the name; the word itself where that cannot be told."""
    if token.is_word(b"all"):
        return True
    if database:
        if token.is_word(b"sameuser"):
            return attempt.role == name
        if token.is_word(b"samerole", b"samegroup"):
            return name in attempt.groups
        if token.is_word(b"replication"):
            return False
    elif token.text.startswith(b"+") and not token.quoted:
        return token.text[1:] in attempt.groups
    if attempt.version >= REGEXES and token.text.startswith(b"/"):
        pattern = token.text[1:]
        if not REGEX.fullmatch(pattern):
            return _shown(token.text)
        try:
            # Dollar is the very end, and a dot is any byte.
            return bool(re.search(_python(pattern), name, re.DOTALL))
        except re.error:
            return _shown(token.text)
    return token.text == name


def _python(pattern: bytes) -> bytes:
    return re.sub(rb"(\\.)|\$", lambda found: found[1] or rb"\Z", pattern, flags=re.DOTALL)


def _shown(text: bytes) -> str:
    return text.decode(errors="replace")


def _common(one: Net, other: Net) -> Iterable[Net]:
    """The addresses that are in both nets: a net again, or none."""
    if one.bits == other.bits and not (one.address ^ other.address) & one.mask & other.mask:
        address = one.address & one.mask | other.address & other.mask
        yield Net(one.bits, address, one.mask | other.mask)


def _without(net: Net, other: Net) -> Iterable[Net]:
    """The addresses of ``net`` that are not in ``other``, as nets without a common address.

    Those that differ in the first bit that only ``other`` asks for, then those that agree there and differ in
    the second, and so on. Any masks will do, also one with holes (255.0.255.0).
    """
    if not list(_common(net, other)):
        yield net
        return
    address, mask = net.address & net.mask, net.mask
    for place in range(net.bits - 1, -1, -1):
        bit = 1 << place
        if other.mask & bit and not net.mask & bit:
            yield Net(net.bits, address | ~other.address & bit, mask | bit)
            address, mask = address | other.address & bit, mask | bit


def spelled(net: Net) -> str:
    """The net as people write it: with the length of its mask, or with the mask where that has holes."""
    import ipaddress

    family = ipaddress.IPv4Address if net.bits == 32 else ipaddress.IPv6Address
    ones = bin(net.mask).count("1")
    whole = net.mask == ((1 << ones) - 1) << (net.bits - ones)
    return f"{family(net.address & net.mask)}/{ones if whole else family(net.mask)}"

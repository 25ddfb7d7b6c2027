# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a pg_hba.conf is read, and which rule decides a login. test_allowlist_oracle.py asks a server the same."""

from __future__ import annotations

import ipaddress
import random

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.pg_hba import (
    Files,
    Net,
    Unreadable,
    lines,
    rules,
)
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.pg_hba_judgement import (
    Attempt,
    decide,
    spelled,
)

V12, V16 = 120000, 160000
INCLUDED = {
    "/etc/pg/names": b"omni, # not this\n'x' \"all\"\n",
    "/etc/pg/more.conf": b"host all all 10.0.0.0/8 reject\n",
    "/etc/pg/d/2.conf": b"host all all all md5\n",
    "/etc/pg/d/10.conf": b"host all all all trust\n",
}


def read(path: str) -> bytes | None:
    if path == "/etc/pg/closed":
        raise Unreadable("/etc/pg/closed cannot be read")
    return INCLUDED.get(path)


FILES = Files(read, lambda folder: ["2.conf", "10.conf", ".3.conf", "4.txt"])


def parsed(text: bytes, version: int = V16) -> list[tuple[int, bytes, list[bytes], list[bytes], str, bytes]]:
    return [
        (
            rule.number,
            rule.kind,
            [token.text for token in rule.databases],
            [token.text for token in rule.roles],
            spelled(rule.net) if rule.net else rule.address.decode(),
            rule.method,
        )
        for rule in rules(text, "/etc/pg/pg_hba.conf", version, FILES)
    ]


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (b"a b", [[b"a"], [b"b"]]),
        (b"a,b c", [[b"a", b"b"], [b"c"]]),
        (b"a, b c", [[b"a", b"b"], [b"c"]]),
        (b"a ,b c", [[b"a"], [b"b"], [b"c"]]),
        (b"a,,b", [[b"a", b"b"]]),
        (b'"a b","c""d"', [[b"a b", b'c"d']]),
        (b'a"b c"d', [[b"ab cd"]]),
        (b'""', [[b""]]),
        (b'"unclosed # , x', [[b"unclosed # , x"]]),
        (b"a#b c", [[b"a"]]),
        (b"a,# b", [[b"a"]]),
        (b"  \t # b", []),
        (b"a\rb\r", [[b"a"], [b"b"]]),
        (b"caf\xe9 \x85\xa0", [[b"caf\xe9"], [b"\x85\xa0"]]),
    ],
)
def test_words(text: bytes, fields: list[list[bytes]]) -> None:
    (line,) = lines(text, V16)
    assert [[token.text for token in field] for field in line.tokens] == fields


@pytest.mark.parametrize(
    ("text", "version", "found"),
    [
        (b"a \\\nb\nc", V16, [(1, 2, 2), (3, 1, 1)]),
        (b"a \\\nb\nc", V12, [(1, 1, 2), (2, 1, 1), (3, 1, 1)]),
        (b"a \\\r\nb\r\n", V16, [(1, 2, 2)]),
        (b"# \\\nb\nc", V16, [(1, 2, 0), (3, 1, 1)]),
        (b"a\\\\\n\nb", V16, [(1, 2, 1), (3, 1, 1)]),
        (b"a \\", V16, [(1, 1, 1)]),
        (b"", V16, []),
        (b"\n\n", V16, [(1, 1, 0), (2, 1, 0)]),
    ],
)
def test_lines(text: bytes, version: int, found: list[tuple[int, int, int]]) -> None:
    assert [(line.number, line.length, len(line.tokens)) for line in lines(text, version)] == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"local all all peer", (b"local", [b"all"], [b"all"], "", b"peer")),
        (b"local all all ident", (b"local", [b"all"], [b"all"], "", b"peer")),
        (b"host all all all ident", (b"host", [b"all"], [b"all"], "", b"ident")),
        (b"host all all all md5", (b"host", [b"all"], [b"all"], "", b"md5")),
        (b"host a b 10.1.2.3/8 md5", (b"host", [b"a"], [b"b"], "10.0.0.0/8", b"md5")),
        (b"host a b 10.0.0.0 255.0.255.0 md5", (b"host", [b"a"], [b"b"], "10.0.0.0/255.0.255.0", b"md5")),
        (b"host a b 127.1/32 md5", (b"host", [b"a"], [b"b"], "127.0.0.1/32", b"md5")),
        (b"host a b 2001:DB8::/32 md5", (b"host", [b"a"], [b"b"], "2001:db8::/32", b"md5")),
        (b"host a b samenet md5", (b"host", [b"a"], [b"b"], "samenet", b"md5")),
        (b'host a b "samenet" md5', (b"host", [b"a"], [b"b"], "samenet", b"md5")),
        (b"host a b .example.com md5", (b"host", [b"a"], [b"b"], ".example.com", b"md5")),
        (b"host @names b all md5", (b"host", [b"omni", b"'x'", b"all"], [b"b"], "", b"md5")),
        (b"host", (b"host", [], [], "", b"")),
    ],
)
def test_rules(text: bytes, found: tuple[bytes, list[bytes], list[bytes], str, bytes]) -> None:
    assert parsed(text) == [(1, *found)]


def test_includes() -> None:
    text = b"include more.conf\ninclude_dir d\ninclude_if_exists nothing\nhost a b all md5\n"
    assert [
        (rule.file, rule.number, rule.top) for rule in rules(text, "/etc/pg/pg_hba.conf", V16, FILES)
    ] == [
        ("/etc/pg/more.conf", 1, 1),
        ("/etc/pg/d/10.conf", 1, 2),
        ("/etc/pg/d/2.conf", 1, 2),
        ("/etc/pg/pg_hba.conf", 4, 4),
    ]


ANY = "203.0.113.7/32"
UNSURE = "cannot be judged"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"host all all all md5", "md5"),
        (b"host all all 203.0.113.0/24 md5", "md5"),
        (b"host all all 203.0.114.0/24 md5", None),
        (b"host all all ::/0 md5", None),
        (b"local all all trust\nhostnossl all all all trust\nhostgssenc all all all trust", None),
        (b"hostnogssenc all all all md5", "md5"),
        (b'host "all" all all md5', None),
        (b"host replication all all md5", None),
        (b"host sameuser all all md5", None),
        (b"host samerole all all md5", "md5"),
        (b"host all +readers all md5", "md5"),
        (b'host all "+readers" all md5', None),
        (b"host all +writers all md5", None),
        (b"host /^sa all all md5", "md5"),
        (b'host "/^SA" all all md5', None),
        (b"host /les$ all all md5", "md5"),
        (b"host /\\d all all md5", UNSURE),
        (b"host x,/\\d all all md5", UNSURE),
        (b"host sales,/\\d all all md5", "md5"),
        (b"host all all samehost md5", UNSURE),
        (b"host all all db.example.com md5", UNSURE),
        (b"host other all db.example.com md5", None),
        (b"include closed", UNSURE),
        (b"host @closed all all md5", UNSURE),
        (b"include more.conf\nhost all all all md5", "md5"),
    ],
)
def test_judgement(text: bytes, expected: str | None) -> None:
    """Of role omni in readers and sales, with TLS, into database sales."""
    attempt = Attempt(b"omni", b"sales", frozenset([b"omni", b"readers", b"sales"]), True, V16)
    first = decide(rules(text, "/etc/pg/pg_hba.conf", V16, FILES), net(ANY), attempt)[0]
    assert (UNSURE if first.unsure else first.rule and first.rule.method.decode()) == expected


def test_before_16_a_slash_is_a_name() -> None:
    attempt = Attempt(b"omni", b"/x", frozenset(), True, V12)
    text = b"host /x omni all md5"
    assert decide(rules(text, "/f", V12, FILES), net(ANY), attempt)[0].rule is not None


def net(text: str) -> Net:
    network = ipaddress.ip_network(text)
    return Net(network.max_prefixlen, int(network.network_address), int(network.netmask))


def test_a_net_is_decided_in_parts() -> None:
    text = b"host all all 203.0.113.0/26 md5\nhost all all samenet md5\nhost all all 203.0.113.0/25 trust\n"
    attempt = Attempt(b"omni", b"sales", frozenset(), True, V16)
    found = decide(rules(text, "/f", V16, FILES), net("203.0.113.0/24"), attempt)
    assert [(d.rule and d.rule.number, [*map(spelled, d.nets)], bool(d.unsure)) for d in found] == [
        (1, ["203.0.113.0/26"], False),
        (2, ["203.0.113.128/25", "203.0.113.64/26"], True),
        (3, ["203.0.113.64/26"], False),
        (None, ["203.0.113.128/25"], False),
    ]


@pytest.mark.parametrize("seed", range(20))
def test_every_address_of_a_net_is_decided_by_its_first_rule(seed: int) -> None:
    """Against trying each address, with masks of any bits."""
    dice = random.Random(seed)

    def mask() -> int:
        return 0xFFFFFF00 | dice.getrandbits(8)

    def has(net: Net, address: int) -> bool:
        return not (net.address ^ address) & net.mask

    nets = [Net(32, dice.getrandbits(8), mask()) for dummy in range(6)]
    text = b"".join(
        f"host all all {ipaddress.ip_address(n.address)} {ipaddress.ip_address(n.mask)} m{number}\n".encode()
        for number, n in enumerate(nets)
    )
    attempt = Attempt(b"omni", b"sales", frozenset(), True, V16)
    whole = Net(32, dice.getrandbits(8), 0xFFFFFF00 | dice.getrandbits(3) << 5)
    found = decide(rules(text, "/f", V16, FILES), whole, attempt)
    for address in range(256):
        if not has(whole, address):
            continue
        first = next((number for number, n in enumerate(nets) if has(n, address)), None)
        deciding = [d.rule and int(d.rule.method[1:]) for d in found if any(has(n, address) for n in d.nets)]
        assert deciding == [first]

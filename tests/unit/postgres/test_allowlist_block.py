# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the block belongs in a pg_hba.conf, and the file with and without it: bytes in, bytes out."""

from __future__ import annotations

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._errors import Conflict, InvalidInput
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.allowlist_addresses import (
    networks,
)
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.allowlist_block import (
    File,
    Wanted,
    place,
    word,
)
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.allowlist_managers import (
    manager,
)
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.pg_hba import Files
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.pg_hba_judgement import (
    Attempt,
    spelled,
)

V12, V16 = 120000, 160000
FILES = Files({"/etc/pg/more": b"host all all all md5\n"}.get, lambda folder: [])
BEGIN, END = (
    b'# BEGIN omni_analytics.connect: role "omni", database "sales"',
    b'# END omni_analytics.connect: role "omni", database "sales"',
)
RULE = b"hostssl\tsales\tomni\t203.0.113.7/32\tscram-sha-256"
BLOCK = b"\n".join([BEGIN, RULE, END, b""])


def wanted(*addresses: str) -> Wanted:
    return Wanted("omni", "sales", networks(addresses or ["203.0.113.7"], False), "hostssl", "scram-sha-256")


def put(data: bytes, *addresses: str, version: int = V16) -> bytes:
    """The file with the block where it belongs."""
    file, block = File(data, "/etc/pg/pg_hba.conf", version, FILES), wanted(*addresses)
    found = file.find(block)
    attempt = Attempt(b"omni", b"sales", frozenset([b"omni"]), True, version)
    return file.without(found).with_block(block, place(file, found, block, [attempt]))


def taken(data: bytes) -> bytes:
    """The file without the block."""
    file = File(data, "/etc/pg/pg_hba.conf", V16, FILES)
    return file.without(file.find(wanted())).data


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"HERE",
        b"local all all peer\nHERE",
        b"host all all 127.0.0.1/32 md5\nHEREhost all all 0.0.0.0/0 md5\n",
        b"HEREhost all all 203.0.113.0/24 trust\n",
        b"local all all peer\nhost all all ::/0 reject\nHEREhost all all all md5\n",
        # Comments stay with the rule that they are on.
        b"local all all peer\n\nHERE# Offices\n#  and homes\nhost all all all md5\n",
        b"# The head of the file\n\nHEREhost all all all md5\n",
        # A block of somebody else is not written into, and not passed by.
        b"HERE# BEGIN ANSIBLE MANAGED BLOCK\nhost x x all md5\nhost all all all md5\n# END ANSIBLE MANAGED BLOCK\n",
        b"# BEGIN x\nhost x x all md5\n# END x\nHEREhost all all all md5\n",
        b"HERE# BEGIN of nothing\nhost all all all md5\n",
        # Lines that go on.
        b"local all \\\n all peer\nHEREhost all \\\n all all md5\n",
        b"# a comment \\\nhost all all all trust\nHEREhost all all all md5\n",
        b"HEREinclude more\nhost all all all md5\n",
        # What may decide, and cannot be judged.
        b"host all all db.example.com reject\nHEREhost all all all md5\n",
        b"host all all db.example.com reject\nHEREhost all all db.example.com md5\n",
        b"HEREhost all all db.example.com md5\nhost all all all md5\n",
        # Not for this login.
        b"hostnossl all all all reject\nHEREhost all all all md5\n",
        b"host other all all reject\nhost all other all reject\nHEREhost all all all md5\n",
        b"host all all 203.0.113.8/32 reject\nHEREhost all all 203.0.113.0/24 md5\n",
        b"HEREhost all all 203.0.113.0/24 md5\nhost all all 203.0.113.8/32 reject\n",
        b"local caf\xe9 all peer # \x85\x1c\nHEREhost all all all md5 # \xff\n",
    ],
)
def test_place(text: bytes) -> None:
    data = text.replace(b"HERE", b"")
    for end in (b"\n", b"\r\n"):
        made = put(data.replace(b"\n", end))
        if b"HERE" in text:
            assert made == text.replace(b"HERE", BLOCK).replace(b"\n", end if data else b"\n")
        assert put(made) == made
        assert taken(made) == data.replace(b"\n", end)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_last_line_without_an_end_comes_back_without_one(end: bytes) -> None:
    data = b"local all all peer" + end + b"host other all all md5"
    made = put(data)
    assert made == data + end + BLOCK.strip().replace(b"\n", end)
    assert put(made) == made
    assert taken(made) == data
    assert taken(b"local all all peer\n" + made[len(data) + len(end) :]) == b"local all all peer"


@pytest.mark.parametrize(
    ("text", "addresses", "said"),
    [
        (b"host all all all reject\n", [], "line 1 of /etc/pg/pg_hba.conf rejects 203.0.113.7/32"),
        (
            b"host all all 203.0.113.8/32 reject\n",
            ["203.0.113.0/28"],
            "line 1 of /etc/pg/pg_hba.conf rejects 203.0.113.8/32",
        ),
        (
            b"host all all 203.0.113.7/32 md5\nhost all all all reject\n",
            ["203.0.113.7", "198.51.100.1"],
            "line 2 of",
        ),
        (
            b"host all all 203.0.113.7/32 md5\nhost all all db.example.com reject\n",
            ["203.0.113.7", "198.51.100.1"],
            "line 2 of /etc/pg/pg_hba.conf may reject 198.51.100.1/32 (the address is db.example.com",
        ),
        (
            b"# BEGIN x\nhost all all db.example.com reject\nhost all all all md5\n# END x\n",
            [],
            "line 2 of /etc/pg/pg_hba.conf may reject",
        ),
        (BEGIN + b"\n" + RULE + b"\n", [], "not one pair: lines 1"),
        (BLOCK + BLOCK, [], "not one pair: lines 1, 3, 4, 6"),
        (END + b"\n" + BEGIN + b"\n", [], "not one pair: lines 1, 2"),
        (b"# \\\n" + BLOCK, [], "not one pair: lines 2, 4"),
        (b"local all all peer # \\\n", [], "ends in a backslash"),
        (b"host all all all reject\n" + BLOCK, [], "line 1 of"),
    ],
)
def test_conflicts(text: bytes, addresses: list[str], said: str) -> None:
    with pytest.raises(Conflict) as error:
        put(text, *addresses)
    assert said in str(error.value)


def test_a_block_that_is_in_effect_stays_where_it_is() -> None:
    below = b"local all all peer\n" + BLOCK + b"host all all 203.0.113.0/24 md5\nhost all all all reject\n"
    assert put(below) == below
    # A line that came above it decides now: it moves up.
    assert put(b"host all all all md5\n" + below) == BLOCK + b"host all all all md5\n" + below.replace(
        BLOCK, b""
    )


def test_what_stands_above_a_reject_already_may_stay_and_grow_there() -> None:
    reject = b"host all all all reject\n"
    more = BLOCK.replace(RULE, b"hostssl\tsales\tomni\t198.51.100.1/32\tscram-sha-256\n" + RULE)
    assert put(BLOCK + reject, "203.0.113.7", "198.51.100.1") == more + reject
    # Two comments that somebody put there say as much.
    assert put(BEGIN + b"\n" + END + b"\n" + reject) == BLOCK + reject
    # But a line that was never passed by is somebody's decision.
    with pytest.raises(Conflict, match=r"line 4 of \S+ rejects 198.51.100.1/32"):
        put(BLOCK + b"host all all 198.51.100.1/32 reject\n", "203.0.113.7", "198.51.100.1")
    decided = b"host all all 203.0.113.7/32 md5\n"
    with pytest.raises(Conflict, match=r"line 5 of \S+ may reject 198.51.100.1/32"):
        put(BLOCK + decided + b"host all all db.example.com reject\n", "203.0.113.7", "198.51.100.1")


@pytest.mark.parametrize(
    ("name", "version", "found"),
    [
        ("sales_1", V12, b"sales_1"),
        ("Sales", V12, b'"Sales"'),
        ("all", V12, b'"all"'),
        ('a"b', V12, b'"a""b"'),
        ("+x", V12, b'"+x"'),
        ("/x", V12, b'"/x"'),
        ("/x.y", V16, b'"/^\\/x\\.y$"'),
        ("é", V12, '"é"'.encode()),
    ],
)
def test_words(name: str, version: int, found: bytes) -> None:
    assert word(name, version) == found


@pytest.mark.parametrize(
    ("addresses", "found"),
    [
        (["203.0.113.7"], ["203.0.113.7/32"]),
        (
            ["2001:DB8::1", "203.0.113.9", " 203.0.113.7/32 "],
            ["203.0.113.7/32", "203.0.113.9/32", "2001:db8::1/128"],
        ),
        (["10.0.0.0/8", "10.0.0.0/8"], ["10.0.0.0/8"]),
    ],
)
def test_addresses(addresses: list[str], found: list[str]) -> None:
    assert [spelled(net) for net in networks(addresses, False)] == found
    assert networks(addresses[::-1], False) == networks(addresses, False)


@pytest.mark.parametrize(
    ("addresses", "said"),
    [
        ([], "it names no address"),
        (["db.example.com"], "'db.example.com' is no address"),
        ([""], "'' is no address"),
        (["203.0.113.300"], "is no address"),
        (["203.0.113.7/33"], "is no address"),
        (["203.0.113.1-203.0.113.9"], "is no address"),
        (["127.1"], "is no address"),
        (["010.0.0.1"], "is no address that means one thing everywhere"),
        (["fe80::1%eth0"], "is no address that means one thing everywhere"),
        (["203.0.113.7/24"], "Write 203.0.113.7 or 203.0.113.0/24"),
        (["::ffff:203.0.113.7"], "Write it as IPv4"),
        (["samenet"], "is no address"),
        (["203.0.113.7\nhost all all all trust"], "is no address"),
        (["all"], "every address that there is (0.0.0.0/0, ::/0)"),
        (["0.0.0.0/0"], "every address that there is (0.0.0.0/0)"),
        (["::/0"], "every address that there is (::/0)"),
        (["128.0.0.0/1", "0.0.0.0/1"], "every address that there is (0.0.0.0/0)"),
        (["::/1", "8000::/2", "c000::/2"], "every address that there is (::/0)"),
    ],
)  # fmt: skip
def test_addresses_that_are_refused(addresses: list[str], said: str) -> None:
    with pytest.raises(InvalidInput) as error:
        networks(addresses, False)
    assert said in str(error.value)


def test_any_address_where_that_is_allowed() -> None:
    assert [*map(spelled, networks(["all"], True))] == ["0.0.0.0/0", "::/0"]
    assert [*map(spelled, networks(["128.0.0.0/1", "0.0.0.0/1"], True))] == ["0.0.0.0/1", "128.0.0.0/1"]


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (
            b"# Do not edit this file manually!\n# It will be overwritten by Patroni!\nlocal all all peer\n",
            "Patroni",
        ),
        (b"# a\n\nhostssl postgres streaming_replica all cert map=cnpg_streaming_replica\n", "CloudNativePG"),
        (b"# This file is managed by Puppet. DO NOT EDIT.\n", "Puppet"),
        (b"# This file was automatically generated and dropped off by Chef!\r\n", "Chef"),
        (b"#\n# This file is managed by Salt, do not edit\n", "Salt"),
        (b"# Ansible managed\n", "a template of Ansible"),
        (b"local all all peer\n# was overwritten by Patroni once\n", None),
        (b"# BEGIN ANSIBLE MANAGED BLOCK\nlocal all all peer\n# END ANSIBLE MANAGED BLOCK\n", None),
    ],
)
def test_managers(data: bytes, name: str | None) -> None:
    found = manager(data, False)
    assert (found and found[0]) == name

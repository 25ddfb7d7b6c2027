# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real server says to a login from an address of one's choice, and files of rules drawn by lot.

ask() sends the first packet of a login and reads the first answer, which names the method that the server's
pg_hba.conf has for it. No role, database or password is needed for that. Any address of 127.0.0.0/8 can ask as it
is; in a network namespace of its own (private_network()), where all addresses are the machine's, any address can.
"""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import socket
import ssl
import struct
import subprocess
from ipaddress import IPv4Address, IPv6Address, ip_address

Address = IPv4Address | IPv6Address
CLONE_NEWNET = 0x40000000
IPV6_FREEBIND = 78
ASKED = {0: "trust", 3: "password", 5: "md5", 10: "scram-sha-256"}
TIMEOUT = 20


def ask(port: int, source: Address, role: bytes, database: bytes, tls: bool) -> str:
    """The method that a login is asked for, "reject", "none" (no rule), or else the server's words."""
    target = "127.0.0.1" if source.version == 4 else "::1"
    family = socket.AF_INET if source.version == 4 else socket.AF_INET6
    with socket.socket(family) as plain:
        plain.settimeout(TIMEOUT)
        if source.version == 6:
            plain.setsockopt(socket.IPPROTO_IPV6, IPV6_FREEBIND, 1)
        plain.bind((str(source), 0))
        plain.connect((target, port))
        if not tls:
            return _answer(plain, role, database)
        plain.sendall(struct.pack("!ii", 8, 80877103))
        assert plain.recv(1) == b"S"
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(plain) as wrapped:
            return _answer(wrapped, role, database)


def _answer(stream: socket.socket, role: bytes, database: bytes) -> str:
    body = struct.pack("!i", 196608) + b"user\0" + role + b"\0database\0" + database + b"\0\0"
    stream.sendall(struct.pack("!i", len(body) + 4) + body)
    kind, size = struct.unpack("!ci", _exactly(stream, 5))
    data = _exactly(stream, size - 4)
    if kind == b"R":
        code = struct.unpack("!i", data[:4])[0]
        return ASKED.get(code, str(code))
    said = {part[:1]: part[1:].decode(errors="replace") for part in data.split(b"\0") if part}[b"M"]
    if "no pg_hba.conf entry" in said:
        return "none"
    return "reject" if "pg_hba.conf rejects" in said else said


def _exactly(stream: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = stream.recv(size - len(data))
        assert more, f"the server hung up after {data!r}"
        data += more
    return data


def may_make_a_network() -> bool:
    return os.geteuid() == 0 and shutil.which("ip") is not None and hasattr(socket, "AF_INET6")


def private_network() -> None:
    """Gives the calling thread, and the processes that it starts, a network of its own, in which every address
    is this machine's. It lasts as long as they do."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    for command in (
        "link set lo up",
        "route add local 0.0.0.0/0 dev lo",
        "-6 route add local ::/0 dev lo",
    ):
        subprocess.run(["ip", *command.split()], check=True, capture_output=True)


class Lot:
    """Files of rules drawn by lot: few names and addresses, so that rules meet, in every spelling.

    everywhere: addresses of both families, and rules with host names; else of 127.0.0.0/8, IPv4 alone.
    """

    NAMES = (
        b"omni",
        b"sales",
        b"all",
        b"readers",
        b"Omni",
        b"sales_eu",
        b"a b",
        b'o"q',
        b"/sales",
        b"+readers",
        b"#x",
    )

    def __init__(self, seed: int, version: int, everywhere: bool) -> None:
        self.random = random.Random(seed)
        self.version, self.everywhere = version, everywhere
        self.includes: dict[str, bytes] = {}
        dice = self.random
        self.prefixes = [self._any_prefix() for dummy in range(3)]
        self.end = dice.choice([b"\n", b"\n", b"\r\n"])

    def _any_prefix(self) -> Address:
        dice = self.random
        if not self.everywhere:
            return IPv4Address(0x7F000000 | dice.getrandbits(24))
        if dice.random() < 0.5:
            return IPv4Address(dice.randrange(0x01000000, 0xDF000000))
        return IPv6Address(0x20010DB8 << 96 | dice.getrandbits(96))

    def address(self) -> Address:
        """One near the others, so that nets of different lengths mean it or not."""
        near = self.random.choice(self.prefixes)
        size = 32 if near.version == 4 else 128
        low = self.random.choice([0, 1, 4, 8, 12, 16]) if size == 32 else self.random.choice([0, 1, 8, 40])
        changed = int(near) ^ (self.random.getrandbits(low) if low else 0)
        found = ip_address(changed) if size == 32 else IPv6Address(changed)
        first = int(found) >> 24 if size == 32 else 0
        if size == 32 and (
            int(found) & 0xFFFFFF == 0 or int(found) & 0xFF in (0, 255) or not 1 <= first < 223
        ):
            return near if int(near) & 0xFF not in (0, 255) else IPv4Address(int(near) ^ 5)
        return found

    def name(self) -> bytes:
        return self.random.choice(self.NAMES[:6] * 3 + self.NAMES)

    def word(self, words: tuple[bytes, ...]) -> bytes:
        dice = self.random
        chance = dice.random()
        if chance < 0.55:
            return dice.choice(words)
        name = self.name()
        if self.version >= 16 and chance < 0.65:
            regexes = [
                b"/^om",
                b"/ni$",
                b"/^sales(_eu)?$",
                b"/.",
                b"/^[a-s]+$",
                b'"/a b"',
                b"/^(omni|x)$",
                b'"/"',
            ]
            return dice.choice(regexes * 6 + [rb"/\d", b"/(?=o)omni"])
        if chance < 0.7:
            return self._file(b"@")
        if chance < 0.85 and name.isalpha():
            return name
        quoted = b'"' + name.replace(b'"', b'""') + b'"'
        return quoted if dice.random() < 0.9 or not name.isalpha() else name[:2] + b'"' + name[2:] + b'"'

    def _file(self, prefix: bytes) -> bytes:
        dice = self.random
        number = len(self.includes)
        words = [
            dice.choice([b"omni", b"sales", b"all", b'"all"', b"+readers", b"nobody"])
            for dummy in range(dice.randint(1, 3))
        ]
        self.includes[f"words{number}"] = (
            b"# some words\n" + dice.choice([b",", b"\n", b" "]).join(words) + b"\n"
        )
        return prefix + f"words{number}".encode()

    def words(self, words: tuple[bytes, ...]) -> bytes:
        dice = self.random
        found = [self.word(words) for dummy in range(dice.choice([1, 1, 1, 2, 3]))]
        return dice.choice([b",", b", ", b",\t"]).join(found)

    def net(self) -> bytes:
        dice = self.random
        chance = dice.random()
        if chance < 0.15:
            return b"all"
        if chance < 0.17:
            return dice.choice(
                [b"samehost", b"samenet", b'"all"', b"localhost", b".example.com"]
                if self.everywhere
                else [b"samehost"]
            )
        address = self.address() if chance < 0.6 else dice.choice(self.prefixes)
        size = 32 if address.version == 4 else 128
        ones = (
            dice.choice([0, 1, 8, 16, 20, 24, 28, 31, 32])
            if size == 32
            else dice.choice([0, 3, 32, 64, 96, 127, 128])
        )
        mask = ((1 << ones) - 1) << (size - ones)
        if chance < 0.9:
            text = str(address)
            if size == 128 and dice.random() < 0.2:
                text = address.exploded.upper()
            return f"{text}/{ones}".encode()
        if dice.random() < 0.3:
            mask &= ~(0xFF << 8)  # one with a hole
        shown = IPv4Address(mask) if size == 32 else IPv6Address(mask)
        return f"{address} {shown}".encode()

    def rule(self) -> bytes:
        dice = self.random
        kind = dice.choice(
            [b"host"] * 6 + [b"hostssl", b"hostnossl"] * 2 + [b"hostnogssenc", b"local", b"local", b'"host"']
        )
        fields = [
            kind,
            self.words((b"all", b"sales", b"sameuser", b"samerole", b"replication", b"samegroup")),
        ]
        fields.append(self.words((b"all", b"omni", b"+readers", b"+omni", b"omni")))
        if kind != b"local":
            fields.append(self.net())
        fields.append(dice.choice([b"trust", b"password", b"md5", b"scram-sha-256", b"reject", b'"reject"']))
        text = dice.choice([b" ", b"\t", b"   ", b" , "]).join(fields)
        if self.version >= 14 and dice.random() < 0.1:
            blank = text.index(b" ") if b" " in text else 0
            if blank and b'"' not in text:
                text = text[:blank] + b" \\" + self.end + text[blank:]
        return text + dice.choice([b"", b"", b" # why not", b"#", b" ,"])

    def lines(self, count: int, depth: int = 0) -> bytes:
        dice = self.random
        found = []
        for dummy in range(count):
            chance = dice.random()
            if chance < 0.12:
                found.append(
                    dice.choice(
                        [b"", b"  ", b"# a comment", b"#", b"\t# caf\xe9 \x85 \xff", b"# BEGIN x", b"# END x"]
                    )
                )
            elif chance < 0.17 and self.version >= 16 and depth < 2:
                number = len(self.includes)
                name = f"more{number}.conf"
                self.includes[name] = b""
                self.includes[name] = self.lines(dice.randint(0, 2), depth + 1)
                found.append(
                    dice.choice(
                        [
                            f"include {name}",
                            f'"include" "{name}"',
                            f"include_if_exists {name}",
                            "include_if_exists nothing",
                        ]
                    ).encode()
                )
            else:
                found.append(self.rule())
        return self.end.join(found) + (self.end if dice.random() < 0.8 or depth else b"")

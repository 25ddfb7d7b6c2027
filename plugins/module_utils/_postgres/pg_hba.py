# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules of a pg_hba.conf, read as the server reads them.

Bytes in, rules out. A file has no encoding that anybody could know, so nothing here decodes. What depends on the
server's version: 14 joins lines that end in a backslash, 16 knows ``include`` and regular expressions.
"""

from __future__ import annotations

import functools
import posixpath
import re
import socket
from collections.abc import Callable, Iterator
from typing import NamedTuple

CONTINUATIONS = 140000
INCLUDES = REGEXES = 160000
INCLUDE = (b"include", b"include_if_exists", b"include_dir")
BLANK = b" \t\r"
#: How deep files may include each other, as in the server.
DEPTH = 10


class Unreadable(Exception):
    """A file that a pg_hba.conf names and that could not be read, so that its rules are not known."""


class Token(NamedTuple):
    """A word of a rule. Quotes take a keyword's meaning away: ``"all"`` is a name, ``all`` is everything."""

    text: bytes
    quoted: bool = False

    def is_word(self, *words: bytes) -> bool:
        return not self.quoted and self.text in words


class Line(NamedTuple):
    """A line as the server sees it: ``length`` lines of the file, from ``number`` (the first is 1) on, which
    backslashes join. ``tokens`` are its words, a list for each field, before any ``@file`` is opened."""

    number: int
    length: int
    tokens: tuple[tuple[Token, ...], ...]


class Net(NamedTuple):
    """The addresses of one family that agree with ``address`` in the bits of ``mask``."""

    bits: int
    address: int
    mask: int


class Rule(NamedTuple):
    """One rule, or an include whose rules are not known.

    :param number: the line of ``file``.
    :param top: the line of the main file which the rule comes from: the rule's own, or that of an include.
    :param net: the addresses that it means; None for all, and where ``address`` has a name for them.
    :param address: a host name, ``samehost`` or ``samenet``.
    :param unreadable: why nothing else is known of it.
    """

    file: str
    number: int
    top: int
    kind: bytes = b""
    databases: tuple[Token, ...] = ()
    roles: tuple[Token, ...] = ()
    net: Net | None = None
    address: bytes = b""
    method: bytes = b""
    unreadable: str = ""


class Files(NamedTuple):
    """How the files that a pg_hba.conf names are read.

    :param read: a file's bytes; None where there is no such file.
    :param names: the names in a folder.
    :raises Unreadable: both do.
    """

    read: Callable[[str], bytes | None]
    names: Callable[[str], list[str]]


def lines(data: bytes, version: int) -> Iterator[Line]:
    """The lines of ``data`` as the server sees them, those without a word included."""
    raw = data.split(b"\n")
    if raw[-1] == b"":
        raw.pop()
    number = 0
    while number < len(raw):
        first = number
        text = raw[number].rstrip(b"\r")
        number += 1
        if version >= CONTINUATIONS:
            while text.endswith(b"\\"):
                text = text[:-1]
                if number == len(raw):
                    break
                # A backslash counts only where it came with this line.
                more = raw[number].rstrip(b"\r")
                number += 1
                if not more:
                    text = text.rstrip(b"\r")
                    break
                text += more
        yield Line(first + 1, number - first, _fields(text))


@functools.lru_cache(maxsize=20_000)  # a file is read several times: as it is, without the block, and with it
def _fields(text: bytes) -> tuple[tuple[Token, ...], ...]:
    """The fields of a line. A comma right after a word continues its field; a blank before it does not."""
    fields = []
    position = 0
    while position < len(text):
        field: list[Token] = []
        more = True
        while more:
            token, more, position = _token(text, position)
            if token is None:
                break
            field.append(token)
        if field:
            fields.append(tuple(field))
    return tuple(fields)


def _token(text: bytes, position: int) -> tuple[Token | None, bool, int]:
    """The next word from ``position`` on, whether a comma ended it, and where it ended."""
    while position < len(text) and text[position] in BLANK + b",":
        position += 1
    word = bytearray()
    inside = was_quote = saw_quote = quoted = False
    while position < len(text) and (inside or text[position] not in BLANK):
        char = text[position]
        if char == ord("#") and not inside:
            position = len(text)
            break
        if char == ord(",") and not inside:
            return Token(bytes(word), quoted), True, position + 1
        if char != ord('"') or was_quote:
            word.append(char)
        was_quote = not was_quote if inside and char == ord('"') else False
        if char == ord('"'):
            inside = not inside
            saw_quote = True
            quoted = quoted or not word
        position += 1
    return (Token(bytes(word), quoted) if word or saw_quote else None), False, position


def rules(data: bytes, path: str, version: int, files: Files) -> list[Rule]:
    """The rules of the file ``path`` with the bytes ``data``, in the order in which the server asks them.

    Of a file that the server takes; one that it does not gives what can be made of it.
    """
    return list(_rules(data, path, version, files, 0, 0))


def _rules(data: bytes, path: str, version: int, files: Files, top: int, depth: int) -> Iterator[Rule]:
    for line in lines(data, version):
        at = top or line.number
        try:
            fields = [_expand(field, path, version, files, depth) for field in line.tokens]
            fields = [field for field in fields if field]
            if len(fields) == 2 and version >= INCLUDES and fields[0][0].text in INCLUDE:
                for name in _included(fields[0][0].text, fields[1][0].text, path, files):
                    included = _read(files, name, depth)
                    if included is not None:
                        yield from _rules(included, name, version, files, at, depth + 1)
                continue
        except Unreadable as error:
            yield Rule(path, line.number, at, unreadable=str(error))
            continue
        if fields:
            yield _rule(fields, path, line.number, at)


def _rule(fields: list[tuple[Token, ...]], path: str, number: int, top: int) -> Rule:
    missing: tuple[Token, ...] = ()
    databases, roles, address, *rest = [*fields[1:], missing, missing, missing]
    kind, net, name = fields[0][0].text, None, b""
    words = [field[0].text for field in ([address] if kind == b"local" else rest) if field]
    if kind != b"local" and address and address[0].is_word(b"samehost", b"samenet"):
        name = address[0].text
    elif kind != b"local" and address and not address[0].is_word(b"all"):
        net, masked = _net(address[0].text, words[0] if words else b"")
        name = b"" if net else address[0].text
        words = words[1:] if masked else words
    method = words[0] if words else b""
    if kind == b"local" and method == b"ident":
        method = b"peer"  # as the server takes it
    return Rule(path, number, top, kind, databases, roles, net, name, method)


def _net(address: bytes, mask: bytes) -> tuple[Net | None, bool]:
    """The net that the words mean, and whether the second of them belongs to it. None for a host name."""
    host, slash, length = address.partition(b"/")
    number = _number(host)
    if number is None:
        return None, False
    bits, value = number
    if slash:
        ones = int(length) if re.fullmatch(rb"\s*[+-]?\d+", length) else bits
        return Net(bits, value, ((1 << ones) - 1) << (bits - ones) if 0 < ones <= bits else 0), False
    parsed = _number(mask)
    return Net(bits, value, parsed[1] if parsed else 0), True


def _number(host: bytes) -> tuple[int, int] | None:
    """An address as its family's bits and its value, in all spellings that the C library takes (``127.1``)."""
    if not host:
        return None
    try:
        found = socket.getaddrinfo(host, None, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
    except (OSError, ValueError):
        return None
    family, text = found[0][0], str(found[0][4][0]).partition("%")[0]
    packed = socket.inet_pton(family, text)
    return len(packed) * 8, int.from_bytes(packed, "big")


def _read(files: Files, name: str, depth: int) -> bytes | None:
    if depth >= DEPTH:
        raise Unreadable(f"{name} is included too deeply")
    return files.read(name)


def _located(name: bytes, beside: str) -> str:
    """A file that is named in the file ``beside``."""
    return posixpath.join(posixpath.dirname(beside), name.decode(errors="surrogateescape"))


def _included(word: bytes, argument: bytes, path: str, files: Files) -> list[str]:
    """The files that an include means, in their order."""
    where = _located(argument, path)
    if word != b"include_dir":
        return [where]
    found = [name for name in files.names(where) if name.endswith(".conf") and not name.startswith(".")]
    return [
        posixpath.join(where, name)
        for name in sorted(found, key=lambda name: name.encode(errors="surrogateescape"))
    ]


def _expand(field: tuple[Token, ...], path: str, version: int, files: Files, depth: int) -> tuple[Token, ...]:
    """A field with what is in the files that it names: ``@file`` stands for every word there."""
    found: list[Token] = []
    for token in field:
        if token.quoted or not token.text.startswith(b"@") or token.text == b"@":
            found.append(token)
            continue
        name = _located(token.text[1:], path)
        data = _read(files, name, depth)
        if data is None:
            raise Unreadable(f"{name} is not there")
        for line in lines(data, version):
            for inner in line.tokens:
                found += _expand(inner, name, version, files, depth + 1)
    return tuple(found)

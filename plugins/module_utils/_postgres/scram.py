# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a password is the one that Postgres stored a secret of: SCRAM-SHA-256 (RFC 5802) and MD5."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import stringprep
import sys
import unicodedata

_SCRAM = re.compile(r"SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):(.+)")

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
    stringprep.in_table_a1,
)


def fits(stored: str, password: str, role: str) -> bool | None:
    """Whether ``password`` is the one behind ``stored``, a value of pg_authid.rolpassword.

    None where that is not known: the secret is MD5, and this system, in FIPS mode, computes none.
    """
    if stored.startswith("md5"):
        digest = _md5((password + role).encode())
        return hmac.compare_digest(stored, "md5" + digest) if digest else None
    match = _SCRAM.fullmatch(stored)
    if not match:
        return False
    iterations, salt, key = int(match[1]), base64.b64decode(match[2]), base64.b64decode(match[3])
    salted = hashlib.pbkdf2_hmac("sha256", saslprep(password).encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return hmac.compare_digest(hashlib.sha256(client_key).digest(), key)


def _md5(data: bytes) -> str | None:
    # The secret was made long ago: what is compared here protects nothing.
    not_for_security = {"usedforsecurity": False} if sys.version_info >= (3, 9) else {}
    try:
        return hashlib.md5(data, **not_for_security).hexdigest()
    except ValueError:
        return None


def algorithm(stored: str) -> str:
    """How ``stored`` was made: scram-sha-256, md5, or unknown."""
    if stored.startswith("md5"):
        return "md5"
    return "scram-sha-256" if _SCRAM.fullmatch(stored) else "unknown"


def saslprep(password: str) -> str:
    """``password`` as libpq and the server normalise it before hashing (RFC 4013).

    Postgres takes a password that the RFC prohibits as it is, and so does this.
    """
    if password.isascii():
        return password
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char
        for char in password
        if not stringprep.in_table_b1(char) or stringprep.in_table_c12(char)
    )
    # The RFC looks at what comes out of the normalisation; libpq and the server look before it.
    if not mapped or any(prohibited(char) for char in mapped for prohibited in _PROHIBITED):
        return password
    right_to_left = [stringprep.in_table_d1(char) for char in mapped]
    if any(right_to_left):
        left_to_right = any(stringprep.in_table_d2(char) for char in mapped)
        if left_to_right or not (right_to_left[0] and right_to_left[-1]):
            return password
    return unicodedata.normalize("NFKC", mapped)

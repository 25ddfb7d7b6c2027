# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a password fits what Postgres stored, by secrets that a real Postgres made."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres import scram

# Of role omni.
SECRETS = {
    "correct horse": "SCRAM-SHA-256$4096:pqMCFQDboUFdVUXILQMYxQ==$id2YRWL5jz4xa2jwzoXnkzEhUDOGisW3LafGtoYv13E="
    ":g59U8y6+eQnF6mF7EIavr8WYtjm5bMglVU3x2Aox+pY=",
    "pässwörd": "SCRAM-SHA-256$4096:Q4KAc5w1d0kY0xFzD/IlJA==$Ofln/71Ee7+sKQutzGDPtTZMrPMN5MJDWONjOhA5lRc="
    ":ylc/HjS2SyxeL6LEnr7XVhQdYaC8WiIlR+Xh+mx+E/w=",
    "a\u00a0b": "SCRAM-SHA-256$4096:l/EikaauA+mwunvJNh6zxw==$Vmk72lHGwDYVu7mmFUVxoQZuuB1pT1FDgSmnN3KS/+4="
    ":xC+1XIAZ080c383lgf+SqgJfExKoXi8seXBUOh8oKsg=",
}
MD5 = "md5b67d1abf829b6cf9405138ea6f07d2f9"


@pytest.mark.parametrize("password", SECRETS)
def test_a_secret_fits_its_password_alone(password: str) -> None:
    assert scram.fits(SECRETS[password], password, "omni")
    assert scram.fits(SECRETS[password], password, "any")
    for other in {*SECRETS, password + " ", password.upper(), ""} - {password}:
        assert not scram.fits(SECRETS[password], other, "omni")


def test_md5_is_tied_to_the_role() -> None:
    assert scram.fits(MD5, "correct horse", "omni")
    assert not scram.fits(MD5, "correct horse", "Omni")
    assert not scram.fits(MD5, "Correct horse", "omni")


def test_md5_in_fips_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSL computes it for what is not about security, or not at all; then nobody knows."""
    md5 = hashlib.md5
    allowed = True

    def fips(data: bytes, *, usedforsecurity: bool = True) -> Any:
        if usedforsecurity or not allowed:
            raise ValueError("[digital envelope routines] unsupported")
        return md5(data)

    monkeypatch.setattr(hashlib, "md5", fips)
    assert [scram.fits(MD5, password, "omni") for password in ("correct horse", "another")] == [True, False]
    allowed = False
    assert scram.fits(MD5, "correct horse", "omni") is None


@pytest.mark.parametrize(
    "stored", ["", "correct horse", "SCRAM-SHA-256", "SCRAM-SHA-512$4096:c2FsdA==$YQ==:YQ=="]
)
def test_what_is_no_secret_fits_nothing(stored: str) -> None:
    assert not scram.fits(stored, "correct horse", "omni")


@pytest.mark.parametrize(
    ("password", "prepared"),
    [
        ("user", "user"),
        ("a\x07b", "a\x07b"),
        ("I\u00adX", "IX"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("a\u200bb", "a b"),
        ("e\u0301", "\u00e9"),
        # What the RFC prohibits, Postgres takes as it is.
        ("\u2168\x07", "\u2168\x07"),
        ("\u2168\ue000", "\u2168\ue000"),
        ("\u0627\u0031", "\u0627\u0031"),
        ("\u2168\u0627", "\u2168\u0627"),
        ("\u00ad", "\u00ad"),
        ("\u0627\u2168\u0627", "\u0627\u2168\u0627"),
        ("\u0627\u00b2\u0627", "\u06272\u0627"),
        # It looks for that before the normalisation, as the RFC does not.
        ("\u0340", "\u0340"),
        ("\u1d2c", "\u1d2c"),
        ("\ufb1d", "\u05d9\u05b4"),
    ],
)
def test_saslprep(password: str, prepared: str) -> None:
    assert scram.saslprep(password) == prepared

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The address of Omni and the other options of the way there: taken as people write them, or refused."""

from __future__ import annotations

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._errors import InvalidInput
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni.api_options import check, root


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.omniapp.co", "https://example.omniapp.co"),
        ("https://example.omniapp.co/", "https://example.omniapp.co"),
        ("https://example.omniapp.co/api", "https://example.omniapp.co"),
        ("https://example.omniapp.co/api/", "https://example.omniapp.co"),
        ("https://example.omniapp.co/api/v1", "https://example.omniapp.co"),
        ("https://example.omniapp.co:8443/api/v1/", "https://example.omniapp.co:8443"),
        ("HTTPS://Example.omniapp.co", "HTTPS://Example.omniapp.co"),
        ("https://[::1]:8443", "https://[::1]:8443"),
        ("https://bücher.example", "https://bücher.example"),
        (f"https://{'a' * 63}.example", f"https://{'a' * 63}.example"),
    ],
)
def test_an_address_is_taken_as_people_write_it(url, expected):
    assert root(url) == expected


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.omniapp.co", "would send the token unencrypted"),
        ("HTTP://example.omniapp.co", "would send the token unencrypted"),
        ("", "not the address of an Omni instance"),
        ("example.omniapp.co", "not the address"),
        ("https://", "not the address"),
        ("https://user:secret@example.omniapp.co", "not the address"),
        ("https://secret@example.omniapp.co", "not the address"),
        ("https://example.omniapp.co?token=secret", "not the address"),
        ("https://example.omniapp.co/#secret", "not the address"),
        ("https://example.omniapp.co/connections", "not the address"),
        ("https://example.omniapp.co/api/v2", "not the address"),
        ("https://example.omniapp.co:70000", "not the address"),
        ("https://example.omniapp.co:0", "not the address"),
        ("https://example.omniapp.co\n", "not the address"),
        ("https://exam ple.omniapp.co", "not the address"),
        (f"https://{'a' * 64}.omniapp.co", "not the address"),
        (f"https://{'a.' * 130}co", "not the address"),
        ("https://example..co", "not the address"),
        ("https://exam%20ple.co", "not the address"),
        ("https://exam\x00ple.co", "not the address"),
        ("https://exam\udc80ple.co", "not the address"),
        ("https://\u200b.co", "not the address"),
        ("https://[::x]", "not the address"),
        ("https://[1:2]", "not the address"),
    ],
)
def test_an_address_that_no_token_may_go_to_is_refused(url, words):
    with pytest.raises(InvalidInput, match=words) as caught:
        root(url)
    assert "secret" not in str(caught.value)


USUAL = {
    "api_url": "https://example.omniapp.co",
    "api_token": "token",
    "validate_certs": True,
    "ca_path": None,
    "timeout": 30,
    "total_timeout": 900,
    "requests_per_minute": 60,
}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("name", "half \ud83d"),
        ("api_token", "\udc80"),
        ("ca_path", "/\udcff"),
        ("schemas", ["fine", "\ud800"]),
        ("environments", [{"values": ["\ud800"]}]),
    ],
)
def test_half_a_surrogate_pair_is_no_text_in_any_option(option, value):
    check(USUAL)
    with pytest.raises(InvalidInput, match=rf"Reading O\({option}\): it has half of a surrogate pair"):
        check({**USUAL, option: value})

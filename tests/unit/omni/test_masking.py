# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret that a server quotes is shown, in whatever way it writes it."""

from __future__ import annotations

import html
import json
from urllib.parse import quote, quote_plus

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._omni.masking import Masking

SECRETS = [
    "plain",
    "with 'one' \"two\"",
    "back\\slash",
    "it's",
    "ümläut",
    "new\nline\ttab",
    "a/b+c d&e<f>%",
    "\u2028",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "written",
    [
        str,
        repr,
        json.dumps,
        lambda secret: json.dumps(secret, ensure_ascii=False),
        lambda secret: json.dumps(secret).replace("/", "\\/"),
        lambda secret: json.dumps(json.dumps(secret)),
        lambda secret: repr({"password": [secret]}),
        quote,
        lambda secret: quote(secret, safe=""),
        lambda secret: quote(secret).lower(),
        quote_plus,
        html.escape,
        lambda secret: html.escape(secret, quote=False),
        lambda secret: html.escape(json.dumps(secret)),
    ],
)
def test_a_secret_is_masked_however_it_is_written(secret, written):
    masked = Masking([secret, ""]).text(f"before {written(secret)} after")
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    core = masked.removeprefix("before ").removesuffix(" after")
    for frame in ("{'password': [", "]}"):
        core = core.replace(frame, "")
    assert core.strip("'\"\\&quot;") == "********"


def test_in_json_keys_and_values_are_masked():
    value = {"secret": ["a secret", {"x": "secret"}], "n": 1, "none": None}
    assert Masking(["secret"]).value(value) == {
        "********": ["a ********", {"x": "********"}],
        "n": 1,
        "none": None,
    }


def test_a_secret_that_is_a_part_of_another_leaves_nothing_of_it():
    assert Masking(["secret", "secret and more"]).text("secret and more") == "********"

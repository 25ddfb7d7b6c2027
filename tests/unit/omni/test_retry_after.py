# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long Omni is left alone: what Retry-After says, in either form, or our own pauses."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._errors import Refused
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni.retry_after import (
    LATER,
    Transient,
    retry_after,
)

AT_EIGHT = "Tue, 24 Nov 2026 20:00:00 GMT"
A_MINUTE_LATER = "Tue, 24 Nov 2026 20:01:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"Retry-After": "33"}, 33),
        ({"Retry-After": " 33 "}, 33),
        ({"Retry-After": A_MINUTE_LATER, "Date": AT_EIGHT}, 60),
        ({"Retry-After": "Tuesday, 24-Nov-26 20:01:00 GMT", "Date": AT_EIGHT}, 60),
        ({"Retry-After": AT_EIGHT, "Date": A_MINUTE_LATER}, 0),
        ({"Retry-After": AT_EIGHT.replace("2026", "1999")}, 0),
        ({"Retry-After": "-5"}, 0),
        ({"Retry-After": "soon"}, 0),
        ({"Retry-After": "9" * 400}, 0),
        ({"Retry-After": "Tue, 99 Nov 2026 20:00:00 GMT"}, 0),
    ],
)
def test_a_retry_after_is_a_number_or_a_date(headers, seconds):
    assert retry_after(headers) == seconds


def test_without_the_servers_clock_ours_counts():
    assert 50 < retry_after({"Retry-After": formatdate(time.time() + 60, usegmt=True)}) <= 60


@pytest.mark.parametrize(
    ("tried", "wanted", "least"), [(0, 0.0, 5), (3, 0.0, 40), (4, 0.0, None), (0, 33.0, 33), (0, 121.0, None)]
)
def test_a_pause_is_ours_or_what_the_server_wants_up_to_a_limit(tried, wanted, least):
    pause = Transient(Refused("Asking", "429"), LATER, wanted).pause(tried)
    assert pause is None if least is None else least <= pause <= least * 1.25

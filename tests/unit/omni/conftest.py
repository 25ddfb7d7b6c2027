# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._omni import (
    list_cache,
    rate_limiter,
    run_files,
    time_budget,
)

#: An instance's address and a key.
KEY = ("https://example.omniapp.co", "omni_osk_secret")


class Clock:
    """Time that passes when the test says so, or while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def monotonic(self) -> float:
        self.now += 0.001  # no two moments are the same
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (list_cache, rate_limiter, run_files, time_budget):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=clock.monotonic, sleep=clock.sleep))
    return clock

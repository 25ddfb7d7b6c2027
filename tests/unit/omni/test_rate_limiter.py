# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The turns that the tasks of one run take under Omni's rate limit."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._omni.rate_limiter import RateLimiter
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni.run_files import RunFiles
from tests.unit.omni.conftest import KEY, Clock

Limiter = Callable[[], RateLimiter]


@pytest.fixture(params=["file", "memory"])
def limiter(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Limiter:
    """Three requests a minute, for each task of a run; without files there is just one task."""
    alone = RunFiles(None, KEY)
    files = {"file": lambda: RunFiles(str(tmp_path), KEY), "memory": lambda: alone}[request.param]
    return lambda: RateLimiter(files(), 3)


def turns(limiter: Limiter, count: int) -> list[float]:
    found = [limiter().take_turn(1e9) for _turn in range(count)]
    return [turn.moment for turn in found if turn]


def test_no_more_turns_a_minute_than_there_are(limiter, clock):
    taken = turns(limiter, 9)
    for early, late in zip(taken, taken[3:], strict=False):
        assert 60 < late - early < 62
    assert taken[2] - taken[0] < 1
    clock.now += 1000
    assert turns(limiter, 1)[0] - clock.now < 1


def test_after_a_429_nobody_goes_before_it_is_over_and_there_are_no_bursts(limiter):
    mine = limiter().take_turn(1e9)
    assert not limiter().is_void(mine)
    limiter().hold(5)
    assert limiter().is_void(mine)
    taken = turns(limiter, 4)
    assert taken[0] - mine.moment >= 5
    assert [round(late - early) for early, late in itertools.pairwise(taken)] == [20, 20, 20]


def test_a_turn_that_is_too_far_off_is_not_taken(limiter):
    turns(limiter, 3)
    assert [limiter().take_turn(30), limiter().take_turn(0)] == [None, None]
    (late,) = turns(limiter, 1)
    assert limiter().take_turn(1e9).moment == pytest.approx(late, abs=1)


def test_a_turn_tells_how_many_come_before_it(limiter, clock):
    ahead = [limiter().take_turn(1e9).ahead for _turn in range(8)]
    assert ahead == [0, 0, 0, 0, 1, 2, 3, 4]
    clock.now += 61
    assert limiter().take_turn(1e9).ahead == 2

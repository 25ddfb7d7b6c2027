# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The turns that the tasks of one run take under Omni's rate limit."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._errors import Refused
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni import retry_after
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni.rate_limiter import RateLimiter
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni.retry_after import LATER, Transient
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
    apart = [late - early for early, late in itertools.pairwise(taken)]
    assert all(20 < seconds < 26 for seconds in apart)  # 20 s would be as many as are allowed
    assert apart == sorted(apart, reverse=True)


def test_refusals_of_one_moment_count_once(limiter, clock):
    limiter().take_turn(1e9)
    for _task in range(20):
        limiter().hold(5)
    (early, late) = turns(limiter, 2)
    assert late - early < 26


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


def run_of(limiter: RateLimiter, clock: Clock, answer: Callable[[], int], tasks: int) -> Iterator[float]:
    """A fork that does one task after the other, each with four requests, and yields how long it waits.

    raises Refused: a request was put off as often as the client has pauses.
    """
    for request in range(4 * tasks):
        trouble = Transient(Refused(f"request {request}", "429"), LATER)
        for tried in itertools.count():
            while True:
                turn = limiter.take_turn(1e9)
                assert turn
                yield turn.moment - clock.now
                if not limiter.is_void(turn):
                    break
            if answer() == 200:
                break
            pause = trouble.pause(tried)
            if pause is None:
                raise trouble.error
            limiter.hold(pause)


@pytest.mark.parametrize(
    ("runs", "limit"), [(1, 60), (2, 60), (3, 60), (1, 30)], ids=["one", "two", "three", "half"]
)
def test_several_runs_at_once_on_one_key_all_end(clock, monkeypatch, runs, limit):
    # One and the same lot for the length of the pauses: of a hundred lots, about three let one of the 960 requests of
    # three runs be refused once too often.
    monkeypatch.setattr(retry_after, "random", random.Random(1))
    served: deque[float] = deque()
    refused: list[float] = []

    def answer() -> int:
        while served and served[0] <= clock.now - 60:
            served.popleft()
        if len(served) >= limit:
            refused.append(clock.now)
            return 429
        served.append(clock.now)
        return 200

    waiting: list[tuple[float, int, Iterator[float]]] = []
    for number in range(runs * 20):
        if number % 20 == 0:
            limiter = RateLimiter(RunFiles(None, KEY), 60)
        waiting.append((clock.now, number, run_of(limiter, clock, answer, 4)))
    while waiting:
        clock.now, number, fork = heapq.heappop(waiting)
        for wait in fork:
            heapq.heappush(waiting, (clock.now + max(wait, 0.1), number, fork))
            break
    assert len(served) > 0
    assert (len(refused) == 0) == (runs == 1 and limit == 60)
    assert len(refused) < runs * 20 * 4 * 4 / 4  # no more than a quarter

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Omni's rate limit: when the tasks of a run may send their requests, of which a key has so many a minute."""

from __future__ import annotations

import time
from typing import NamedTuple

from .run_files import RunFiles

#: In how many seconds Omni counts requests, with a little on top for those that are slow to arrive.
MINUTE = 61.0
#: After Omni refused requests they come more slowly than the limit allows: by so many times for each moment at which
#: it did, at most so many times in all; and with each request a little faster again.
SLOWER, SLOWEST, FASTER = 1.25, 8.0, 0.98


class Turn(NamedTuple):
    """The moment at which a request may be sent, as time.monotonic() has it, and how many come before it."""

    moment: float
    ahead: int


class RateLimiter:
    """The requests of one key.

    :param per_minute: how many Omni allows.
    """

    def __init__(self, files: RunFiles, per_minute: int) -> None:
        self._files = files
        self._per_minute = per_minute

    def take_turn(self, longest: float) -> Turn | None:
        """Take the next moment at which a request may be sent.

        :param longest: for how many seconds it is waited at most. If it takes longer, no turn is taken, and
            None is returned.
        """
        with self._files.opened("turns") as (state, save):
            now = time.monotonic()
            taken, hold = state.get("taken", []), state.get("hold", 0.0)
            moment = max(now, hold)
            if len(taken) >= self._per_minute:
                moment = max(moment, taken[-self._per_minute] + MINUTE)
            if taken and hold:  # there were fewer than we thought: no bursts any more
                moment = max(moment, taken[-1] + MINUTE / self._per_minute * state["slowness"])
            if moment >= now + longest:
                return None
            ahead = sum(one > now for one in taken)
            state["slowness"] = max(1.0, state.get("slowness", 1.0) * FASTER)
            state["taken"] = [*taken, moment][-max(self._per_minute, ahead + 1) :]
            save()
        return Turn(moment, ahead)

    def hold(self, seconds: float) -> None:
        """Let nobody send anything for so long, since Omni said that there were too many requests. After that they
        come more slowly: another run may use the same key, and neither knows of the other."""
        with self._files.opened("turns") as (state, save):
            now, hold = time.monotonic(), state.get("hold", 0.0)
            if now >= hold:  # not of the same moment as the one before
                state["slowness"] = min(SLOWEST, state.get("slowness", 1.0) * SLOWER)
            state["hold"] = max(hold, now + seconds)
            save()

    def is_void(self, turn: Turn) -> bool:
        """Whether a turn must not be used any more, because somebody called hold() since it was taken."""
        with self._files.opened("turns") as (state, _save):
            return turn.moment < state.get("hold", 0.0)

    def is_news(self, turn: Turn) -> bool:
        """Whether no task has told people yet that this key waits, of the wait that is going on."""
        with self._files.opened("turns") as (state, save):
            if state.get("told_until", 0.0) > time.monotonic():
                return False
            state["told_until"] = turn.moment
            save()
        return True

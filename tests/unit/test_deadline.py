# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A call that blocks does not hold its caller."""

from __future__ import annotations

import signal
import threading

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._deadline import call_within


def test_what_is_returned_or_raised_in_time_gets_through() -> None:
    assert call_within(60, lambda: 5) == 5
    with pytest.raises(ZeroDivisionError):
        call_within(60, lambda: 1 // 0)


def test_signals_are_left_to_the_main_thread() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    blocked = call_within(60, lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ()))
    assert blocked >= {signal.SIGINT, signal.SIGTERM, signal.SIGALRM}
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_there_may_be_more_time_once_it_is_over() -> None:
    answered = threading.Event()

    def more() -> float:
        answered.set()
        return 60

    assert call_within(0.01, answered.wait, more=more) is True


def test_what_comes_too_late_is_discarded() -> None:
    answered, discarded, closed = threading.Event(), threading.Event(), []

    def slow() -> str:
        answered.wait()
        return "connection"

    def discard(value: str) -> None:
        closed.append(value)
        discarded.set()

    with pytest.raises(TimeoutError):
        call_within(0.01, slow, discard)
    answered.set()
    assert discarded.wait(60)
    assert closed == ["connection"]

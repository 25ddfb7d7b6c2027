# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls that may block for longer than anybody wants to wait."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any

#: Made once, before Ansible forks: it takes as long as starting the thread does.
_ALL_SIGNALS = signal.valid_signals()


def start_thread(target: Callable[[], None]) -> None:
    """Run ``target`` in a daemon thread that takes no signals.

    Python handles signals in its main thread. One that the kernel gave to another thread would not wake it: Ctrl-C
    would have to wait for whatever the main thread waits for.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ALL_SIGNALS)
    try:
        threading.Thread(target=target, daemon=True).start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def call_within(
    seconds: float,
    call: Callable[[], Any],
    discard: Callable[[Any], None] | None = None,
    more: Callable[[], float] = lambda: 0,
) -> Any:
    """What ``call`` returns or raises, if it does so within ``seconds``.

    It runs in a thread of its own, so that whatever it is stuck in (a name server that does not answer, a TLS
    handshake, a byte a minute), the task goes on, and hears its ``timeout`` and Ctrl-C meanwhile.

    :param discard: gets what ``call`` returns when it is too late, to close it.
    :param more: asked when the time is over: how many seconds more there are.
    :raises TimeoutError: the time is over. The call may still go on, and what it did is not known.
    """
    ended = threading.Event()
    lock = threading.Lock()
    outcome: dict[str, Any] = {}

    def run() -> None:
        returned: dict[str, Any] = {}
        try:
            returned["value"] = call()
        except BaseException as error:
            returned["error"] = error
        with lock:
            late = "late" in outcome
            outcome.update(returned)
        ended.set()
        if late and discard is not None and "value" in returned:
            discard(returned["value"])

    start_thread(run)
    if not ended.wait(seconds):
        ended.wait(more())
    with lock:
        if not outcome:
            outcome["late"] = True
            raise TimeoutError
    if "error" in outcome:
        raise outcome["error"]
    return outcome["value"]

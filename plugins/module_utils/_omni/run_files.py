# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small files that the tasks of one run share, for one instance of Omni and one API key: a line of JSON, and below it
the lines of ``LINES``, which are not decoded with it.

They are in the run's own temporary folder. No secret is in them, and their names are made of a hash of the
instance's address and the key. A task that has no such folder, or one whose files cannot be locked, keeps the
same in its memory, for itself.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Dict

from .time_budget import TimeBudget

#: For how many seconds a file is waited for that others only read and write. Whoever keeps it for longer
#: was stopped, and the task goes on without what the others know.
PATIENCE = 5.0
#: The pauses between two looks whether a lock is free, in seconds: the first, and the longest.
FIRST_PAUSE, LONGEST_PAUSE = 0.002, 0.1

State = Dict[str, Any]
#: The key whose value is a list of lines: the objects of a list; see list_cache.
LINES = "objects"


class RunFiles:
    """The files of one run and key.

    :param folder: of this run; None: nothing is shared.
    :param key: the instance's address and the API key.
    """

    def __init__(self, folder: str | None, key: Sequence[str]) -> None:
        self._prefix = os.path.join(folder, "omni_" + digest("\0".join(key))) if folder else None
        self._memory: dict[str, State] = {}
        self._asking: list[int] = []

    @property
    def shared(self) -> bool:
        """Whether other tasks see what this one stores."""
        return self._prefix is not None

    @contextmanager
    def opened(self, name: str) -> Iterator[tuple[State, Callable[[], None]]]:
        """The object stored under ``name``, with nobody else looking at it, and a function that stores its
        changes. Nothing that takes long may be done meanwhile, and no request be sent."""
        if self._prefix is None:
            yield self._memory.setdefault(name, {}), lambda: None
            return
        deadline = time.monotonic() + PATIENCE
        with self._file(name) as file:
            if not self._locked(file, lambda pause: _pause(pause, deadline)):
                yield self._memory.setdefault(name, {}), lambda: None
                return
            state, path = {}, f"{self._prefix}_{name}.json"
            with suppress(FileNotFoundError, ValueError), open(path, encoding="utf-8") as text:
                first, *lines = text.read().split("\n")
                state = json.loads(first)
                if LINES in state:
                    state[LINES] = lines
            yield state, lambda: _save(state, path)

    @contextmanager
    def exclusively(self, name: str, budget: TimeBudget) -> Iterator[None]:
        """Keep all other tasks of the run from being in here under the same name.

        :raises TimeoutError: another one is, for longer than the budget lasts.
        """
        if self._prefix is None:
            yield
            return

        def waits(pause: float) -> bool:
            if budget.left <= pause:
                return False
            budget.sleep(pause)
            return True

        with self._file(digest(name)) as file:
            if not self._locked(file, waits) and self.shared:
                raise TimeoutError
            yield

    @contextmanager
    def asking(self, name: str, budget: TimeBudget) -> Iterator[bool]:
        """Be the only one who asks Omni for what all need, or wait for the one who does.

        While that one's request is under way it is waited for as long as a request of one's own may take.
        While that one waits for the rate limit it is waited for as well, since one would wait there oneself.

        :return: whether nobody else asks now. Where that is False, do without the others.
        """
        if self._prefix is None:
            yield True
            return

        def waits(pause: float) -> bool:
            if budget.left <= pause or time.monotonic() - _request_began(file) > budget.request:
                return False
            budget.sleep(pause)
            return True

        with self._file(f"{name}_asking") as file:
            if not self._locked(file, waits):
                yield not self.shared
                return
            self._asking.append(file)
            try:
                yield True
            finally:
                self._asking.remove(file)

    @contextmanager
    def request_under_way(self) -> Iterator[None]:
        """Tell those who wait for what this task asks for that its request is under way."""
        for file in self._asking:
            os.pwrite(file, f"{time.monotonic():020.6f}".encode(), 0)
        try:
            yield
        finally:
            for file in self._asking:
                os.ftruncate(file, 0)

    @contextmanager
    def _file(self, name: str) -> Iterator[int]:
        file = os.open(f"{self._prefix}_{name}", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            yield file
        finally:
            os.close(file)  # and with it goes the lock

    def _locked(self, file: int, waits: Callable[[float], bool]) -> bool:
        """Lock ``file``, and say whether that succeeded. flock has no timeout, so it is tried now and then.
        Where the file system has no locks (some of NFS have none), nothing is shared from now on.

        :param waits: waits for so many seconds, or returns False where that would be too long.
        """
        longest = FIRST_PAUSE
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                pass
            except OSError:
                self._prefix = None
                return False
            if not waits(random.uniform(longest / 2, longest)):
                return False
            longest = min(2 * longest, LONGEST_PAUSE)


def _save(state: State, path: str) -> None:
    """Write the file, whole or not at all: who writes it may be killed."""
    with open(f"{path}~", "w", encoding="utf-8", opener=_private) as text:
        lines = state.get(LINES, [])
        text.write("\n".join([json.dumps({**state, LINES: []} if LINES in state else state), *lines]))
    os.replace(f"{path}~", path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _pause(seconds: float, deadline: float) -> bool:
    if time.monotonic() >= deadline:
        return False
    time.sleep(seconds)
    return True


def _request_began(file: int) -> float:
    """When the request of the one who asks was sent, or now where none is under way."""
    try:
        return float(os.pread(file, 20, 0))
    except ValueError:
        return time.monotonic()


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]

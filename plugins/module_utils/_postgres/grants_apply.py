# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sending thousands of grants past the few tables that somebody has locked."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence

from .._errors import Refused
from .grants_plan import RightsChange
from .grants_sql import LOCKED
from .grants_state import Right
from .resource import PostgresResource

LOCK_NOT_AVAILABLE = "55P03"
#: How long one of many tries waits for a lock, in seconds.
SHORT = 0.2
#: How often people hear how far a long task is, in seconds.
PROGRESS = 5


def send(resource: PostgresResource, changes: Sequence[RightsChange]) -> Iterator[RightsChange]:
    """Send ``changes``, each in a transaction of its own: none of them holds many locks, or for long.

    :raises Refused: somebody holds a lock in the way of some; all others are made.
    """
    session = resource.session
    processes = {row["oid"]: row["pid"] for row in session.rows(LOCKED, {})}
    sender = PastLocks(
        lambda change, seconds: resource.transact(session, [change], lock_timeout=seconds),
        resource.params["lock_timeout"],
    )
    total = sum(len(change.rights) for change in changes)
    done, told = 0, time.monotonic()
    for change in sender.send(changes, processes):
        yield change
        done += len(change.rights)
        if time.monotonic() - told > PROGRESS:
            told = time.monotonic()
            resource.progress(f"{done} of {total} privileges are set in {session.where}.")
    if not sender.locked:
        return
    rights = [str(right) for right in sender.locked]
    pids = sorted({processes[right.oid] for right in sender.locked if right.oid in processes})
    holder = f"process {', '.join(map(str, pids))}" if pids else "somebody"
    rest = f" and {len(rights) - 5} more" if rights[5:] else ""
    raise Refused(
        f"Setting privileges in {session.where}",
        f"{holder} holds a lock in the way of {', '.join(rights[:5])}{rest}",
        "The others are done. Run again when it is gone (pg_locks shows it), or raise O(lock_timeout).",
        sqlstate=LOCK_NOT_AVAILABLE,
        locked=rights[: resource.max_listed or None],
        pids=pids,
    )


class PastLocks:
    """Sends changes; what meets a lock is halved until only the locked table is left, and tried again at the end.

    :param send: sends one change in a transaction of its own, waiting so many seconds for a lock.
    :param patience: how many seconds all tries together wait for locks; after that, each waits for hardly any.
    """

    def __init__(self, send: Callable[[RightsChange, float], None], patience: float) -> None:
        self._send = send
        self._left_to_wait = patience
        self._short = min(SHORT, patience / 10)
        #: what is still locked after the last change
        self.locked: list[Right] = []

    @property
    def _briefly(self) -> float:
        """How long one of many tries waits; hardly at all once the patience is over."""
        return min(self._short, self._left_to_wait)

    def send(self, changes: Sequence[RightsChange], locked: Collection[int]) -> Iterator[RightsChange]:
        """Send ``changes``, those about the objects in ``locked`` last. Yields each that was made.

        :param locked: the oids of relations that are known to be locked.
        """
        later: list[RightsChange] = []
        for change in changes:
            for verb_rights, into in self._apart(change, locked):
                if into:
                    later.append(verb_rights)
                else:
                    yield from self._halving(verb_rights, later, self._briefly)
        for change in later:
            # Most of the patience is for the end, when nothing else has to wait behind it.
            yield from self._halving(change, None, self._left_to_wait / 2)

    def _apart(self, change: RightsChange, locked: Collection[int]) -> Iterator[tuple[RightsChange, bool]]:
        taken = [right for right in change.rights if right.oid in locked and not right.later]
        if not taken:
            yield change, False
            return
        free = [right for right in change.rights if right not in taken]
        if free:
            yield change.part(free), False
        yield change.part(taken), True

    def _halving(
        self, change: RightsChange, later: list[RightsChange] | None, seconds: float
    ) -> Iterator[RightsChange]:
        """Send ``change``, or what of it is not locked; the rest goes to ``later``, or is locked for good."""
        begun = time.monotonic()
        try:
            self._send(change, max(seconds, 0.01))
        except Refused as refused:
            if refused.detail.get("sqlstate") != LOCK_NOT_AVAILABLE:
                raise
            self._left_to_wait = max(0, self._left_to_wait - (time.monotonic() - begun))
        else:
            yield change
            return
        half = len(change.rights) // 2
        if half:
            for part in (change.rights[:half], change.rights[half:]):
                yield from self._halving(change.part(part), later, self._briefly)
        elif later is not None:
            later.append(change)
        else:
            self.locked += change.rights

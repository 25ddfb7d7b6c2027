# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read, plan, apply, read again: the one loop behind every module.

A resource reads what is there, plans the changes that are missing, and applies them. Whether a task
changed something, its diff, and the statements or requests that it lists all come from the plan, so
check mode and a run cannot tell different stories.
"""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ._errors import Moved, NotConverged

ATTEMPTS = 6
MASK = "********"


@dataclass(frozen=True)
class Change:
    """One step from what is there to what is wanted.

    ``before`` and ``after`` are the lines of the diff: what the step is about, and how it stands; None
    is what is not there, and has no line.
    ``payload`` is what the resource sends; how it is shown to people is the resource's to say.
    """

    payload: Any
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)


class Resource(ABC):
    """Something that the collection keeps true. A context manager that holds what it opened."""

    #: the result's key for what was sent: "statements" or "requests"; "" for a resource that only reads
    sends = ""

    #: how many names of a list are shown (0: all)
    most = 0

    def __init__(self) -> None:
        #: what the other side remarked while changes were applied
        self.remarks: list[str] = []
        #: values that must never be shown, beside those that the argument spec marks
        self.secrets: set[str] = set()
        #: shows people a line while something takes long, where the door can
        self.tell: Callable[[str], None] = lambda line: None
        #: whether this is check mode, for a resource that tries something out
        self.check_mode = False
        #: a private folder that all tasks of a run see, and that goes with it, where the door has one
        self.run_dir: str | None = None

    def __enter__(self) -> Resource:
        return self

    def __exit__(self, *error: object) -> None:
        return None

    @abstractmethod
    def read(self) -> Any:
        """What is there now. Never writes."""

    def plan(self, state: Any) -> list[Change]:
        """The changes from ``state`` to what is wanted, in the order in which they are sent; pure."""
        return []

    def require(self, state: Any) -> None:  # noqa: B027
        """Raise where ``state`` lacks what an earlier step makes. Asked before the first write, and
        never in check mode: there the earlier step did not run either."""

    def apply(self, changes: Sequence[Change]) -> Iterator[Change]:
        """Carry the changes out; yield each one once it can no longer be rolled back.

        :raises Moved: the other side changed meanwhile; what was not yielded did not happen.
        """
        raise NotImplementedError

    def show(self, change: Change) -> str:
        """The statement or request of ``change`` as people see it: secrets masked, long lists cut."""
        raise NotImplementedError

    def learned(self, state: Any, done: Sequence[Change]) -> dict[str, Any]:
        """What the task returns beside ``changed``, ``diff`` and what was sent. In check mode ``done``
        is what would be done."""
        return {}


def converge(resource: Resource, check_mode: bool) -> dict[str, Any]:
    """Make what is there what is wanted, and return the task's result.

    In check mode the first plan is the result. Otherwise plans are applied until one is empty. A
    change that was sent and is planned again had no effect, whatever the server said of it.

    :raises ConnectError: anything of the family; what was already applied stays, and a later run
        goes on from there.
    """
    done: list[Change] = []
    sent: set[str] = set()
    for attempt in range(1, ATTEMPTS + 1):
        state = resource.read()
        changes = resource.plan(state)
        if check_mode or not changes:
            return _result(resource, state, changes or done)
        without_effect = [shown for shown in map(resource.show, changes) if shown in sent]
        if without_effect:
            break
        resource.require(state)
        try:
            for change in resource.apply(changes):
                done.append(change)
                sent.add(resource.show(change))
        except Moved:
            if attempt == ATTEMPTS:
                raise
            time.sleep(random.uniform(0, 0.05 * 2**attempt))
    raise NotConverged(
        "Reading again after the changes",
        "the server accepted them, and this is still missing: "
        + "; ".join([*map(resource.show, changes), *resource.remarks]),
        "Run the first of them by hand to see what the server says of it.",
        **{resource.sends: [resource.show(change) for change in done]},
    )


def _result(resource: Resource, state: Any, done: Sequence[Change]) -> dict[str, Any]:
    sent = [resource.show(change) for change in done]
    result: dict[str, Any] = {"changed": bool(done)}
    if resource.sends:
        result[resource.sends] = sent
    if done:
        result["diff"] = {
            "before": _lines([change.before for change in done], resource.most),
            "after": _lines([change.after for change in done], resource.most),
            "prepared": "\n".join(sent) + "\n",
        }
    result.update(resource.learned(state, done))
    if not result.get("warnings"):
        result.pop("warnings", None)
    return result


def _lines(parts: Sequence[dict[str, Any]], most: int) -> str:
    """One side of a diff as text: a line for each thing that there is."""
    lines = [f"{what}: {value}\n" for part in parts for what, value in part.items() if value is not None]
    if most and len(lines) > most:
        lines = [*lines[:most], f"… {len(lines) - most} more\n"]
    return "".join(lines)


def listed(names: Sequence[str], most: int) -> dict[str, Any]:
    """``names`` as a task returns them: their count, and no more of them than ``most`` (0: all)."""
    shown = list(names[:most] if most else names)
    return {"count": len(names), "names": shown, "truncated": len(shown) < len(names)}

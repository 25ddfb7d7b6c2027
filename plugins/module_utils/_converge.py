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
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any

from ._errors import ConnectError, Moved, NotConverged, Prerequisite

#: How often a plan is made before the loop gives up.
ATTEMPTS = 6
MASK = "********"


class Change:
    """One step from what is there to what is wanted.

    :param payload: what the resource sends; how it is shown to people is the resource's to say.
    :param before: the lines of the diff, by what they are about. None is something that is not there; the
        diff has no line for it.
    :param after: the same, once the change is made.
    :param effects: what the change makes true, as keys that name an object for good, such as the oid of a
        table with a privilege. A change whose effect was sent before and is planned again had none. Without
        effects, it is the shown text that is compared.
    """

    def __init__(
        self,
        payload: Any,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        effects: frozenset[Hashable] = frozenset(),
    ) -> None:
        self.payload = payload
        self.before = before or {}
        self.after = after or {}
        self.effects = effects


class Resource(ABC):
    """Something that the collection keeps true. A context manager that holds what it opened."""

    #: the result's key for what was sent: "statements" or "requests"; "" for a resource that only reads
    sends = ""

    #: how many names of a list are shown (0: all)
    max_listed = 0

    def __init__(self) -> None:
        #: what the other side remarked while changes were applied
        self.remarks: list[str] = []
        #: values that must never be shown, beside those that the argument spec marks
        self.secrets: set[str] = set()
        #: shows people a line while something takes long, where the door can
        self.progress: Callable[[str], None] = lambda line: None
        #: asked right before each write; raises Abandoned where nobody waits for this task any more
        self.before_write: Callable[[], None] = lambda: None
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
        """The changes from ``state`` to what is wanted, in the order in which they are sent.

        A function of the options and the state: asked twice, it answers the same, and nothing is sent,
        drawn by lot, or noted.
        """
        return []

    def require(self, state: Any, changes: Sequence[Change]) -> None:  # noqa: B027
        """Raise where ``state`` lacks what has to be there before ``changes`` can be made, or before there
        can be said to be none. Asked after each plan.

        :raises Prerequisite: another task may still make it. In check mode that is a warning.
        """

    def apply(self, changes: Sequence[Change]) -> Iterator[Change]:
        """Carry the changes out; yield each one once it can no longer be rolled back.

        :raises Moved: the other side changed meanwhile; what was not yielded did not happen, except that of
            ``Moved.change`` it is not known.
        """
        raise NotImplementedError

    def settle(self, change: Change) -> None:  # noqa: B027
        """Hear that ``change``, whose answer was lost, was made: a fresh read does not miss it any more."""

    def show(self, change: Change) -> str:
        """The statement or request of ``change`` as people see it: secrets masked, long lists cut."""
        raise NotImplementedError

    def report(self, done: Sequence[Change]) -> dict[str, Any]:
        """What the task returns of the changes that were made, whether it succeeds or fails."""
        return {}

    def result(self, state: Any, done: Sequence[Change]) -> dict[str, Any]:
        """What else a task that succeeds returns. In check mode ``done`` is what would be done."""
        return {}


def converge(resource: Resource, check_mode: bool) -> dict[str, Any]:
    """Make what is there what is wanted, and return the task's result.

    In check mode the first plan is the result, and what another task has to make first is a warning. Otherwise
    plans are applied until one is empty. A change that was sent and is planned again had no effect, whatever
    the server said of it.

    :raises ConnectError: anything of the family, with what was already done in its ``partial``. That stays,
        and a later run goes on from there.
    """
    done: list[tuple[Change, str]] = []
    try:
        return _converge(resource, check_mode, done)
    except ConnectError as error:
        if resource.sends:
            error.partial = {
                "changed": bool(done),
                resource.sends: [shown for _change, shown in done],
                **resource.report([change for change, _shown in done]),
            }
        raise


def _converge(resource: Resource, check_mode: bool, done: list[tuple[Change, str]]) -> dict[str, Any]:
    """See :func:`converge`. What is done is appended to ``done`` as it happens, with how it is shown: a
    connection that breaks later can no longer tell."""
    sent: set[Hashable] = set()
    unsettled: Change | None = None
    for attempt in range(1, ATTEMPTS + 1):
        state = resource.read()
        changes = resource.plan(state)
        if unsettled is not None and not _effects(resource, [unsettled]) & _effects(resource, changes):
            resource.settle(unsettled)
            done.append((unsettled, resource.show(unsettled)))
            state = resource.read()
            changes = resource.plan(state)
        unsettled = None
        if check_mode:
            planned = [(change, resource.show(change)) for change in changes]
            return _result(resource, state, planned, _missing(resource, state, changes))
        resource.require(state, changes)
        if not changes:
            return _result(resource, state, done)
        without_effect = [change for change in changes if _effects(resource, [change]) & sent]
        if without_effect:
            raise NotConverged(
                "Reading again after the changes",
                "the server accepted them, and this is still missing: "
                + "; ".join([*map(resource.show, without_effect), *resource.remarks]),
                "Run the first of them by hand to see what the server says of it.",
            )
        try:
            for change in resource.apply(changes):
                done.append((change, resource.show(change)))
                sent |= _effects(resource, [change])
        except Moved as moved:
            if attempt == ATTEMPTS:
                raise
            unsettled = moved.change
            time.sleep(random.uniform(0, 0.05 * 2**attempt))
    raise NotConverged(
        "Reading again after the changes",
        f"after {ATTEMPTS} attempts there is still something to do, and each time it is something else: "
        "what was changed keeps being replaced",
        "See what else changes the same objects at this time, and run again when it is done.",
    )


def _effects(resource: Resource, changes: Sequence[Change]) -> set[Hashable]:
    return {effect for change in changes for effect in change.effects or (resource.show(change),)}


def _missing(resource: Resource, state: Any, changes: Sequence[Change]) -> list[str]:
    """What another task has to make first, as warnings of check mode."""
    try:
        resource.require(state, changes)
    except Prerequisite as missing:
        text = str(missing).rstrip(".")
        return [f"{text}. In check mode it is no error: an earlier task may be about to make it."]
    return []


def _result(
    resource: Resource, state: Any, done: Sequence[tuple[Change, str]], warnings: Sequence[str] = ()
) -> dict[str, Any]:
    sent = [shown for _change, shown in done]
    changes = [change for change, _shown in done]
    result: dict[str, Any] = {"changed": bool(done)}
    if resource.sends:
        result[resource.sends] = sent
    if done:
        result["diff"] = {
            "before": _lines([change.before for change in changes], resource.max_listed),
            "after": _lines([change.after for change in changes], resource.max_listed),
            "prepared": "\n".join(sent) + "\n",
        }
    result.update(resource.report(changes))
    result.update(resource.result(state, changes))
    result["warnings"] = [*warnings, *result.get("warnings", ())]
    if not result["warnings"]:
        del result["warnings"]
    return result


def _lines(parts: Sequence[Mapping[str, Any]], max_listed: int) -> str:
    """One side of a diff as text: a line for each thing that there is."""
    lines = [f"{what}: {value}\n" for part in parts for what, value in part.items() if value is not None]
    if max_listed and len(lines) > max_listed:
        lines = [*lines[:max_listed], f"… {len(lines) - max_listed} more\n"]
    return "".join(lines)


def shortened(entries: Sequence[Any], max_listed: int, key: str = "list") -> dict[str, Any]:
    """A long list as tasks return it: ``count`` of all, no more than ``max_listed`` of them (0: all) under
    ``key``, and whether some were left out (``truncated``)."""
    shown = list(entries[:max_listed] if max_listed else entries)
    return {"count": len(entries), key: shown, "truncated": len(shown) < len(entries)}

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A connection that is replaced where Omni's API cannot change it.

First the new one is created, then all that hangs on the old one is made on the new one, and last the old one is
deleted. Each pass of the loop reads how far that is, so a run that was cut off is finished by the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple, cast

from .._converge import Change
from .._errors import Conflict, Moved, Refused
from .client import Request
from .connection_attachments import Attachments, Part, attached, parts
from .connection_plan import State
from .connection_record import Record
from .connection_resource import Connection
from .find_connection import CONNECTIONS, LAGS, find_by_id, looks, only_one, without_twins
from .resource import was_refused

#: What of a connection Omni's API shows and cannot set; the last is the older name of the one before.
SWITCHES = "environmentConnectionSwitchesSchemaModel"
BRANCHES = ("allowBranchConnectionEnvironments", "branchConnectionEnvironmentOverridesUserAttr")


class Replacing(NamedTuple):
    """How far a replacement is.

    :param new: the connection that takes the place, or None before there is one.
    :param parts: what brings to it all that hangs on the old one, each with how that stands.
    """

    new: dict[str, Any] | None
    parts: list[tuple[Part, Any]]


class Step(Change):
    """A change that one of the parts makes."""

    def __init__(self, change: Change, part: Part) -> None:
        super().__init__(change.payload, change.before, change.after, change.effects)
        self.part = part


class Replacement(Connection):
    """A connection that is replaced by a new one where a setting differs that the API cannot change."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        #: what this run did and no read can show: the connections of the name before the new one was asked for, the
        #: values that the old one served at other connections, what it had and the new one has not, and its id
        self._beside: list[str] | None = None
        self._serves: dict[str, list[str]] = {}
        self._parts: dict[str, Part] = {}
        self._lost: list[str] = []
        self.replaced: str | None = None

    def read(self) -> State:
        live = self.live()
        old, new = self._pair(live)
        state = self.state_of(old)
        if old is None or (new is None and not self.differing(state)):
            return state
        self.check_identity(old, "dialect", "name")
        kept = self.record_of(old)
        if new is None:
            self._require_delete_route(old)
        found = attached(self.client, old, {**(kept.serves if kept else {}), **self._serves})
        self._serves = found.serves()
        self._lost = self._not_carried(old, found)
        steps = [(part, part.resource.read() if new else part.before) for part in self._of(found, old, new)]
        return state._replace(replacement=Replacing(new, steps))

    def _pair(self, live: list[dict[str, Any]]) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """The connection that is meant, and the one that was made to replace it by this run or an earlier one."""
        for old in live:
            new = self._successor(old, self.record_of(old))
            if new:
                return old, new
        if self.replaced:  # it is gone, and what was made for it is there
            live = [one for one in self.look(fresh=False) if one["id"] == self.created] or live
        live = without_twins(self.client, live, self.look)
        if len(live) > 1:
            ids = sorted(one["id"] for one in live)
            raise Conflict(
                f"Finding {self.label} at {self.client.root}",
                f"there are {len(ids)} of that name: {', '.join(ids)}",
                "Where a replacement was cut off, the later one is new, and this run has no record of it: delete that "
                "one in Omni and run again. Or choose one by O(connection_id), or delete those that nobody needs.",
                ids=ids,
            )
        if not live and self.id is not None:
            raise self.no_such_id()
        return (live[0] if live else None), None

    def _successor(self, old: dict[str, Any], kept: Record | None) -> dict[str, Any] | None:
        made = self.created or (kept and kept.successor)
        if made and made != old["id"]:
            return find_by_id(self.client, made)
        beside = kept.beside if kept and self._beside is None else self._beside
        if beside is None or old["id"] not in beside:
            return None
        # It was asked for, and nobody heard the answer; and a list may lag behind.
        added: list[dict[str, Any]] = []
        for live in looks(self.client, self.look, LAGS if self._unanswered else ()):
            added = [one for one in live if one["id"] not in beside]
            if added:
                break
        new = only_one(self.client, added, self.params["name"])
        return None if new is None or self.differing(State(new)) else new

    def _not_carried(self, old: Mapping[str, Any], found: Attachments) -> list[str]:
        """What the old connection has and the new one will not have."""
        lost = []
        if found.disabled:
            lost.append(f"Disabled refresh schedules of {self.label} are not carried over.")
        if old.get(SWITCHES):
            lost.append(
                f"{SWITCHES} is true of {self.label}, and Omni's API cannot set it: switch it on for the new one in "
                f"Omni ({self.page()})."
            )
        if any(old.get(name) for name in BRANCHES):
            lost.append(
                f"{BRANCHES[0]} is true of {self.label}: neither that nor the environments of its branches are carried "
                f"over, since Omni's API cannot set or list them. Set them for the new one in Omni ({self.page()})."
            )
        return lost

    def _require_delete_route(self, old: Mapping[str, Any]) -> None:
        """Make no new one where the old one could not be deleted.

        :raises Conflict: this instance has no route for one connection, so it has none to delete it either.
        """
        try:
            self.client.get(f"{CONNECTIONS}/{old['id']}")
        except Refused as refused:
            if refused.detail.get("status") not in (404, 405):
                raise
            raise Conflict(
                f"Replacing {self.label} at {self.client.root}",
                "this instance cannot delete a connection through its API, so two of the name would stay",
                f"Edit the connection in Omni instead ({self.page()}).",
            ) from None

    def _of(self, found: Attachments, old: Mapping[str, Any], new: Mapping[str, Any] | None) -> list[Part]:
        """The parts; those that were used before are used again, since a refresh is seen by nobody else."""
        id = new["id"] if new else None
        made = [
            self._parts.setdefault(f"{part.name} {id}", part)
            for part in parts(self.params, old["id"], found, id)
        ]
        for part in made:
            part.resource.client = self.client
        return made

    def plan(self, state: State) -> list[Change]:
        replacing: Replacing | None = state.replacement
        if replacing is None:
            return super().plan(state)
        old = cast("dict[str, Any]", state.connection)
        changes: list[Change] = []
        if replacing.new is None:
            changes.append(self.plan_create(self.base_role(state) or old["baseRole"]))
        for part, there in replacing.parts:
            changes += [Step(change, part) for change in part.resource.plan(there)]
        return [*changes, self.plan_delete(old)]

    def apply(self, changes: Sequence[Change]) -> Iterator[Change]:
        if not self._is_replacing(changes):
            yield from super().apply(changes)
            return
        for part, group in groupby(changes, lambda change: getattr(change, "part", None)):
            steps, made = list(group), 0
            if part:
                for change in part.resource.apply(steps):
                    made += 1
                    yield change
                if made < len(steps):
                    return  # the rest needs an id that is read in the next pass
            elif steps[0].payload.method == "POST":
                old = changes[-1].payload.path.rpartition("/")[2]
                yield from self._create_beside(steps[0], old)
                return
            else:
                self._delete_old(steps[-1])
                yield steps[-1]

    def _is_replacing(self, changes: Sequence[Change]) -> bool:
        last = changes[-1].payload
        return isinstance(last, Request) and last.method == "DELETE"

    def _create_beside(self, change: Change, old: str) -> Iterator[Change]:
        """Create the new connection, so that any later run can tell by the record of the ``old`` one that it was made
        to replace that.

        :raises Moved: meanwhile there is another one of the name, which no read has compared.
        """
        kept = self._records.get(old)
        live = [one["id"] for one in self.look()]
        if self.id is None and set(live) - {old}:
            raise Moved(
                f"Creating {self.label} at {self.client.root}", "there is another one of that name by now"
            )
        self._note_beside(live, kept)
        try:
            for made in self.create(change, live):
                if kept:
                    kept.successor = None if self.taken_back else self.created
                    kept.save()
                yield made
        except (Moved, Refused) as error:
            if was_refused(error) and self.created is None:
                self._note_beside(None, kept)
            raise
        if self.taken_back:
            self._require_as_wanted(old)
            if kept:
                kept.successor = self.created
                kept.save()

    def _note_beside(self, live: list[str] | None, kept: Record | None) -> None:
        """Note which connections of the name there are besides the new one; None: no new one was asked for."""
        self._beside = live
        if kept:
            kept.beside, kept.serves = live, self._serves
            kept.save()

    def _require_as_wanted(self, old: str) -> None:
        """Leave the old one where it is unless the one that stays, which somebody else made, is as wanted.

        :raises Conflict: it is not, as far as it shows.
        """
        theirs = find_by_id(self.client, str(self.created))
        differing = theirs and self.differing(State(theirs))
        if differing:
            raise self._conflict(
                differing,
                f"so {self.created}, which somebody else made meanwhile, cannot take the place of {old}",
                f"Delete the one that nobody needs in Omni ({self.page()}), and run again.",
            )

    def _delete_old(self, change: Change) -> None:
        old = change.payload.path.rpartition("/")[2]
        try:
            self.send_change(change)
        except Refused as refused:
            raise Refused(
                f"Deleting {self.label} ({old}) at {self.client.root}",
                refused.said,
                f"It is still there, beside the one that replaces it. Delete it in Omni ({self.page()}), or run again.",
                **refused.detail,
            ) from None
        self.replaced = old

    def settle(self, change: Change) -> None:
        part = getattr(change, "part", None)
        if part:
            part.resource.settle(change)
        elif change.payload.method == "POST" and self._beside is not None:
            self._unanswered = False
            for one in self.look(fresh=False):
                if one["id"] not in self._beside:
                    self.created = one["id"]
                    self.note_created(one)
        else:
            super().settle(change)
            if self._beside is not None and change.payload.method == "DELETE":
                self.replaced = change.payload.path.rpartition("/")[2]

    def result(self, state: State, done: Sequence[Change]) -> dict[str, Any]:
        found = super().result(state, done)
        found["warnings"] += self._lost
        if self.replaced:
            found["replaced"] = self.replaced
        return found

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One connection in Omni, kept as wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .._converge import Change
from .._errors import Conflict, Moved, Refused
from . import connection_creation as creation
from . import connection_fields as fields
from . import connection_record as record
from . import connection_report as report
from .client import PASSWORD, Request
from .connection_plan import OTHER_NAME, Accepted, ConnectionPlan, State
from .find_connection import find_all, find_by_id, looks, only_one, without_twins
from .resource import was_refused


class Connection(ConnectionPlan):
    """One connection to a Postgres database, found by its exact name or by its id."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        #: what was seen of Omni's trash under that name
        self.archived: list[str] = []
        #: what this run did, and what no read can show: the id that was answered to its create, the connections
        #: that have its password, the one that was taken back, and the name of a role that Omni does not know
        self.created: str | None = None
        self.has_password: set[str] = set()
        self.taken_back: str | None = None
        self._unknown_role: str | None = None
        self._unanswered = False
        self._seen: list[dict[str, Any]] | None = None
        self._records: dict[str, record.Record] = {}

    # What there is

    def read(self) -> State:
        live = without_twins(self.client, self.live(), self.look)
        return self.state_of(only_one(self.client, live, self.params["name"]))

    def live(self) -> list[dict[str, Any]]:
        """The live connections that may be meant: of the id, or of the name."""
        if self.id is not None:
            one = find_by_id(self.client, self.id)
            return [one] if one else []
        seen, self._seen = self._seen, None
        if seen is not None:
            return seen
        found = self.look(fresh=False)
        if self._unanswered and not found:
            # Omni may have made it, and its list lag behind.
            found = next(filter(None, looks(self.client, self.look)), [])
        return found

    def look(self, fresh: bool = True) -> list[dict[str, Any]]:
        """The live connections of the name; where not ``fresh``, as the run knows them."""
        found = find_all(self.client, "name", self.params["name"], fresh=fresh)
        self.archived = sorted(one["id"] for one in found if one.get("deletedAt"))
        return [one for one in found if not one.get("deletedAt")]

    def state_of(self, connection: dict[str, Any] | None) -> State:
        """What is known of ``connection``."""
        if connection is None:
            return State(None, unknown_role=self._unknown_role)
        kept = self.record_of(connection)
        recorded = dict(kept.settings) if kept else {}
        if kept:
            kept.unseen = False  # for when it is written next
        return State(connection, recorded, self._password_of(connection["id"], kept), self._unknown_role)

    def _password_of(self, id: str, kept: record.Record | None) -> str:
        if id in self.has_password:
            return "set"
        if kept is None or self.params["password"] is None or not self.params["record_password"]:
            return "unknown"
        return {True: "fits", False: "differs", None: "unknown"}[kept.fits(self.params["password"])]

    def record_of(self, connection: Mapping[str, Any]) -> record.Record | None:
        """The record of ``connection``; None where none is kept."""
        id = connection["id"]
        if self.params["record_path"] and id not in self._records:
            about = {"name": connection["name"], "id": id, "instance": self.client.root}
            self._records[id] = record.Record(self.params["record_path"], about)
        return self._records.get(id)

    # Doing it

    def apply(self, changes: Sequence[Change]) -> Iterator[Change]:
        for change in changes:
            if isinstance(change.payload, Accepted):
                if self._accept(change.payload):
                    yield change
            elif change.payload.method == "POST":
                yield from self.create(change)
            else:
                self.send_change(change)
                yield change

    def _accept(self, accepted: Accepted) -> bool:
        for kept in self._records.values():
            kept.settings = {
                option: {**kept.settings, **accepted.settings}[option]
                for option in fields.SETTINGS
                if option in kept.settings or option in accepted.settings
            }
            return kept.save()
        return False

    def create(self, change: Change, beside: Sequence[str] = ()) -> Iterator[Change]:
        """Create the connection, and take it back where another run had made one of its name before.

        :param beside: ids of connections of the name that were there already.
        """
        self._refuse_unseen()
        self._unanswered = True
        answer = self.send_change(change)
        self._unanswered = False
        self.created = str(answer["data"])
        self.note_created({"id": self.created, "name": self.params["name"]}, unseen=True)
        yield change
        found = creation.seen(self.client, self.created, self.look, self.label)
        kept = self._records.get(self.created)
        if kept:
            kept.unseen = False
            kept.save()
        others = [one for one in found if one["id"] != self.created and one["id"] not in beside]
        stays = creation.survivor(self.client, self.created, others, self.look) if others else self.created
        self._seen = None if others else found
        if stays != self.created and not creation.in_use(self.client, self.created):
            (ours,) = [one for one in found if one["id"] == self.created]
            taken = self.plan_delete(ours)
            self.send_change(taken)
            self.taken_back, self.created = self.created, stays
            yield taken

    def _refuse_unseen(self) -> None:
        """Make no second one where an earlier run made one that Omni has not shown since.

        :raises Conflict: so it is, by a record.
        """
        folder = self.params["record_path"]
        kept = folder and record.unseen(folder, self.params["name"], self.client.root)
        if not kept or kept[1] in self.archived:
            return
        there = find_by_id(self.client, kept[1])
        if there is None:
            raise Conflict(
                f"Creating {self.label} at {self.client.root}",
                f"an earlier run made {kept[1]}, which Omni has not shown since",
                f"{creation.again_by_id(self.client, kept[1])} If it is gone for good, delete {kept[0]}.",
                connection_id=kept[1],
            )
        self._seen = [there]
        raise Moved(f"Creating {self.label} at {self.client.root}", f"{kept[1]} is there by now")

    def note_created(self, connection: Mapping[str, Any], unseen: bool = False) -> None:
        """Put a connection that this run created into its record, before anything else can fail."""
        self.has_password.add(connection["id"])
        kept = self.record_of(connection)
        if kept:
            want = fields.wanted(self.params)
            kept.settings = {option: want.get(option) for option in fields.SETTINGS}
            kept.unseen = unseen
            kept.set_password(self.params["password"] if self.params["record_password"] else None)
            kept.save()

    def send_change(self, change: Change) -> dict[str, Any]:
        """Send ``change``, and note in the record what it did."""
        request: Request = change.payload
        kept = self._records.get(request.path.rpartition("/")[2])
        if kept and kept.password and PASSWORD in request.body:
            # An answer that is lost must not leave the record with a password that Omni has no more.
            kept.set_password(None)
            kept.save()
        try:
            answer = self.send(change)
        except Refused as refused:
            self._unanswered = False
            raise self._explained(request, refused) from None
        except Moved as moved:
            if was_refused(moved):
                self._unanswered = False
            raise
        if request.method == "POST" and not answer.get("data"):
            raise Moved(f"POST {self.client.root}{request.path}", "it answered no id", change=change)
        self._note(request)
        return answer

    def settle(self, change: Change) -> None:
        self._unanswered = False
        if isinstance(change.payload, Request) and change.payload.method == "POST":
            for one in self.look(fresh=False):
                self.created = one["id"]
                self.note_created(one)
        else:
            self._note(change.payload)

    def _note(self, request: Request) -> None:
        id = request.path.rpartition("/")[2]
        kept = self._records.get(id)
        if request.method == "DELETE" and kept:
            kept.remove()
        elif request.method == "PATCH" and PASSWORD in request.body:
            self.has_password.add(id)
            if kept:
                kept.set_password(request.body[PASSWORD] if self.params["record_password"] else None)
                kept.save()

    def _explained(self, request: Request, refused: Refused) -> Exception:
        """What a refusal calls for: another try, or a person."""
        status = refused.detail.get("status")
        role = request.body.get("baseRole")
        if status == 400 and role in OTHER_NAME and self._unknown_role is None:
            self._unknown_role = role
            return Moved(str(refused), **refused.detail)
        if request.method == "POST" or status not in (404, 405, 410):
            return refused
        if find_by_id(self.client, request.path.rpartition("/")[2]) is None:  # somebody else deleted it
            return Moved(str(refused), **refused.detail)
        return Refused(
            f"{request.method} {self.client.root}{request.path}",
            refused.said,
            f"This instance cannot do that through its API: do it in Omni ({self.page()}).",
            status=status,
        )

    # What is returned

    def report(self, done: Sequence[Change]) -> dict[str, Any]:
        return {"connection_id": self.created} if self.created else {}

    def result(self, state: State, done: Sequence[Change]) -> dict[str, Any]:
        kept = state.connection and self.record_of(state.connection)
        return report.result(self, state, done, kept or None)

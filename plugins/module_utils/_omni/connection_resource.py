# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One connection in Omni, kept as wanted."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from .._converge import MASK, Change
from .._errors import Conflict, InvalidInput, MissingLibrary, Moved, Refused
from . import connection_creation as creation
from . import connection_fields as fields
from . import connection_record as record
from . import connection_report as report
from .client import PASSWORD, Request
from .connection_checks import check_text
from .find_connection import CONNECTIONS, check_id, identified, known, looks, only, without_twins
from .resource import OmniResource

#: Two names of one base role, in Omni's documentation and in its specification. Not every instance knows both.
OTHER_NAME = {"RESTRICTED_QUERIER": "QUERY_TOPICS", "QUERY_TOPICS": "RESTRICTED_QUERIER"}


class State(NamedTuple):
    """What is known of the connection.

    :param connection: as the API has it, or None where there is no live one.
    :param recorded: its settings by the record.
    :param password: whether the wanted one ``fits`` the record, ``differs``, was ``set`` by this run, or is
        ``unknown``.
    :param unknown_role: a base role that this instance refused by that name.
    :param replacement: what it takes to replace the connection, where that is to be; see Replacement.
    """

    connection: dict[str, Any] | None
    recorded: Mapping[str, Any] = {}
    password: str = "unknown"
    unknown_role: str | None = None
    replacement: Any = None


@dataclass(frozen=True)
class Accepted:
    """Settings that somebody changed in Omni by hand, for the record."""

    settings: dict[str, Any]

    def __str__(self) -> str:
        return f"record {', '.join(self.settings)}"


class Connection(OmniResource):
    """One connection to a Postgres database, found by its exact name or by its id."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        self.id = check_id(params["connection_id"])
        self.label = f"connection {params['name'] or self.id}"
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
        self._check()

    def _check(self) -> None:
        params, present = self.params, self.params["state"] == "present"
        if params["name"] is not None and (params["name"] or self.id is None or present):
            check_text(params["name"], "name")
        elif self.id is None or present:
            raise InvalidInput("Reading O(name)", "it is missing", "Give the connection's name.")
        if params["record_path"] and record.LIBRARY.error is not None:
            raise MissingLibrary(
                f"Importing {record.LIBRARY.name} in {sys.executable}, for O(record_path)",
                str(record.LIBRARY.error),
                f"Install it there: pip install {record.LIBRARY.package}.",
                library=record.LIBRARY.name,
            )
        if params["on_immutable_change"] == "accept" and not params["record_path"]:
            raise InvalidInput(
                "Reading O(on_immutable_change)", "accept has no record to write to", "Set O(record_path)."
            )
        if present:
            fields.check(params)

    # What there is

    def read(self) -> State:
        live = without_twins(self.client, self.live(), self.look)
        return self.state_of(only(self.client, live, self.params["name"]))

    def live(self) -> list[dict[str, Any]]:
        """The live connections that may be meant: of the id, or of the name."""
        if self.id is not None:
            one = identified(self.client, self.id)
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
        found = known(self.client, "name", self.params["name"], fresh=fresh)
        self.archived = sorted(one["id"] for one in found if one.get("deletedAt"))
        return [one for one in found if not one.get("deletedAt")]

    def state_of(self, connection: dict[str, Any] | None) -> State:
        """What is known of ``connection``."""
        if connection is None:
            return State(None, unknown_role=self._unknown_role)
        kept = self.record_of(connection)
        recorded = dict(kept.settings) if kept else {}
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

    # What there is to do

    def require(self, state: State, changes: Sequence[Change]) -> None:
        if any(change.payload.method == "POST" for change in changes if isinstance(change.payload, Request)):
            self.client.require_admin(f"Creating {self.label} at {self.client.root}")

    def plan(self, state: State) -> list[Change]:
        connection = state.connection
        if self.params["state"] == "absent":
            return self._plan_absent(connection)
        if connection is None:
            return [self.plan_create(self.base_role(state))]
        self.check_identity(connection, "dialect", "name")
        return self._plan_settings(connection, state) + self._plan_patch(connection, state)

    def check_identity(self, connection: Mapping[str, Any], *names: str) -> None:
        """Refuse to touch a connection that cannot be the one which is meant."""
        meant = {"dialect": "postgres", "name": self.params["name"]}
        differing = {
            name: {"is": connection[name], "wanted": meant[name]}
            for name in names
            if connection[name] != meant[name]
        }
        if differing:
            raise self._conflict(
                differing, "so it is not the one that is meant", "Correct O(name) or O(connection_id)."
            )

    def _plan_absent(self, connection: Mapping[str, Any] | None) -> list[Change]:
        if connection is None:
            return []
        self.check_identity(connection, "dialect", *(["name"] if self.params["name"] else []))
        return [self.plan_delete(connection)]

    def plan_delete(self, connection: Mapping[str, Any]) -> Change:
        request = Request("DELETE", f"{CONNECTIONS}/{connection['id']}")
        before = {"in Omni": connection["id"], "database": connection["database"]}
        after = {"in the trash, with its models and content": connection["id"]}
        return self._change(request, before, after)

    def base_role(self, state: State) -> str | None:
        """The wanted base role, by the name that this instance takes."""
        role: str | None = self.params["base_role"]
        return OTHER_NAME[role] if role is not None and role == state.unknown_role else role

    def plan_create(self, base_role: str | None) -> Change:
        if self.params["connection_id"] is not None and self.params["on_immutable_change"] != "replace":
            raise self.no_such_id()
        if self.params["password"] is None:
            raise InvalidInput(
                f"Creating {self.label}",
                "it does not exist yet, and no password was given",
                "Set O(password).",
            )
        values = {"name": self.params["name"], **fields.wanted(self.params)}
        if base_role is not None:
            values["base_role"] = base_role
        body = {"dialect": "postgres", **fields.body({**values, "password": self.params["password"]})}
        shown = {option: body.get(fields.BY_OPTION[option].api_name) for option in values}
        return self._change(Request("POST", CONNECTIONS, body), {}, {**shown, "password": MASK})

    def no_such_id(self) -> Conflict:
        return Conflict(
            f"Finding connection {self.id} at {self.client.root}",
            "there is none of that id, or it is in the trash",
            "Correct O(connection_id); without it, a connection of that name is created.",
            connection_id=self.id,
        )

    def _change(self, payload: Any, before: Mapping[str, Any], after: Mapping[str, Any]) -> Change:
        lines = [{f"{self.label}: {what}": side[what] for what in side} for side in (before, after)]
        return Change(payload, lines[0], lines[1])

    def _plan_settings(self, connection: Mapping[str, Any], state: State) -> list[Change]:
        """What to do about settings that the API cannot change.

        :raises Conflict: a person has to choose.
        """
        differing, choice = self.differing(state), self.params["on_immutable_change"]
        if choice == "accept":
            visible = {
                option: differing[option] for option in fields.shown(connection) if option in differing
            }
            if visible:
                raise self._conflict(
                    visible,
                    "and so it is in Omni still; accept is for what was changed there already",
                    f"Edit it in Omni first ({self.page()}).",
                )
            return self._plan_accept(state)
        if differing and choice == "fail":
            raise self._conflict(
                differing,
                "and Omni's API cannot change that",
                f"Edit it in Omni ({self.page()}), then run with O(on_immutable_change=accept) if it is a setting "
                "that only the record has. Or leave it as it is with warn. Or have a new connection made with replace, "
                f"which sends {connection['id']}, with its models and dashboards, to Omni's trash.",
            )
        return []

    def _plan_accept(self, state: State) -> list[Change]:
        """Changes to the record alone."""
        want = fields.wanted(self.params)
        new = {
            option: want.get(option)
            for option in fields.SETTINGS
            if not fields.same(state.recorded.get(option), want.get(option))
        }
        before = {f"{option} in the record": state.recorded.get(option) for option in new}
        after = {f"{option} in the record": value for option, value in new.items()}
        return [self._change(Accepted(new), before, after)] if new else []

    def page(self) -> str:
        """Where a person finds the connection in Omni."""
        return f"{self.client.root}, Settings > Connections > {self.params['name']}"

    def differing(self, state: State) -> dict[str, dict[str, Any]]:
        """The settings that are not as wanted, so far as Omni or the record tells."""
        return fields.differences(self.params, state.connection or {}, state.recorded)

    def _conflict(self, differing: Mapping[str, Mapping[str, Any]], so: str, todo: str) -> Conflict:
        doing = f"Comparing {self.label} at {self.client.root}"
        return Conflict(doing, f"{report.told(differing)}, {so}", todo, differences=differing)

    def _plan_patch(self, connection: Mapping[str, Any], state: State) -> list[Change]:
        body: dict[str, Any] = {}
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        password, role = self.params["password"], self.base_role(state)
        always = self.params["update_password"] == "always"
        if password is not None and always and state.password not in ("fits", "set"):
            body[PASSWORD] = password
            before["password"], after["password"] = "not readable", MASK
        if role is not None and connection["baseRole"] not in (role, OTHER_NAME.get(role, role)):
            body["baseRole"] = role
            before["base_role"], after["base_role"] = connection["baseRole"], role
        if not body:
            return []
        request = Request("PATCH", f"{CONNECTIONS}/{connection['id']}", body)
        # Where the answer is lost, the role that reads as wanted does not prove that the password arrived.
        effects = frozenset((request.path, name) for name in body)
        return [replace(self._change(request, before, after), effects=effects)]

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
        if kept and not identified(self.client, kept[1]):
            raise Conflict(
                f"Creating {self.label} at {self.client.root}",
                f"an earlier run made {kept[1]}, which Omni has not shown since",
                f"{creation.again_by_id(self.client, kept[1])} If it is gone for good, delete {kept[0]}.",
                connection_id=kept[1],
            )
        if kept:
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
        if request.method == "POST" and not answer.get("data"):
            raise Moved(f"POST {self.client.root}{request.path}", "it answered no id", change=change)
        self._note(request)
        return answer

    def settle(self, change: Change) -> None:
        self._unanswered = False
        if isinstance(change.payload, Request) and change.payload.method == "POST":
            for one in self.look(fresh=False):
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
        if identified(self.client, request.path.rpartition("/")[2]) is None:  # somebody else deleted it
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

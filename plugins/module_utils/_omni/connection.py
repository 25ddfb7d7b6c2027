# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection in Omni (step 4 of the guide)."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

from .._converge import ATTEMPTS, MASK, Change
from .._definition import Definition
from .._errors import Conflict, InvalidInput, MissingLibrary, Moved, NotConverged, Refused
from . import connection_record as record
from . import connection_replacement as replacement
from .api_options import OPTIONS
from .client import LIBRARY, PASSWORD, Request
from .connection_fields import SETTINGS, check, same, wanted
from .find_connection import CONNECTIONS, check_id, identified, known, only, snake_case
from .resource import OmniResource

#: Two names of one base role, in Omni's documentation and in its specification. Not every instance knows both.
OTHER_NAME = {"RESTRICTED_QUERIER": "QUERY_TOPICS", "QUERY_TOPICS": "RESTRICTED_QUERIER"}
#: How long to wait for a new connection that is not found yet, in seconds.
LAGS = (0.5, 1.0, 2.0)


class State(NamedTuple):
    """What is known of the connection.

    :param connection: as the API has it, or None where there is no live one.
    :param settings: what the record has, by option.
    :param password: whether the password ``fits`` the record, ``differs``, or is ``unknown``.
    :param hanging: what hangs on it, where it is to be replaced.
    :param successor: id of the new connection, where an earlier run was cut off while it replaced this one.
    """

    connection: dict[str, Any] | None
    settings: Mapping[str, Any] = {}
    password: str = "unknown"
    hanging: replacement.Hanging | None = None
    successor: str | None = None


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
        self.record: record.Record | None = None
        self.replaced: str | None = None
        self._replacing: State | None = None
        self._archived: list[str] = []
        self._created = self._password_sent = self._renamed = False
        if not params["name"] and (self.id is None or params["state"] == "present"):
            raise InvalidInput("Reading name", "it is missing", "Give the connection's name.")
        if params["record_path"] and record.LIBRARY.error is not None:
            raise MissingLibrary(
                f"Importing {record.LIBRARY.name} in {sys.executable}, for record_path",
                str(record.LIBRARY.error),
                f"Install it there: pip install {record.LIBRARY.package}.",
                library=record.LIBRARY.name,
            )
        if params["on_immutable_change"] == "accept" and not params["record_path"]:
            raise InvalidInput(
                "Reading on_immutable_change", "accept has no record to write to", "Set record_path."
            )
        if params["state"] == "present":
            check(params)

    def read(self) -> State:
        connection = self._find()
        for pause in LAGS if self._created else ():
            if connection is None:
                time.sleep(pause)
                connection = self._find()
        if connection is None:
            return State(None)
        state, kept = State(connection), self._record_of(connection)
        if kept:
            state = State(connection, dict(kept.settings), self._fits(kept))
        if self.params["state"] == "present" and self.params["on_immutable_change"] == "replace":
            state = self._read_to_replace(state)
        return state

    def _read_to_replace(self, state: State) -> State:
        """``state`` with what it takes to replace the connection, where that is to be."""
        connection = cast("dict[str, Any]", state.connection)
        self._check_identity(connection, "dialect", "name")
        if self.record and self.record.successor and identified(self.client, self.record.successor):
            state = state._replace(successor=self.record.successor)
        if state.successor or self._differing(state):
            state = state._replace(
                hanging=replacement.read(self.client, connection, self.record.serves if self.record else {})
            )
        self._replacing = state
        return state

    def _find(self) -> dict[str, Any] | None:
        """The connection as the API has it, or None where there is no live one."""
        if self.id is not None:
            return identified(self.client, self.id)
        name = self.params["name"]
        found = known(self.client, "name", name)
        self._archived = sorted(one["id"] for one in found if one.get("deletedAt"))
        live = [one for one in found if not one.get("deletedAt")]
        return self._half_replaced(live) or only(self.client, live, name)

    def _half_replaced(self, live: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
        """The one of ``live`` that another of them was made to replace, by a run that was cut off."""
        if len(live) > 1 and self.params["on_immutable_change"] == "replace":
            for one in live:
                kept = self._record_of(one)
                if kept and kept.successor in [other["id"] for other in live]:
                    return one
        return None

    def _record_of(self, connection: Mapping[str, Any]) -> record.Record | None:
        """The record of ``connection``; None where none is kept."""
        folder = self.params["record_path"]
        if folder and (self.record is None or self.record.about["id"] != connection["id"]):
            about = {"name": connection["name"], "id": connection["id"], "instance": self.client.root}
            self.record = record.Record(folder, about)
        return self.record

    def _fits(self, kept: record.Record) -> str:
        if self.params["password"] is None or not self.params["record_password"]:
            return "unknown"
        return {True: "fits", False: "differs", None: "unknown"}[kept.fits(self.params["password"])]

    def require(self, state: State, changes: Sequence[Change]) -> None:
        if changes and (state.connection is None or state.hanging):
            self.client.require_admin(f"Creating {self.label} at {self.client.root}")

    def plan(self, state: State) -> list[Change]:
        connection = state.connection
        if self.params["state"] == "absent":
            return self._plan_absent(connection)
        if connection is None:
            return self._plan_create()
        self._check_identity(connection, "dialect", "name")
        if state.hanging:
            return self._plan_replace(connection, state.hanging, state.successor)
        return self._plan_settings(connection, state) + self._plan_patch(connection, state)

    def _check_identity(self, connection: Mapping[str, Any], *fields: str) -> None:
        """Refuse to touch a connection that cannot be the one which is meant."""
        meant = {"dialect": "postgres", "name": self.params["name"]}
        differing = {
            field: {"is": connection[field], "wanted": meant[field]}
            for field in fields
            if connection[field] != meant[field]
        }
        if differing:
            raise self._conflict(
                differing, "so it is not the one that is meant", "Correct name or connection_id."
            )

    def _plan_absent(self, connection: Mapping[str, Any] | None) -> list[Change]:
        if connection is None:
            return []
        self._check_identity(connection, "dialect", *(["name"] if self.params["name"] else []))
        return [self._delete(connection)]

    def _delete(self, connection: Mapping[str, Any]) -> Change:
        request = Request("DELETE", f"{CONNECTIONS}/{connection['id']}")
        before = {"in Omni": connection["id"], "database": connection["database"]}
        after = {"in the trash, with its models and content": connection["id"]}
        return self._change(request, before, after)

    def _plan_create(self) -> list[Change]:
        if self.params["connection_id"] is not None:
            raise Conflict(
                f"Finding connection {self.id} at {self.client.root}",
                "there is none of that id, or it is in the trash",
                "Correct connection_id; without it, a connection of that name is created.",
                connection_id=self.id,
            )
        return [self._create(self.params["base_role"])]

    def _create(self, base_role: str | None) -> Change:
        if self.params["password"] is None:
            raise InvalidInput(
                f"Creating {self.label}", "it does not exist yet, and no password was given", "Set password."
            )
        values = {"name": self.params["name"], **wanted(self.params)}
        if values["include_schemas"] == ["*"]:
            del values["include_schemas"]
        else:
            values["include_schemas"] = ",".join(values["include_schemas"])
        if base_role is not None:
            values["base_role"] = base_role
        body = {"dialect": "postgres", **{_field(option): value for option, value in values.items()}}
        body[PASSWORD] = self.params["password"]
        return self._change(Request("POST", CONNECTIONS, body), {}, {**values, "password": MASK})

    def _plan_replace(
        self, connection: Mapping[str, Any], hanging: replacement.Hanging, successor: str | None
    ) -> list[Change]:
        """The new connection first, then what hung on the old one, and the end of that last."""
        create = self._create(self.params["base_role"] or connection["baseRole"])
        carriers = replacement.carriers(self.params, connection["id"], hanging, successor)
        carried = [change for one in carriers for change in one.resource.plan(one.without)]
        return [*([] if successor else [create]), *carried, self._delete(connection)]

    def _change(self, payload: Any, before: Mapping[str, Any], after: Mapping[str, Any]) -> Change:
        lines = [{f"{self.label}: {what}": side[what] for what in side} for side in (before, after)]
        return Change(payload, lines[0], lines[1])

    def _plan_settings(self, connection: Mapping[str, Any], state: State) -> list[Change]:
        """What to do about settings that the API cannot change.

        :raises Conflict: a person has to choose.
        """
        differing, choice = self._differing(state), self.params["on_immutable_change"]
        if choice == "accept":
            visible = {option: differing[option] for option in _shown(connection) if option in differing}
            if visible:
                raise self._conflict(
                    visible,
                    "and so it is in Omni still; accept is for what was changed there already",
                    f"Edit it in Omni first ({self._page()}).",
                )
            return self._plan_accept(state)
        if differing and choice == "fail":
            raise self._conflict(
                differing,
                "and Omni's API cannot change that",
                f"Edit it in Omni ({self._page()}), then run with on_immutable_change: accept if it is a setting "
                "that only the record has. Or leave it as it is with warn. Or have a new connection made with replace, "
                f"which sends {connection['id']}, with its models and dashboards, to Omni's trash.",
            )
        return []

    def _plan_accept(self, state: State) -> list[Change]:
        """Changes to the record alone."""
        new = {
            option: value
            for option, value in wanted(self.params).items()
            if option not in state.settings or not same(state.settings[option], value)
        }
        before = {f"{option} in the record": state.settings.get(option) for option in new}
        after = {f"{option} in the record": value for option, value in new.items()}
        return [self._change(Accepted(new), before, after)] if new else []

    def _page(self) -> str:
        return f"{self.client.root}, Settings > Connections > {self.params['name']}"

    def _differing(self, state: State) -> dict[str, dict[str, Any]]:
        """The settings that are not as wanted, so far as Omni or the record tells."""
        known = self._known(state)
        return {
            option: {"is": known[option], "wanted": value}
            for option, value in wanted(self.params).items()
            if option in known and not same(known[option], value)
        }

    def _known(self, state: State) -> dict[str, Any]:
        """The settings as they are. What Omni shows counts before the record."""
        recorded = {
            option: state.settings[option]
            for option, value in wanted(self.params).items()
            # What somebody mistyped in the record is not known.
            if option in state.settings and type(state.settings[option]) in (type(value), type(None))
        }
        return {**recorded, **_shown(state.connection or {})}

    def _conflict(self, differing: Mapping[str, Mapping[str, Any]], so: str, todo: str) -> Conflict:
        doing = f"Comparing {self.label} at {self.client.root}"
        return Conflict(doing, f"{_told(differing)}, {so}", todo, differences=differing)

    def _plan_patch(self, connection: Mapping[str, Any], state: State) -> list[Change]:
        body: dict[str, Any] = {}
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        password, role = self.params["password"], self.params["base_role"]
        send = self.params["update_password"] == "always" and not self._password_sent
        if password is not None and send and state.password != "fits":
            body[PASSWORD] = password
            before["password"], after["password"] = "not readable", MASK
        if role is not None and connection["baseRole"] not in (role, OTHER_NAME.get(role, role)):
            body["baseRole"] = role
            before["base_role"], after["base_role"] = connection["baseRole"], role
        if not body:
            return []
        request = Request("PATCH", f"{CONNECTIONS}/{connection['id']}", body)
        # Where the answer is lost, the role that reads as wanted does not prove that the password arrived.
        effects = frozenset((request.path, field) for field in body)
        return [replace(self._change(request, before, after), effects=effects)]

    def apply(self, changes: Sequence[Change]) -> Iterator[Change]:
        if self._replacing and self._replacing.hanging:
            yield from self._replace(changes, self._replacing, self._replacing.hanging)
            return
        for change in changes:
            if isinstance(change.payload, Accepted):
                if self._note(change.payload.settings):
                    yield change
                continue
            self._apply(change)
            yield change

    def _apply(self, change: Change) -> None:
        request: Request = change.payload
        if self.record and self.record.password and request.method == "PATCH" and PASSWORD in request.body:
            # An answer that is lost must not leave the record with a password that Omni has no more.
            self.record.set_password(None)
            self.record.save()
        try:
            answer = self.send(change)
        except Refused as refused:
            raise self._explained(request, refused) from None
        self._sent(request, answer)

    def settle(self, change: Change) -> None:
        self._sent(change.payload, {})

    def _sent(self, request: Request, answer: Mapping[str, Any]) -> None:
        """Note what ``request`` changed; its answer is empty where it was lost."""
        if request.method == "POST":
            self._created = True
            # Nothing but the id is answered.
            self.id = answer.get("data") or (self._find() or {}).get("id")
            if self.id:
                self._record_of({"id": self.id, "name": self.params["name"]})
            self._note({**dict.fromkeys(SETTINGS), **wanted(self.params)}, request.body[PASSWORD])
        elif PASSWORD in request.body:
            self._note({}, request.body[PASSWORD])
        elif request.method == "DELETE":
            self.id = request.path.rpartition("/")[2]
            if self.record:
                self.record.remove()
        self._password_sent = self._password_sent or PASSWORD in request.body

    def _replace(
        self, changes: Sequence[Change], state: State, hanging: replacement.Hanging
    ) -> Iterator[Change]:
        old, kept = cast("dict[str, Any]", state.connection)["id"], self.record
        self.id = new = state.successor
        if new is None:
            self._apply(changes[0])
            new = self.id
            if kept:
                # So that another run can go on where this one ends.
                kept.successor = new
                kept.serves = {base["id"]: values for base, values in hanging.bases}
                kept.save()
            yield changes[0]
        for carrier in replacement.carriers(self.params, old, hanging, new):
            yield from replacement.carry(carrier.resource, self.client)
        self._delete_replaced(changes[-1].payload, old)
        if kept:
            kept.remove()
        self.replaced, self._replacing = old, None
        yield changes[-1]

    def _delete_replaced(self, request: Request, old: str) -> None:
        for dummy in range(ATTEMPTS):
            try:
                self.client.write(request)
                return
            except Moved:
                pass
            except Refused as refused:
                if refused.detail["status"] not in (404, 405, 410) or identified(self.client, old):
                    raise
            if identified(self.client, old) is None:
                return
        raise NotConverged(
            f"Deleting connection {old} at {self.client.root}",
            f"it is still there, beside {self.id} that replaces it",
            f"Delete it in Omni ({self._page()}), or run again.",
        )

    def _explained(self, request: Request, refused: Refused) -> Exception:
        """What a refusal calls for: another try, or a person."""
        status = refused.detail["status"]
        other = OTHER_NAME.get(request.body.get("baseRole", ""))
        if status == 400 and other and not self._renamed:
            self._renamed = True
            self.params = {**self.params, "base_role": other}
            return Moved(str(refused), **refused.detail)
        if request.method == "POST" or status not in (404, 405, 410):
            return refused
        if self._find() is None:  # somebody else deleted it
            return Moved(str(refused), **refused.detail)
        return Refused(
            f"{request.method} {self.client.root}{request.path}",
            refused.said,
            f"This instance cannot do that through its API: do it in Omni ({self._page()}).",
            status=status,
        )

    def _note(self, settings: Mapping[str, Any], password: str | None = None) -> bool:
        """Put what is set now into the record; say whether it is stored."""
        if self.record is None:
            return False
        known = {**self.record.settings, **settings}
        self.record.settings = {option: known[option] for option in SETTINGS if option in known}
        if password is not None:
            self.record.set_password(password if self.params["record_password"] else None)
        return self.record.save()

    def result(self, state: State, done: Sequence[Change]) -> dict[str, Any]:
        connection = state.connection
        requests = [change.payload for change in done if isinstance(change.payload, Request)]
        result = {
            "connection_id": connection["id"] if connection else self.id,
            "name": self.params["name"] or (connection and connection["name"]),
            "connection": connection and snake_case(connection),
            "requests": [f"{request.method} {request.path}" for request in requests],
            "unverifiable": self._unverifiable(state),
            "archived": self._archived,
            "warnings": self._warnings(state, requests),
        }
        if self.params["state"] == "present":
            result["differences"] = self._differing(state) if connection else {}
            result["password"] = self._password(state)
        if self.record and self.record.unwritten:
            result["record"] = {"path": self.record.path, "content": self.record.text()}
        if self.replaced:
            result["replaced"] = self.replaced
        if requests and self.params["state"] == "absent":
            result["msg"] = f"Deleting {self.label} sends it to Omni's trash, with its models and content."
        return result

    def _unverifiable(self, state: State) -> list[str]:
        """The wanted settings of which nobody tells whether the connection has them."""
        if state.connection is None or self._created or self.params["state"] == "absent":
            return []
        known = self._known(state)
        unknown = [option for option in wanted(self.params) if option not in known]
        return unknown + ["password"] * (self._password(state)["state"] == "unknown")

    def _password(self, state: State) -> dict[str, str]:
        if self.params["password"] is None:
            return {"state": "not_checked", "how": "no password was given"}
        if self._password_sent:
            return {"state": "set", "how": "by this run"}
        if state.password == "unknown":
            return {"state": "unknown", "how": "Omni does not tell, and no record does"}
        return {"state": state.password, "how": "by the record"}

    def _warnings(self, state: State, requests: Sequence[Request]) -> list[str]:
        warnings = []
        if self._archived and any(request.method == "POST" for request in requests):
            warnings.append(
                f"Omni's trash has {len(self._archived)} of the name {self.params['name']} too "
                f"({', '.join(self._archived)}), with the models and content of then. They stay there."
            )
        kept = self.record
        if kept and kept.unread:
            warnings.append(f"{kept.path} does not serve as the record of {self.label}: {kept.unread}.")
        if kept and kept.unwritten:
            warnings.append(f"The record of {self.label} is not stored: {kept.unwritten}.")
        if self.params["state"] == "absent" or state.connection is None:
            return warnings
        differing = self._differing(state)
        if differing and self.params["on_immutable_change"] == "warn":
            warnings.append(f"Of {self.label}, {_told(differing)}, and Omni's API cannot change that.")
        if state.hanging and state.hanging.disabled:
            warnings.append(f"Disabled refresh schedules of {self.label} are not carried over.")
        if self._password(state)["state"] == "differs":
            warnings.append(
                f"The password of {self.label} differs from the one that Omni was last given; "
                "update_password: always sends it."
            )
        return warnings


def _field(option: str) -> str:
    """The API's field of an option."""
    if option == "password":
        return PASSWORD
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), option)


def _shown(connection: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that the API shows, as options."""
    return {
        option: connection[_field(option)]
        for option in ("database", "default_schema")
        # Omni does not always tell which default schema it was given.
        if option == "database" or connection[_field(option)] is not None
    }


def _told(differing: Mapping[str, Mapping[str, Any]]) -> str:
    return ", ".join(
        f"{option} is {pair['is']!r} where {pair['wanted']!r} is wanted" for option, pair in differing.items()
    )


DEFINITION = Definition(
    build=Connection,
    options={
        **OPTIONS,
        "name": {"type": "str"},
        "connection_id": {"type": "str"},
        "host": {"type": "str"},
        "port": {"type": "int", "default": 5432},
        "database": {"type": "str"},
        "username": {"type": "str", "default": "omni"},
        "password": {"type": "str", "no_log": True},
        "default_schema": {"type": "str", "default": "public"},
        "include_schemas": {"type": "list", "elements": "str", "default": []},
        "scratch_schema": {"type": "str", "aliases": ["upload_schema"]},
        "system_timezone": {"type": "str", "default": "UTC", "aliases": ["database_timezone"]},
        "query_timezone": {"type": "str", "default": "NONE"},
        "allows_user_specific_timezones": {"type": "bool", "default": False},
        "query_timeout_seconds": {"type": "int", "aliases": ["query_timeout"]},
        "base_role": {"type": "str"},
        "update_password": {
            "type": "str",
            "default": "on_create",
            "choices": ["on_create", "always"],
            "no_log": False,
        },
        "on_immutable_change": {
            "type": "str",
            "default": "fail",
            "choices": ["fail", "warn", "accept", "replace"],
        },
        "record_path": {"type": "path"},
        "record_password": {"type": "bool", "default": True, "no_log": False},
        "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
    },
    library=LIBRARY,
)

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which connection serves which value of a user attribute."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .._converge import Change
from .._definition import Definition
from .._errors import Conflict, ConnectError, InvalidInput, Moved, Refused
from .api_options import OPTIONS
from .client import LIBRARY, Client, Request
from .connection_part import NEW, missing, objects
from .find_connection import CONNECTIONS, identified, named
from .resource import OmniResource

ENVIRONMENTS = "/api/v1/connection-environments"

#: Two spellings of one field, on instances of different age.
ATTRIBUTE = ("userAttributeNameForConnectionEnvironments", "userAttributeNameForConnectionsEnvironments")

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class Link(NamedTuple):
    """A connection's place among the environments of a base connection; None is an id yet to be given."""

    id: str | None
    values: list[str]


class State(NamedTuple):
    """What there is, by the names (or ids) that the options give; a connection that is not there is None.

    :param links: what can be known of the environments; see Environments.read.
    """

    base: dict[str, Any] | None
    connections: dict[str, dict[str, Any] | None]
    links: dict[str, Link]


class Environments(OmniResource):
    """The environments of one base connection, and the user attribute that chooses among them."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        self.base: str = params["base_connection"]
        self.label = f"connection {self.base}"
        self.attribute: str | None = params["attribute"]
        self.absent = params["state"] == "absent"
        self.wanted = {one["connection"]: one["values"] for one in params["environments"]}
        check(params)
        #: Why lists are sent as text with commas, as Omni's documentation has it; None: they are not.
        self._as_text: Refused | None = None
        # Where environments cannot be listed: what this run knows of them, by the connection's id.
        self._unlisted = False
        self._known: dict[str, Link] = {}
        self._unknown: set[str] = set()

    def read(self) -> State:
        base = self._find(self.base)
        connections = {name: self._find(name) for name in self.wanted}
        known = self._links(base["id"]) if base else {}
        ids = {name: one["id"] for name, one in connections.items() if one}
        return State(base, connections, {name: known[id] for name, id in ids.items() if id in known})

    def _find(self, name: str) -> dict[str, Any] | None:
        return identified(self.client, name.lower()) if ID.fullmatch(name) else named(self.client, name)

    def _links(self, base: str) -> dict[str, Link]:
        found = None if self._unlisted else links(self.client)
        if found is None:
            self._unlisted = True
            return self._known
        return {
            one["connectionId"]: Link(one["id"], texts(one.get("userAttributeValues")))
            for one in found
            if one["baseConnectionId"] == base
        }

    def require(self, state: State, changes: Sequence[Change]) -> None:
        for name, one in {self.base: state.base, **state.connections}.items():
            if changes and one is None and not self.absent:
                raise missing(self.client, f"connection {name}")

    def plan(self, state: State) -> list[Change]:
        if self.absent:
            return self._plan_absent(state)
        changes = []
        current = dict(state.links)
        for name, one in state.connections.items():
            if one and one["id"] in self._unknown:
                continue
            if name not in current:
                if one and state.base and one["dialect"] != state.base["dialect"]:
                    raise Conflict(
                        f"Comparing connection {name} with {self.base}",
                        f"their dialects are {one['dialect']} and {state.base['dialect']}",
                        "Environments have the dialect of their base connection.",
                    )
                body = {
                    "baseConnectionId": _id(state.base),
                    "environmentConnectionIds": self._list([_id(one)]),
                }
                changes.append(self._change(Request("POST", ENVIRONMENTS, body), name, None, []))
                current[name] = Link(None, [])
        return changes + self._plan_values(state, current)

    def _plan_values(self, state: State, current: Mapping[str, Link]) -> list[Change]:
        """Omni refuses a value that somebody else still has; so first, everyone gives up what is wanted
        elsewhere."""
        now = {name: link.values for name, link in current.items()}
        wanted = {name: self.wanted[name] for name in current}
        attribute, defaults = attribute_of(state.base or {})
        if self.attribute is not None:
            given = self.params["default_values"]
            now[self.base] = defaults
            wanted[self.base] = defaults if given is None else given
        holder = {value: name for name, values in wanted.items() for value in values}
        freed = {name: [one for one in now[name] if holder.get(one, name) == name] for name in now}
        steps = [(name, now[name], freed[name]) for name in now if freed[name] != now[name]]
        steps += [
            (name, freed[name], wanted[name])
            for name in now
            if sorted(freed[name]) != sorted(wanted[name])
            or (name == self.base and attribute != self.attribute)
        ]
        changes = []
        for name, before, after in steps:
            if name == self.base:
                body = {"attributeName": self.attribute, "defaultValues": after or None}
                request = self._patch(state, body)
            else:
                path = f"{ENVIRONMENTS}/{current[name].id or NEW}"
                request = Request("PUT", path, {"userAttributeValues": self._list(after)})
            changes.append(self._change(request, name, before, after))
        return changes

    def _plan_absent(self, state: State) -> list[Change]:
        if self._unlisted and self.wanted:
            raise Conflict(
                f"Finding the environments of {self.label} at {self.client.root}",
                "this instance does not list them, and they are deleted by an id",
                "Delete them in Omni, on the connection's page.",
            )
        changes = [
            self._change(Request("DELETE", f"{ENVIRONMENTS}/{link.id}"), name, link.values, None)
            for name, link in state.links.items()
        ]
        attribute, defaults = attribute_of(state.base or {})
        if state.base and self.attribute is not None and self.attribute == attribute:
            changes.append(self._change(self._patch(state, None), self.base, defaults, None))
        return changes

    def _patch(self, state: State, attribute: Mapping[str, Any] | None) -> Request:
        path = f"{CONNECTIONS}/{_id(state.base)}"
        return Request("PATCH", path, {"environmentUserAttribute": attribute})

    def _change(self, request: Request, name: str, before: Any, after: Any) -> Change:
        what = f"{self.label}: values of {name}"
        return Change(request, {what: before}, {what: after})

    def _list(self, values: Sequence[str]) -> Any:
        return list(values) if self._as_text is None else ",".join(values)

    def apply(self, changes: Sequence[Change]) -> Iterator[Change]:
        for change in changes:
            request = change.payload
            if NEW in request.path:
                return  # it has an id when all is read again
            try:
                answer = self.send(change)
            except Refused as refused:
                if self._there_already(request, refused):
                    continue
                raise self._understood(request, refused) from None
            self._learn(request, answer)
            yield change

    def _there_already(self, request: Request, refused: Refused) -> bool:
        """Where environments cannot be listed, making one tells that it is there, and no more."""
        there = self._unlisted and request.method == "POST" and "not valid for this" in refused.said
        if there:
            self._unknown.update(texts(request.body["environmentConnectionIds"]))
        return there

    def _understood(self, request: Request, refused: Refused) -> ConnectError:
        status = refused.detail["status"]
        if status == 400 and any(f"{field}:" in refused.said for field in request.body):
            if self._as_text:
                return self._as_text
            self._as_text = refused
        elif status != 404:
            return refused
        return Moved(str(refused), **refused.detail)

    def _learn(self, request: Request, answer: Mapping[str, Any]) -> None:
        for one in answer.get("connectionEnvironments") or answer.get("data") or ():
            id = one.get("connectionId") or one.get("environmentConnectionId")
            self._known[id] = Link(one["id"], [])
        for id, link in self._known.items():
            if request.path == f"{ENVIRONMENTS}/{link.id}":
                self._known[id] = Link(link.id, texts(request.body["userAttributeValues"]))

    def result(self, state: State, done: Sequence[Change]) -> dict[str, Any]:
        unverifiable = [name for name, one in state.connections.items() if one and one["id"] in self._unknown]
        return {
            "base_connection_id": state.base and state.base["id"],
            "environments": [
                {"connection": name, "connection_id": _id(state.connections[name]), **link._asdict()}
                for name, link in state.links.items()
            ],
            "unverifiable": unverifiable,
            "requests": [f"{change.payload.method} {change.payload.path}" for change in done],
        }


def check(params: Mapping[str, Any]) -> None:
    """Refuse environments that Omni could not tell apart.

    :raises InvalidInput: names the option.
    """
    names = [params["base_connection"], *(one["connection"] for one in params["environments"])]
    values = [*(params["default_values"] or ())]
    for one in params["environments"]:
        values += one["values"]
        if not one["values"] and params["state"] == "present":
            raise InvalidInput("Reading environments", f"{one['connection']} has no values", "Give it one.")
    for given in (names, values):
        twice = sorted(one for one in given if given.count(one) > 1)
        if twice:
            raise InvalidInput("Reading environments", f"{twice[0]!r} is there twice", "Name each only once.")
    strange = [one for one in values if not one.strip() or one != one.strip() or "," in one]
    if strange:
        raise InvalidInput(
            "Reading environments",
            f"the value {strange[0]!r} is empty, or has a comma or blanks at its ends",
            "Omni separates values by commas.",
        )
    if params["default_values"] is not None and params["attribute"] is None:
        raise InvalidInput("Reading default_values", "they are values of no attribute", "Set attribute.")


def links(client: Client) -> list[dict[str, Any]] | None:
    """All environments of all connections, or None on an instance that does not list them."""
    try:
        answer = client.get(ENVIRONMENTS)
    except Refused as refused:
        if refused.detail["status"] not in (400, 404, 405):
            raise
        return None
    return objects(
        client,
        ENVIRONMENTS,
        answer,
        "connectionEnvironments",
        "id",
        "baseConnectionId",
        "connectionId",
        foreign=True,
    )


def attribute_of(connection: Mapping[str, Any]) -> tuple[str | None, list[str]]:
    """The user attribute that chooses an environment, and the values that ``connection`` itself serves."""
    name = next((connection[field] for field in ATTRIBUTE if connection.get(field)), None)
    return name, texts(connection.get("userAttributeValuesForDefaultEnvironment"))


def texts(value: Any) -> list[str]:
    """A list as the API gives it: as such, as text with commas, or not at all."""
    if isinstance(value, str):
        return [one.strip() for one in value.split(",") if one.strip()]
    return [str(one) for one in value or ()]


def _id(connection: Mapping[str, Any] | None) -> str:
    return connection["id"] if connection else NEW


DEFINITION = Definition(
    build=Environments,
    options={
        **OPTIONS,
        "base_connection": {"type": "str", "required": True},
        "attribute": {"type": "str"},
        "default_values": {"type": "list", "elements": "str"},
        "environments": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "connection": {"type": "str", "required": True},
                "values": {"type": "list", "elements": "str", "default": []},
            },
        },
        "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
    },
    library=LIBRARY,
)

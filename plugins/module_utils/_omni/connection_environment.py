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
from .._errors import Conflict, ConnectError, Moved, Prerequisite, Refused
from .api_options import OPTIONS
from .client import LIBRARY, Request
from .connection_part import NEW, missing
from .environment_links import (
    ENVIRONMENTS,
    Link,
    attribute_of,
    check,
    links,
    texts,
    user_attributes,
)
from .environment_record import RecordedEnvironments
from .find_connection import CONNECTIONS, find_by_id, find_by_name
from .resource import OmniResource

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class State(NamedTuple):
    """What there is, by the names (or ids) that the options give; a connection that is not there is None.

    :param links: the environments so far as they are known. Where the instance does not list them, those are the
        recorded ones; one without an id is known to be none.
    :param listed: whether the instance lists environments.
    :param unknown: ids of connections that are environments, of which nothing else is known.
    :param as_text: whether this instance takes lists as text with commas, as Omni's documentation has it.
    :param attributes: the names of the user attributes, where they were asked for and Omni tells.
    """

    base: dict[str, Any] | None
    connections: dict[str, dict[str, Any] | None]
    links: dict[str, Link]
    listed: bool = True
    unknown: frozenset[str] = frozenset()
    as_text: bool = False
    attributes: frozenset[str] | None = None


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
        #: what this run was told and no read can show: why lists are sent as text, and, where environments are
        #: not listed, which there are
        self._as_text: Refused | None = None
        self._recorded: RecordedEnvironments | None = None

    def read(self) -> State:
        base = self._find(self.base)
        connections = {name: self._find(name) for name in self.wanted}
        found = self._read_links(base) if base else {}
        ids = {name: one["id"] for name, one in connections.items() if one}
        return State(
            base,
            connections,
            {name: found[id] for name, id in ids.items() if id in found},
            self._recorded is None,
            self._recorded.unknown if self._recorded else frozenset(),
            self._as_text is not None,
            self._read_attributes(base),
        )

    def _find(self, name: str) -> dict[str, Any] | None:
        return (
            find_by_id(self.client, name.lower()) if ID.fullmatch(name) else find_by_name(self.client, name)
        )

    def _read_links(self, base: Mapping[str, Any]) -> dict[str, Link]:
        if self._recorded is None:
            found = links(self.client)
            if found is not None:
                return {
                    one["connectionId"]: Link(one["id"], texts(one.get("userAttributeValues")))
                    for one in found
                    if one["baseConnectionId"] == base["id"]
                }
            about = {"name": base["name"], "id": base["id"], "instance": self.client.root}
            self._recorded = RecordedEnvironments(self.params["record_path"], about)
        return dict(self._recorded.links)

    def _read_attributes(self, base: Mapping[str, Any] | None) -> frozenset[str] | None:
        """The user attributes, where the base connection is to get another one."""
        if self.absent or self.attribute in (None, attribute_of(base or {})[0]):
            return None
        return user_attributes(self.client)

    def require(self, state: State, changes: Sequence[Change]) -> None:
        for name, one in {self.base: state.base, **state.connections}.items():
            if changes and one is None and not self.absent:
                raise missing(self.client, f"connection {name}")
        if state.attributes is not None and self.attribute not in state.attributes:
            raise Prerequisite(
                f"Finding user attribute {self.attribute} at {self.client.root}",
                "there is none of that name, and without it every user's queries would go to the base connection",
                "Create it in Omni (Settings > User attributes) first, or correct O(attribute).",
            )

    def plan(self, state: State) -> list[Change]:
        if self.absent:
            return self._plan_absent(state)
        changes = []
        current = {name: link for name, link in state.links.items() if link.id is not None}
        for name, one in state.connections.items():
            if one and one["id"] in state.unknown:
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
                    "environmentConnectionIds": _list([_id(one)], state),
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
                request = Request("PUT", path, {"userAttributeValues": _list(after, state)})
            changes.append(self._change(request, name, before, after))
        return changes

    def _plan_absent(self, state: State) -> list[Change]:
        unknown = [name for name, one in state.connections.items() if one and name not in state.links]
        if unknown and not state.listed:
            raise Conflict(
                f"Finding the environments of {self.label} at {self.client.root}",
                f"this instance does not list them, and the id that deletes {', '.join(unknown)} is not known",
                "Delete them in Omni, on the connection's page. With O(record_path), the ids of those that this module "
                "makes are kept.",
            )
        changes = [
            self._change(Request("DELETE", f"{ENVIRONMENTS}/{link.id}"), name, link.values, None)
            for name, link in state.links.items()
            if link.id is not None
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

    def apply(self, changes: Sequence[Change]) -> Iterator[Change]:
        for change in changes:
            request = change.payload
            if NEW in request.path:
                return  # it has an id when all is read again
            try:
                answer = self.send(change)
            except Refused as refused:
                if self._recorded and request.method == "POST" and "not valid for this" in refused.said:
                    self._recorded.note_unknown(request)  # it is there already
                    continue
                raise self._understood(request, refused) from None
            if self._recorded:
                self._recorded.note(request, answer)
            yield change

    def _understood(self, request: Request, refused: Refused) -> ConnectError:
        status = refused.detail["status"]
        if status == 400 and any(f"{field}:" in refused.said for field in request.body):
            if self._as_text:
                return self._as_text
            self._as_text = refused
        elif status != 404:
            return refused
        elif self._recorded:  # what the record has of it is no longer so
            self._recorded.forget(request)
        return Moved(str(refused), **refused.detail)

    def result(self, state: State, done: Sequence[Change]) -> dict[str, Any]:
        unverifiable = [name for name, one in state.connections.items() if one and one["id"] in state.unknown]
        return {
            "base_connection_id": state.base and state.base["id"],
            "environments": [
                {
                    "connection": name,
                    "connection_id": _id(state.connections[name]),
                    "id": link.id,
                    "user_attribute_values": link.values,
                }
                for name, link in state.links.items()
                if link.id is not None
            ],
            "unverifiable": unverifiable,
            "requests": [f"{change.payload.method} {change.payload.path}" for change in done],
            "warnings": self._warnings(state, unverifiable),
        }

    def _warnings(self, state: State, unverifiable: Sequence[str]) -> list[str]:
        said = []
        keep = (
            ""
            if self.params["record_path"]
            else " With O(record_path), those that this module makes are kept in the record."
        )
        if unverifiable:
            said.append(
                f"{', '.join(unverifiable)}: environment of {self.label} already, and neither this instance nor a "
                "record tells its id. So its values are not known, and were not changed: compare them in Omni. To "
                f"have them kept here, delete the environment in Omni, and run again.{keep}"
            )
        guessed = [name for name, one in state.connections.items() if one and name not in state.links]
        if self.check_mode and guessed and not state.listed and not self.absent:
            said.append(
                f"This instance does not list environments, so check mode cannot tell whether {', '.join(guessed)} is "
                f"one of {self.label} already. What is shown is what a first run would send.{keep}"
            )
        return said + (self._recorded.warnings(self.label) if self._recorded else [])


def _list(values: Sequence[str], state: State) -> Any:
    return ",".join(values) if state.as_text else list(values)


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
        "record_path": {"type": "path"},
        "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
    },
    library=LIBRARY,
)

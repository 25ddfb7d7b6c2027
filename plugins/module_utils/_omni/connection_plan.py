# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is to do about a connection: from the options, and what is known of it, to the changes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

from .._converge import MASK, Change
from .._errors import Conflict, InvalidInput
from . import connection_fields as fields
from . import connection_record as record
from .client import PASSWORD, Request
from .connection_checks import check_name
from .find_connection import CONNECTIONS, check_id
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


class Accepted(NamedTuple):
    """Settings that somebody changed in Omni by hand, for the record."""

    settings: dict[str, Any]

    def __str__(self) -> str:
        return f"record {', '.join(self.settings)}"


class ConnectionPlan(OmniResource):
    """The options of one connection, and the changes that they ask for. Nothing here reads or sends."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        self.id = check_id(params["connection_id"])
        self.label = f"connection {params['name'] or self.id}"
        self._check()

    def _check(self) -> None:
        params, present = self.params, self.params["state"] == "present"
        if params["name"] is not None and (params["name"] or self.id is None or present):
            check_name(params["name"], "name")
        elif self.id is None or present:
            raise InvalidInput("Reading O(name)", "it is missing", "Give the connection's name.")
        if params["record_path"] is not None:
            check_name(params["record_path"], "record_path")
        if params["record_path"]:
            record.LIBRARY.require(", for O(record_path)")
        if params["on_immutable_change"] == "accept" and not params["record_path"]:
            raise InvalidInput(
                "Reading O(on_immutable_change)", "accept has no record to write to", "Set O(record_path)."
            )
        if present:
            fields.check(params)

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

    def _change(
        self,
        payload: Any,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
        effects: frozenset[Hashable] = frozenset(),
    ) -> Change:
        lines = [{f"{self.label}: {what}": side[what] for what in side} for side in (before, after)]
        return Change(payload, lines[0], lines[1], effects)

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
        return Conflict(doing, f"{fields.told(differing)}, {so}", todo, differences=differing)

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
        return [self._change(request, before, after, effects)]

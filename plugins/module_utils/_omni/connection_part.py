# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of a connection that are resources of their own: its schema model, its refresh schedules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._converge import Change
from .._errors import InvalidInput, Moved, Prerequisite, Refused, Unreachable
from .api_options import OPTIONS
from .client import Client
from .find_connection import check_id, find_by_id, find_by_name
from .resource import OmniResource

#: Stands for an id that Omni has yet to give, in check mode.
NEW = "<new id>"

TARGET: dict[str, Any] = {**OPTIONS, "connection": {"type": "str"}, "connection_id": {"type": "str"}}
RULES = {"mutually_exclusive": [("connection", "connection_id")]}


class ConnectionPart(OmniResource):
    """A part of the connection that ``connection``, its exact name, or ``connection_id`` names."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        if not params["connection"] and params["connection_id"] is None:
            raise InvalidInput(
                "Reading O(connection)", "it is missing", "Give the connection's name, or O(connection_id)."
            )
        self._given_id = check_id(params["connection_id"])
        self.label = f"connection {params['connection'] or self._given_id}"
        self._found_id: str | None = None

    def connection_id(self) -> str | None:
        """The connection's id, or None where there is none of that name (yet).

        :raises Prerequisite: there is none of that id, so no earlier step is going to make it.
        """
        if self._found_id is None:
            name = self.params["connection"]
            found = (
                find_by_id(self.client, self._given_id) if self._given_id else find_by_name(self.client, name)
            )
            if found is None and self._given_id:
                raise missing(self.client, self.label)
            self._found_id = found["id"] if found else None
        return self._found_id

    def require(self, state: Any, changes: Sequence[Change]) -> None:
        if changes and self._found_id is None:
            raise missing(self.client, self.label)

    def moved(self, refused: Refused) -> Moved:
        """What ``refused`` is where something that was just read is not there any more."""
        self._found_id = None
        return Moved(str(refused), **refused.detail)

    def by_branch(self, doing: str, refused: Refused) -> Refused:
        """``refused``, explained where it is for a schema that Omni refreshes by branch."""
        if refused.detail["status"] != 400 or "branch" not in refused.said.lower():
            return refused
        return Refused(
            f"{doing} of {self.label}",
            refused.said,
            "Omni refreshes this schema by branch (branch-based schema refresh), and then takes no schedules, "
            "and no refresh of the model as a whole: leave both out here (O(refresh=never), no schedules), or "
            "switch that off in Omni.",
            **refused.detail,
        )

    def result(self, state: Any, done: Sequence[Change]) -> dict[str, Any]:
        return {
            "connection_id": self._found_id,
            "requests": [f"{change.payload.method} {change.payload.path}" for change in done],
        }


def missing(client: Client, label: str) -> Prerequisite:
    """The error that there is no such connection."""
    return Prerequisite(
        f"Finding {label} at {client.root}",
        "there is none, or it is in the trash",
        "Create it first with omni_connection, or correct the name or id.",
    )


def objects(
    client: Client, path: str, answer: Mapping[str, Any], key: str, *fields: str, foreign: bool = False
) -> list[dict[str, Any]]:
    """The list of objects that ``answer`` has under ``key``.

    :param fields: what each of them has, as text.
    :param foreign: skip those that do not have it. They need not be ours, such as a model without a connection.
    :raises Unreachable: there is no such list; so it is not Omni's.
    """
    found = answer.get(key)
    if isinstance(found, list):
        understood = [
            one
            for one in found
            if isinstance(one, dict) and all(isinstance(one.get(field), str) for field in fields)
        ]
        if foreign or len(understood) == len(found):
            return understood
    raise Unreachable(
        f"GET {client.root}{path}",
        f"it answered no list of {key}",
        "Check that O(api_url) is your Omni instance.",
    )

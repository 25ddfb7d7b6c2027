# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task about a connection returns: what is known of it, and what people should hear."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._converge import Change
from . import connection_fields as fields
from .client import Request
from .connection_record import Record
from .find_connection import snake_case

if TYPE_CHECKING:
    from .connection_plan import State
    from .connection_resource import Connection


def result(resource: Connection, state: State, done: Sequence[Change], kept: Record | None) -> dict[str, Any]:
    """The task's result.

    :param kept: the record of the connection, where there is one.
    """
    connection, params = state.connection, resource.params
    present = params["state"] == "present"
    requests = [change.payload for change in done if isinstance(change.payload, Request)]
    deleted = [request.path.rpartition("/")[2] for request in requests if request.method == "DELETE"]
    found: dict[str, Any] = {
        "connection_id": connection["id"] if connection else next(iter(deleted), resource.id),
        "name": params["name"] or (connection and connection["name"]),
        "connection": connection and snake_case(connection),
        "requests": [f"{request.method} {request.path}" for request in requests],
        "unverifiable": unverifiable(resource, state) if present and connection else [],
        "archived": resource.archived,
        "warnings": [*record_warnings(resource, state, kept), *warnings(resource, state, requests)],
    }
    if present:
        found["differences"] = resource.differing(state) if connection else {}
        found["password"] = password(resource, state)
    if kept and kept.unwritten:
        found["record"] = {"path": kept.path, "content": kept.text()}
    if requests and not present:
        found["msg"] = f"Deleting {resource.label} sends it to Omni's trash, with its models and content."
    return found


def unverifiable(resource: Connection, state: State) -> list[str]:
    """The wanted settings of which nobody tells whether the connection has them."""
    connection = state.connection or {}
    if connection["id"] == resource.created and not resource.taken_back:
        return []
    known = fields.as_it_is(resource.params, connection, state.recorded)
    unknown = [option for option in fields.wanted(resource.params) if option not in known]
    return unknown + ["password"] * (password(resource, state)["state"] == "unknown")


def password(resource: Connection, state: State) -> dict[str, str]:
    """What is known of the password that Omni has."""
    if resource.params["password"] is None:
        return {"state": "not_checked", "how": "no password was given"}
    how = {"set": "by this run", "unknown": "Omni does not tell, and no record does"}
    return {"state": state.password, "how": how.get(state.password, "by the record")}


def record_warnings(resource: Connection, state: State, kept: Record | None) -> list[str]:
    """What is wrong with the record."""
    if kept is None:
        return []
    said = []
    if kept.unread:
        said.append(f"{kept.path} does not serve as the record of {resource.label}: {kept.unread}.")
    elif not (kept.settings or kept.unwritten or resource.params["on_immutable_change"] == "accept") and (
        resource.params["state"] == "present"
    ):
        said.append(
            f"{resource.label} ({kept.about['id']}) has no record in {resource.params['record_path']}: it was made by "
            "hand or before there were records, or a run was cut off while it made it. So nobody knows whether its "
            f"settings and its password are those of this task. Compare them in Omni ({resource.page()}), then run "
            "with O(on_immutable_change=accept) and, for the password, O(update_password=always)."
        )
    if kept.unwritten:
        said.append(f"The record of {resource.label} is not stored: {kept.unwritten}.")
    if kept.undigested:
        said.append(
            f"The record of {resource.label} cannot tell its password: this Python has no scrypt to use "
            f"({kept.undigested}), as in FIPS mode. Set O(record_password=false)."
        )
    return said


def warnings(resource: Connection, state: State, requests: Sequence[Request]) -> list[str]:
    """What else people should hear."""
    said = []
    params, name = resource.params, resource.params["name"]
    ours = {request.path.rpartition("/")[2] for request in requests if request.method == "DELETE"}
    archived = [id for id in resource.archived if id not in ours]
    if archived and any(request.method == "POST" for request in requests):
        said.append(
            f"Omni's trash has {len(archived)} of the name {name} too ({', '.join(archived)}), with the models and "
            "content of then. They stay there."
        )
    if params["state"] == "absent" or state.connection is None:
        return said
    if resource.taken_back:
        said.append(
            f"While {resource.label} was created, somebody else created it too. {resource.taken_back}, of this "
            f"run, was taken back; {state.connection['id']} stays. Its password and settings are not known to be "
            "those of this task."
        )
    differing = resource.differing(state)
    if differing and params["on_immutable_change"] == "warn":
        said.append(f"Of {resource.label}, {fields.told(differing)}, and Omni's API cannot change that.")
    if state.password == "differs":
        said.append(
            f"The password of {resource.label} differs from the one that Omni was last given; "
            "O(update_password=always) sends it."
        )
    return said

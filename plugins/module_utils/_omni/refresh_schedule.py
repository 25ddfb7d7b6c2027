# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When Omni refreshes the schema model of a connection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .._converge import Change
from .._definition import Definition
from .._errors import ConnectError, InvalidInput, Prerequisite, Refused
from . import cron
from .client import LIBRARY, Client, Request
from .connection_checks import check_timezone
from .connection_part import NEW, RULES, TARGET, ConnectionPart, objects
from .find_connection import CONNECTIONS, snake_case


class State(NamedTuple):
    """The id of the connection, None where there is none, and its schedules as the API has them."""

    connection: str | None
    schedules: list[dict[str, Any]]


class RefreshSchedules(ConnectionPart):
    """The refresh schedules of one connection. One is known by its cron expression and its timezone."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        self.wanted: list[Mapping[str, Any]] = params["schedules"]
        for number, one in enumerate(self.wanted):
            cron.check(one["schedule"], f"schedules[{number}].schedule")
            check_timezone(one["timezone"], f"schedules[{number}].timezone")
            if _key(one) in map(_key, self.wanted[:number]):
                raise InvalidInput("Reading O(schedules)", f"{_shown(one)} is listed twice", "Leave one out.")
        if params["exclusive"] and params["state"] == "absent":
            raise InvalidInput(
                "Reading O(exclusive)",
                "with O(state=absent) it would leave nothing to keep",
                "To delete all schedules, give O(state=present) with an empty list.",
            )

    def read(self) -> State:
        connection = self.connection_id()
        return State(connection, listed(self.client, connection) if connection else [])

    def plan(self, state: State) -> list[Change]:
        path = f"{CONNECTIONS}/{state.connection or NEW}/schedules"
        wanted = {_key(one): one for one in self.wanted}
        if self.params["state"] == "absent":
            return [self._delete(path, one) for one in state.schedules if _key(one) in wanted]
        spare = list(state.schedules)
        puts, missing = [], []
        for key, want in wanted.items():
            same = [one for one in spare if _key(one) == key]
            if not same:
                missing.append(want)
                continue
            kept = min(same, key=lambda one: (_disabled(one), not _fits(one, want)))
            spare.remove(kept)
            if not _fits(kept, want):
                puts.append(self._put(path, kept, want))
        if not self.params["exclusive"]:
            spare = []
        # One that nobody wants becomes one that is missing, so there is no moment without any; but what
        # is disabled would stay so.
        moved = list(zip((one for one in spare if not _disabled(one)), missing))
        puts += [self._put(path, one, want) for one, want in moved]
        posts = [self._post(path, want) for want in missing[len(moved) :]]
        left = [one for one in spare if one not in [old for old, _new in moved]]
        return [*puts, *posts, *(self._delete(path, one) for one in left)]

    def _post(self, path: str, want: Mapping[str, Any]) -> Change:
        return self._change(Request("POST", path, _body(want)), {}, want)

    def _put(self, path: str, one: Mapping[str, Any], want: Mapping[str, Any]) -> Change:
        hard = one.get("hardRefresh")
        body = {**({} if hard is None else {"hardRefresh": hard}), **_body(want)}  # a PUT replaces it all
        return self._change(Request("PUT", f"{path}/{one['scheduleId']}", body), one, body)

    def _delete(self, path: str, one: Mapping[str, Any]) -> Change:
        return self._change(Request("DELETE", f"{path}/{one['scheduleId']}"), one, {})

    def _change(self, request: Request, before: Mapping[str, Any], after: Mapping[str, Any]) -> Change:
        what = f"{self.label}: refresh"
        shown = [{what: _shown(side)} if side else {} for side in (before, after)]
        return Change(request, shown[0], shown[1])

    def apply(self, changes: Sequence[Change]) -> Iterator[Change]:
        for change in changes:
            try:
                self.send(change)
            except Refused as refused:
                raise self._explained(change.payload.method, refused) from None
            yield change

    def _explained(self, method: str, refused: Refused) -> ConnectError:
        if refused.detail["status"] != 404:
            return self.by_branch("Changing the refresh schedules", refused)
        if method != "POST":
            return self.moved(refused)
        return Prerequisite(
            f"Creating a refresh schedule of {self.label} at {self.client.root}",
            refused.said,
            "Omni says so of a connection that has no schema model yet: make it first with omni_schema_model "
            "(the role's step model).",
            **refused.detail,
        )

    def result(self, state: State, done: Sequence[Change]) -> dict[str, Any]:
        warnings = []
        for want in self.wanted if self.params["state"] == "present" else ():
            same = [one for one in state.schedules if _key(one) == _key(want)]
            if same and all(map(_disabled, same)):
                warnings.append(
                    f"The schedule {_shown(want)} of {self.label} is disabled in Omni, and its API cannot enable it."
                )
            if len(same) > 1 and not self.params["exclusive"]:
                warnings.append(
                    f"{self.label} has the schedule {_shown(want)} {len(same)} times; O(exclusive=true) keeps one."
                )
        return {
            **super().result(state, done),
            "schedules": [snake_case(one) for one in state.schedules],
            "warnings": warnings,
        }


def listed(client: Client, connection_id: str) -> list[dict[str, Any]]:
    """The schedules of a connection, the oldest first."""
    path = f"{CONNECTIONS}/{connection_id}/schedules"
    found = objects(client, path, client.get(path), "schedules", "scheduleId", "schedule", "timezone")
    return sorted(found, key=lambda one: (str(one.get("createdAt")), one["scheduleId"]))


def _key(one: Mapping[str, Any]) -> tuple[str, str]:
    return cron.normal(one["schedule"]), one["timezone"]


def _fits(one: Mapping[str, Any], want: Mapping[str, Any]) -> bool:
    """Whether a schedule of the wanted key is as wanted; an older instance does not tell all of it."""
    return want["hard_refresh"] is None or one.get("hardRefresh") in (None, want["hard_refresh"])


def _disabled(one: Mapping[str, Any]) -> bool:
    return bool(one.get("disabledAt"))


def _body(want: Mapping[str, Any]) -> dict[str, Any]:
    hard = {} if want["hard_refresh"] is None else {"hardRefresh": want["hard_refresh"]}
    return {"schedule": " ".join(want["schedule"].split()), "timezone": want["timezone"], **hard}


def _shown(one: Mapping[str, Any]) -> str:
    """A schedule for people, be it an option, a record or a request's body."""
    hard = one.get("hardRefresh", one.get("hard_refresh"))
    return f"{one['schedule']} ({one['timezone']}{', hard' if hard else ''})"


DEFINITION = Definition(
    build=RefreshSchedules,
    options={
        **TARGET,
        "schedules": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "schedule": {"type": "str", "required": True},
                "timezone": {"type": "str", "default": "UTC"},
                "hard_refresh": {"type": "bool"},
            },
        },
        "exclusive": {"type": "bool", "default": False},
        "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
    },
    library=LIBRARY,
    rules=RULES,
)

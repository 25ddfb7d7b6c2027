# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The schema model of a connection, and its refresh: the only proof that Omni itself reads the database."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .._converge import Change
from .._definition import Definition
from .._errors import ConnectError, InvalidInput, NotConverged, Refused, Unreachable
from .client import LIBRARY, Client, Request
from .connection_part import NEW, RULES, TARGET, OfConnection, records

MODELS = "/api/v1/models"

#: When a job is asked for, in seconds: the first time, and the longest pause. Every question is one of
#: the 60 requests that a key has in a minute, and forks share them.
FIRST, LONGEST = 1.0, 20.0
#: How often people are told that it is still going on, in seconds.
LINE = 10.0


class State(NamedTuple):
    """The ids of the connection and of its schema model; None for what is not there."""

    connection: str | None
    model: str | None


class SchemaModel(OfConnection):
    """One connection's schema model: there, and refreshed as often as wanted."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        if params["wait_timeout"] < 1:
            raise InvalidInput(
                "Reading wait_timeout", f"{params['wait_timeout']} is out of range", "Give 1 second or more."
            )
        self._made = False
        self._job: str | None = None
        self._status: str | None = None
        self._refreshed: State | None = None

    def read(self) -> State:
        if self._refreshed:  # Omni just said so itself
            return self._refreshed
        connection = self.connection_id()
        there = listed(self.client, connection) if connection else []
        return State(connection, there[0]["id"] if there else None)

    def plan(self, state: State) -> list[Change]:
        connection = state.connection or NEW
        changes = []
        if state.model is None:
            body = {"connectionId": connection, "modelKind": "SCHEMA"}
            made = {f"{self.label}: schema model": connection}
            changes.append(Change(Request("POST", MODELS, body), {}, made))
        new = state.model is None or self._made
        if self._status is None and self.params["refresh"] in ("always", *(["on_create"] if new else [])):
            # A schema model has its connection's id.
            path = f"{MODELS}/{state.model or connection}/refresh?hard_refresh=false"
            what = f"{self.label}: schema"
            changes.append(Change(Request("POST", path), {what: "as read before"}, {what: "read anew"}))
        return changes

    def apply(self, changes: Sequence[Change]) -> Iterator[Change]:
        for change in changes:
            if change.payload.path == MODELS:
                self._create(change)
            else:
                self._refresh(change.payload)
            yield change

    def _create(self, change: Change) -> None:
        self._made = True  # if only the answer is lost, it is still ours to refresh
        try:
            self.send(change)
        except Refused as refused:
            if change in self.plan(self.read()):
                raise
            raise self.moved(refused) from None  # somebody else was faster

    def _refresh(self, request: Request) -> None:
        try:
            answer = self.client.write(request)
        except Refused as refused:
            if refused.detail["status"] == 404:
                raise self.moved(refused) from None
            explained = self.by_branch("Refreshing the schema model", refused)
            raise (self._left_over(refused) if explained is refused else explained) from None
        except Unreachable as error:
            raise self._left_over(error) from None
        self._job, self._status = answer.get("jobId"), _status(answer)
        if self.params["wait"]:
            self._wait()
            if self._status == "COMPLETED" and answer.get("modelId"):
                self._refreshed = State(self._found_id, answer["modelId"])

    def _left_over(self, error: ConnectError) -> ConnectError:
        """The error, and what a later run would not do by itself: the model is not new any more then."""
        if not self._made:
            return error
        todo = "The schema model is made, and not refreshed: set refresh: always for the next run."
        return type(error)(str(error), "", todo, **error.detail)

    def _wait(self) -> None:
        """Ask for the job until it ended.

        :raises Refused: it failed.
        :raises NotConverged: it goes on after ``wait_timeout``.
        """
        begin = time.monotonic()
        end = begin + self.params["wait_timeout"]
        pause, ask, line = FIRST, begin + FIRST, begin + LINE
        while self._job and self._status not in ("COMPLETED", "FAILED"):
            time.sleep(max(0.0, min(ask, line, end) - time.monotonic()))
            now = time.monotonic()
            if now >= line:
                line += LINE
                self.progress(f"Omni still refreshes the schema model of {self.label} ({now - begin:.0f} s)")
            if now >= min(ask, end):
                self._status = _status(self.client.get(f"/api/v1/jobs/{self._job}/status"))
                pause = min(3 * pause, LONGEST)
                ask = now + pause
            if now >= end and self._status not in ("COMPLETED", "FAILED"):
                raise self._ended(
                    NotConverged,
                    f"job {self._job} goes on after {self.params['wait_timeout']} s",
                    "It may still succeed: look at the model in Omni. Raise wait_timeout, or set wait: false.",
                )
        if self._status == "FAILED":
            raise self._ended(
                Refused,
                f"job {self._job} failed, and Omni gives no reason",
                "Most often Omni cannot log in to the database. Check the connection's host and port as they are "
                "reached from Omni, that firewall and pg_hba.conf let Omni's addresses in, and the password; "
                "omni_pg_access_info (the role's step verify) logs in as Omni does. Then refresh again with "
                "refresh: always; on_create does not, since the model is there now.",
            )

    def _ended(
        self, kind: type[Refused] | type[NotConverged], said: str, todo: str
    ) -> Refused | NotConverged:
        doing = f"Refreshing the schema model of {self.label} at {self.client.root}"
        return kind(doing, said, todo, job_id=self._job, job_status=self._status)

    def result(self, state: State, done: Sequence[Change]) -> dict[str, Any]:
        warnings = []
        if self._status and self.params["wait"] and self._status != "COMPLETED":
            warnings.append(
                f"Omni named no job for the refresh of {self.label}, so whether it succeeded is not known."
            )
        return {
            **super().result(state, done),
            "model_id": state.model,
            "job_id": self._job,
            "job_status": self._status,
            "warnings": warnings,
        }


def listed(client: Client, connection_id: str) -> list[dict[str, Any]]:
    """The live schema models of a connection, as the run knows them: there is one, or none."""
    return client.lists.find(
        "models",
        "connectionId",
        connection_id,
        lambda: _asked(client, {"connectionId": connection_id}),
        lambda: _asked(client, {"pageSize": "100"}),
    )


def _asked(client: Client, query: Mapping[str, str]) -> list[dict[str, Any]]:
    """The live schema models that Omni has, page after page."""
    found: list[dict[str, Any]] = []
    cursor: Mapping[str, str] | None = {}
    while cursor is not None:
        answer = client.get(MODELS, {"modelKind": "SCHEMA", **query, **cursor})
        found += records(client, MODELS, answer, "records", "id", "connectionId")
        after = (answer.get("pageInfo") or {}).get("nextCursor")
        cursor = {"cursor": str(after)} if after else None
    return [one for one in found if one.get("modelKind") == "SCHEMA" and not one.get("deletedAt")]


def _status(answer: Mapping[str, Any]) -> str:
    """A job's status, which Omni spells in two ways."""
    status = str(answer.get("status")).upper()
    return status if status in ("COMPLETED", "FAILED") else "IN_PROGRESS"


DEFINITION = Definition(
    build=SchemaModel,
    options={
        **TARGET,
        "refresh": {"type": "str", "default": "on_create", "choices": ["never", "on_create", "always"]},
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": 600},
    },
    library=LIBRARY,
    rules=RULES,
)

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The schema model of a connection, and its refresh: the only proof that Omni itself reads the database."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from .._converge import Change
from .._definition import Definition
from .._errors import ConnectError, InvalidInput, NotConverged, Refused, Unreachable, out_of_range
from .client import LIBRARY, Request
from .connection_part import NEW, RULES, TARGET, ConnectionPart
from .find_connection import LAGS
from .find_model import MODELS, find_models, schemas_of

#: When a job is asked for, in seconds: the first time, and the longest pause. Every question is one of
#: the 60 requests that a key has in a minute, and forks share them.
FIRST, LONGEST = 1.0, 20.0
#: How often people are told that it is still going on, in seconds.
LINE = 10.0


class State(NamedTuple):
    """The ids of the connection and of its schema model; None for what is not there.

    :param schemas: those that the model knows, where that was asked for and Omni tells.
    """

    connection: str | None
    model: str | None
    schemas: list[str] | None = None


class SchemaModel(ConnectionPart):
    """One connection's schema model: there, and refreshed as often as wanted."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        check(params)
        self._made = False
        self._made_id: str | None = None
        self._unlisted = False
        self._was_refused = False
        self._job: str | None = None
        self._status: str | None = None
        self._schemas: list[str] | None = None
        self._refreshed: State | None = None

    def read(self) -> State:
        if self._refreshed:  # Omni just said so itself
            return self._refreshed
        connection = self.connection_id()
        model = self._find(connection) if connection else None
        if model and self.params["refresh"] == "if_unread" and self._status is None:
            self._schemas = schemas_of(self.client, model)
        return State(connection, model, self._schemas)

    def _find(self, connection: str) -> str | None:
        """The id of the connection's schema model. A list may lag behind what was made."""
        found = find_models(self.client, connection)
        for pause in LAGS if self._made_id else ():
            if found:
                break
            self.client.budget.sleep(pause)
            found = find_models(self.client, connection, fresh=True)
        self._unlisted = bool(self._made_id and not found)
        return found[0]["id"] if found else self._made_id

    def plan(self, state: State) -> list[Change]:
        connection = state.connection or NEW
        changes = []
        if state.model is None:
            body = {"connectionId": connection, "modelKind": "SCHEMA"}
            made = {f"{self.label}: schema model": connection}
            changes.append(Change(Request("POST", MODELS, body), {}, made))
        if self._status is None and self._wants_refresh(state):
            # A schema model has its connection's id.
            path = f"{MODELS}/{state.model or connection}/refresh?{_query(self.params)}"
            what = f"{self.label}: schema"
            changes.append(Change(Request("POST", path), {what: "as read before"}, {what: "read anew"}))
        return changes

    def _wants_refresh(self, state: State) -> bool:
        when = self.params["refresh"]
        if when in ("never", "always"):
            return bool(when == "always")
        return state.model is None or self._made or (when == "if_unread" and state.schemas == [])

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
            answer = self.send(change)
        except Refused as refused:
            # Where somebody else was faster, a fresh read shows the model.
            if self._was_refused or refused.detail["status"] not in (400, 409):
                raise
            self._was_refused = True
            raise self.moved(refused) from None
        model = answer.get("model")
        if isinstance(model, dict) and isinstance(model.get("id"), str):
            self._made_id = model["id"]

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
            # A new model is empty, so what is in it now has been read by this refresh.
            model = self._made_id if self._status != "COMPLETED" else None
            if self.params["refresh"] == "if_unread":
                model = self._made_id or self._found_id
            self._schemas = schemas_of(self.client, model) if model else None

    def _left_over(self, error: ConnectError) -> ConnectError:
        """The error, and what a later run would not do by itself: the model is not new any more then."""
        if not self._made:
            return error
        todo = (
            "The schema model is made, and not refreshed: set O(refresh=always) or O(refresh=if_unread) for the "
            "next run."
        )
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
            self.before_write()  # whoever started this may be gone
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
                    "It may still succeed: look at the model in Omni. Raise O(wait_timeout), or set O(wait=false).",
                )
        if self._status == "FAILED":
            what = f"job {self._job}" if self._job else "it"
            raise self._ended(
                Refused,
                f"{what} failed, and Omni gives no reason",
                f"{self._read_before()} Check the connection's host and port as they are reached from Omni, that "
                "firewall and pg_hba.conf let Omni's addresses in, and the password; omni_pg_access_info (the role's "
                "step verify) logs in as Omni does. Then refresh again with O(refresh=if_unread), or with "
                "O(refresh=always); O(refresh=on_create) does not, since the model is there now.",
            )

    def _read_before(self) -> str:
        """Whether Omni ever read the database, where it tells."""
        known = schemas_of(self.client, self._found_id) if self._found_id else None
        if known:
            return f"Omni has read the database before, and knows of {_some(known)}: what has changed since?"
        if known == []:
            return "Omni never read the database: the model has no schema."
        return "Most often Omni cannot log in to the database."

    def _ended(
        self, kind: type[Refused] | type[NotConverged], said: str, todo: str
    ) -> Refused | NotConverged:
        doing = f"Refreshing the schema model of {self.label} at {self.client.root}"
        return kind(doing, said, todo, job_id=self._job, job_status=self._status)

    def result(self, state: State, done: Sequence[Change]) -> dict[str, Any]:
        warnings = []
        if self._status and self.params["wait"] and self._status != "COMPLETED" and not self._schemas:
            warnings.append(
                f"Omni named no job for the refresh of {self.label}, so whether it succeeded is not known."
            )
        if self._status == "COMPLETED" and self._schemas == []:
            warnings.append(
                f"Omni has refreshed the schema model of {self.label}, and it has no schema: none that the connection "
                "includes has anything that its role may read."
            )
        if self._unlisted:
            warnings.append(
                f"Omni answered that it made the model of {self.label}, and does not list it yet."
            )
        return {
            **super().result(state, done),
            "model_id": state.model,
            "job_id": self._job,
            "job_status": self._status,
            "schemas": self._schemas,
            "warnings": warnings,
        }


def check(params: Mapping[str, Any]) -> None:
    """Refuse what no refresh could be asked for with.

    :raises InvalidInput: saying which option, and why.
    """
    if not 1 <= params["wait_timeout"] <= 2_000_000:
        raise out_of_range("wait_timeout", params["wait_timeout"], "Choose from 1 to 2000000.")
    for option in ("schemas", "tables"):
        names = params.get(option) or ()
        if names and params.get("hard_refresh"):
            raise InvalidInput(
                f"Reading O({option})",
                "a hard refresh is one of the whole model",
                f"Leave out O({option}), or O(hard_refresh).",
            )
        wrong = [name for name in names if not name.strip() or "," in name]
        if wrong:
            raise InvalidInput(
                f"Reading O({option})",
                f"{wrong[0]!r} is empty, or has a comma, by which Omni separates names",
                "Correct it, or refresh the whole model.",
            )


def _query(params: Mapping[str, Any]) -> str:
    """The query of a refresh. Without hard_refresh, Omni would make it a hard one."""
    lists = {option: ",".join(params[option]) for option in ("schemas", "tables") if params.get(option)}
    return urlencode(
        {"hard_refresh": str(bool(params.get("hard_refresh"))).lower(), **lists}, safe=",*", quote_via=quote
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"the schema{'s' * (len(names) > 1)} {', '.join(names[:3])}{more}"


def _status(answer: Mapping[str, Any]) -> str:
    """A job's status, which Omni spells in two ways."""
    status = str(answer.get("status")).upper()
    return status if status in ("COMPLETED", "FAILED") else "IN_PROGRESS"


DEFINITION = Definition(
    build=SchemaModel,
    options={
        **TARGET,
        "refresh": {
            "type": "str",
            "default": "on_create",
            "choices": ["never", "on_create", "if_unread", "always"],
        },
        "hard_refresh": {"type": "bool", "default": False},
        "schemas": {"type": "list", "elements": "str"},
        "tables": {"type": "list", "elements": "str"},
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": 600},
    },
    library=LIBRARY,
    rules=RULES,
)

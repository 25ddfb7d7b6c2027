# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The login role gone, with its traces: in one database, or in all of the server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from .._converge import Change, shortened
from .._errors import Conflict, InvalidInput, Moved, Refused
from .login_rights import lacking
from .names import check_role, no_role
from .resource import PostgresResource
from .session import Session
from .statement import Statement
from .user_absent_sql import TRACES, holds


class Traces(NamedTuple):
    """How many things in a database know the role, and, where somebody looked, which of them it ``owns`` and
    which privileges there it has ``passed_on`` to others."""

    database: str
    counted: int
    owns: tuple[str, ...]
    passed_on: tuple[str, ...] = ()


class State(NamedTuple):
    """The role's traces, those in ``here``, the login's own database, last; ``heir_exists``: see reassign_to."""

    exists: bool
    here: str = ""
    heir_exists: bool = False
    traces: tuple[Traces, ...] = ()


class AbsentRole(PostgresResource):
    """No role of that name, and nothing that keeps it from being dropped."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        self.name = check_role(params["name"], "name")
        heir = params["reassign_to"]
        self.heir = None if heir is None else check_role(heir, "reassign_to")
        if self.heir == self.name:
            raise InvalidInput(
                "Reading O(reassign_to)", f"{self.name} is the role to be dropped", "Name another one."
            )
        self.everywhere = params["all_databases"]

    def _in(self, database: str) -> Session:
        """A session of its own in another database of the same server."""
        return Session(self.params, self.session.login.in_database(database))

    def read(self) -> State:
        (row,) = self.session.rows(TRACES, {"name": self.name, "reassign_to": self.heir})
        if not row["exists"]:
            return State(exists=False)
        mine = self._held(self.session)
        traces = []
        for database, owned, others, shared in row["found"]:
            held: Mapping[str, Any] = {"owns": (), "passed_on": ()}
            if database == row["here"]:
                held = mine
            elif self.everywhere:
                with self._in(database) as session:
                    held = self._held(session)
            owns = (*shared, *held["owns"])
            traces.append(Traces(database, owned + others, owns, tuple(held["passed_on"])))
        return State(True, row["here"], row["heir_exists"], tuple(traces))

    def _held(self, session: Session) -> dict[str, Any]:
        # What is of no database is told by one session, and not by each.
        values = {"name": self.name, "shared": session is self.session}
        (held,) = session.rows(holds(session.version), values)
        return held

    def plan(self, state: State) -> list[Change]:
        if not state.exists:
            return []
        self._refuse(state)
        role, changes = (self.name,), []
        for found in state.traces:
            place = found.database
            if found.owns:
                what = [f"owner of {thing}" for thing in self._owned([found])]
                statement = Statement("REASSIGN OWNED BY {} TO {}", (role, (self.heir,)), database=place)
                changes.append(
                    Change(statement, dict.fromkeys(what, self.name), dict.fromkeys(what, self.heir))
                )
            statement = Statement("DROP OWNED BY {}", (role,), database=place)
            changes.append(Change(statement, {f"role {self.name}: traces in {place}": found.counted}))
        drop = Statement("DROP ROLE {}", (role,), database=state.here)
        return [*changes, Change(drop, {f"role {self.name}": "there"})]

    def _owned(self, traces: Sequence[Traces]) -> list[str]:
        return [f"{what} in {found.database}" for found in traces for what in found.owns]

    def _refuse(self, state: State) -> None:
        """What is in the way of a drop, and is for a person to decide."""
        doing = f"Dropping role {self.name}"
        others = [found.database for found in state.traces if found.database != state.here]
        if others and not self.everywhere:
            raise Conflict(
                doing,
                "it is used in other databases of the server, which may still be connected to Omni: "
                f"{self._listed(others)}",
                "Set O(all_databases=true) to remove it from them too.",
                databases=others,
            )
        owned = self._owned(state.traces)
        if owned and not self.heir:
            raise Conflict(
                doing,
                f"it owns {self._listed(owned)}",
                "Name their new owner by O(reassign_to), or drop them yourself: tables that Omni uploaded are there "
                "only.",
                owned=shortened(owned, self.max_listed),
            )
        passed_on = [f"{what} in {found.database}" for found in state.traces for what in found.passed_on]
        if passed_on:
            raise Conflict(
                doing,
                f"others would lose what it gave them: {self._listed(passed_on)}",
                "Have the owner of each grant it to them, and take back what the role gave, as the role itself "
                "(SET ROLE, REVOKE).",
                passed_on=shortened(passed_on, self.max_listed),
            )

    def require(self, state: State, changes: Sequence[Change]) -> None:
        if self.heir and any(found.owns for found in state.traces) and not state.heir_exists:
            raise no_role(
                f"Dropping role {self.name}", [self.heir], "Correct O(reassign_to), or create it first."
            )

    def _listed(self, names: Sequence[str]) -> str:
        shown = shortened(names, self.max_listed)
        left = shown["count"] - len(shown["list"])
        return ", ".join([*shown["list"], *([f"… ({left} more)"] if left else [])])

    def apply(self, changes: Sequence[Change]) -> Iterator[Change]:
        """A database at a time, the login's own one last, and with it the role."""
        here = changes[-1].payload.database
        for database, group in groupby(changes, key=lambda change: str(change.payload.database)):
            together = list(group)
            if database == here:
                self.transact(self.session, together)
            else:
                with self._in(database) as session:
                    self.transact(session, together)
            yield from together

    def send(self, session: Session, change: Change) -> None:
        if change.payload.text.startswith("DROP OWNED") and any(self._held(session).values()):
            # It would take along what was made, or given, since somebody looked.
            raise Moved(
                f"Dropping role {self.name} in {session.where}", "it just made something new", "Run again."
            )
        try:
            super().send(session, change)
        except Refused as refused:
            if refused.detail.get("sqlstate") == "42704":  # undefined_object: another run was faster
                raise Moved(refused.doing, refused.said, "Run again.") from None
            raise

    def advise(self, session: Session, change: Change, refused: Refused) -> str:
        if refused.detail.get("sqlstate") != "42501":
            return ""
        need = "ADMIN" if change.payload.text.startswith("DROP ROLE") else "INHERIT"
        return next(filter(None, (lacking(session, role, need) for (role,) in change.payload.parts)), "")

    def show(self, change: Change) -> str:
        return f"{super().show(change)} -- in database {change.payload.database}"

    def result(self, state: State, done: Sequence[Change]) -> dict[str, Any]:
        return {"name": self.name, "exists": state.exists}

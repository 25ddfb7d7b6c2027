# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The login role that Omni uses (step 1 of the guide)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._converge import MASK, Change
from .._definition import Definition
from .._errors import InvalidInput, Unreachable
from . import scram
from .session import (
    LIBRARY,
    OPTIONS,
    PostgresResource,
    Secret,
    Session,
    Statement,
    check_role,
    wrong_password,
)

ROLE = """
SELECT rolcanlogin, rolsuper, rolvaliduntil <= now() AS expired,
       has_table_privilege('pg_authid', 'SELECT') AS secrets_readable
FROM (SELECT 1) AS one LEFT JOIN pg_roles ON rolname = %(name)s
"""
STORED = "SELECT rolpassword FROM pg_authid WHERE rolname = %(name)s"


@dataclass(frozen=True)
class State:
    """The role as it is. ``password`` is fits, differs, unknown or not_checked, and ``how`` says why."""

    exists: bool
    can_login: bool = False
    superuser: bool = False
    password: str = "not_checked"
    how: str = ""


class User(PostgresResource):
    """One login role, and its password."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        self.name = check_role(params["name"], "name")
        self.password = params["password"]
        if self.password is not None and (not self.password or "\0" in self.password):
            raise InvalidInput(
                "Reading password",
                "it is empty, or has a character that Postgres cannot keep",
                "Choose another one.",
            )
        self._verifier: Secret | None = None
        self._set = False

    def read(self) -> State:
        with self.session.transaction():
            (row,) = self.session.rows(ROLE, {"name": self.name})
            if row["rolcanlogin"] is None:
                return State(exists=False)
            stored = None
            check = self.password is not None and not self._set
            if check and row["secrets_readable"]:
                stored = self.session.rows(STORED, {"name": self.name})[0]["rolpassword"]
        password, how = "not_checked", "no password was given"
        if self._set:
            password, how = "set", "by this run"
        elif check and row["secrets_readable"]:
            fits = stored is not None and scram.fits(stored, self.password, self.name)
            password, how = "fits" if fits else "differs", "by pg_authid"
        elif check:
            password, how = self._log_in(row)
        return State(True, row["rolcanlogin"], row["rolsuper"], password, how)

    def _log_in(self, row: Mapping[str, Any]) -> tuple[str, str]:
        """What a login as the role says of the password, where pg_authid cannot be read."""
        if not row["rolcanlogin"]:
            return "unknown", "the role may not log in"
        if row["expired"]:
            return "unknown", "the role's VALID UNTIL is over"
        try:
            with Session(self.params, self.name, self.password) as probe:
                if probe.connection.info.used_password:
                    return "fits", "by logging in"
                return "unknown", "the server let the role in without asking for a password"
        except Unreachable as refused:
            if wrong_password(refused.said):
                return "differs", "by logging in"
            if "too many connections for role" in refused.said:
                return "fits", "by logging in"
            return "unknown", refused.said

    def plan(self, state: State) -> list[Change]:
        label = f"role {self.name}"
        if not state.exists:
            if self.password is None:
                raise InvalidInput(
                    f"Creating role {self.name}",
                    "it does not exist yet, and no password was given",
                    "Set password.",
                )
            create = Statement("CREATE ROLE {} LOGIN PASSWORD {}", ((self.name,), self._secret()))
            return [Change(create, {label: None}, {label: "may log in", f"{label}: password": MASK})]
        changes = []
        if not state.can_login:
            statement = Statement("ALTER ROLE {} LOGIN", ((self.name,),))
            changes.append(Change(statement, {label: "may not log in"}, {label: "may log in"}))
        if state.password in ("differs", "unknown") and self.params["update_password"] == "always":
            statement = Statement("ALTER ROLE {} PASSWORD {}", ((self.name,), self._secret()))
            was = f"{state.password} ({state.how})"
            changes.append(Change(statement, {f"{label}: password": was}, {f"{label}: password": MASK}))
        return changes

    def _secret(self) -> Secret:
        """The verifier, the same one in every plan of this run."""
        if self._verifier is None:
            self._verifier = Secret(self.session.verifier(self.name, self.password))
            self.secrets.add(self._verifier)
        return self._verifier

    def apply(self, changes: Sequence[Change]) -> Iterator[Change]:
        for change in super().apply(changes):
            self._set = self._set or self._verifier in change.payload.parts
            yield change

    def learned(self, state: State, done: Sequence[Change]) -> dict[str, Any]:
        warnings = []
        if state.superuser:
            warnings.append(f"Role {self.name} is a superuser: Omni could change anything on this server.")
        left = self.params["update_password"] == "on_create"
        if left and state.password == "differs":
            warnings.append(
                f"The password of role {self.name} is not the one given ({state.how}). "
                "It was left as it is; update_password: always changes it."
            )
        if left and state.password == "unknown":
            warnings.append(
                f"Whether the password of role {self.name} is the one given is unknown: {state.how}."
            )
        return {
            "name": self.name,
            "exists": state.exists,
            "password": {"state": state.password, "how": state.how},
            "warnings": warnings,
        }


DEFINITION = Definition(
    build=User,
    options={
        **OPTIONS,
        "name": {"type": "str", "default": "omni", "aliases": ["role"]},
        "password": {"type": "str", "no_log": True},
        "update_password": {
            "type": "str",
            "default": "on_create",
            "choices": ["on_create", "always"],
            "no_log": False,
        },
    },
    library=LIBRARY,
)

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The login role that Omni uses (step 1 of the guide).

The guide: https://docs.omni.co/docs/connections/database/postgres
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .._converge import MASK, Change
from .._definition import Definition
from .._errors import InvalidInput, Refused, out_of_range
from . import role_settings as settings
from . import scram
from .driver import LIBRARY
from .login_options import OPTIONS
from .login_rights import lacking, membership
from .names import check_name, check_role, check_text, no_role
from .password_proof import prove_password
from .resource import PostgresResource
from .session import Session
from .statement import Secret, Statement
from .user_sql import ROLE, STORED
from .user_state import State

#: With these a server may mean that it takes no SCRAM verifier: feature_not_supported, invalid_parameter_value,
#: what a hook on passwords raises (raise_exception), and an error without a code of its own, as Neon has it.
CAN_MEAN_THE_VERIFIER = ("0A000", "22023", "P0001", "XX000")
#: What a password's last moment may look like: no words such as now or tomorrow, which mean something else each time.
UNTIL = re.compile(r"infinity|[0-9]{4,}-.*")


class User(PostgresResource):
    """One login role, its password, and its attributes."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        self.name = check_role(params["name"], "name")
        self.password = params["password"]
        if self.password is not None and not check_text(self.password, "password"):
            raise InvalidInput("Reading O(password)", "it is empty", "Choose another one.")
        self.plaintext = params["password_encryption"] == "plaintext"
        limit = params["connection_limit"]
        if limit is not None and not -1 <= limit < 2**31:
            raise out_of_range("connection_limit", limit, "Choose -1 for no limit, 0 or more.")
        until = check_text(
            "infinity" if params["valid_until"] is None else params["valid_until"], "valid_until"
        )
        if not UNTIL.fullmatch(until):
            raise _no_time(f"{until!r} is no point in time")
        check_text(params["comment"] or "", "comment")
        self.memberships = list(dict.fromkeys(params["memberships"]))
        for group in self.memberships:
            check_name(group, "memberships")
            if group == self.name:
                raise InvalidInput("Reading O(memberships)", f"{group} is the role itself", "Leave it out.")
        self.settings = settings.wanted(params["settings"])
        if params["upload_schema"]:
            self._refuse_read_only([params["upload_schema"]])
        self._secret: Secret | None = None
        self._set = False

    def _refuse_read_only(self, schemas: Sequence[str]) -> None:
        value = self.settings.get("default_transaction_read_only")
        if schemas and value and settings.is_on(value[0]):
            raise InvalidInput(
                "Reading O(settings): default_transaction_read_only",
                f"role {self.name} uploads tables to schema {', '.join(schemas)}, and every upload would fail "
                "(SQLSTATE 25006)",
                "Leave it out: it protects nothing, since the role can switch it off by itself.",
            )

    def read(self) -> State:
        values = {
            "name": self.name,
            "valid_until": self.params["valid_until"],
            "memberships": self.memberships,
            "inherits": "USAGE" if self.session.version >= 160000 else "MEMBER",
        }
        try:
            (row,) = self.session.rows(ROLE, values)
        except Refused as refused:
            if str(refused.detail.get("sqlstate")).startswith("220"):  # a date that is none
                raise _no_time(refused.said) from None
            raise
        stored = None
        if row["exists"] and self.password is not None and row["secrets_readable"]:
            stored = self.session.rows(STORED, {"name": self.name})[0]["rolpassword"]
        password, how = self._password(row, stored)
        return State(
            exists=row["exists"],
            can_login=bool(row["rolcanlogin"]),
            superuser=bool(row["rolsuper"]),
            password=password,
            how=how,
            algorithm=scram.algorithm(stored) if stored else None,
            connection_limit=-1 if row["rolconnlimit"] is None else row["rolconnlimit"],
            valid_until=row["valid_until"],
            until_differs=bool(row["until_differs"]),
            until=row["until"],
            days_left=row["days_left"],
            comment=row["comment"] or "",
            settings=settings.stored(row["rolconfig"] or ()),
            unheld=row["unheld"],
            unknown=row["unknown"],
            creates_in=row["creates_in"],
        )

    def _password(self, row: Mapping[str, Any], stored: str | None) -> tuple[str, str]:
        """What is known of the role's password, and how; by a login where pg_authid cannot be read."""
        if not row["exists"]:
            return "not_checked", "there is no role yet"
        if self.password is None:
            return "not_checked", "no password was given"
        if self._set:
            return "set", "by this run, in clear" if self.plaintext else "by this run"
        if row["secrets_readable"]:
            fits = stored is not None and scram.fits(stored, self.password, self.name)
            if fits is None:
                return "unknown", "its secret is MD5, which this system does not compute (FIPS mode)"
            return "fits" if fits else "differs", "by pg_authid"
        if not row["rolcanlogin"]:
            return "unknown", "the role may not log in"
        if row["expired"]:
            return "unknown", "the role's VALID UNTIL is over"
        return prove_password(self.params, self.session.login.as_user(self.name, self.password))

    def plan(self, state: State) -> list[Change]:
        params = self.params
        self._refuse_read_only(state.creates_in)
        label = f"role {self.name}"
        changes = []
        if not state.exists:
            if self.password is None:
                raise InvalidInput(
                    f"Creating role {self.name}",
                    "it does not exist yet, and no password was given",
                    "Set O(password).",
                )
            create = Statement("CREATE ROLE {} LOGIN PASSWORD {}", ((self.name,), self._sent()))
            after = {label: "may log in", f"{label}: password": MASK}
            changes.append(Change(create, {label: None}, after))
        elif not state.can_login:
            statement = Statement("ALTER ROLE {} LOGIN", ((self.name,),))
            changes.append(Change(statement, {label: "may not log in"}, {label: "may log in"}))
        if self._password_is_due(state):
            was = f"{state.password} ({state.how})"
            if state.password == "fits":
                was = f"{was}, stored as {state.algorithm}"
            changes.append(self._alter("PASSWORD {}", [self._sent()], "password", was, MASK))
        limit, until = params["connection_limit"], params["valid_until"]
        if limit not in (None, state.connection_limit):
            # An integer in this place takes no quotes.
            changes.append(
                self._alter(
                    f"CONNECTION LIMIT {limit}", [], "connection limit", state.connection_limit, limit
                )
            )
        if state.until_differs:
            changes.append(self._alter("VALID UNTIL {}", [until], "valid until", state.valid_until, until))
        if params["comment"] not in (None, state.comment):
            statement = Statement("COMMENT ON ROLE {} IS {}", ((self.name,), params["comment"]))
            what = f"{label}: comment"
            changes.append(
                Change(statement, {what: state.comment or None}, {what: params["comment"] or None})
            )
        for name, wanted in self.settings.items():
            held = state.settings.get(name)
            if wanted != held:
                text = f"SET {{}} = {', '.join(['{}'] * len(wanted))}" if wanted is not None else "RESET {}"
                shown = [None if value is None else ", ".join(value) for value in (held, wanted)]
                changes.append(self._alter(text, [(name,), *(wanted or ())], name, *shown))
        for group in state.unheld:
            what = f"{label}: member of {group}"
            statement = membership(group, self.name, self.session.version)
            changes.append(Change(statement, {what: None}, {what: "yes"}))
        return changes

    def _alter(self, text: str, parts: Sequence[Any], what: str, before: Any, after: Any) -> Change:
        what = f"role {self.name}: {what}"
        return Change(
            Statement(f"ALTER ROLE {{}} {text}", ((self.name,), *parts)), {what: before}, {what: after}
        )

    def _password_is_due(self, state: State) -> bool:
        if not state.exists or self.params["update_password"] != "always":
            return False
        # A server that hashes by itself may well choose MD5 again.
        weak = state.password == "fits" and state.algorithm == "md5" and not self.plaintext
        return weak or state.password in ("differs", "unknown")

    def _sent(self) -> Secret:
        """What is sent as the password, the same in every plan of this run."""
        if self._secret is None:
            sent = self.password if self.plaintext else self.session.verifier(self.name, self.password)
            self._secret = Secret(sent)
            self.secrets.add(self._secret)
        return self._secret

    def require(self, state: State, changes: Sequence[Change]) -> None:
        if state.unknown:
            raise no_role(
                f"Making role {self.name} a member",
                state.unknown,
                "Correct O(memberships), or create it first.",
            )

    def apply(self, changes: Sequence[Change]) -> Iterator[Change]:
        for change in super().apply(changes):
            self._set = self._set or self._secret in change.payload.parts
            yield change

    def advise(self, session: Session, change: Change, refused: Refused) -> str:
        code, parts = refused.detail.get("sqlstate"), change.payload.parts
        if code == "42501":
            # The first part of each statement is the role that it changes, or grants.
            return lacking(session, parts[0][0], "ADMIN")
        if self._secret in parts and not self.plaintext and code in CAN_MEAN_THE_VERIFIER:
            return (
                "If it is the SCRAM verifier that this server does not take (Neon takes none), set "
                "O(password_encryption=plaintext). The server then sees the password, and its log may keep it."
            )
        return ""

    def result(self, state: State, done: Sequence[Change]) -> dict[str, Any]:
        password = {"state": state.password, "how": state.how}
        if state.algorithm:
            password["algorithm"] = state.algorithm
        return {
            "name": self.name,
            "exists": state.exists,
            "password": password,
            "warnings": state.warnings(
                self.name, self.params["update_password"] == "on_create", self._password_is_due(state)
            ),
        }


def _no_time(said: str) -> InvalidInput:
    return InvalidInput("Reading O(valid_until)", said, "Give one such as 2030-01-31, or infinity.")


def build(params: Mapping[str, Any]) -> PostgresResource:
    """The role as wanted: there, or gone."""
    if params["state"] == "present":
        return User(params)
    from .user_absent import AbsentRole  # rarely wanted, and a shipped module compiles what it imports

    return AbsentRole(params)


DEFINITION = Definition(
    build=build,
    options={
        **OPTIONS,
        "name": {"type": "str", "default": "omni", "aliases": ["role"]},
        "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
        "password": {"type": "str", "no_log": True},
        "update_password": {
            "type": "str",
            "default": "on_create",
            "choices": ["on_create", "always"],
            "no_log": False,
        },
        "password_encryption": {
            "type": "str",
            "default": "scram-sha-256",
            "choices": ["scram-sha-256", "plaintext"],
            "no_log": False,
        },
        "connection_limit": {"type": "int"},
        "valid_until": {"type": "str"},
        "comment": {"type": "str"},
        "settings": {"type": "dict", "default": {}},
        "memberships": {"type": "list", "elements": "str", "default": []},
        "upload_schema": {"type": "str"},
        "reassign_to": {"type": "str"},
        "all_databases": {"type": "bool", "default": False},
    },
    library=LIBRARY,
)

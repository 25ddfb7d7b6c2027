# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the Omni role can and cannot do in a database, seen through its own login where that works."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from .. import _schema_patterns as _schemas
from .._converge import Change, Resource, shortened
from .._definition import Definition
from .._errors import InvalidInput, Moved, Refused, Skipped, Unreachable
from . import role_settings
from .access_info_findings import CONCERNS, MOST, PROBLEMS, LoginOutcome, Proof, State, concerns, problems
from .access_info_sql import HARMLESS, SCHEMAS, access_query
from .driver import LIBRARY
from .login import Login
from .login_errors import LoginRefused
from .login_options import OPTIONS, check_given
from .names import check_role
from .password_proof import judge_refusal
from .readable_relations import Claim, Relations
from .session import Session
from .statement import Statement


class Access(Resource):
    """What one role can read, and where it can upload; nothing is kept."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__()
        self.params = params
        self.max_listed = params["max_listed"]
        self.role = check_role(params["role"], "role")
        self.schemas = _schemas.modelled(params["schemas"])
        self.upload_schema = params["upload_schema"] or ""
        self.excluded = _schemas.SchemaPatterns(
            [*params["exclude_schemas"], self.upload_schema], "exclude_schemas"
        )
        self.login = Login.of(params)
        check_given(params["verify_host"], "verify_host")
        self.where = str(self.login)
        if self.upload_schema:
            _schemas.refuse_system([self.upload_schema], "upload_schema")
            self.schemas.refuse_upload_schema(self.upload_schema)
        elif params["try_upload"]:
            raise InvalidInput(
                "Reading O(try_upload)", "there is no schema to try it in", "Set O(upload_schema)."
            )

    def read(self) -> State:
        with ExitStack() as opened:
            session, login = self._log_in(opened)
            return self._look(session, login)

    def _log_in(self, opened: ExitStack) -> tuple[Session, LoginOutcome]:
        """A session as the role, else one as the other login, and what became of the role's."""
        if self.params["password"] is None:
            untried = LoginOutcome("not_tried", "no password was given")
            return opened.enter_context(Session(self.params, self.login)), untried
        login = self.login.as_user(self.role, self.params["password"])
        if self.params["verify_host"] is not None:
            login = login._replace(host=self.params["verify_host"])
        try:
            session = opened.enter_context(Session(self.params, login))
        except Unreachable as refused:
            # Without a name, a login over TCP is one as whoever runs this: nobody means that one.
            if self.params["login_user"] is None and self.params["login_host"]:
                raise Unreachable(
                    refused.doing,
                    refused.said,
                    "Check O(role), O(password) and its address, or set O(login_user) to have the rights "
                    "read by another login.",
                ) from None
            other = self._log_in_as_other(opened, refused)
            password = "unknown"
            if isinstance(refused, LoginRefused):
                password, _how = judge_refusal(self.params, login, refused)
            return other, LoginOutcome("refused", refused.said, password)
        asked = session.asked_for_password
        how = "with its password" if asked else "the server did not ask for a password"
        return session, LoginOutcome("succeeded", how)

    def _log_in_as_other(self, opened: ExitStack, refused: Unreachable) -> Session:
        try:
            return opened.enter_context(Session(self.params, self.login))
        except Unreachable as also:
            raise Unreachable(
                refused.doing,
                f"{refused.said.rstrip('.')}. Then {also.doing[0].lower()}{also.doing[1:]}: {also.said}",
                "Check O(role) and O(password), or the login options by which its rights are read instead.",
            ) from None

    def _look(self, session: Session, login: LoginOutcome) -> State:
        spaces = {row["name"]: row["hindering"] for row in session.rows(SCHEMAS, {})}
        chosen = _schemas.choose(list(spaces), self.schemas, self.excluded)
        hindering = any(spaces[name] for name in chosen.names)
        values = {
            "role": self.role,
            "schemas": list(chosen.names),
            "upload_schema": self.upload_schema,
            "system_timezone": self.params["system_timezone"],
            "harmless": HARMLESS,
            "others": 0 if self.params["prove"] == "none" else MOST,
        }
        try:
            (found,) = session.rows(access_query(hindering), values)
        except Refused as refused:
            if refused.detail["sqlstate"] == "22023":
                raise InvalidInput(
                    "Reading O(system_timezone)", refused.said, "Use a name such as Europe/Berlin."
                ) from None
            raise
        filters = role_settings.is_on(found["settings"]["row_security"] or "on")
        claims, proof = self._prove(session, login, found, Relations(found, self.role, filters).claims())
        info = session.connection.info
        return State(
            login=login,
            version=session.version,
            tls=info.ssl_attribute("protocol") if info.ssl_in_use else None,
            absent_schemas=chosen.missing,
            found=found,
            claims=claims,
            proof=proof,
            tried=self._try_upload(session, login),
        )

    def _prove(
        self, session: Session, login: LoginOutcome, found: Mapping[str, Any], claims: Sequence[Claim]
    ) -> tuple[Sequence[Claim], Proof]:
        """The claims once they were tried, as O(prove) says."""
        mode = self.params["prove"]
        if mode == "none":
            return claims, Proof(mode, "prove is none")
        of = _count(found) - sum(claim.known for claim in claims)
        if login.state != "succeeded":
            return claims, Proof(mode, "it takes a login as the role", of=of)
        if mode == "row" and self.check_mode:
            return claims, Proof(mode, "check mode calls no functions", of=of)
        from .access_info_proof import prove  # rarely wanted, and a shipped module compiles what it imports

        return prove(session, mode, claims, [(each[0], each[1]) for each in found["others"]], of)

    def _try_upload(self, session: Session, login: LoginOutcome) -> tuple[str, str]:
        """Make a table as Omni would, and roll it back: succeeded, failed or not_tried, and why."""
        if not self.params["try_upload"]:
            return "not_tried", "try_upload is false"
        if self.check_mode:
            return "not_tried", "check mode only reads"
        if login.state != "succeeded":
            return "not_tried", "it takes a login as the role"
        name = f"omni_connect_try_{secrets.token_hex(8)}"
        try:
            with session.transaction(keep=False):
                session.execute(
                    Statement("CREATE TABLE {} AS SELECT 1 AS one", ((self.upload_schema, name),))
                )
        except Skipped as standby:
            return "not_tried", standby.said
        except (Moved, Refused) as error:
            return "failed", error.said
        return "succeeded", "rolled back"

    def result(self, state: State, done: Sequence[Change]) -> dict[str, Any]:
        found = state.found
        wrong = problems(state, self.role, self.upload_schema)
        findings = {**wrong, **concerns(state, self.role, self.params["system_timezone"])}
        relations = _count(found)
        readable = relations - len(state.claims)
        hidden = Counter(claim.schema for claim in state.claims)
        fail_on = self.params["fail_on"]
        fatal = {kind: what for kind, what in findings.items() if kind in (fail_on or ())}
        told = [
            f"Role {self.role} can read {readable} of {relations} relations"
            + (f", {len(state.unknown)} unknown" if state.unknown else ""),
            *{**wrong, **fatal}.values(),
        ]
        result = {
            "role": self.role,
            "role_exists": found["role_exists"],
            "login": {"state": state.login.state, "how": state.login.how},
            "server_version": f"{state.version // 10000}.{state.version % 10000}",
            "tls": state.tls,
            "timezone": found["timezone"],
            "relations": relations,
            "readable": readable,
            "schemas": self._listed(
                {"schema": schema, "relations": count, "readable": count - hidden[schema]}
                for schema, count in found["schemas"]
            ),
            "unreadable": self._listed(claim.shown() for claim in state.unreadable),
            "unknown": self._listed(claim.shown() for claim in state.unknown),
            "filtered": self._listed(state.proof.filtered),
            "proof": state.proof.shown(),
            "uploads": state.uploads,
            "upload_tried": dict(zip(("state", "how"), state.tried)),
            "writes": self._listed(
                {"what": what, "privileges": privileges} for what, privileges in found["writes"]
            ),
            "privileged": self._listed(
                {"role": role, "attributes": attributes} for role, attributes in found["privileged"]
            ),
            "future_tables": self._listed(
                {"schema": schema, "creator": creator, "readable": covered}
                for schema, creator, covered in found["later"]
            ),
            "problems": [{"kind": kind, "what": what} for kind, what in findings.items() if kind in PROBLEMS],
            "concerns": [{"kind": kind, "what": what} for kind, what in findings.items() if kind in CONCERNS],
            "msg": "; ".join(told),
        }
        if fail_on is not None:
            result["warnings"] = [
                f"Role {self.role} in {self.where}: {what}." + self._other_way(kind, state.login)
                for kind, what in findings.items()
                if kind not in fatal
            ]
        if fatal:
            result.update(failed=True, error={"kind": "access", "findings": list(fatal)})
            result["msg"] = f"In {self.where}: {result['msg']}"
        return result

    def _other_way(self, kind: str, login: LoginOutcome) -> str:
        """How to prove a password where the socket lets in nobody but the system user of that name."""
        by_socket = self.login.by_socket and self.params["verify_host"] is None
        if kind == "login" and login.state == "refused" and by_socket:
            return " Set O(verify_host) to an address of the server, such as 127.0.0.1, to log in over TCP."
        return ""

    def _listed(self, entries: Any) -> dict[str, Any]:
        return shortened(list(entries), self.max_listed)


def _count(found: Mapping[str, Any]) -> int:
    return sum(count for _schema, count in found["schemas"])


DEFINITION = Definition(
    build=Access,
    options={
        **OPTIONS,
        "role": {"type": "str", "default": "omni"},
        "password": {"type": "str", "no_log": True},
        "verify_host": {"type": "str"},
        "schemas": {"type": "list", "elements": "str", "default": ["public"]},
        "exclude_schemas": {"type": "list", "elements": "str", "default": []},
        "upload_schema": {"type": "str"},
        "try_upload": {"type": "bool", "default": False},
        "prove": {"type": "str", "default": "none", "choices": ["none", "rights", "row"]},
        "system_timezone": {"type": "str"},
        "fail_on": {"type": "list", "elements": "str", "choices": [*PROBLEMS, *CONCERNS]},
    },
    library=LIBRARY,
)

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the Omni role can and cannot do in a database, seen through its own login where that works."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from .. import _schema_patterns as _schemas
from .._converge import Change, Resource, shortened
from .._definition import Definition
from .._errors import InvalidInput, Moved, Refused, Skipped, Unreachable
from .access_info_sql import ACCESS, HARMLESS, SCHEMAS
from .driver import LIBRARY
from .login import Login
from .login_errors import LoginRefused
from .login_options import OPTIONS
from .names import check_role
from .session import Session
from .statement import Statement

#: What keeps Omni from working, and what works and deserves a look: the kinds of findings.
PROBLEMS = ("role", "schemas", "relations", "uploads")
CONCERNS = ("login", "partitions", "future_tables", "writes", "privileges", "timezone")


@dataclass(frozen=True)
class State:
    """What was found.

    ``login`` is succeeded, refused or not_tried, and ``how`` is what the server said; ``tried`` is the
    same of an upload. ``tls`` is the protocol of the login that answered, None without TLS. ``found`` is
    the row of access_sql.ACCESS.
    """

    login: str
    how: str
    wrong_password: bool
    version: int
    tls: str | None
    absent_schemas: tuple[str, ...]
    found: Mapping[str, Any]
    tried: tuple[str, str]


class Access(Resource):
    """What one role can read, and where it can upload; from the catalog alone, nothing is kept."""

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
        self.where = str(self.login)
        if self.upload_schema:
            _schemas.refuse_system([self.upload_schema], "upload_schema")
            self.schemas.refuse_upload_schema(self.upload_schema)
        elif params["try_upload"]:
            raise InvalidInput("Reading try_upload", "there is no schema to try it in", "Set upload_schema.")

    def read(self) -> State:
        login, how, wrong_password = "not_tried", "no password was given", False
        with ExitStack() as opened:
            if self.params["password"] is not None:
                try:
                    login_of_role = self.login.as_user(self.role, self.params["password"])
                    session = opened.enter_context(Session(self.params, login_of_role))
                    asked = session.asked_for_password
                    login = "succeeded"
                    how = "with its password" if asked else "the server did not ask for a password"
                except Unreachable as refused:
                    if self.params["login_user"] is None:
                        raise
                    login, how = "refused", refused.said
                    wrong_password = isinstance(refused, LoginRefused) and refused.wrong_password
            if login != "succeeded":
                session = opened.enter_context(Session(self.params))
            return self._look(session, login, how, wrong_password)

    def _look(self, session: Session, login: str, how: str, wrong_password: bool) -> State:
        with session.transaction():
            spaces = [row["name"] for row in session.rows(SCHEMAS, {})]
            chosen = _schemas.choose(spaces, self.schemas, self.excluded)
            values = {
                "role": self.role,
                "schemas": list(chosen.names),
                "upload_schema": self.upload_schema,
                "system_timezone": self.params["system_timezone"],
                "harmless": HARMLESS,
            }
            try:
                (found,) = session.rows(ACCESS, values)
            except Refused as refused:
                if refused.detail["sqlstate"] == "22023":
                    raise InvalidInput(
                        "Reading system_timezone", refused.said, "Use a name such as Europe/Berlin."
                    ) from None
                raise
        info = session.connection.info
        return State(
            login=login,
            how=how,
            wrong_password=wrong_password,
            version=session.version,
            tls=info.ssl_attribute("protocol") if info.ssl_in_use else None,
            absent_schemas=chosen.missing,
            found=found,
            tried=self._try_upload(session, login),
        )

    def _try_upload(self, session: Session, login: str) -> tuple[str, str]:
        """Make a table as Omni would, and roll it back: succeeded, failed or not_tried, and why."""
        if not self.params["try_upload"]:
            return "not_tried", "try_upload is false"
        if self.check_mode:
            return "not_tried", "check mode only reads"
        if login != "succeeded":
            return "not_tried", "it takes a login as the role"
        name = f"omni_connect_try_{secrets.token_hex(8)}"
        try:
            with session.transaction(writing=True, keep=False):
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
        unreadable = [_explained(item, self.role) for item in found["unreadable"]]
        problems, concerns = {"role": f"there is no role {self.role}"}, {}
        if found["role_exists"]:
            problems, concerns = self._problems(state, unreadable), self._concerns(state, unreadable)
        findings = {**problems, **concerns}
        hidden = Counter(item["schema"] for item in found["unreadable"])
        relations = sum(count for dummy, count in found["schemas"])
        readable = relations - len(unreadable)
        fail_on = self.params["fail_on"]
        fatal = {kind: what for kind, what in findings.items() if kind in (fail_on or ())}
        told = [
            f"Role {self.role} can read {readable} of {relations} relations",
            *{**problems, **fatal}.values(),
        ]
        result = {
            "role": self.role,
            "role_exists": found["role_exists"],
            "login": {"state": state.login, "how": state.how},
            "server_version": f"{state.version // 10000}.{state.version % 10000}",
            "tls": state.tls,
            "timezone": found["timezone"],
            "relations": relations,
            "readable": readable,
            "schemas": self._listed(
                {"schema": schema, "relations": count, "readable": count - hidden[schema]}
                for schema, count in found["schemas"]
            ),
            "unreadable": self._listed(unreadable),
            "filtered": shortened(found["filtered"], self.max_listed, "names"),
            "uploads": _uploads(state),
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
            "problems": _kinds(problems),
            "concerns": _kinds(concerns),
            "msg": "; ".join(told),
        }
        if fail_on is not None:
            result["warnings"] = [
                f"Role {self.role} in {self.where}: {what}."
                for kind, what in findings.items()
                if kind not in fatal
            ]
        if fatal:
            result.update(failed=True, error={"kind": "access", "findings": list(fatal)})
            result["msg"] = f"In {self.where}: {result['msg']}"
        return result

    def _problems(self, state: State, unreadable: Sequence[Mapping[str, str]]) -> dict[str, str]:
        """What keeps Omni from working, a sentence for each kind."""
        found = state.found
        problems = {}
        if not found["can_login"]:
            problems["role"] = "it may not log in (NOLOGIN)"
        elif found["expired"]:
            problems["role"] = "its password has expired (VALID UNTIL)"
        elif state.wrong_password:
            problems["role"] = "its password is not the one given"
        elif not found["connects"]:
            problems["role"] = "it may not CONNECT to the database"
        if state.absent_schemas:
            problems["schemas"] = f"there is no schema {', '.join(state.absent_schemas)}"
        shut = [item for item in unreadable if item["cause"] != "partition"]
        if shut:
            problems["relations"] = f"{len(shut)} cannot be read, {_first(shut)}"
        if self.upload_schema and not _uploads(state):
            problems["uploads"] = f"it cannot upload: {self._why_no_upload(state)}"
        return problems

    def _why_no_upload(self, state: State) -> str:
        if state.found["uploads"] is None:
            return f"there is no schema {self.upload_schema}"
        if not state.found["uploads"]:
            return f"it lacks USAGE or CREATE on schema {self.upload_schema}"
        if state.tried[0] == "failed":
            return state.tried[1]
        return "its default_transaction_read_only is on"

    def _concerns(self, state: State, unreadable: Sequence[Mapping[str, str]]) -> dict[str, str]:
        """What works, and deserves a look, a sentence for each kind."""
        found = state.found
        concerns = {}
        refused = state.login == "refused" and found["can_login"] and found["connects"]
        if refused and not state.wrong_password:
            concerns["login"] = (
                f"logging in as it from here was refused ({state.how}); its rights were read with the other "
                "login, and its password could not be checked"
            )
        partitions = [item for item in unreadable if item["cause"] == "partition"]
        if partitions:
            concerns["partitions"] = (
                f"{len(partitions)} can be read through a parent only, {_first(partitions)}"
            )
        later = [(schema, creator) for schema, creator, covered in found["later"] if not covered]
        if later:
            schema, creator = later[0]
            concerns["future_tables"] = (
                f"tables that {creator} makes later in schema {schema} will not be readable" + _more(later)
            )
        if found["writes"]:
            what, privileges = found["writes"][0]
            concerns["writes"] = (
                f"it has {', '.join(privileges)} on {what}, which is more than reading"
                + _more(found["writes"])
            )
        if found["privileged"]:
            holds = [
                f"is {' '.join(attributes)}" if name == self.role else f"is a member of {name}"
                for name, attributes in found["privileged"]
            ]
            concerns["privileges"] = f"it {holds[0]}, which is more than reading" + _more(holds)
        if found["timezone_differs"]:
            concerns["timezone"] = (
                f"the database's TimeZone is {found['timezone']}, and Omni takes it for "
                f"{self.params['system_timezone']}"
            )
        return concerns

    def _listed(self, items: Any) -> dict[str, Any]:
        items = list(items)
        shown = items[: self.max_listed or None]
        return {"count": len(items), "items": shown, "truncated": len(shown) < len(items)}


def _uploads(state: State) -> Any:
    """Whether uploads may work; None where there is no schema for them."""
    if not state.found["uploads"]:
        return state.found["uploads"]
    return state.tried[0] != "failed" and not state.found["read_only"]


def _kinds(findings: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"kind": kind, "what": what} for kind, what in findings.items()]


def _first(items: Sequence[Mapping[str, str]]) -> str:
    return f"first {items[0]['relation']} ({items[0]['why']})"


def _more(items: Sequence[Any]) -> str:
    return f" ({len(items) - 1} more like this)" if len(items) > 1 else ""


def _explained(item: Mapping[str, Any], role: str) -> dict[str, str]:
    """A relation that cannot be read, with the kind of the cause and a sentence about it."""
    schema, broken = item["schema"], item["broken"]
    if not (item["usage"] and item["reads"]):
        lacks = [] if item["usage"] else [f"USAGE on schema {schema}"]
        why = "it lacks " + " and ".join(lacks if item["reads"] else [*lacks, "SELECT"])
        cause = "no_select" if item["usage"] else "no_usage"
        if item["parent"]:
            cause, why = "partition", f"{why}, but its rows can be read through {item['parent']}"
    elif not broken:
        cause, why = "not_populated", "it was never refreshed"
    elif not broken["view"]:
        cause, why = "row_security", f"row-level security is on, and no policy shows a row to {role}"
    else:
        of = f"{broken['view']} reads {broken['relation']} with the rights of {broken['reader']}, "
        if broken["allowed"]:
            cause, why = "row_security", of + "to whom no policy of row-level security shows a row"
        else:
            cause = "security_invoker" if broken["reader"] == role else "view_owner"
            why = of + "who lacks SELECT on it"
    return {"relation": f"{schema}.{item['name']}", "cause": cause, "why": why}


DEFINITION = Definition(
    build=Access,
    options={
        **OPTIONS,
        "role": {"type": "str", "default": "omni"},
        "password": {"type": "str", "no_log": True},
        "schemas": {"type": "list", "elements": "str", "default": ["public"]},
        "exclude_schemas": {"type": "list", "elements": "str", "default": []},
        "upload_schema": {"type": "str"},
        "try_upload": {"type": "bool", "default": False},
        "system_timezone": {"type": "str"},
        "fail_on": {"type": "list", "elements": "str", "choices": [*PROBLEMS, *CONCERNS]},
    },
    library=LIBRARY,
)

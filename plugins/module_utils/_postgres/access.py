# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the Omni role can and cannot do in a database, seen through its own login where that works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import _schemas
from .._converge import Change, Resource
from .._definition import Definition
from .._errors import Unreachable
from .session import LIBRARY, OPTIONS, Session, check_role, wrong_password

SCHEMAS = """
SELECT nspname AS name FROM pg_namespace AS n
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend
                  WHERE classid = 'pg_namespace'::regclass AND objid = n.oid AND deptype = 'e')
ORDER BY nspname COLLATE "C"
"""

#: One row; a role that does not exist holds nothing.
ACCESS = """
WITH role AS (SELECT (SELECT oid FROM pg_roles WHERE rolname = %(role)s) AS oid),
relation AS (
    SELECT nspname, relname,
           coalesce(has_schema_privilege(role.oid, n.oid, 'USAGE'), false) AS usage,
           coalesce(has_table_privilege(role.oid, c.oid, 'SELECT'), false) AS reads
    FROM role, pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE nspname = ANY (%(schemas)s::text[]) AND relkind IN ('r', 'p', 'v', 'm', 'f')
      AND NOT EXISTS (SELECT FROM pg_depend
                      WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e'))
SELECT role.oid IS NOT NULL AS role_exists,
       coalesce(has_database_privilege(role.oid, current_database(), 'CONNECT'), false) AS connects,
       (SELECT count(*) FROM relation) AS relations,
       (SELECT coalesce(json_agg(json_build_array(nspname, relname, usage, reads)
            ORDER BY nspname COLLATE "C", relname COLLATE "C"), '[]')
        FROM relation WHERE NOT (usage AND reads)) AS unreadable,
       (SELECT coalesce(has_schema_privilege(role.oid, oid, 'USAGE')
                        AND has_schema_privilege(role.oid, oid, 'CREATE'), false)
        FROM pg_namespace WHERE nspname = %(upload_schema)s) AS uploads
FROM role
"""


@dataclass(frozen=True)
class State:
    """What was found. ``login`` is succeeded, refused or not_tried, and ``how`` is what the server said.

    ``unreadable`` holds schema, name, and whether USAGE and SELECT are held; ``uploads`` is None
    where no upload schema was asked about, or there is none of that name.
    """

    login: str
    how: str
    role_exists: bool
    connects: bool
    schemas: tuple[str, ...]
    absent_schemas: tuple[str, ...]
    relations: int
    unreadable: tuple[tuple[str, str, bool, bool], ...]
    uploads: bool | None


class Access(Resource):
    """What one role can read, and where it can upload; from the catalog alone, nothing is written."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__()
        self.params = params
        self.most = params["max_listed"]
        self.role = check_role(params["role"], "role")
        self.patterns = list(params["schemas"])
        self.excluded = params["exclude_schemas"]
        self.upload_schema = params["upload_schema"] or ""
        _schemas.check(self.patterns)
        if self.upload_schema:
            _schemas.check_apart(self.upload_schema, self.patterns, "schemas")

    def read(self) -> State:
        login, how = "not_tried", "no password was given"
        if self.params["password"] is not None:
            try:
                with Session(self.params, self.role, self.params["password"]) as session:
                    asked = session.connection.info.used_password
                    how = "with its password" if asked else "the server did not ask for a password"
                    return self._look(session, "succeeded", how)
            except Unreachable as refused:
                if self.params["login_user"] is None:
                    raise
                login, how = "refused", refused.said
        with Session(self.params) as session:
            return self._look(session, login, how)

    def _look(self, session: Session, login: str, how: str) -> State:
        with session.transaction():
            spaces = [row["name"] for row in session.rows(SCHEMAS, {})]
            chosen = _schemas.choose(spaces, self.patterns, [*self.excluded, self.upload_schema])
            (row,) = session.rows(
                ACCESS, {"role": self.role, "schemas": chosen, "upload_schema": self.upload_schema}
            )
        return State(
            login=login,
            how=how,
            role_exists=row["role_exists"],
            connects=row["connects"],
            schemas=tuple(chosen),
            absent_schemas=tuple(_schemas.absent(spaces, self.patterns)),
            relations=row["relations"],
            unreadable=tuple(tuple(found) for found in row["unreadable"]),
            uploads=row["uploads"],
        )

    def learned(self, state: State, done: Sequence[Change]) -> dict[str, Any]:
        problems = self._problems(state)
        readable = state.relations - len(state.unreadable)
        found = f"Role {self.role} can read {readable} of {state.relations} relations"
        unreadable = [
            {"relation": f"{schema}.{name}", "lacks": _lacks(schema, usage, reads)}
            for schema, name, usage, reads in state.unreadable
        ]
        result = {
            "role": self.role,
            "role_exists": state.role_exists,
            "login": {"state": state.login, "how": state.how},
            "schemas": list(state.schemas),
            "relations": state.relations,
            "readable": readable,
            "unreadable": {
                "count": len(unreadable),
                "items": unreadable[: self.most or None],
                "truncated": bool(self.most) and len(unreadable) > self.most,
            },
            "uploads": state.uploads,
            "problems": problems,
            "msg": "; ".join([found, *problems]),
        }
        if state.login == "refused" and not wrong_password(state.how):
            result["warnings"] = [
                f"Logging in as {self.role} from here was refused ({state.how}); its rights were read with the "
                "other login, and its password could not be checked."
            ]
        return result

    def _problems(self, state: State) -> list[str]:
        """What keeps Omni from working, a sentence each."""
        if not state.role_exists:
            return [f"there is no role {self.role}"]
        problems = []
        if state.login == "refused" and wrong_password(state.how):
            problems.append("its password is not the one given")
        if not state.connects:
            problems.append("it may not CONNECT to the database")
        problems += [f"there is no schema {name}" for name in state.absent_schemas]
        if state.unreadable:
            schema, name, usage, reads = state.unreadable[0]
            lacks = _lacks(schema, usage, reads)
            problems.append(
                f"{len(state.unreadable)} cannot be read, first {schema}.{name} (it lacks {lacks})"
            )
        if self.upload_schema and state.uploads is None:
            problems.append(f"there is no schema {self.upload_schema} for uploads")
        elif self.upload_schema and not state.uploads:
            problems.append(f"it lacks USAGE or CREATE on schema {self.upload_schema}, so it cannot upload")
        return problems


def _lacks(schema: str, usage: bool, reads: bool) -> str:
    lacks = [] if usage else [f"USAGE on schema {schema}"]
    return " and ".join(lacks if reads else [*lacks, "SELECT"])


DEFINITION = Definition(
    build=Access,
    options={
        **OPTIONS,
        "role": {"type": "str", "default": "omni"},
        "password": {"type": "str", "no_log": True},
        "schemas": {"type": "list", "elements": "str", "default": ["public"]},
        "exclude_schemas": {"type": "list", "elements": "str", "default": []},
        "upload_schema": {"type": "str"},
    },
    library=LIBRARY,
)

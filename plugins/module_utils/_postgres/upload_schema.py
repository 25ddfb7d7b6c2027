# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The schema for table uploads (step 2 of the guide)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import _schemas
from .._converge import Change
from .._definition import Definition
from .._errors import Conflict, Prerequisite
from .session import LIBRARY, OPTIONS, PostgresResource, Statement, check_name, check_role

#: One row, whether the schema is there or not; others' relations are those that the role does not own.
SCHEMA = """
WITH role AS (SELECT (SELECT oid FROM pg_roles WHERE rolname = %(role)s) AS oid)
SELECT role.oid IS NOT NULL AS role_exists, pg_get_userbyid(nspowner) AS owner,
       nspowner = role.oid AS owned,
       ARRAY(SELECT privilege_type FROM aclexplode(nspacl) WHERE grantee = role.oid) AS privileges,
       ARRAY(SELECT relname::text FROM pg_class
             WHERE relnamespace = space.oid AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
               AND relowner IS DISTINCT FROM role.oid ORDER BY relname LIMIT 5) AS others
FROM role LEFT JOIN pg_namespace AS space ON nspname = %(name)s
"""


@dataclass(frozen=True)
class State:
    """The schema as it is: its owner (None: there is no schema), what the role holds in it, and some
    relations in it that are not the role's own."""

    role_exists: bool
    owner: str | None
    privileges: frozenset[str]
    others: tuple[str, ...]


class UploadSchema(PostgresResource):
    """One schema, and the Omni role's USAGE and CREATE in it."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        self.name = check_name(params["name"], "name")
        self.role = check_role(params["role"], "role")
        self.owner = params["owner"] and check_role(params["owner"], "owner")
        _schemas.check([self.name], "name")
        _schemas.check_apart(self.name, params["modelled_schemas"], "modelled_schemas")

    def read(self) -> State:
        with self.session.transaction():
            (row,) = self.session.rows(SCHEMA, {"name": self.name, "role": self.role})
        privileges = {"USAGE", "CREATE"} if row["owned"] else set(row["privileges"])
        return State(
            role_exists=row["role_exists"],
            owner=row["owner"],
            privileges=frozenset(privileges),
            others=tuple(row["others"]) if row["owner"] else (),
        )

    def plan(self, state: State) -> list[Change]:
        label = f"schema {self.name}"
        changes = []
        if state.owner is None:
            text, parts = "CREATE SCHEMA {}", [(self.name,)]
            if self.owner:
                text, parts = text + " AUTHORIZATION {}", [*parts, (self.owner,)]
            owner = f"owned by {self.owner or 'the login'}"
            changes.append(Change(Statement(text, tuple(parts)), {label: None}, {label: owner}))
        else:
            self._refuse_adoption(state)
            if self.owner and state.owner != self.owner:
                alter = Statement("ALTER SCHEMA {} OWNER TO {}", ((self.name,), (self.owner,)))
                label_owner = f"{label}: owner"
                changes.append(Change(alter, {label_owner: state.owner}, {label_owner: self.owner}))
        missing = [privilege for privilege in ("USAGE", "CREATE") if privilege not in state.privileges]
        if missing:
            grant = Statement(
                f"GRANT {', '.join(missing)} ON SCHEMA {{}} TO {{}}", ((self.name,), (self.role,))
            )
            labels = [f"{privilege} on {label}" for privilege in missing]
            changes.append(Change(grant, dict.fromkeys(labels), dict.fromkeys(labels, "granted")))
        return changes

    def _refuse_adoption(self, state: State) -> None:
        """A schema with other people's tables in it is not one for uploads, unless it already was."""
        if state.others and "CREATE" not in state.privileges:
            raise Conflict(
                f"Using schema {self.name} for table uploads",
                f"it already holds {', '.join(state.others)}, which role {self.role} does not own",
                "Omni needs a schema of its own for uploads: name another one, or empty this one.",
                relations=list(state.others),
            )

    def require(self, state: State) -> None:
        if not state.role_exists:
            raise Prerequisite(
                f"Granting on schema {self.name} in {self.session.where}",
                f"there is no role {self.role}",
                "Create it with omni_pg_user first.",
                role=self.role,
            )

    def learned(self, state: State, done: Sequence[Change]) -> dict[str, Any]:
        return {"name": self.name, "role": self.role, "owner": state.owner}


DEFINITION = Definition(
    build=UploadSchema,
    options={
        **OPTIONS,
        "name": {"type": "str", "required": True, "aliases": ["upload_schema"]},
        "role": {"type": "str", "default": "omni"},
        "owner": {"type": "str"},
        "modelled_schemas": {"type": "list", "elements": "str", "default": []},
    },
    library=LIBRARY,
)

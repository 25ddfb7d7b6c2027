# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the Omni role may read, now and in tables made later (step 1 of the guide)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import _schemas
from .._converge import Change, listed
from .._definition import Definition
from .._errors import InvalidInput, Prerequisite, Refused
from .session import LIBRARY, OPTIONS, Names, PostgresResource, Statement, check_name, check_role

#: How many relations one GRANT names. Postgres 18 locks each of them until the commit.
CHUNK = 500

#: What the role has, and what the login can give, on the database and on each schema of the users'.
#: A NULL oid (no such role) matches no entry of an ACL.
PLACES = """
WITH role AS (SELECT (SELECT oid FROM pg_roles WHERE rolname = %(role)s) AS oid)
SELECT NULL AS schema, current_database() AS database, role.oid AS role,
       EXISTS (SELECT FROM aclexplode(datacl) WHERE grantee = role.oid AND privilege_type = 'CONNECT')
           OR datdba = role.oid AS granted,
       role.oid IS NOT NULL AND has_database_privilege(role.oid, d.oid, 'CONNECT') AS held,
       has_database_privilege(d.oid, 'CONNECT WITH GRANT OPTION') AS grantable,
       pg_get_userbyid(datdba) AS owner
FROM pg_database AS d, role WHERE datname = current_database()
UNION ALL
SELECT nspname, NULL, NULL,
       EXISTS (SELECT FROM aclexplode(nspacl) WHERE grantee = role.oid AND privilege_type = 'USAGE')
           OR nspowner = role.oid,
       role.oid IS NOT NULL AND has_schema_privilege(role.oid, n.oid, 'USAGE'),
       has_schema_privilege(n.oid, 'USAGE WITH GRANT OPTION'),
       pg_get_userbyid(nspowner)
FROM pg_namespace AS n, role
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend
                  WHERE classid = 'pg_namespace'::regclass AND objid = n.oid AND deptype = 'e')
ORDER BY 1 NULLS FIRST
"""

#: In one row: the relations that lack SELECT, how many there are, and the default privileges that
#: lack. The prefilter on relacl finds a grant by the owner without unpacking the list.
RELATIONS = """
WITH role AS (SELECT (SELECT oid FROM pg_roles WHERE rolname = %(role)s) AS oid),
space AS (
    SELECT oid, nspname, nspowner,
           -- Where nobody chose an owner for public, the database's owner is who makes tables in it.
           nspname = 'public' AND nspowner = 10 OR pg_get_userbyid(nspowner) = 'pg_database_owner' AS nobodys
    FROM pg_namespace WHERE nspname = ANY (%(schemas)s::text[])),
relation AS MATERIALIZED (
    SELECT c.oid, relname, relkind, relowner, relacl, nspname, relnamespace
    FROM pg_class AS c JOIN space ON space.oid = relnamespace
    WHERE relkind = ANY (%(kinds)s::text[])
      AND NOT EXISTS (SELECT FROM pg_depend
                      WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')),
missing AS MATERIALIZED (
    SELECT relation.* FROM relation, role
    WHERE role.oid IS NULL OR relowner <> role.oid
      AND NOT coalesce(relacl @> makeaclitem(role.oid, relowner, 'SELECT', false), false)
      AND NOT EXISTS (SELECT FROM aclexplode(relacl)
                      WHERE grantee = role.oid AND privilege_type = 'SELECT')),
creator AS (
    SELECT space.nspname, space.oid AS schema, owner.oid, owner.rolname
    FROM (SELECT relnamespace AS schema, relowner AS owner FROM relation
          UNION SELECT space.oid, CASE WHEN nobodys THEN datdba ELSE nspowner END
          FROM space, pg_database WHERE datname = current_database()
          ) AS candidate
    JOIN space ON space.oid = candidate.schema JOIN pg_roles AS owner ON owner.oid = candidate.owner
    WHERE %(creators)s::text[] IS NULL AND owner.rolname !~ '^pg_' AND owner.rolname <> %(role)s
    UNION
    SELECT space.nspname, space.oid, owner.oid, owner.rolname FROM space, pg_roles AS owner
    WHERE owner.rolname = ANY (%(creators)s::text[]) AND owner.rolname <> %(role)s),
later AS (
    SELECT nspname, rolname, kind,
           pg_has_role(creator.oid, CASE WHEN current_setting('server_version_num')::int >= 160000
                                         THEN 'USAGE' ELSE 'MEMBER' END) AS grantable
    FROM creator, role, unnest(%(later)s::text[]) AS kind
    WHERE NOT EXISTS (
        SELECT FROM pg_default_acl, aclexplode(defaclacl)
        WHERE defaclrole = creator.oid AND defaclnamespace IN (0, creator.schema)
          AND defaclobjtype = kind AND grantee = role.oid AND privilege_type = 'SELECT'))
SELECT (SELECT count(*) FROM relation) AS relations,
       (SELECT coalesce(json_agg(json_build_array(
            nspname, relname, relkind = 'S', pg_get_userbyid(relowner),
            has_table_privilege(missing.oid, 'SELECT WITH GRANT OPTION'),
            role.oid IS NOT NULL AND has_table_privilege(role.oid, missing.oid, 'SELECT')
        ) ORDER BY nspname COLLATE "C", relname COLLATE "C"), '[]') FROM missing, role) AS missing,
       (SELECT coalesce(json_agg(json_build_array(rolname, nspname, kind, grantable)
            ORDER BY rolname COLLATE "C", nspname COLLATE "C", kind DESC), '[]') FROM later) AS later,
       (SELECT coalesce(array_agg(name), '{}') FROM unnest(%(creators)s::text[]) AS name
        WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)) AS unknown
"""

KINDS = {"r": "TABLES", "S": "SEQUENCES"}


@dataclass(frozen=True)
class Place:
    """The database or a schema: whether the role was granted its privilege there, has it in any way,
    and whether the login could grant it."""

    name: str
    owner: str
    granted: bool
    held: bool
    grantable: bool


@dataclass(frozen=True)
class Relation:
    """A table, view, materialized view or foreign table, or a sequence, that the role was not granted."""

    schema: str
    name: str
    sequence: bool
    owner: str
    grantable: bool
    held: bool

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Later:
    """Default privileges that lack: what ``creator`` makes in ``schema`` will not be readable."""

    creator: str
    schema: str
    kind: str
    grantable: bool


@dataclass(frozen=True)
class State:
    """What there is to grant, and what of it is missing."""

    role_exists: bool
    database: Place
    schemas: tuple[Place, ...]
    absent_schemas: tuple[str, ...]
    unmatched: tuple[str, ...]
    relations: int
    missing: tuple[Relation, ...]
    later: tuple[Later, ...]
    unknown_creators: tuple[str, ...]


class Grants(PostgresResource):
    """The privileges of one role in one database: CONNECT, USAGE, SELECT, and default privileges."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        self.role = check_role(params["role"], "role")
        self.patterns = list(params["schemas"])
        _schemas.check(self.patterns)
        for name in (*self.patterns, *params["exclude_schemas"]):
            check_name(name, "schemas")
        wanted = params["default_privileges_for"]
        if len(wanted) > 1 and {"auto", "none"} & set(wanted):
            raise InvalidInput(
                "Reading default_privileges_for",
                "auto and none stand alone",
                "Use one of them, or a list of roles.",
            )
        self.later = [] if wanted == ["none"] else ["r", "S"] if params["sequences"] else ["r"]
        self.creators = None if wanted in (["auto"], ["none"]) else wanted

    def read(self) -> State:
        kinds = ["r", "p", "v", "m", "f"] + (["S"] if self.params["sequences"] else [])
        with self.session.transaction():
            database, *others = self.session.rows(PLACES, {"role": self.role})
            spaces = {row["schema"]: row for row in others}
            chosen = _schemas.choose(spaces, self.patterns, self.params["exclude_schemas"])
            values = {"role": self.role, "schemas": chosen, "kinds": kinds}
            (row,) = self.session.rows(RELATIONS, {**values, "creators": self.creators, "later": self.later})
        return State(
            role_exists=database["role"] is not None,
            database=_place(database["database"], database),
            schemas=tuple(_place(name, spaces[name]) for name in chosen),
            absent_schemas=tuple(_schemas.absent(spaces, self.patterns)),
            unmatched=tuple(_schemas.unmatched(spaces, self.patterns)),
            relations=row["relations"],
            missing=tuple(Relation(*found) for found in row["missing"]),
            later=tuple(Later(*found) for found in row["later"]),
            unknown_creators=tuple(row["unknown"]),
        )

    def plan(self, state: State) -> list[Change]:
        if state.absent_schemas:
            raise Prerequisite(
                f"Reading the schemas of {self.session.where}",
                f"there is no schema {', '.join(state.absent_schemas)}",
                "Correct schemas, or create it first.",
                schemas=list(state.absent_schemas),
            )
        if state.unknown_creators:
            raise Prerequisite(
                "Reading default_privileges_for", f"there is no role {', '.join(state.unknown_creators)}"
            )
        self._refuse_unmanageable(state)
        role = (self.role,)
        changes = []
        if _can_give(state.database):
            statement = Statement("GRANT CONNECT ON DATABASE {} TO {}", ((state.database.name,), role))
            changes.append(_change(statement, f"CONNECT on database {state.database.name}"))
        spaces = [place.name for place in state.schemas if _can_give(place)]
        if spaces:
            names = Names((name,) for name in spaces)
            changes.append(
                _change(
                    Statement("GRANT USAGE ON SCHEMA {} TO {}", (names, role)),
                    *(f"USAGE on schema {name}" for name in spaces),
                )
            )
        for kind, sequence in (("TABLE", False), ("SEQUENCE", True)):
            found = [item for item in state.missing if item.grantable and item.sequence is sequence]
            for start in range(0, len(found), CHUNK):
                chunk = found[start : start + CHUNK]
                names = Names((item.schema, item.name) for item in chunk)
                changes.append(
                    _change(
                        Statement(f"GRANT SELECT ON {kind} {{}} TO {{}}", (names, role)),
                        *(f"SELECT on {kind.lower()} {item}" for item in chunk),
                    )
                )
        for creator, kind, schemas in _by_creator(state.later):
            names = Names((schema,) for schema in schemas)
            statement = Statement(
                f"ALTER DEFAULT PRIVILEGES FOR ROLE {{}} IN SCHEMA {{}} GRANT SELECT ON {KINDS[kind]} TO {{}}",
                ((creator,), names, role),
            )
            what = KINDS[kind].lower()
            changes.append(
                _change(
                    statement, *(f"SELECT on later {what} of {creator} in schema {name}" for name in schemas)
                )
            )
        return changes

    def _refuse_unmanageable(self, state: State) -> None:
        found = self._unmanageable(state)
        if found and self.params["on_unmanageable"] == "fail":
            first = found[0]
            raise Refused(
                f"Granting in {self.session.where}",
                f"this login cannot grant {len(found)} of what is missing, first {first['what']}, which "
                f"belongs to {first['owner']}",
                f"Somebody who can should run: {first['statement']}; "
                "or set on_unmanageable to warn to grant the rest.",
                unmanageable=found[: self.most or None],
            )

    def _unmanageable(self, state: State) -> list[dict[str, str]]:
        """What is missing, and neither held in another way nor this login's to grant."""
        role = (self.role,)
        found = []
        for place, privilege, kind in (
            (state.database, "CONNECT", "DATABASE"),
            *((schema, "USAGE", "SCHEMA") for schema in state.schemas),
        ):
            if not (place.granted or place.held or place.grantable):
                statement = Statement(f"GRANT {privilege} ON {kind} {{}} TO {{}}", ((place.name,), role))
                found.append((f"{privilege} on {kind.lower()} {place.name}", place.owner, statement))
        for item in state.missing:
            if not (item.grantable or item.held):
                kind = "SEQUENCE" if item.sequence else "TABLE"
                statement = Statement(
                    f"GRANT SELECT ON {kind} {{}} TO {{}}", ((item.schema, item.name), role)
                )
                found.append((f"SELECT on {kind.lower()} {item}", item.owner, statement))
        for creator, kind, schemas in _by_creator(state.later, grantable=False):
            statement = Statement(
                f"ALTER DEFAULT PRIVILEGES FOR ROLE {{}} IN SCHEMA {{}} GRANT SELECT ON {KINDS[kind]} TO {{}}",
                ((creator,), Names((name,) for name in schemas), role),
            )
            what = f"SELECT on later {KINDS[kind].lower()} in {', '.join(schemas)}"
            found.append((what, creator, statement))
        return [
            {"what": what, "owner": owner, "statement": self.session.text(statement)}
            for what, owner, statement in found
        ]

    def require(self, state: State) -> None:
        if not state.role_exists:
            raise Prerequisite(
                f"Granting in {self.session.where}",
                f"there is no role {self.role}",
                "Create it with omni_pg_user first.",
                role=self.role,
            )

    def apply(self, changes: Sequence[Change]) -> Iterator[Change]:
        """Each statement in a transaction of its own: none of them holds many locks, or for long."""
        for change in changes:
            yield from super().apply([change])

    def learned(self, state: State, done: Sequence[Change]) -> dict[str, Any]:
        most = self.most
        unmanageable = self._unmanageable(state)
        warnings = []
        if unmanageable and self.params["on_unmanageable"] == "warn":
            first = unmanageable[0]
            warnings.append(
                f"This login cannot grant {len(unmanageable)} of what role {self.role} lacks in {self.session.where}, "
                f"first {first['what']} of {first['owner']}. Somebody who can should run: {first['statement']}"
            )
        if state.unmatched:
            warnings.append(f"No schema matches {', '.join(state.unmatched)} in {self.session.where}.")
        granted = [label for change in done for label in change.after]
        return {
            "role": self.role,
            "database": state.database.name,
            "schemas": [place.name for place in state.schemas],
            "relations": state.relations,
            "granted": listed(granted, most),
            "unmanageable": {
                "count": len(unmanageable),
                "items": unmanageable[:most] if most else unmanageable,
                "truncated": bool(most) and len(unmanageable) > most,
            },
            "unmatched": list(state.unmatched),
            "warnings": warnings,
        }


def _place(name: str, row: Mapping[str, Any]) -> Place:
    return Place(name, row["owner"], row["granted"], row["held"], row["grantable"])


def _can_give(place: Place) -> bool:
    return place.grantable and not place.granted


def _change(statement: Statement, *labels: str) -> Change:
    return Change(statement, dict.fromkeys(labels), dict.fromkeys(labels, "granted"))


def _by_creator(later: Sequence[Later], grantable: bool = True) -> list[tuple[str, str, list[str]]]:
    """The default privileges that lack, as few statements: a creator, a kind, and the schemas."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for item in later:
        if item.grantable is grantable:
            grouped.setdefault((item.creator, item.kind), []).append(item.schema)
    return [(creator, kind, schemas) for (creator, kind), schemas in grouped.items()]


DEFINITION = Definition(
    build=Grants,
    options={
        **OPTIONS,
        "role": {"type": "str", "default": "omni"},
        "schemas": {"type": "list", "elements": "str", "default": ["public"]},
        "exclude_schemas": {"type": "list", "elements": "str", "default": []},
        "sequences": {"type": "bool", "default": True},
        "default_privileges_for": {"type": "list", "elements": "str", "default": ["auto"]},
        "on_unmanageable": {"type": "str", "default": "warn", "choices": ["fail", "warn", "ignore"]},
    },
    library=LIBRARY,
)

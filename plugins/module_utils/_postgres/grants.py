# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the Omni role may read, now and in tables made later (step 1 of the guide)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import _schema_patterns as _schemas
from .._converge import Change, shortened
from .._definition import Definition
from .._errors import InvalidInput, Prerequisite, Refused
from .driver import LIBRARY
from .grants_sql import PLACES, RELATIONS
from .login_options import OPTIONS
from .names import check_name, check_role
from .resource import PostgresResource
from .statement import Names, Statement

#: How many relations one statement names. Postgres 18 locks each of them until the commit.
CHUNK = 500

#: What default privileges are for, by its letter in the catalog.
LATER = {"r": "TABLES", "S": "SEQUENCES", "n": "SCHEMAS"}


@dataclass(frozen=True)
class Right:
    """A privilege on one thing, which lacks or is too much.

    ``kind`` is DATABASE, SCHEMA, TABLE (which views are too) or SEQUENCE, and ``owner`` who can change
    it. Or it is TABLES, SEQUENCES or SCHEMAS: what ``owner`` makes later in the schema that is ``name``,
    () for any. ``able`` says whether this login can. ``columns`` are those of the table on which it is
    held too.
    """

    kind: str
    name: tuple[str, ...]
    privilege: str
    owner: str
    able: bool
    columns: tuple[str, ...] = ()

    @property
    def later(self) -> bool:
        return self.kind in LATER.values()

    def __str__(self) -> str:
        if self.later:
            where = f"in schema {self.name[0]}" if self.name else "in any schema"
            return f"{self.privilege} on later {self.kind.lower()} of {self.owner} {where}"
        return f"{self.privilege} on {self.kind.lower()} {'.'.join(self.name)}"


@dataclass(frozen=True)
class State:
    """What there is, and how it differs from what is wanted.

    ``wanted`` counts the privileges that are wanted. ``of_public`` holds what every role may do in the
    database and the schemas beyond them.
    """

    role_exists: bool
    database: str
    schemas: tuple[str, ...]
    absent_schemas: tuple[str, ...]
    unmatched: tuple[str, ...]
    unknown_creators: tuple[str, ...]
    relations: int
    wanted: int
    missing: tuple[Right, ...]
    excess: tuple[Right, ...]
    of_public: tuple[str, ...]


class Grants(PostgresResource):
    """The privileges of one role in one database: CONNECT, USAGE, SELECT, and default privileges."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        self.role = check_role(params["role"], "role")
        for option in ("schemas", "exclude_schemas"):
            for name in params[option]:
                check_name(name, option)
        self.schemas = _schemas.modelled(params["schemas"])
        self.excluded = _schemas.SchemaPatterns(params["exclude_schemas"], "exclude_schemas")
        wanted = params["default_privileges_for"]
        if len(wanted) > 1 and {"auto", "none"} & set(wanted):
            raise InvalidInput(
                "Reading default_privileges_for",
                "auto and none stand alone",
                "Use one of them, or a list of roles.",
            )
        self.absent = params["state"] == "absent"
        self.exclusive = params["exclusive"] and not self.absent
        self.effective = params["mode"] == "effective"
        self.later = [] if wanted == ["none"] else ["r", "S"] if params["sequences"] else ["r"]
        self.creators = None if wanted in (["auto"], ["none"]) else wanted

    def read(self) -> State:
        with self.session.transaction():
            places = self.session.rows(PLACES, {"role": self.role})
            spaces = [place["name"] for place in places if place["kind"] == "SCHEMA"]
            chosen = _schemas.choose(spaces, self.schemas, self.excluded)
            meant = set(chosen.names)
            # What is excluded is not looked at: Omni's uploads may be there.
            others = [name for name in spaces if name not in meant and name not in self.excluded]
            values = {
                "role": self.role,
                "schemas": list(chosen.names),
                "others": others if self.exclusive else [],
                "kinds": ["r", "p", "v", "m", "f"] + (["S"] if self.params["sequences"] else []),
                "creators": self.creators,
                "later": self.later,
                "absent": self.absent,
                "exclusive": self.exclusive,
                "effective": self.effective,
            }
            (row,) = self.session.rows(RELATIONS, values)
        wanted = [place for place in places if place["kind"] == "DATABASE" or place["name"] in meant]
        rest = [
            place
            for place in places
            if place["kind"] == "SCHEMA" and place["name"] not in meant and place["name"] not in self.excluded
        ]
        return State(
            role_exists=places[0]["role_exists"],
            database=places[0]["name"],
            schemas=chosen.names,
            absent_schemas=chosen.missing,
            unmatched=chosen.unmatched,
            unknown_creators=tuple(row["unknown"]),
            relations=row["relations"],
            wanted=len(wanted) + row["relations"] + row["later"],
            missing=(*self._missing(wanted), *_rights(row["missing"]), *_rights(row["missing_later"])),
            # What is made later comes first: else a table made meanwhile would keep what it got.
            excess=(
                *_rights(row["excess_later"]),
                *_rights(row["excess"]),
                *self._excess(rest, wanted=False),
                *self._excess(wanted, wanted=True),
            ),
            of_public=tuple(
                f"{privilege} on {place['kind'].lower()} {place['name']}"
                for place in wanted
                for privilege in place["of_public"]
                if self.absent or privilege != place["privilege"]
            ),
        )

    def _missing(self, places: Sequence[Mapping[str, Any]]) -> list[Right]:
        """What lacks on the database and the schemas, and is not held in another way that will do."""
        return [
            Right(place["kind"], (place["name"],), place["privilege"], place["owner"], place["able"])
            for place in places
            if not (self.absent or place["granted"])
            and (not place["held"] or (place["able"] and not self.effective))
        ]

    def _excess(self, places: Sequence[Mapping[str, Any]], wanted: bool) -> list[Right]:
        """What the role was granted on the database and the schemas, and is to lose."""
        found = []
        for place in places:
            for privilege, grantable, grantor, able in place["grants"]:
                given = wanted and privilege == place["privilege"]
                if self.exclusive and given and grantable:
                    privilege = f"GRANT OPTION FOR {privilege}"
                elif not (given if self.absent else self.exclusive and not given):
                    continue
                found.append(Right(place["kind"], (place["name"],), privilege, grantor, able))
        return found

    def plan(self, state: State) -> list[Change]:
        if not self.absent:
            self._refuse_what_is_not_there(state)
        unmanageable = self._unmanageable(state)
        if unmanageable["count"] and self.params["on_unmanageable"] == "fail":
            first = unmanageable["items"][0]
            raise Refused(
                f"Setting the privileges of role {self.role} in {self.session.where}",
                f"this login cannot manage {unmanageable['count']} of them, first {first['what']}: {first['reason']}",
                f"Somebody who can should run: {first['statement']}; or set on_unmanageable to warn to do the rest.",
                unmanageable=unmanageable["items"],
            )
        changes = []
        for rights in _together(right for right in state.missing if right.able):
            lines = [str(right) for right in rights]
            statement = self._statement("GRANT", rights)
            changes.append(Change(statement, dict.fromkeys(lines), dict.fromkeys(lines, "granted")))
        for rights in _together(right for right in state.excess if right.able):
            lines = [line for right in rights for line in self._lost(right)]
            statement = self._statement("REVOKE", rights)
            changes.append(Change(statement, dict.fromkeys(lines, "granted"), dict.fromkeys(lines)))
        return changes

    def _refuse_what_is_not_there(self, state: State) -> None:
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

    def _lost(self, right: Right) -> list[str]:
        """What a REVOKE takes: with a privilege on a table, the same one on its columns."""
        if not right.columns or self.absent:
            return [str(right)]
        return [str(right), f"{right} ({', '.join(right.columns)})"]

    def _statement(self, verb: str, rights: Sequence[Right]) -> Statement:
        """One GRANT or REVOKE of rights that differ in nothing but the name."""
        first, role = rights[0], (self.role,)
        names = Names(right.name for right in rights)
        to = "TO" if verb == "GRANT" else "FROM"
        what = f"{verb} {first.privilege} ON {first.kind}"
        if first.later:
            creator = "ALTER DEFAULT PRIVILEGES FOR ROLE {}"
            if first.name:
                return Statement(f"{creator} IN SCHEMA {{}} {what} {to} {{}}", ((first.owner,), names, role))
            return Statement(f"{creator} {what} {to} {{}}", ((first.owner,), role))
        if first.columns and self.absent:
            # What somebody granted on columns goes with the table's, and is given back.
            again = "GRANT SELECT ({}) ON TABLE {} TO {}"
            columns = Names((column,) for column in first.columns)
            return Statement(f"{what} {{}} {to} {{}}; {again}", (names, role, columns, names, role))
        return Statement(f"{what} {{}} {to} {{}}", (names, role))

    def _unmanageable(self, state: State) -> dict[str, Any]:
        """What this login can neither grant nor revoke, as the task returns it."""
        found = [
            (verb, rights)
            for verb, all_rights in (("GRANT", state.missing), ("REVOKE", state.excess))
            for rights in _together((right for right in all_rights if not right.able), one_by_one=True)
        ]
        items = []
        for verb, rights in found[: self.max_listed or None]:
            first = rights[0]
            what = str(first)
            if first.later and first.name:
                schemas = ", ".join(right.name[0] for right in rights)
                what = f"{first.privilege} on later {first.kind.lower()} in {schemas}"
            statement = self.session.text(self._statement(verb, rights))
            reason = _reason(verb, first)
            items.append({"what": what, "owner": first.owner, "reason": reason, "statement": statement})
        return {"count": len(found), "items": items, "truncated": len(items) < len(found)}

    def require(self, state: State, changes: Sequence[Change]) -> None:
        if changes and not state.role_exists:
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

    def result(self, state: State, done: Sequence[Change]) -> dict[str, Any]:
        granted = [line for change in done for line, value in change.after.items() if value]
        revoked = [line for change in done for line, value in change.after.items() if not value]
        unmanageable = self._unmanageable(state)
        warnings = []
        if unmanageable["count"] and self.params["on_unmanageable"] == "warn":
            first = unmanageable["items"][0]
            warnings.append(
                f"This login cannot manage {unmanageable['count']} of the privileges of role {self.role} in "
                f"{self.session.where}, first {first['what']}: {first['reason']}. Somebody who can should run: "
                f"{first['statement']}"
            )
        if state.unmatched:
            warnings.append(f"No schema matches {', '.join(state.unmatched)} in {self.session.where}.")
        if state.of_public and (self.exclusive or self.absent):
            warnings.append(
                f"In {self.session.where} every role has {', '.join(state.of_public)}, so role {self.role} has it too."
            )
        lacking = {str(right) for right in state.missing}
        return {
            "role": self.role,
            "database": state.database,
            "schemas": list(state.schemas),
            "relations": state.relations,
            "already": 0 if self.absent else state.wanted - len(lacking.union(granted)),
            "granted": shortened(granted, self.max_listed, "names"),
            "revoked": shortened(revoked, self.max_listed, "names"),
            "unmanageable": unmanageable,
            "of_public": list(state.of_public),
            "unmatched": list(state.unmatched),
            "warnings": warnings,
        }


def _rights(rows: Sequence[Sequence[Any]]) -> list[Right]:
    return [
        Right(LATER.get(kind, kind), tuple(name), privilege, owner, bool(able), *map(tuple, columns))
        for kind, name, privilege, owner, able, *columns in rows
    ]


def _together(rights: Iterable[Right], one_by_one: bool = False) -> Iterator[list[Right]]:
    """The rights statement by statement: what one can change, and at most CHUNK names in each.

    ``one_by_one`` takes apart all but default privileges.
    """
    groups: dict[tuple[Any, ...], list[Right]] = {}
    for right in rights:
        apart = right if right.columns or (one_by_one and not right.later) else None
        key = (right.kind, right.privilege, right.later and (right.owner, bool(right.name)), apart)
        groups.setdefault(key, []).append(right)
    for group in groups.values():
        for start in range(0, len(group), CHUNK):
            yield group[start : start + CHUNK]


def _reason(verb: str, right: Right) -> str:
    if right.later:
        return f"this login does not have the rights of role {right.owner}"
    if verb == "REVOKE":
        return f"role {right.owner} granted it, and only that role can take it back"
    return f"it belongs to role {right.owner}, and this login has no grant option on it"


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
        "mode": {"type": "str", "default": "direct", "choices": ["direct", "effective"]},
        "exclusive": {"type": "bool", "default": False},
        "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
    },
    library=LIBRARY,
)

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the Omni role may read, now and in tables made later (step 1 of the guide).

The guide: https://docs.omni.co/docs/connections/database/postgres
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .. import _schema_patterns as _schemas
from .._converge import Change, shortened
from .._definition import Definition
from .._errors import InvalidInput, Prerequisite, Refused
from . import default_privileges, grants_apply
from .driver import LIBRARY
from .grants_plan import Planner, RightsChange
from .grants_sql import places_query, relations_query
from .grants_state import (
    State,
    lacking_in_place,
    lacking_in_relations,
    later,
    too_much_in_place,
    too_much_in_relations,
)
from .login_options import OPTIONS
from .names import check_name, check_role, no_role
from .resource import PostgresResource


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
                "Reading O(default_privileges_for)",
                "auto and none stand alone",
                "Use one of them, or a list of roles.",
            )
        self.absent = params["state"] == "absent"
        self.exclusive = params["exclusive"] and not self.absent
        self.effective = params["mode"] == "effective"
        self.later = default_privileges.wanted(wanted, params["sequences"])
        self.creators = None if wanted in (["auto"], ["none"]) else wanted
        self.planner = Planner(self.role, self.absent)

    def read(self) -> State:
        new = self.session.version >= 160000  # a membership has SET, and INHERIT of its own
        values = {
            "role": self.role,
            "kinds": ["r", "p", "v", "m", "f"] + (["S"] if self.params["sequences"] else []),
            "creators": self.creators,
            "later": self.later,
            "absent": self.absent,
            "exclusive": self.exclusive,
            "effective": self.effective,
            "set": "SET" if new else "MEMBER",
            "alter": "USAGE" if new else "MEMBER",
        }
        revoking = self.absent or self.exclusive
        places = self.session.rows(places_query(revoking), values)
        spaces = [place["name"] for place in places if place["kind"] == "SCHEMA"]
        chosen = _schemas.choose(spaces, self.schemas, self.excluded)
        meant = set(chosen.names)
        # What is excluded is not looked at: Omni's uploads may be there.
        others = [name for name in spaces if name not in meant and name not in self.excluded]
        values["schemas"] = list(chosen.names)
        values["others"] = others if self.exclusive else []
        (row,) = self.session.rows(relations_query(revoking), values)
        wanted = [place for place in places if place["kind"] == "DATABASE" or place["name"] in meant]
        rest = set(values["others"])
        return State(
            role_exists=places[0]["role_exists"],
            database=places[0]["name"],
            schemas=chosen.names,
            absent_schemas=chosen.missing,
            unmatched=chosen.unmatched,
            unknown_creators=tuple(row["unknown"]),
            relations=row["relations"],
            wanted=len(wanted) + row["relations"] + row["later"],
            missing=(
                *map(lacking_in_place, filter(self._lacks, wanted)),
                *lacking_in_relations(row),
                *later(row["missing_later"]),
            ),
            # What is made later comes first: else a table made meanwhile would keep what it got.
            excess=(
                *later(row["excess_later"]),
                *too_much_in_relations(row["excess"], self.role),
                *(
                    right
                    for given, group in (
                        (
                            False,
                            [
                                place
                                for place in places
                                if place["kind"] == "SCHEMA" and place["name"] in rest
                            ],
                        ),
                        (True, wanted),
                    )
                    for place in group
                    for right in too_much_in_place(place, given, self.role, self.exclusive)
                ),
            ),
            of_public=tuple(
                f"{privilege} on {place['kind'].lower()} {place['name']}"
                for place in wanted
                for privilege in place["of_public"]
                if self.absent or privilege != place["privilege"]
            ),
        )

    def _lacks(self, place: Mapping[str, Any]) -> bool:
        """Whether the role lacks the privilege on the database or a schema, and does not hold it in another way
        that will do."""
        if self.absent or place["granted"]:
            return False
        return not place["held"] or (place["able"] and not self.effective)

    def plan(self, state: State) -> list[Change]:
        unmanageable = self._unmanageable(state)
        if unmanageable["count"] and self.params["on_unmanageable"] == "fail":
            first = unmanageable["list"][0]
            raise Refused(
                f"Setting the privileges of role {self.role} in {self.session.where}",
                f"this login cannot manage {unmanageable['count']} of them, first {first['what']}: {first['reason']}",
                f"Somebody who can should run: {first['statement']}; or set O(on_unmanageable=warn) to do the rest.",
                unmanageable=unmanageable["list"],
            )
        return [
            *self.planner.changes("GRANT", state.missing),
            *self.planner.changes("REVOKE", state.excess),
        ]

    def _unmanageable(self, state: State) -> dict[str, Any]:
        """What this login can neither grant nor revoke, as the task returns it."""
        found = [
            *self.planner.unmanageable("GRANT", state.missing),
            *self.planner.unmanageable("REVOKE", state.excess),
        ]
        shown = [
            {**facts, "statement": self.session.text(statement)}
            for facts, statement in found[: self.max_listed or None]
        ]
        return {"count": len(found), "list": shown, "truncated": len(shown) < len(found)}

    def require(self, state: State, changes: Sequence[Change]) -> None:
        if self.absent:
            return
        doing = f"Granting in {self.session.where}"
        roles = list(state.unknown_creators)
        if changes and not state.role_exists:
            roles.insert(0, self.role)
        if state.absent_schemas:
            raise Prerequisite(
                doing,
                f"there is no schema {', '.join(state.absent_schemas)}",
                "Correct O(schemas), or create it first.",
                schemas=list(state.absent_schemas),
            )
        if roles:
            raise no_role(
                doing,
                roles,
                "Create it with omni_pg_user first, or correct O(role) or O(default_privileges_for).",
            )

    def apply(self, changes: Sequence[Change]) -> Iterator[Change]:
        yield from grants_apply.send(self, [change for change in changes if isinstance(change, RightsChange)])

    def report(self, done: Sequence[Change]) -> dict[str, Any]:
        granted = [line for change in done for line, value in change.after.items() if value]
        revoked = [line for change in done for line, value in change.after.items() if not value]
        return {
            "granted": shortened(granted, self.max_listed),
            "revoked": shortened(revoked, self.max_listed),
        }

    def result(self, state: State, done: Sequence[Change]) -> dict[str, Any]:
        unmanageable = self._unmanageable(state)
        warnings = []
        if unmanageable["count"] and self.params["on_unmanageable"] == "warn":
            first = unmanageable["list"][0]
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
        granted = {line for change in done for line, value in change.after.items() if value}
        lacking = {str(right) for right in state.missing}
        return {
            "role": self.role,
            "database": state.database,
            "schemas": list(state.schemas),
            "relations": state.relations,
            "already": 0 if self.absent else state.wanted - len(lacking | granted),
            "unmanageable": unmanageable,
            "of_public": list(state.of_public),
            "unmatched": list(state.unmatched),
            "warnings": warnings,
        }


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

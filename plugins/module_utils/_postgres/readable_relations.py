# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which relations a role can read, which not, and of which the catalog alone cannot tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from . import row_level_security
from .view_query import ALWAYS, MAYBE, NEVER, ViewQuery

#: What a hindrance does to whoever selects, the worst first: an error, no row, or nobody knows.
ERROR, NO_ROW, UNKNOWN = 0, 1, 2
#: The causes that Postgres meets only when it scans the relation, not when it checks rights.
SCANNED = ("not_populated", "user_mapping")


class Hindrance(NamedTuple):
    """What keeps, or may keep, somebody from the rows of a relation. ``early``: Postgres looks for it while it
    rewrites the query, and so also in what is not used then."""

    effect: int
    cause: str
    why: str
    early: bool = False


class Claim(NamedTuple):
    """A relation that is not known to be readable, and what keeps, or may keep, the role from its rows."""

    schema: str
    name: str
    hindrances: tuple[Hindrance, ...]

    @property
    def relation(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def known(self) -> bool:
        """Whether it is known not to be readable."""
        return self.hindrances[0].effect != UNKNOWN

    @property
    def cause(self) -> str:
        return self.hindrances[0].cause

    @property
    def why(self) -> str:
        return self.hindrances[0].why

    def shown(self) -> dict[str, str]:
        return {"relation": self.relation, "cause": self.cause, "why": self.why}


class Relations:
    """The facts of readable_relations_sql.py, for one role, joined to claims.

    :param found: the row of the query.
    :param role: the role whose logins are looked at.
    :param filters: whether row-level security filters in its logins (``row_security`` is on), or refuses.
    """

    def __init__(self, found: Mapping[str, Any], role: str, filters: bool) -> None:
        self._role, self._filters = role, filters
        self._suspects = found["suspects"]
        self._views = {view["oid"]: view for view in found["hindered_views"]}
        self._queries = {oid: ViewQuery(view["tree"]) for oid, view in self._views.items()}
        self._hindrances: dict[int, list[Mapping[str, Any]]] = {}
        for hindrance in found["hindrances"]:
            self._hindrances.setdefault(hindrance["view"] or hindrance["relation"], []).append(hindrance)
        self._functions: dict[int, list[Mapping[str, Any]]] = {}
        for function in found["functions"]:
            self._functions.setdefault(function["view"], []).append(function)
        self._inside: dict[int, list[Hindrance]] = {}

    def claims(self) -> list[Claim]:
        """A claim for each relation that is not known to be readable."""
        claims = {suspect["oid"]: self._claim(suspect) for suspect in self._suspects}
        for suspect in self._suspects:
            claim = claims[suspect["oid"]]
            parents = [parent for parent in suspect["parents"] or () if not claims.get(parent["oid"])]
            if claim and claim.cause in ("no_usage", "no_select") and parents:
                why = f"{claim.why}, but its rows can be read through {parents[0]['name']}"
                claims[suspect["oid"]] = claim._replace(hindrances=(Hindrance(ERROR, "partition", why),))
        return [claim for claim in claims.values() if claim]

    def _claim(self, suspect: Mapping[str, Any]) -> Claim | None:
        oid, schema = suspect["oid"], suspect["schema"]
        if not (suspect["usage"] and suspect["reads"]):
            found = [_without_right(suspect)]
        elif oid in self._views:
            found = self._of_view(oid, outermost=True)
        else:
            found = [one for hindrance in self._hindrances[oid] for one in self._explained(hindrance)]
        found.sort(key=lambda hindrance: hindrance.effect)
        return Claim(schema, suspect["name"], tuple(found)) if found else None

    def _of_view(self, oid: int, outermost: bool) -> list[Hindrance]:
        """What hinders one who selects from the view, or, if not ``outermost``, from another that reads it."""
        query, plain = self._queries[oid], self._views[oid]["plain"]
        found: list[Hindrance] = []
        for hindrance in self._hindrances.get(oid, ()):
            use = MAYBE if hindrance["counting"] else query.reads(hindrance["relation"], outermost)
            found += _used(self._explained(hindrance), use, plain)
        for function in self._functions.get(oid, ()):
            found += _used([self._called(function)], query.calls(function["function"], outermost), plain)
        for inner in self._views[oid]["reads"] or ():
            if inner not in self._inside:
                self._inside[inner] = self._of_view(inner, outermost=False)
            found += _used(self._inside[inner], query.reads(inner, outermost), plain)
        if not (outermost or plain):
            # An aggregate that nobody asks for is one row without a look at what it counts.
            found = [one._replace(effect=UNKNOWN) if one.cause in SCANNED else one for one in found]
        return list(dict.fromkeys(found))

    def _explained(self, hindrance: Mapping[str, Any]) -> list[Hindrance]:
        """One row of the query as what it does, and a sentence of each."""
        relation, reader = hindrance["name"], hindrance["reader"]
        view = self._views[hindrance["view"]]["name"] if hindrance["view"] else None
        reading = f"{view} reads {relation} with the rights of {reader}, " if view else ""
        found = []
        if hindrance["lacking"]:
            cause = "security_invoker" if hindrance["own"] else "view_owner"
            found.append(Hindrance(ERROR, cause, f"{reading}who lacks SELECT on it"))
        if hindrance["unpopulated"]:
            why = f"{view} reads {relation}, which was never refreshed" if view else "it was never refreshed"
            found.append(Hindrance(ERROR, "not_populated", why))
        if hindrance["policies"] is not None:
            found += self._policed(hindrance["policies"], reader, reading)
        for far in hindrance["far"] or ():
            if not far["mapped"]:
                effect = ERROR if far["itself"] or not view else UNKNOWN
                of = f"{reading}who" if view else reader
                why = f"{of} has no user mapping for the server of {far['table']}"
                found.append(Hindrance(effect, "user_mapping", why))
            found.append(Hindrance(UNKNOWN, "foreign_table", f"another server answers for {far['table']}"))
        if hindrance["counting"]:
            why = f"{view} may count {relation} on, and {self._role} lacks USAGE on it"
            found.append(Hindrance(UNKNOWN, "function", why))
        return found

    def _policed(self, policies: Sequence[Mapping[str, Any]], reader: str, reading: str) -> list[Hindrance]:
        if not self._filters:
            why = "row_security is off for its logins, and Postgres refuses what a policy would filter"
            return [Hindrance(ERROR, "row_security", f"{reading}and {why}" if reading else why, early=True)]
        left, why = row_level_security.judge(policies)
        told = f"{reading}and {why}" if reading else f"row-level security is on, and {why}"
        if left == row_level_security.NO_ROW:
            return [Hindrance(NO_ROW, "row_security", f"{told} to {reader}")]
        if left == row_level_security.ERROR:
            return [Hindrance(ERROR, "policy", f"{told}, on which {reader} lacks SELECT")]
        if left == row_level_security.UNKNOWN:
            nested = any(policy["nested"] for policy in policies)
            return [Hindrance(UNKNOWN, "policy", f"{told} for {reader}", early=nested)]
        return []

    def _called(self, function: Mapping[str, Any]) -> Hindrance:
        call = f"{self._views[function['view']]['name']} calls {function['name']}"
        if function["callable"]:
            return Hindrance(UNKNOWN, "function", f"{call}, and what that reads is not in the catalog")
        return Hindrance(ERROR, "no_execute", f"{call}, on which {self._role} lacks EXECUTE")


def _without_right(suspect: Mapping[str, Any]) -> Hindrance:
    lacks = [] if suspect["usage"] else [f"USAGE on schema {suspect['schema']}"]
    if not suspect["reads"]:
        columns, readable = suspect["columns"], suspect["open_columns"]
        lacks.append(f"SELECT on {columns - readable} of its {columns} columns" if readable else "SELECT")
    return Hindrance(
        ERROR, "no_select" if suspect["usage"] else "no_usage", "it lacks " + " and ".join(lacks)
    )


def _used(hindrances: Sequence[Hindrance], use: str, plain: bool) -> list[Hindrance]:
    """What hinders something, for a view that uses it for sure, or perhaps. Where that shows no row, a plain
    view shows none either; one that joins or counts may show some."""
    sure = (ERROR, NO_ROW) if plain else (ERROR,)
    found = []
    for one in hindrances:
        if one.early or (use == ALWAYS and one.effect in sure):
            found.append(one)
        elif use != NEVER:
            found.append(one._replace(effect=UNKNOWN))
    return found

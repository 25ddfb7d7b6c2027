# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How what hinders a reader goes up from view to view. test_access_oracle.py holds it to a server."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.readable_relations import (
    Relations,
)

TABLE, VIEW, UPPER = 1, 2, 3
NAMES = {TABLE: "base", VIEW: "view", UPPER: "upper"}
IN_FROM = "({QUERY :rtable ({RTE :relid %d })})"
IN_SUBQUERY = "({QUERY :targetList ({SUBLINK :subselect {QUERY :rtable ({RTE :relid %d })}})})"
UNUSED = (
    "({QUERY :cteList ({COMMONTABLEEXPR :ctename x :ctequery {QUERY :rtable ({RTE :relid %d })} "
    ":cterefcount 0 })})"
)
REFUSED: dict[str, Any] = {"lacking": True}
NO_POLICY: dict[str, Any] = {"policies": []}
NEVER_REFRESHED: dict[str, Any] = {"unpopulated": True}
FOREIGN: dict[str, Any] = {"far": [{"table": "s.base", "itself": True, "mapped": True}]}


def judged(
    what: dict[str, Any],
    tree: str = IN_FROM,
    upper: str = IN_FROM,
    plain: bool = True,
    filters: bool = True,
) -> list[tuple[str, str, str]]:
    """What is claimed of a view of a table, and of a view of that view; ``what`` hinders the view's owner."""
    hindrance = {
        "view": VIEW,
        "relation": TABLE,
        "reader": "owner",
        "name": "s.base",
        "own": False,
        "lacking": False,
        "counting": False,
        "unpopulated": False,
        "far": None,
        "policies": None,
        **what,
    }
    found = {
        "suspects": [
            {"oid": oid, "schema": "s", "name": NAMES[oid], "usage": True, "reads": True, "parents": None}
            for oid in (VIEW, UPPER)
        ],
        "hindrances": [hindrance],
        "functions": [],
        "hindered_views": [
            {"oid": VIEW, "name": "s.view", "reads": None, "plain": plain, "tree": tree % TABLE},
            {"oid": UPPER, "name": "s.upper", "reads": [VIEW], "plain": True, "tree": upper % VIEW},
        ],
    }
    claims = Relations(found, "omni", filters).claims()
    return [(claim.name, "unreadable" if claim.known else "unknown", claim.cause) for claim in claims]


def both(claim: str, cause: str) -> list[tuple[str, str, str]]:
    return [("view", claim, cause), ("upper", claim, cause)]


@pytest.mark.parametrize(
    ("given", "claims"),
    [
        ({"what": REFUSED}, both("unreadable", "view_owner")),
        ({"what": NEVER_REFRESHED}, both("unreadable", "not_populated")),
        ({"what": FOREIGN}, both("unknown", "foreign_table")),
        ({"what": NO_POLICY}, both("unreadable", "row_security")),
        ({"what": NO_POLICY, "plain": False}, both("unknown", "row_security")),
        ({"what": REFUSED, "plain": False}, both("unreadable", "view_owner")),
        # What is counted need not be looked at, where nobody asks for the count.
        (
            {"what": NEVER_REFRESHED, "plain": False},
            [("view", "unreadable", "not_populated"), ("upper", "unknown", "not_populated")],
        ),
        # What selects from the view may leave that column out.
        (
            {"what": REFUSED, "tree": IN_SUBQUERY},
            [("view", "unreadable", "view_owner"), ("upper", "unknown", "view_owner")],
        ),
        ({"what": REFUSED, "tree": UNUSED}, []),
        ({"what": REFUSED, "upper": UNUSED}, [("view", "unreadable", "view_owner")]),
        # What row_security refuses, it refuses used or not, and whatever else is wrong.
        ({"what": NO_POLICY, "tree": UNUSED, "filters": False}, both("unreadable", "row_security")),
        (
            {"what": {**REFUSED, **NO_POLICY}, "tree": UNUSED, "filters": False},
            both("unreadable", "row_security"),
        ),
    ],
)
def test_what_is_claimed_of_a_view_and_one_above_it(
    given: dict[str, Any], claims: list[tuple[str, str, str]]
) -> None:
    assert judged(**given) == claims

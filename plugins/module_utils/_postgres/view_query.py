# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The query of a view as Postgres stores it (pg_rewrite.ev_action), and what of it is sure to be used.

It is text like ``{QUERY :hasAggs false :rtable ({RANGETBLENTRY :relid 16384 …}) …}``: nodes in braces, whose
fields begin with a colon. A special character inside of a name has a backslash before it.
"""

from __future__ import annotations

import re

TOKEN = (
    r"(?s)\\.|\{(?P<node>[A-Z_]*)|(?P<end>\})"
    r"|:(?P<field>relid|funcid|opfuncid|aggfnoid|winfnoid|cterefcount) (?P<number>\d+)"
    r"|:ctename (?P<cte>(?:\\.|[^\s\\])+)"
)

#: How sure it is that Postgres uses something that a query names, whoever selects from the view.
ALWAYS, MAYBE, NEVER = "always", "maybe", "never"


class ViewQuery:
    """What a view's query names, and where.

    A relation in FROM is always used, at any depth. One in a subquery of an expression, and a function, are
    sure to be used only where the view itself is selected from and they stand in its outermost query: what
    is selected from a view that another view reads may leave out the column. A WITH query that nothing refers
    to is never used.

    :param tree: the stored query; None where it has neither expressions with subqueries, nor a WITH query that
        nothing refers to, nor a function whose place matters.
    """

    def __init__(self, tree: str | None) -> None:
        self._known = tree is not None
        #: relation or function, by kind and oid: the places where it stands
        self._places: dict[tuple[str, int], set[str]] = {}
        if tree is not None:
            self._parse(tree)

    def reads(self, relation: int, outermost: bool) -> str:
        """Whether the relation is read. ``outermost``: the view itself is what is selected from."""
        return self._used("relid", relation, outermost) if self._known else ALWAYS

    def calls(self, function: int, outermost: bool) -> str:
        """Whether the function is called."""
        return self._used("funcid", function, outermost) if self._known else ALWAYS

    def _used(self, kind: str, oid: int, outermost: bool) -> str:
        places = self._places.get((kind, oid))
        if not places:
            return NEVER
        return ALWAYS if "from" in places or (outermost and "outermost" in places) else MAYBE

    def _parse(self, tree: str) -> None:
        nodes: list[str] = []
        named: list[tuple[str, int, str, frozenset[str]]] = []
        #: of each WITH query that is open: its name, where its own part of ``named`` begins, its references
        open_queries: list[tuple[str, int, int]] = []
        references: list[str] = []
        unused_references: set[str] = set()
        unused = False
        for token in re.finditer(TOKEN, tree):
            node, field = token["node"], token["field"]
            if node is not None:
                nodes.append(node)
                if node == "COMMONTABLEEXPR":
                    open_queries.append(("", len(named), len(references)))
            elif token["end"]:
                if nodes.pop() == "COMMONTABLEEXPR":
                    dummy, begin, first = open_queries.pop()
                    if unused:
                        del named[begin:]
                        unused_references.update(references[first:])
                        unused = False
            elif token["cte"]:
                if nodes[-1] == "COMMONTABLEEXPR":
                    open_queries[-1] = (token["cte"], *open_queries[-1][1:])
                else:
                    references.append(token["cte"])
            elif field == "cterefcount":
                unused = token["number"] == "0"
            elif field == "relid":
                within = frozenset(name for name, dummy, dummy2 in open_queries)
                named.append(("relid", int(token["number"]), _place(nodes, relation=True), within))
            elif field:
                named.append(("funcid", int(token["number"]), _place(nodes, relation=False), frozenset()))
        for kind, oid, place, within in named:
            # A WITH query that only unused ones refer to may be used or not.
            place = "nested" if within & unused_references else place
            self._places.setdefault((kind, oid), set()).add(place)


def _place(nodes: list[str], relation: bool) -> str:
    queries = nodes.count("QUERY")
    if relation and "SUBLINK" not in nodes:
        return "from"
    return "outermost" if queries == (2 if relation else 1) else "nested"

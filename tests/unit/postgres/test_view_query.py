# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a view's stored query names what. The trees have the shape of Postgres', without most of its fields."""

from __future__ import annotations

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.view_query import (
    ALWAYS,
    MAYBE,
    NEVER,
    ViewQuery,
)


def query(relation: int, columns: str = "", with_queries: str = "") -> str:
    return (
        f"{{QUERY :cteList ({with_queries}) :rtable ({{RANGETBLENTRY :eref {{ALIAS :aliasname \\{{odd\\}}}} "
        f":rtekind 0 :relid {relation} :inh true}}) :targetList ({columns})}}"
    )


def with_query(name: str, tree: str, references: int) -> str:
    return f"{{COMMONTABLEEXPR :ctename {name} :ctequery {tree} :cterefcount {references} :ctecolnames <>}}"


REFERENCE = "{RANGETBLENTRY :rtekind 6 :ctename first :ctelevelsup 1}"
CALL = "{FUNCEXPR :funcid 7 :args ({CONST :constvalue 1 [ 0 ]})}"


@pytest.mark.parametrize(
    ("tree", "outermost", "inside"),
    [
        (query(7), ALWAYS, ALWAYS),
        (query(8), NEVER, NEVER),
        (query(8, f"{{SUBLINK :subselect {query(7)}}}"), ALWAYS, MAYBE),
        (query(8, f"{{SUBLINK :subselect {query(9, f'{{SUBLINK :subselect {query(7)}}}')}}}"), MAYBE, MAYBE),
        (query(7, f"{{SUBLINK :subselect {query(7)}}}"), ALWAYS, ALWAYS),
        (query(8, "", with_query("used", query(7), 1)), ALWAYS, ALWAYS),
        (query(8, "", with_query("unused", query(7), 0)), NEVER, NEVER),
        (query(7, "", with_query("unused", query(7), 0)), ALWAYS, ALWAYS),
        (
            query(8, "", with_query("first", query(7), 1) + " " + with_query("unused", REFERENCE, 0)),
            MAYBE,
            MAYBE,
        ),
    ],
)
def test_what_is_read(tree: str, outermost: str, inside: str) -> None:
    parsed = ViewQuery(f"({tree})")
    assert (parsed.reads(7, outermost=True), parsed.reads(7, outermost=False)) == (outermost, inside)


@pytest.mark.parametrize(
    ("tree", "outermost", "inside"),
    [
        (query(8, CALL), ALWAYS, MAYBE),
        (query(8, f"{{SUBLINK :subselect {query(9, CALL)}}}"), MAYBE, MAYBE),
        (query(8, "", with_query("unused", query(9, CALL), 0)), NEVER, NEVER),
    ],
)
def test_what_is_called(tree: str, outermost: str, inside: str) -> None:
    parsed = ViewQuery(f"({tree})")
    assert (parsed.calls(7, outermost=True), parsed.calls(7, outermost=False)) == (outermost, inside)


def test_a_query_whose_places_do_not_matter() -> None:
    assert ViewQuery(None).reads(7, outermost=False) == ALWAYS

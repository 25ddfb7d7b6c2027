# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a list of schemas means."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies

from ansible_collections.omni_analytics.connect.plugins.module_utils import _schema_patterns as _schemas
from ansible_collections.omni_analytics.connect.plugins.module_utils._errors import InvalidInput
from ansible_collections.omni_analytics.connect.plugins.module_utils._schema_patterns import SchemaPatterns

THERE = ["Public", "a.c", "abc", "public", "stats_daily", "stats_monthly", "x\ny"]


@pytest.mark.parametrize(
    ("patterns", "excluded", "meant"),
    [
        (["public"], [], ["public"]),
        (["stats_*"], [], ["stats_daily", "stats_monthly"]),
        (["stats_*", "public"], ["*_daily"], ["public", "stats_monthly"]),
        (["*"], ["stats_*", "public"], ["Public", "a.c", "abc", "x\ny"]),
        (["a.c"], [], ["a.c"]),
        (["*a*y"], [], ["stats_daily", "stats_monthly"]),
        (["PUBLIC", "publi", "ublic", "stats_"], [], []),
        (["stats_?aily", "[p]ublic"], [], []),
        (["x*y"], [], ["x\ny"]),
    ],
)
def test_choose(patterns: list[str], excluded: list[str], meant: list[str]) -> None:
    chosen = _schemas.choose(THERE, _schemas.modelled(patterns), SchemaPatterns(excluded))
    assert list(chosen.names) == meant


def test_what_matches_nothing() -> None:
    """A plain name has to be there; a glob may be a slip, also one that excludes."""
    patterns = _schemas.modelled(["public", "gone", "stats_*", "gone_*"])
    chosen = _schemas.choose(THERE, patterns, SchemaPatterns(["secrt_*", "no_such", "*_daily"]))
    assert chosen.names == ("public", "stats_monthly")
    assert (chosen.missing, chosen.unmatched) == (("gone",), ("gone_*", "secrt_*"))


@given(name=strategies.text(alphabet="ab\n", max_size=12), glob=strategies.text(alphabet="ab*\n", max_size=8))
def test_a_glob_means_what_the_regular_expression_means(name: str, glob: str) -> None:
    expected = re.fullmatch(".*".join(map(re.escape, glob.split("*"))), name, re.DOTALL) is not None
    assert (name in SchemaPatterns([glob])) is expected


def test_thousands_of_schemas_cost_a_look_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each schema is compared with the globs alone, not with each plain name."""
    compared: list[str] = []
    fits = _schemas._fits

    def counted(name: str, parts: list[str]) -> bool:
        compared.append(name)
        return fits(name, parts)

    monkeypatch.setattr(_schemas, "_fits", counted)
    there = [f"tenant_{number}" for number in range(2000)]
    chosen = _schemas.choose(there, SchemaPatterns([*there, "*_1"]), SchemaPatterns(["x*", *there[:1000]]))
    assert len(chosen.names) == 1000
    assert len(compared) <= 4 * len(there)


@pytest.mark.parametrize(
    ("schemas", "said"),
    [
        ([], r"names no schema.*\['\*'\] for all"),
        (["public", ""], "names no schema"),
        (["pg_catalog"], "pg_catalog belongs to Postgres itself"),
        (["public", "pg_toast_temp_1", "information_schema"], "information_schema, pg_toast_temp_1 belong"),
    ],
)
def test_what_cannot_be_modelled(schemas: list[str], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        _schemas.modelled(schemas)


@pytest.mark.parametrize("schemas", [["*"], ["public", "pgstats", "my_information_schema"]])
def test_what_can_be_modelled(schemas: list[str]) -> None:
    _schemas.modelled(schemas)


def test_the_upload_schema_stands_apart() -> None:
    SchemaPatterns(["*", "up*"]).refuse_upload_schema("uploads")
    with pytest.raises(InvalidInput, match=r"Reading O\(schemas\): uploads is the schema for table uploads"):
        SchemaPatterns(["public", "uploads"]).refuse_upload_schema("uploads")

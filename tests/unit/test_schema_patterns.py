# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a list of schemas means."""

from __future__ import annotations

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils import _schema_patterns as _schemas
from ansible_collections.omni_analytics.connect.plugins.module_utils._errors import InvalidInput

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
    assert _schemas.choose(THERE, patterns, excluded) == meant


def test_absent_and_unmatched() -> None:
    patterns = ["public", "gone", "stats_*", "gone_*"]
    assert _schemas.absent(THERE, patterns) == ["gone"]
    assert _schemas.unmatched(THERE, patterns) == ["gone_*"]


@pytest.mark.parametrize(
    ("schemas", "said"),
    [
        ([], r"names no schema.*\['\*'\] for all"),
        (["public", ""], "names no schema"),
        (["pg_catalog"], "pg_catalog belongs to Postgres itself"),
        (["public", "pg_toast_temp_1", "information_schema"], "information_schema, pg_toast_temp_1 belong"),
    ],
)
def test_check_refuses(schemas: list[str], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        _schemas.check(schemas)


@pytest.mark.parametrize("schemas", [["*"], ["public", "pgstats", "my_information_schema"]])
def test_check_lets_through(schemas: list[str]) -> None:
    _schemas.check(schemas)


def test_the_upload_schema_stands_apart() -> None:
    _schemas.check_apart("uploads", ["*", "up*"], "schemas")
    with pytest.raises(InvalidInput, match="Reading schemas: uploads is the schema for table uploads"):
        _schemas.check_apart("uploads", ["public", "uploads"], "schemas")

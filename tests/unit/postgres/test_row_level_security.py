# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What policies leave of a table. Each case was tried on a server; test_access_oracle.py tries more."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.row_level_security import (
    ERROR,
    EVERY,
    NO_ROW,
    UNKNOWN,
    judge,
)


def policy(using: bool | None, permissive: bool = True, **more: Any) -> dict[str, Any]:
    kind = "permissive" if permissive else "restrictive"
    return {
        "name": f"{kind}_{using}",
        "permissive": permissive,
        "using": using,
        "closed": None,
        "nested": False,
        "calls": None,
        **more,
    }


@pytest.mark.parametrize(
    ("policies", "left", "why"),
    [
        ([], NO_ROW, "no policy shows a row"),
        ([policy(False)], NO_ROW, "no policy shows a row"),
        ([policy(True, permissive=False)], NO_ROW, "no policy shows a row"),
        ([policy(True)], EVERY, ""),
        ([policy(None)], UNKNOWN, "the policy permissive_None decides which rows, if any"),
        ([policy(True), policy(None)], EVERY, ""),
        ([policy(True), policy(None, nested=True)], UNKNOWN, "reads what has policies of its own"),
        ([policy(True), policy(None, closed="public.t")], EVERY, ""),
        ([policy(True), policy(None, calls="public.f")], UNKNOWN, "calls public.f without the right to"),
        ([policy(None), policy(None, closed="public.t")], ERROR, "its policy permissive_None reads public.t"),
        ([policy(True), policy(True, permissive=False)], EVERY, ""),
        ([policy(True), policy(False, permissive=False)], NO_ROW, "restrictive_False hides every row"),
        ([policy(True), policy(None, permissive=False)], UNKNOWN, "restrictive_None decides which rows"),
        ([policy(True), policy(None, permissive=False, closed="public.t")], ERROR, "reads public.t"),
    ],
)
def test_what_policies_leave(policies: list[dict[str, Any]], left: str, why: str) -> None:
    judged, said = judge(policies)
    assert judged == left
    assert why in said

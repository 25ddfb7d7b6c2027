# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""omni_schema_model through both doors, against the fake Omni."""

from __future__ import annotations

from typing import Any

from . import harness

MODELS = "/api/v1/models"
CHECK = {"check_mode": True}


def test_invalid_then_check_apply_again_always(omni, api, door):
    omni.instance.polls_in_progress = 0

    def call(*keywords: dict[str, Any], **given: Any) -> tuple[Any, ...]:
        name = {} if "connection_id" in given else {"connection": "Sales"}
        return ("omni_schema_model", {**api, **name, **given}, *keywords)

    early, missing = harness.modules([call(CHECK), call()], door=door)
    assert early["requests"] == [f"POST {MODELS}", f"POST {MODELS}/<new id>/refresh?hard_refresh=false"]
    assert (early["changed"], early["model_id"]) == (True, None)
    assert missing["failed"]
    assert "Create it first with omni_connection" in missing["msg"]
    assert omni.writes() == []

    id = omni.add_connection("Sales")
    refresh = f"POST {MODELS}/{id}/refresh?hard_refresh=false"
    both, neither, invalid, checked, made, again, again_checked, always = harness.modules(
        [
            call(connection="Sales", connection_id=id),
            call(connection=""),
            call(wait_timeout=0),
            call(CHECK),
            call(),
            call(),
            call(CHECK),
            call(connection_id=id, refresh="always", wait=False),
        ],
        door=door,
        diff=True,
    )
    assert "mutually exclusive" in both["msg"]
    assert "Reading connection: it is missing" in neither["msg"]
    assert "Reading wait_timeout" in invalid["msg"]
    for result in (checked, made):
        assert (result["changed"], result["requests"]) == (True, [f"POST {MODELS}", refresh])
    assert checked["diff"] == made["diff"]
    assert (made["connection_id"], made["model_id"], made["job_status"]) == (id, id, "COMPLETED")
    for result in (again, again_checked):
        assert (result["changed"], result["requests"]) == (False, [])
    assert (always["changed"], always["requests"], always["job_status"]) == (True, [refresh], "IN_PROGRESS")
    assert [one["path"] for one in omni.writes()] == [MODELS, *[f"{MODELS}/{id}/refresh"] * 2]
    assert omni.writes()[1]["query"] == {"hard_refresh": "false"}
    assert omni.violations == []


def test_a_refresh_that_fails(omni, api, door):
    omni.instance.polls_in_progress = 0
    omni.add_connection("Sales")
    omni.reachable = False
    result = harness.module("omni_schema_model", {**api, "connection": "Sales"}, door=door)
    assert {"kind": "refused", "job_status": "FAILED"}.items() <= result["error"].items()
    assert "omni_pg_access_info" in result["msg"]

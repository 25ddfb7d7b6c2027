# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""omni_refresh_schedule through both doors, against the fake Omni."""

from __future__ import annotations

from typing import Any

from tests.helpers import harness

CHECK = {"check_mode": True}
NIGHTLY = {"schedule": "0 2 * * ? *", "timezone": "Europe/Berlin", "hard_refresh": True}
NOON = {"schedule": "0 12 ? * mon-fri *"}


def test_invalid_then_check_apply_again_changed_outside_repaired(omni, api, door):
    id = omni.add_connection("Sales")
    path = f"/api/v1/connections/{id}/schedules"

    def call(schedules: list[Any], *keywords: dict[str, Any], **given: Any) -> tuple[Any, ...]:
        options = {**api, "connection": "Sales", "schedules": schedules, **given}
        return ("omni_refresh_schedule", options, *keywords)

    five, no_zone, unnamed, no_model, _model, checked, made, again, again_checked = harness.modules(
        [
            call([NIGHTLY, {"schedule": "0 2 * * *"}]),
            call([{**NIGHTLY, "timezone": "Berlin"}]),
            call([{"timezone": "UTC"}]),
            call([NIGHTLY]),
            ("omni_schema_model", {**api, "connection": "Sales", "refresh": "never"}),
            call([NIGHTLY, NOON], CHECK),
            call([NIGHTLY, NOON]),
            call([NIGHTLY, NOON]),
            call([NIGHTLY, NOON], CHECK, exclusive=True),
        ],
        door=door,
        diff=True,
    )
    assert "Reading schedules[1].schedule: the cron expression '0 2 * * *' has 5 fields" in five["msg"]
    assert "Reading schedules[0].timezone: 'Berlin' is no time zone" in no_zone["msg"]
    assert "missing required arguments: schedule" in unnamed["msg"]
    assert no_model["error"] == {"kind": "prerequisite", "status": 404}
    assert "make it first with omni_schema_model" in no_model["msg"]
    for result in (checked, made):
        assert (result["changed"], result["requests"]) == (True, [f"POST {path}"] * 2)
    assert checked["diff"] == made["diff"]
    assert checked["schedules"] == []
    assert [one["hard_refresh"] for one in made["schedules"]] == [True, False]
    for result in (again, again_checked):
        assert (result["changed"], result["requests"]) == (False, [])

    # Somebody takes the hard refresh away, and adds a schedule.
    first, _second = omni.instance.schedules.values()
    first["hardRefresh"] = False
    omni.instance.schedules[id] = {**first, "scheduleId": id, "timezone": "UTC", "createdAt": "2099"}
    repaired, exclusive, absent, once_more = harness.modules(
        [call([NIGHTLY]), call([NIGHTLY, NOON], exclusive=True), *[call([NIGHTLY], state="absent")] * 2],
        door=door,
    )
    changed = f"{path}/{first['scheduleId']}"
    assert repaired["requests"] == [f"PUT {changed}"]
    assert len(repaired["schedules"]) == 3
    assert exclusive["requests"] == [f"DELETE {path}/{id}"]
    assert absent["requests"] == [f"DELETE {changed}"]
    assert not once_more["changed"]
    assert [one["schedule"] for one in omni.instance.schedules.values()] == [NOON["schedule"]]
    assert omni.violations == []

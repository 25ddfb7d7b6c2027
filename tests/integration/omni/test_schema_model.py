# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""omni_schema_model through both doors, against the fake Omni."""

from __future__ import annotations

from typing import Any

from tests.helpers import harness
from tests.helpers.perform import modules

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


def test_a_refresh_that_fails(omni, api):
    omni.instance.polls_in_progress = 0
    omni.add_connection("Sales")
    omni.reachable = False
    (result,) = modules([("omni_schema_model", {**api, "connection": "Sales"})])
    assert {"kind": "refused", "job_status": "FAILED"}.items() <= result["error"].items()
    assert "omni_pg_access_info" in result["msg"]


def test_the_steps_of_the_role(omni, api):
    omni.instance.polls_in_progress = 0
    chosen, _twin = (omni.add_connection("twin", database="d", defaultSchema="public") for dummy in range(2))
    nightly = {"omni_postgres_refresh_schedules": [{"schedule": "0 2 * * ? *"}]}
    hosts: dict[str, Any] = {
        "plain": {},
        "scheduled": nightly,
        "no_model": {**nightly, "omni_postgres_model": False},
        "chosen": {**nightly, "omni_postgres_connection_name": "twin", "omni_postgres_connection_id": chosen},
    }
    variables = {
        **{f"omni_postgres_{name}": value for name, value in api.items()},
        "omni_postgres_database": "d",
        "omni_postgres_host": "db.example.com",
        "omni_postgres_password": "a password",
    }
    options: dict[str, Any] = {
        "door": "in_process",
        "hosts": hosts,
        "vars": variables,
        "play_keywords": {"roles": ["omni_analytics.connect.omni_postgres"]},
        "tags": ["omni_connection", "omni_model", "omni_schedule"],
    }

    def statuses(run: harness.Run, task: str) -> dict[str, str]:
        return {host: run.result(task, host).status for host in hosts}

    model = "Keep the schema model, and let Omni prove that it can read"
    schedule = "Keep the refresh schedules in Omni"
    skipped = {"plain": "skipped"}
    planned, made, again = (harness.play([], check=check, **options) for check in (True, False, False))
    for run, new in ((planned, "changed"), (made, "changed"), (again, "ok")):
        done = dict.fromkeys(hosts, new)
        assert statuses(run, model) == {**done, "no_model": "skipped"}, run.text
        failed = {} if run is planned else {"no_model": "failed"}
        assert statuses(run, schedule) == {**done, **skipped, **failed}, run.text
    assert "the role's step model" in made.result(schedule, "no_model").result["msg"]
    assert made.result(model, "chosen").result["model_id"] == chosen
    assert len(omni.instance.models) == 3
    assert len(omni.instance.schedules) == 2

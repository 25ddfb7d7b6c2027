# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refresh schedules: the cron expressions and the plan as tables, and what Omni refuses."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils import _converge
from ansible_collections.omni_analytics.connect.plugins.module_utils._errors import InvalidInput
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni import cron, time_budget
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni import refresh_schedule as module
from tests.helpers.perform import perform, said
from tests.sandbox.fake_omni import FakeOmni

ID = "00000000-0000-4000-8000-000000000001"
SCHEDULES = f"/api/v1/connections/{ID}/schedules"
NIGHTLY, NOON, SUNDAY = "0 2 * * ? *", "0 12 ? * MON-FRI *", "0 2 ? * 1 *"


@pytest.mark.parametrize(
    "expression",
    [
        NIGHTLY,
        NOON,
        SUNDAY,
        " 0  2 * * ?\t* ",
        "0/15 * ? * mon,wed-fri 2026-2030",
        "5,10,20-30/2 0-23/6 1,15 JAN,6-DEC ? 2199",
        "59 23 31 12 ? 1970",
        "0 0 L * ? *",
        "0 0 LW * ? *",
        "0 0 15W * ? *",
        "0 0 ? * 6L *",
        "0 0 ? * FRI#2 *",
        "*/5 * * * ? */2",
    ],
)
def test_an_expression_that_omni_takes(expression: str) -> None:
    cron.check(expression, "schedule")


@pytest.mark.parametrize(
    ("expression", "has"),
    [
        ("", "0 fields instead of 6"),
        ("0 2 * * *", "5 fields instead of 6"),
        ("@daily", "1 fields instead of 6"),
        ("0 2 * * ? * *", "7 fields"),
        ("60 2 * * ? *", "60 for its minute"),
        ("-1 2 * * ? *", "-1 for its minute"),
        ("0 24 * * ? *", "24 for its hour"),
        ("0 9-8 * * ? *", "9-8 for its hour"),
        ("0 2 0 * ? *", "0 for its day-of-month"),
        ("0 2 32W * ? *", "32W for its day-of-month"),
        ("0 2 FRI * ? *", "FRI for its day-of-month"),
        ("0 2 1,? * ? *", "1,? for its day-of-month"),
        ("0 2 * 13 ? *", "13 for its month"),
        ("0 2 * JANUARY ? *", "JANUARY for its month"),
        ("0 2 ? * 0 *", "0 for its day-of-week"),
        ("0 2 ? * 8 *", "8 for its day-of-week"),
        ("0 2 ? * 3#6 *", "3#6 for its day-of-week"),
        ("0 2 * * ? 1969", "1969 for its year"),
        ("0 2 * * ? 2200", "2200 for its year"),
        ("? 2 * * ? *", "? for its minute"),
        ("0/0 2 * * ? *", "0/0 for its minute"),
        ("0,,5 2 * * ? *", "0,,5 for its minute"),
        ("² 2 * * ? *", "² for its minute"),
        ("0 2 * * * *", "not exactly one ?"),
        ("0 2 ? * ? *", "not exactly one ?"),
        ("0 2 1 * MON *", "not exactly one ?"),
    ],
)
def test_an_expression_that_omni_does_not_take(expression: str, has: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        cron.check(expression, "schedules[0].schedule")
    assert str(caught.value).startswith(
        f"Reading O(schedules)[0].schedule: the cron expression {expression!r} ".rstrip()
    )
    assert has in str(caught.value)
    assert "0 2 * * ? * is every day at 2:00" in str(caught.value)


def wanted(schedule: str, timezone: str = "UTC", hard_refresh: bool | None = None) -> dict[str, Any]:
    return {"schedule": schedule, "timezone": timezone, "hard_refresh": hard_refresh}


def there(id: str, schedule: str, timezone: str = "UTC", **more: Any) -> dict[str, Any]:
    return {"scheduleId": id, "schedule": schedule, "timezone": timezone, "hardRefresh": False, **more}


def params(**given: Any) -> dict[str, Any]:
    defaults = {name: option.get("default") for name, option in module.DEFINITION.options.items()}
    usual = {"api_url": "https://example.omniapp.co", "api_token": "token", "schedules": []}
    return {**defaults, **usual, "connection": None if "connection_id" in given else "sales", **given}


def body(schedule: str, timezone: str = "UTC", **more: Any) -> dict[str, Any]:
    return {"schedule": schedule, "timezone": timezone, **more}


@pytest.mark.parametrize(
    ("given", "found", "requests"),
    [
        # Additive.
        ([wanted(NIGHTLY)], [], [("POST", "", body(NIGHTLY))]),
        ([wanted(NIGHTLY, hard_refresh=False)], [], [("POST", "", body(NIGHTLY, hardRefresh=False))]),
        ([wanted("  0 2  * * ? *")], [], [("POST", "", body(NIGHTLY))]),
        ([wanted(NIGHTLY)], [there("a", NIGHTLY), there("b", NOON)], []),
        ([wanted("0  12 ? * mon-fri *")], [there("a", NOON)], []),
        ([wanted(NIGHTLY, "Europe/Berlin")], [there("a", NIGHTLY)], [("POST", "", body(NIGHTLY, "Europe/Berlin"))]),
        ([wanted(NIGHTLY)], [there("a", NIGHTLY), there("b", NIGHTLY)], []),
        # A hard refresh is kept unless it is given.
        ([wanted(NIGHTLY)], [there("a", NIGHTLY, hardRefresh=True)], []),
        (
            [wanted(NIGHTLY, hard_refresh=False)],
            [there("a", NIGHTLY, hardRefresh=True)],
            [("PUT", "/a", body(NIGHTLY, hardRefresh=False))],
        ),
        ([wanted(NIGHTLY, hard_refresh=True)], [there("a", NIGHTLY, hardRefresh=None)], []),
        # Of two that are the same, the one that fits better counts.
        ([wanted(NIGHTLY, hard_refresh=True)], [there("a", NIGHTLY), there("b", NIGHTLY, hardRefresh=True)], []),
    ],
)  # fmt: skip
def test_the_plan(given: list[Any], found: list[Any], requests: list[Any]) -> None:
    assert planned(given, found) == requests


@pytest.mark.parametrize(
    ("given", "found", "requests"),
    [
        ([], [there("a", NIGHTLY), there("b", NOON)], [("DELETE", "/a", {}), ("DELETE", "/b", {})]),
        ([wanted(NIGHTLY)], [there("a", NIGHTLY)], []),
        # What nobody wants is moved to what is missing, its hard refresh with it.
        ([wanted(NOON)], [there("a", NIGHTLY, hardRefresh=True)], [("PUT", "/a", body(NOON, hardRefresh=True))]),
        (
            [wanted(NOON, hard_refresh=False), wanted(SUNDAY)],
            [there("a", NIGHTLY, hardRefresh=True)],
            [("PUT", "/a", body(NOON, hardRefresh=False)), ("POST", "", body(SUNDAY))],
        ),
        ([wanted(NOON)], [there("a", NIGHTLY, hardRefresh=None)], [("PUT", "/a", body(NOON))]),
        # But nothing that is disabled.
        (
            [wanted(NOON)],
            [there("a", NIGHTLY, disabledAt="2026-01-01")],
            [("POST", "", body(NOON)), ("DELETE", "/a", {})],
        ),
        # Of those that are the same one is left, rather one that is not disabled, and that fits.
        ([wanted(NIGHTLY)], [there("a", NIGHTLY), there("b", NIGHTLY)], [("DELETE", "/b", {})]),
        ([wanted(NIGHTLY)], [there("a", NIGHTLY, disabledAt="2026"), there("b", NIGHTLY)], [("DELETE", "/a", {})]),
        (
            [wanted(NIGHTLY, hard_refresh=True)],
            [there("a", NIGHTLY), there("b", NIGHTLY, hardRefresh=True)],
            [("DELETE", "/a", {})],
        ),
    ],
)  # fmt: skip
def test_the_exclusive_plan(given: list[Any], found: list[Any], requests: list[Any]) -> None:
    assert planned(given, found, exclusive=True) == requests


def test_the_plan_of_absent() -> None:
    found = [there("a", NIGHTLY, hardRefresh=True), there("b", NIGHTLY), there("c", NOON)]
    gone = planned([wanted(NIGHTLY, hard_refresh=False), wanted(SUNDAY)], found, state="absent")
    assert gone == [("DELETE", "/a", {}), ("DELETE", "/b", {})]


def planned(given: list[Any], found: list[Any], **options: Any) -> list[tuple[str, str, Any]]:
    changes = module.RefreshSchedules(params(schedules=given, **options)).plan(module.State(ID, found))
    sent = [change.payload for change in changes]
    assert all(request.path.startswith(SCHEDULES) for request in sent)
    return [(request.method, request.path[len(SCHEDULES) :], request.body) for request in sent]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"schedules": [wanted(NIGHTLY), wanted("0 2 * * *")]}, "Reading schedules[1].schedule"),
        ({"schedules": [wanted(NIGHTLY, "Mars/Olympus")]}, "Reading schedules[0].timezone: 'Mars/Olympus'"),
        ({"schedules": [wanted(NIGHTLY), wanted("0  2 * * ? *", hard_refresh=True)]}, "is listed twice"),
        ({"exclusive": True, "state": "absent"}, "Reading exclusive"),
        ({"connection_id": "7"}, "Reading connection_id"),
    ],
)
def test_what_cannot_be_meant(given: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        module.RefreshSchedules(params(**given))
    assert says in said(caught.value, module.DEFINITION)


@pytest.fixture
def omni(running: FakeOmni, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeOmni]:
    running.reset()
    for waiting in (time_budget, _converge):
        monkeypatch.setattr(waiting.time, "sleep", lambda _seconds: None)
    yield running
    assert running.violations == []


def connect(omni: FakeOmni, model: bool = True) -> str:
    """A connection `sales`, with its schema model."""
    id = omni.add_connection("sales", database="sales")
    if model:
        omni.instance.models_create(SimpleNamespace(body={"connectionId": id}))  # type: ignore[arg-type]
    return id


def run(omni: FakeOmni, *schedules: Any, check: bool = False, **given: Any) -> dict[str, Any]:
    here = {"api_url": omni.url, "api_token": omni.token, "ca_path": omni.ca_file}
    options = params(**{**here, "schedules": list(schedules), **given})
    return perform(module.DEFINITION, options, check)


def test_before_there_is_a_connection(omni):
    result = run(omni, wanted(NIGHTLY), check=True)
    assert result["requests"] == ["POST /api/v1/connections/<new id>/schedules"]
    assert result["connection_id"] is None
    for check in (True, False):
        unknown = run(omni, wanted(NIGHTLY), check=check, connection_id=ID)
        assert unknown["error"]["kind"] == "prerequisite"
    assert run(omni, wanted(NIGHTLY))["error"]["kind"] == "prerequisite"
    assert not run(omni, wanted(NIGHTLY), state="absent")["changed"]
    assert omni.writes() == []


def test_before_there_is_a_model(omni):
    connect(omni, model=False)
    assert run(omni, wanted(NIGHTLY), check=True)["changed"]
    result = run(omni, wanted(NIGHTLY))
    assert result["error"] == {"kind": "prerequisite", "status": 404}
    assert "no schema model yet: make it first with omni_schema_model" in result["msg"]


def test_several_connections_of_the_name(omni):
    ids = sorted(omni.add_connection("sales") for dummy in range(2))
    assert run(omni, wanted(NIGHTLY))["error"] == {"kind": "conflict", "ids": ids}


def test_a_schema_that_is_refreshed_by_branch(omni):
    connect(omni)
    omni.quirks.branch_refresh = True
    result = run(omni, wanted(NIGHTLY))
    assert result["error"] == {"kind": "refused", "status": 400}
    assert "branch-based schema refresh" in result["msg"]


def test_what_is_disabled_or_there_twice_is_told(omni):
    id = connect(omni)
    assert "warnings" not in run(omni, wanted(NIGHTLY))
    (schedule,) = omni.instance.schedules.values()
    schedule["disabledAt"] = "2026-01-01T00:00:00.000Z"
    result = run(omni, wanted(NIGHTLY))
    assert not result["changed"]
    assert "is disabled in Omni, and its API cannot enable it" in result["warnings"][0]
    omni.instance.schedules["x"] = {**schedule, "scheduleId": ID, "disabledAt": None}
    result = run(omni, wanted(NIGHTLY))
    assert (result["changed"], len(result["warnings"])) == (False, 1)
    assert "2 times; exclusive: true keeps one" in result["warnings"][0]
    assert run(omni, wanted(NIGHTLY), exclusive=True)["requests"] == [
        f"DELETE /api/v1/connections/{id}/schedules/{schedule['scheduleId']}"
    ]


@pytest.mark.parametrize(
    "kind", ["status 502", "status_after 502", "drop_before", "drop_after", "truncated", "garbage"]
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_write_whose_answer_is_lost(omni, method, kind):
    connect(omni)
    run(omni, wanted(NIGHTLY, hard_refresh=True), wanted(SUNDAY))
    omni.fault(method, "*", kind=kind)
    run(omni, wanted(NIGHTLY, hard_refresh=False), wanted(NOON), wanted("0 3 * * ? *"), exclusive=True)
    omni.clear_faults()
    run(omni, wanted(NIGHTLY), exclusive=True)
    result = run(omni, wanted(NIGHTLY), exclusive=True)
    assert not result["changed"]
    (schedule,) = omni.instance.schedules.values()
    assert (schedule["schedule"], schedule["hardRefresh"]) == (NIGHTLY, False)


def test_one_that_somebody_else_deletes_meanwhile(omni, monkeypatch):
    connect(omni)
    run(omni, wanted(NIGHTLY, hard_refresh=True))
    real = omni.instance.schedules_put

    def first_somebody_else(call: Any) -> Any:
        omni.instance.schedules.clear()
        return real(call)

    monkeypatch.setattr(omni.instance, "schedules_put", first_somebody_else)
    result = run(omni, wanted(NIGHTLY, hard_refresh=False))
    assert [line.split()[0] for line in result["requests"]] == ["POST"]
    assert len(omni.instance.schedules) == 1


@pytest.mark.parametrize("answer", ["{}", '{"schedules": {}}', '{"schedules": [{"scheduleId": "x"}]}'])
def test_an_answer_of_another_shape_is_an_error(omni, answer):
    connect(omni)
    omni.respond_next(200, f'{{"connections": [{{"id": "{ID}", "name": "sales"}}]}}')
    omni.respond_next(200, answer)
    assert run(omni, wanted(NIGHTLY))["error"]["kind"] == "unreachable"

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schema model: its plan as a table, how it waits for a refresh, and what Omni refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils import _converge
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni import find_model, time_budget
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni import schema_model as module
from tests.helpers.perform import perform
from tests.sandbox.fake_omni import FakeOmni

ID = "00000000-0000-4000-8000-000000000001"
MODELS = "/api/v1/models"
CREATE = f"POST {MODELS}"


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    for waiting in (time_budget, _converge):
        monkeypatch.setattr(waiting.time, "sleep", lambda _seconds: None)
    return clock


@pytest.fixture
def omni(running: FakeOmni, clock: Clock) -> Iterator[FakeOmni]:
    running.reset()
    yield running
    assert running.violations == []


def params(**given: Any) -> dict[str, Any]:
    defaults = {name: option.get("default") for name, option in module.DEFINITION.options.items()}
    usual = {"api_url": "https://example.omniapp.co", "api_token": "token"}
    return {**defaults, **usual, "connection": None if "connection_id" in given else "sales", **given}


def run(omni: FakeOmni, check: bool = False, tell: Any = None, **given: Any) -> dict[str, Any]:
    here = {"api_url": omni.url, "api_token": omni.token, "ca_path": omni.ca_file}
    return perform(module.DEFINITION, params(**{**here, **given}), check, progress=tell)


def refresh(id: str) -> str:
    return f"POST {MODELS}/{id}/refresh?hard_refresh=false"


@pytest.mark.parametrize(
    ("state", "option", "requests"),
    [
        ((None, None), "on_create", [CREATE, refresh("<new id>")]),
        ((None, None), "never", [CREATE]),
        ((ID, None), "on_create", [CREATE, refresh(ID)]),
        ((ID, None), "never", [CREATE]),
        ((ID, None), "always", [CREATE, refresh(ID)]),
        ((ID, "m"), "on_create", []),
        ((ID, "m"), "never", []),
        ((ID, "m"), "always", [refresh("m")]),
        ((None, None), "if_unread", [CREATE, refresh("<new id>")]),
        ((ID, "m", []), "if_unread", [refresh("m")]),
        ((ID, "m", ["public"]), "if_unread", []),
        ((ID, "m", None), "if_unread", []),
    ],
)
def test_the_plan(state: tuple[Any, ...], option: str, requests: list[str]) -> None:
    changes = module.SchemaModel(params(refresh=option)).plan(module.State(*state))
    assert [f"{change.payload.method} {change.payload.path}" for change in changes] == requests
    for change in changes:
        if change.payload.path == MODELS:
            assert change.payload.body == {"connectionId": state[0] or "<new id>", "modelKind": "SCHEMA"}


def test_made_refreshed_and_left_alone(omni):
    id = omni.add_connection("sales")
    made = run(omni)
    assert (made["changed"], made["requests"]) == (True, [CREATE, refresh(id)])
    assert (made["connection_id"], made["model_id"], made["job_status"]) == (id, id, "COMPLETED")
    assert omni.writes()[-1]["query"] == {"hard_refresh": "false"}
    # Omni's word for a refresh that it finished is enough: nothing is read again.
    assert [one["path"].split("/")[3] for one in omni.requests if one["method"] == "GET"] == [
        "connections", "models", "jobs", "jobs"
    ]  # fmt: skip
    for check in (True, False):
        again = run(omni, check)
        assert (again["changed"], again["requests"], again["job_id"]) == (False, [], None)
        always = run(omni, check, refresh="always")
        assert (always["changed"], always["requests"]) == (True, [refresh(id)])
    assert run(omni, connection_id=id.upper())["changed"] is False
    assert len(omni.writes()) == 3


def test_before_there_is_a_connection(omni):
    planned = run(omni, check=True)
    assert planned["requests"] == [CREATE, refresh("<new id>")]
    assert (planned["connection_id"], planned["model_id"]) == (None, None)
    omni.add_connection("sales", deletedAt="2026-01-01T00:00:00.000Z")
    missing = run(omni)
    assert missing["error"] == {"kind": "prerequisite"}
    assert "Create it first with omni_connection" in missing["msg"]
    for check in (True, False):  # no earlier step makes a connection of an id
        assert run(omni, check, connection_id=ID)["error"] == {"kind": "prerequisite"}
    assert omni.writes() == []


def test_a_model_in_the_trash_is_not_there(omni):
    id = omni.add_connection("sales")
    run(omni)
    (model,) = omni.instance.models.values()
    record = {"id": id, "connectionId": id, "modelKind": "SCHEMA", "deletedAt": model["createdAt"]}
    omni.respond_next(200, json.dumps({"connections": omni.connections}))
    omni.respond_next(200, json.dumps({"records": [record]}))
    assert run(omni, check=True)["requests"] == [CREATE, refresh(id)]


def test_it_waits_as_long_as_it_takes_and_says_so(omni, clock):
    omni.add_connection("sales")
    omni.instance.polls_in_progress = 5
    lines: list[str] = []
    assert run(omni, tell=lines.append)["job_status"] == "COMPLETED"
    # It asks after 1, 4, 13, 33, 53 and 73 seconds.
    assert clock.now == 1073
    assert lines == [
        f"Omni still refreshes the schema model of connection sales ({seconds} s)"
        for seconds in (10, 20, 30, 40, 50, 60, 70)
    ]


def test_it_does_not_wait_forever(omni, clock):
    omni.add_connection("sales")
    omni.instance.polls_in_progress = 100
    result = run(omni, wait_timeout=40)
    assert clock.now == 1040
    assert {"kind": "not_converged", "job_status": "IN_PROGRESS"}.items() <= result["error"].items()
    assert "goes on after 40 s. It may still succeed" in result["msg"]


def test_it_need_not_wait(omni, clock):
    omni.add_connection("sales")
    result = run(omni, wait=False)
    assert (result["changed"], result["job_status"], clock.now) == (True, "IN_PROGRESS", 1000)
    assert "warnings" not in result
    assert not any("jobs" in one["path"] for one in omni.requests)
    assert run(omni, wait_timeout=0)["error"]["kind"] == "invalid_input"


def test_a_refresh_that_fails_says_what_to_check(omni):
    id = omni.add_connection("sales")
    omni.reachable = False
    result = run(omni)
    assert {"kind": "refused", "job_status": "FAILED"}.items() <= result["error"].items()
    for words in (
        "host and port",
        "pg_hba.conf",
        "Omni's addresses",
        "password",
        "omni_pg_access_info",
        "always",
    ):
        assert words in result["msg"]
    assert run(omni)["changed"] is False
    omni.reachable = True
    assert run(omni, refresh="always")["requests"] == [refresh(id)]


@pytest.mark.parametrize(
    ("answer", "given", "expected"),
    [
        ('{"modelId": "ID", "status": "completed"}', {}, {"job_status": "COMPLETED", "warned": False}),
        ('{"modelId": "ID", "status": "running"}', {}, {"job_status": "IN_PROGRESS", "warned": True}),
        ('{"modelId": "ID", "status": "running"}', {"wait": False}, {"job_status": "IN_PROGRESS", "warned": False}),
        ('{"modelId": "ID", "status": "failed"}', {}, {"failed": True}),
        ("{}", {}, {"job_status": "IN_PROGRESS", "warned": True}),
    ],
)  # fmt: skip
def test_an_older_answer_to_a_refresh(omni, monkeypatch, answer, given, expected):
    id = omni.add_connection("sales")
    run(omni, refresh="never")
    real = omni.answer

    def old(method: str, target: str, *rest: Any) -> Any:
        if "/refresh" in target:
            omni.respond_next(200, answer.replace("ID", id))
        return real(method, target, *rest)

    monkeypatch.setattr(omni, "answer", old)
    result = run(omni, refresh="always", **given)
    warnings = result.pop("warnings", [])
    assert expected.items() <= {**result, "warned": bool(warnings)}.items()
    assert all("named no job" in warning for warning in warnings)


def test_a_schema_that_is_refreshed_by_branch(omni):
    omni.add_connection("sales")
    omni.quirks.branch_refresh = True
    result = run(omni)
    assert result["error"] == {"kind": "refused", "status": 400}
    assert "branch-based schema refresh" in result["msg"]
    assert "refresh: never" in result["msg"]
    assert run(omni, refresh="never")["changed"] is False


def test_who_may_not_is_told(omni):
    omni.add_connection("sales")
    omni.fault("POST", MODELS, kind="status 403")
    assert run(omni)["error"] == {"kind": "refused", "status": 403}


@pytest.mark.parametrize(
    "kind", ["status 502", "status_after 502", "drop_before", "drop_after", "truncated", "garbage"]
)
@pytest.mark.parametrize("path", [MODELS, "*/refresh", "*/status"])
def test_trouble_on_the_way_leaves_one_model_that_is_refreshed(omni, path, kind):
    id = omni.add_connection("sales")
    omni.fault("GET" if path == "*/status" else "POST", path, kind=kind)
    result = run(omni)
    if result.get("failed"):
        omni.clear_faults()
        assert run(omni, refresh="always")["job_status"] == "COMPLETED"
    else:
        assert result["requests"] == [CREATE, refresh(id)]
    assert [model["refreshed"] for model in omni.instance.models.values()] == [True]


@pytest.mark.parametrize("kind", ["status 403", "status 502", "drop_before"])
def test_a_new_model_without_its_refresh_is_told(omni, kind):
    omni.add_connection("sales")
    omni.fault("POST", "*/refresh", times=99, kind=kind)
    assert "not refreshed: set refresh: always" in run(omni)["msg"]
    # One that was there before is refreshed by whoever asks for it.
    assert "not refreshed" not in run(omni, refresh="always")["msg"]


def test_somebody_else_was_faster(omni, monkeypatch):
    omni.add_connection("sales")
    real = omni.instance.models_create

    def first_somebody_else(call: Any) -> Any:
        if not omni.instance.models:
            real(call)
        return real(call)

    monkeypatch.setattr(omni.instance, "models_create", first_somebody_else)
    result = run(omni)
    assert (result["changed"], result["job_status"]) == (True, "COMPLETED")
    assert len(omni.instance.models) == 1


def test_the_model_is_gone_when_it_is_refreshed(omni, monkeypatch):
    omni.add_connection("sales")
    run(omni)
    real = omni.instance.models_refresh

    def first_gone(call: Any) -> Any:
        monkeypatch.setattr(omni.instance, "models_refresh", real)
        omni.instance.models.clear()
        return real(call)

    monkeypatch.setattr(omni.instance, "models_refresh", first_gone)
    result = run(omni, refresh="always")
    assert (result["job_status"], result["requests"][0]) == ("COMPLETED", CREATE)


@pytest.mark.parametrize("answer", ["{}", '{"records": {}}'])
def test_an_answer_of_another_shape_is_an_error(omni, answer):
    omni.respond_next(200, f'{{"connections": [{{"id": "{ID}", "name": "sales"}}]}}')
    omni.respond_next(200, answer)
    assert run(omni)["error"]["kind"] == "unreachable"


@pytest.mark.parametrize(
    ("given", "query"),
    [
        ({}, {"hard_refresh": "false"}),
        ({"hard_refresh": True}, {"hard_refresh": "true"}),
        ({"schemas": ["public", "with blank"]}, {"hard_refresh": "false", "schemas": "public,with blank"}),
        (
            {"tables": ["public.orders", "a&b=c"]},
            {"hard_refresh": "false", "tables": "public.orders,a&b=c"},
        ),
    ],
)
def test_what_a_refresh_is_to_read(omni, given, query):
    omni.add_connection("sales")
    run(omni, refresh="never")
    assert run(omni, refresh="always", **given)["job_status"] == "COMPLETED"
    assert omni.writes()[-1]["query"] == query


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"hard_refresh": True, "schemas": ["public"]}, "Leave out schemas, or hard_refresh."),
        ({"hard_refresh": True, "tables": ["t"]}, "Leave out tables, or hard_refresh."),
        ({"schemas": ["a,b"]}, "'a,b' is empty, or has a comma"),
        ({"tables": [" "]}, "Reading tables: ' ' is empty"),
        ({"wait_timeout": 10**10}, "Reading wait_timeout: 10000000000 is out of range"),
    ],
)
def test_a_refresh_that_cannot_be_meant(omni, given, words):
    result = run(omni, **given)
    assert words in result["msg"]
    assert result["error"] == {"kind": "invalid_input"}


def test_a_model_that_was_never_read_is_refreshed_where_omni_tells(omni):
    omni.add_connection("sales")
    omni.reachable = False
    assert "Omni never read the database" in run(omni)["msg"]
    assert run(omni)["changed"] is False
    omni.reachable = True
    read = run(omni, refresh="if_unread")
    assert (read["job_status"], read["schemas"]) == ("COMPLETED", ["public"])
    assert run(omni, refresh="if_unread")["changed"] is False
    omni.reachable = False
    failed = run(omni, refresh="always")
    assert "Omni has read the database before, and knows of the schema public" in failed["msg"]


def test_a_refresh_that_finds_nothing_is_told(omni, monkeypatch):
    omni.add_connection("sales")
    monkeypatch.setattr(omni.instance, "models_schemas", lambda _call: (200, {"schemas": []}))
    (warning,) = run(omni, refresh="if_unread")["warnings"]
    assert "it has no schema" in warning


def test_an_instance_that_does_not_tell_what_a_model_knows(omni):
    omni.add_connection("sales")
    omni.fault("GET", "*/schemas", times=99, kind="status 404")
    assert run(omni, refresh="if_unread")["job_status"] == "COMPLETED"
    assert run(omni, refresh="if_unread")["changed"] is False
    omni.reachable = False
    assert "Most often Omni cannot log in" in run(omni, refresh="always")["msg"]


def test_a_run_with_nothing_to_do_asks_for_two_lists(omni):
    omni.add_connection("sales")
    run(omni)
    before = len(omni.requests)
    assert run(omni)["changed"] is False
    assert [one["path"] for one in omni.requests[before:]] == ["/api/v1/connections", MODELS]


@pytest.mark.parametrize("given", [{"wait": False}, {"refresh": "never"}, {}])
@pytest.mark.parametrize("late", [2, 99])
def test_a_list_that_lags_behind_the_new_model(omni, monkeypatch, given, late):
    omni.add_connection("sales")
    real, asked = omni.instance.models_list, []

    def lagging(call: Any) -> Any:
        status, answer = real(call)
        asked.append(len(omni.instance.models))
        return status, answer if sum(asked) > late else {**answer, "records": []}

    monkeypatch.setattr(omni.instance, "models_list", lagging)
    result = run(omni, **given)
    assert result["changed"], result
    assert result["model_id"] == result["connection_id"]
    assert len(omni.instance.models) == 1
    unlisted = late == 99 and given != {}
    assert bool(result.get("warnings")) == unlisted


def paged(omni: FakeOmni, *answers: dict[str, Any]) -> None:
    for answer in ({"connections": omni.connections}, *answers):
        omni.respond_next(200, json.dumps(answer))


def model(id: str) -> dict[str, Any]:
    return {"id": id, "connectionId": id, "modelKind": "SCHEMA"}


def test_a_last_page_may_have_a_cursor_and_a_cursor_may_repeat(omni):
    id = omni.add_connection("sales")
    last = {"hasNextPage": False, "nextCursor": "again"}
    paged(omni, {"records": [model(id)], "pageInfo": last})
    assert run(omni)["changed"] is False
    circle = [{"hasNextPage": True, "nextCursor": cursor} for cursor in ("a", "b", "a")]
    paged(
        omni,
        *(
            {"records": [model(one)], "pageInfo": page}
            for one, page in zip(("x", "y", id), circle, strict=True)
        ),
    )
    assert run(omni)["changed"] is False
    assert len(omni.requests) == 6


def test_pages_without_an_end_are_an_error(omni, monkeypatch):
    id = omni.add_connection("sales")
    monkeypatch.setattr(find_model, "PAGES", 3)
    pages = [{"records": [], "pageInfo": {"nextCursor": str(number)}} for number in range(9)]
    paged(omni, *pages)
    result = run(omni)
    assert result["error"]["kind"] == "unreachable"
    assert "after 3 pages there are still more" in result["msg"]
    assert len(omni.requests) == 4
    assert id


@pytest.mark.parametrize("foreign", [{"id": "x", "connectionId": None}, {"name": "x"}, None, "x"])
def test_a_model_that_is_not_ours_and_not_understood_is_skipped(omni, foreign):
    id = omni.add_connection("sales")
    paged(omni, {"records": [foreign, model(id)], "pageInfo": None})
    assert run(omni)["changed"] is False


def test_a_refusal_that_stays_is_told(omni):
    omni.add_connection("sales")
    omni.fault("POST", MODELS, times=99, kind="status 400")
    result = run(omni)
    assert result["error"] == {"kind": "refused", "status": 400}
    assert len(omni.writes()) == 2

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's steps in Omni with each fault at each of their requests, once and for the rest of the run: it ends in
success or in a clear message, and one more run makes it whole, with nothing twice and nothing lost.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from copy import deepcopy
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils import _converge
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni import (
    client,
    schema_model,
    time_budget,
)
from tests.helpers import harness
from tests.helpers.omni_steps import NAME, PASSWORD, SCHEDULE, run
from tests.sandbox.fake_omni import FakeOmni

KINDS = (
    "status 401",
    "status 403",
    "status 404",
    "status 410",
    "status 429",
    "status 500",
    "status 503",
    "status_after 502",
    "status_after 429",
    "delay 0.2",
    "drop_before",
    "drop_after",
    "truncated",
    "garbage",
)
#: FAULTS=all in the environment lets every one of them last, with `-s` the numbers are shown.
ALL = os.environ.get("FAULTS") == "all"
LASTING_SAMPLE = [("first", "drop_after"), ("first", "status 503"), ("changed", "status_after 502")]
NEW_PASSWORD = "a new one, secret as well"

Changes = Mapping[str, Mapping[str, Any]]
#: From nothing; and from a whole that is to be another.
FIRST: Changes = {}
CHANGED: Changes = {
    "connection": {"base_role": "VIEWER", "password": NEW_PASSWORD, "update_password": "always"},
    "schedule": {"schedules": [{**SCHEDULE, "hard_refresh": True}], "exclusive": True},
    "model": {"refresh": "always"},
}


@pytest.fixture(autouse=True)
def _no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits, and a tenth of a second without an answer is a silence."""
    idle = SimpleNamespace(sleep=lambda _seconds: None, monotonic=_converge.time.monotonic)
    for module in (time_budget, schema_model, _converge):
        monkeypatch.setattr(module, "time", idle)
    monkeypatch.setattr(schema_model, "FIRST", 0.0)
    monkeypatch.setattr(schema_model, "LONGEST", 0.0)
    enter = client.Client.__enter__

    def impatient(self: client.Client) -> client.Client:
        self.budget.request = 0.1
        return enter(self)

    monkeypatch.setattr(client.Client, "__enter__", impatient)


@pytest.fixture(scope="module")
def tally() -> Iterator[Counter[str]]:
    found: Counter[str] = Counter()
    yield found
    print(f"\n{dict(found)}")


def folders(tmp_path: Path) -> Iterator[Path]:
    """A new folder for each run."""
    for number in count():
        folder = tmp_path / str(number)
        folder.mkdir()
        yield folder


def failure(results: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    last = list(results.values())[-1]
    return last if last.get("failed") else None


def cases() -> Iterator[Any]:
    """Each kind of fault for one request; and for a sample of them, for all that come after it as well."""
    for kind in KINDS:
        for name, changes in (("first", FIRST), ("changed", CHANGED)):
            yield pytest.param(kind, changes, 1, id=f"{name}-{kind}")
            if ALL or (name, kind) in LASTING_SAMPLE:
                yield pytest.param(kind, changes, 1000, id=f"{name}-{kind}-lasting")


@pytest.mark.parametrize(("kind", "changes", "times"), list(cases()))
def test_after_any_fault_one_more_run_makes_it_whole(omni, tmp_path, tally, kind, changes, times):
    folder = folders(tmp_path)
    omni.instance.polls_in_progress = 0
    if changes:
        assert failure(run(omni, next(folder))) is None
    before = omni.instance
    omni.instance = deepcopy(before)
    since = len(omni.requests)
    assert failure(run(omni, next(folder), **changes)) is None
    requests = omni.requests[since:]
    assert len(requests) > 7
    for nth, request in enumerate(requests, 1):
        case = (nth, request["method"], request["path"])
        omni.instance = deepcopy(before)
        omni.fault("*", "*", nth=nth, times=times, kind=kind)
        sent = len(omni.requests)
        failed = failure(run(omni, next(folder), **changes))
        # Where a run sent fewer requests than the one before, there is none to fail.
        assert times == 1 or omni.requests[-1]["fault"] or len(omni.requests) - sent < nth, case
        if failed:
            assert failed["error"]["kind"] != "bug", (case, failed)
            assert omni.url in failed["msg"], (case, failed)
            assert not any(secret in str(failed) for secret in (PASSWORD, NEW_PASSWORD, omni.token)), case
        omni.clear_faults()
        again = run(omni, next(folder), **changes)
        tally.update(faults=1, runs=2, failed=bool(failed), changed_again=changed(again))
        assert failure(again) is None, (case, failure(again))
        check_whole(omni, changes, case, tally)
    quiet = run(omni, next(folder), check=True, schedule=changes.get("schedule", {}))
    assert not changed(quiet)


def check_whole(omni: FakeOmni, changes: Changes, case: object, tally: Counter[str]) -> None:
    """Everything is there, once, and as it is wanted."""
    there = [
        list(each.values())
        for each in (omni.instance.connections, omni.instance.models, omni.instance.schedules)
    ]
    tally["duplicates"] += sum(len(each) > 1 for each in there)
    tally["losses"] += sum(not each for each in there)
    assert [len(each) for each in there] == [1, 1, 1], case
    (connection,), (model,), (schedule,) = there
    tally["models never refreshed"] += not any(
        job["model"] == model["id"] for job in omni.instance.jobs.values()
    )
    given = changes.get("connection", {})
    assert (connection["name"], connection["baseRole"]) == (NAME, given.get("base_role")), case
    assert omni.password_of(connection["id"]) == given.get("password", PASSWORD), case
    assert {model["connectionId"], schedule["connectionId"]} == {connection["id"]}, case
    assert schedule["hardRefresh"] == bool(changes), case


def changed(results: Mapping[str, Mapping[str, Any]]) -> bool:
    return any(result["changed"] for result in results.values())


def test_through_the_doors_too(omni, api, door):
    given = {**api, "name": NAME, "host": "db.example.com", "database": "sales", "password": PASSWORD}
    omni.fault("POST", "*/connections", kind="drop_after")
    omni.fault("GET", "*/connections", nth=2, kind="status 502")
    omni.fault("PATCH", "*/connections/*", kind="status 403")
    calls = [given, {**given, "base_role": "VIEWER"}, {**given, "base_role": "VIEWER"}]
    made, refused, patched = harness.modules([("omni_connection", call) for call in calls], door=door)
    assert [result["failed"] for result in (made, refused, patched)] == [False, True, False]
    assert "403, arranged by the test" in refused["msg"]
    assert [result["changed"] for result in (made, refused, patched)] == [True, False, True]
    assert [(one["name"], one["baseRole"]) for one in omni.connections] == [(NAME, "VIEWER")]

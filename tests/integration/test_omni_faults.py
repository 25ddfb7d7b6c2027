# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's steps in Omni with each fault at each of their requests, once and for the rest of the run: it ends in
success or in a clear message, and one more run makes it whole, with nothing twice and nothing lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils import _converge
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni import (
    client,
    connection,
    schema_model,
)
from tests.sandbox.fake_omni import FakeOmni

from . import harness
from .fleet import connect, inventory
from .omni_steps import NAME, PASSWORD, SCHEDULE, run

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
LASTING = 1000

Changes = Mapping[str, Mapping[str, Any]]
#: From nothing; and from a whole that is to be another.
FIRST: Changes = {}
CHANGED: Changes = {
    "connection": {"base_role": "VIEWER", "password": "a new password, secret", "update_password": "always"},
    "schedule": {"schedules": [{**SCHEDULE, "hard_refresh": True}], "exclusive": True},
    "model": {"refresh": "always"},
}


@pytest.fixture(autouse=True)
def _no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits, and a tenth of a second without an answer is a silence."""
    idle = SimpleNamespace(sleep=lambda _seconds: None, monotonic=_converge.time.monotonic)
    for module in (client, connection, schema_model, _converge):
        monkeypatch.setattr(module, "time", idle)
    monkeypatch.setattr(schema_model, "FIRST", 0.0)
    monkeypatch.setattr(schema_model, "LONGEST", 0.0)
    enter = client.Client.__enter__

    def impatient(self: client.Client) -> client.Client:
        self._timeout = 0.1
        return enter(self)

    monkeypatch.setattr(client.Client, "__enter__", impatient)


def folders(tmp_path: Path) -> Any:
    """A new folder for each run."""
    for number in count():
        folder = tmp_path / str(number)
        folder.mkdir()
        yield folder


def failure(results: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    last = list(results.values())[-1]
    return last if last.get("failed") else None


def whole(omni: FakeOmni, changes: Changes, case: object) -> None:
    """Everything is there, once, and as it is wanted."""
    assert omni.violations == [], case
    (one,) = omni.connections
    given = changes.get("connection", {})
    assert (one["name"], one["baseRole"]) == (NAME, given.get("base_role")), case
    assert omni.password_of(one["id"]) == given.get("password", PASSWORD), case
    assert list(omni.instance.models) == [one["id"]], case
    (schedule,) = omni.instance.schedules.values()
    assert schedule["connectionId"] == one["id"], case
    assert schedule["hardRefresh"] == bool(changes), case


@pytest.mark.parametrize("times", [1, LASTING], ids=["once", "lasting"])
@pytest.mark.parametrize("changes", [FIRST, CHANGED], ids=["first", "changed"])
@pytest.mark.parametrize("kind", KINDS)
def test_after_any_fault_one_more_run_makes_it_whole(omni, tmp_path, kind, changes, times):
    folder = folders(tmp_path)

    def prepare() -> None:
        omni.reset()
        omni.instance.polls_in_progress = 0
        if changes:
            assert failure(run(omni, next(folder))) is None

    prepare()
    since = len(omni.requests)
    assert failure(run(omni, next(folder), **changes)) is None
    requests = omni.requests[since:]
    assert len(requests) > 7
    for nth in range(1, len(requests) + 1):
        case = (kind, nth, requests[nth - 1]["method"], requests[nth - 1]["path"])
        prepare()
        omni.fault("*", "*", nth=nth, times=times, kind=kind)
        failed = failure(run(omni, next(folder), **changes))
        met = [request for request in omni.requests if request["fault"]]
        assert met, case
        if failed:
            assert failed["error"]["kind"] != "bug", (case, failed)
            assert "https://" in failed["msg"], (case, failed)
            assert PASSWORD not in str(failed), case
            assert omni.token not in str(failed), case
        omni.clear_faults()
        assert failure(run(omni, next(folder), **changes)) is None, case
        whole(omni, changes, case)
        settled = {
            **changes,
            "model": {},
            "connection": {**changes.get("connection", {}), "update_password": "on_create"},
        }
        quiet = run(omni, next(folder), check=True, **settled)
        assert not any(result["changed"] for result in quiet.values()), case

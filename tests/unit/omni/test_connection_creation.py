# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Creating where names are no keys: two runs at once leave one connection of a name, and what Omni made and does
not show is not made a second time."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils import _converge
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni import (
    connection,
    connection_creation,
    find_connection,
    rate_limiter,
    schema_model,
    time_budget,
)
from tests.helpers.perform import perform
from tests.sandbox.fake_omni import FakeOmni

from .test_connection import CONNECTIONS, PASSWORD, run

#: TWINS=10x20 in the environment: ten times, two runs over the same 20 hosts; and with `-s`, the numbers.
TIMES, HOSTS = map(int, os.environ.get("TWINS", "1x4").split("x"))
ALL = "TWINS" in os.environ


def live(omni: FakeOmni, name: str = "sales") -> list[str]:
    return [one["id"] for one in omni.connections if one["name"] == name and not one["deletedAt"]]


@pytest.fixture
def busy(running: FakeOmni, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeOmni]:
    """A fake Omni in real time, though all waits are short."""
    running.reset()
    monkeypatch.setattr(find_connection, "LAGS", (0.1, 0.2, 0.4))
    monkeypatch.setattr(rate_limiter, "MINUTE", 0.0)
    yield running
    assert running.violations == []


def a_run(omni: FakeOmni, run_dir: Path | None, hosts: range) -> Counter[str]:
    """One run over all hosts, as its forks: the connection and its model. What went wrong is counted."""
    api = {"api_url": omni.url, "api_token": omni.token, "ca_path": omni.ca_file}

    def of_host(number: int) -> str:
        name = f"host {number}"
        given = {"name": name, "host": "db.example.com", "database": "sales", "password": PASSWORD}
        for definition, options in (
            (connection.DEFINITION, given),
            (schema_model.DEFINITION, {"connection": name, "wait": False}),
        ):
            defaults = {option: spec.get("default") for option, spec in definition.options.items()}
            result = perform(definition, {**defaults, **api, **options}, run_dir=run_dir and str(run_dir))
            if result.get("failed"):
                return str(result["msg"])
        return "ok"

    with ThreadPoolExecutor(5) as forks:
        return Counter(forks.map(of_host, hosts))


@pytest.mark.parametrize(
    ("shared", "stamps", "lag"),
    [(True, True, 0.1), (False, True, 0.0)]
    + [(True, True, 0.0), (False, True, 0.1), (True, False, 0.0)] * ALL,
)
def test_two_runs_over_the_same_hosts_leave_no_twins(busy, tmp_path, stamps, lag, shared):
    twins: Counter[str] = Counter()
    for time in range(TIMES):
        busy.reset()
        busy.quirks.stamps, busy.quirks.list_lag = stamps, lag
        folders = [tmp_path / f"{time} {which}" for which in "ab"]
        for folder in folders:
            folder.mkdir()
        with ThreadPoolExecutor(2) as runs:
            both = runs.map(lambda folder: a_run(busy, folder if shared else None, range(HOSTS)), folders)
            failures = sum(both, Counter()) - Counter(ok=2 * HOSTS)
        per_name = Counter(one["name"] for one in busy.connections if not one["deletedAt"])
        twins["failures"] += sum(failures.values())
        twins["twins"] += sum(count - 1 for count in per_name.values())
        twins["lost"] += HOSTS - len(per_name)
        twins["taken back"] += sum(bool(one["deletedAt"]) for one in busy.connections)
        assert sum(a_run(busy, None, range(HOSTS)).values()) == HOSTS
        print(dict(twins), failures)
    assert (twins["twins"], twins["lost"]) == (0, 0), twins
    # An instance that does not show when connections were made leaves more to chance: a run may meet the twin.
    assert not stamps or not twins["failures"], twins


def another(omni: FakeOmni, monkeypatch: pytest.MonkeyPatch, **fields: Any) -> list[str]:
    """Right after the next create, somebody else makes one of the same name; returns its id."""
    real = omni.instance.connections_create
    made: list[str] = []

    def create(call: Any) -> Any:
        answer = real(call)
        if not made:
            fields.setdefault("database", "sales")
            made.append(omni.add_connection("sales", defaultSchema="public", **fields))
        return answer

    monkeypatch.setattr(omni.instance, "connections_create", create)
    return made


EARLY, LATE = ({"createdAt": f"{year}-01-01T00:00:00.000Z"} for year in (2000, 2100))


def test_a_twin_that_was_made_earlier_stays(omni, monkeypatch, tmp_path):
    theirs = another(omni, monkeypatch, **EARLY)
    result = run(omni, record_path=str(tmp_path))
    assert live(omni) == theirs == [result["connection_id"]]
    (ours,) = {one["id"] for one in omni.connections} - set(theirs)
    assert result["requests"] == [f"POST {CONNECTIONS}", f"DELETE {CONNECTIONS}/{ours}"]
    assert f"{ours}, of this run, was taken back" in " ".join(result["warnings"])
    # Nothing is known of how the other one was made.
    assert {"host", "password"} <= set(result["unverifiable"])
    assert result["password"]["state"] == "unknown"
    assert list(tmp_path.iterdir()) == []


def test_a_twin_that_was_made_later_is_left_to_its_maker(omni, monkeypatch):
    theirs = another(omni, monkeypatch, **LATE)
    result = run(omni)
    assert result["error"]["kind"] == "conflict"
    assert result["connection_id"] in result["error"]["ids"]
    assert set(theirs) < set(live(omni))
    assert [one["method"] for one in omni.writes()] == ["POST"]


def test_one_that_somebody_has_gone_on_with_is_not_taken_back(omni, monkeypatch):
    another(omni, monkeypatch, **EARLY)
    monkeypatch.setattr(connection_creation, "in_use", lambda _client, _id: True)
    assert run(omni)["error"]["kind"] == "conflict"
    assert len(live(omni)) == 2


def test_what_omni_made_and_does_not_show_is_not_made_a_second_time(omni, tmp_path, monkeypatch):
    omni.quirks.list_lag = 1000.0
    first = run(omni, record_path=str(tmp_path))
    (id,) = live(omni)
    assert (first["error"]["kind"], first["error"]["connection_id"]) == ("not_converged", id)
    assert (first["changed"], first["connection_id"]) == (True, id)
    (file,) = tmp_path.iterdir()
    for result in (first, run(omni, record_path=str(tmp_path))):
        assert result["failed"]
        assert id in result["msg"]
        assert "Do not send the POST by hand" in result["msg"]
        assert f"-a 'api_url={omni.url} connection_id={id}'" in result["msg"]
        assert f"run again with connection_id: {id}" in result["msg"]
    assert live(omni) == [id]
    omni.instance._shown_at.clear()
    again = run(omni, record_path=str(tmp_path))
    assert (again["changed"], again["unverifiable"], again["connection_id"]) == (False, [], id)
    # A list that lags behind is one thing, and the connection by its id another.
    real = omni.instance.connections_list
    monkeypatch.setattr(omni.instance, "connections_list", lambda call: (200, {"connections": []}))
    by_id = run(omni, record_path=str(tmp_path))
    assert (by_id["changed"], by_id["connection_id"]) == (False, id)
    monkeypatch.setattr(omni.instance, "connections_list", real)
    # What a person has deleted since is made anew.
    file.write_text(file.read_text() + "unseen: true\n")
    omni.instance.connections[id]["deletedAt"] = "2026-01-01T00:00:00.000Z"
    assert run(omni, record_path=str(tmp_path))["changed"]
    assert len(live(omni)) == 1


@pytest.mark.parametrize("kind", ["drop_after", "status_after 503"])
def test_a_lost_create_is_waited_for_where_lists_lag(busy, kind):
    busy.quirks.list_lag = 0.4
    busy.fault("POST", CONNECTIONS, kind=kind)
    result = run(busy)
    assert (result["changed"], live(busy)) == (True, [result["connection_id"]])


def test_nothing_waits_where_nothing_is_to_be_waited_for(omni, monkeypatch):
    waits: list[float] = []
    monkeypatch.setattr(time_budget.time, "sleep", waits.append)
    monkeypatch.setattr(_converge.time, "sleep", waits.append)
    assert run(omni)["changed"]
    assert not run(omni)["changed"]
    assert waits == []

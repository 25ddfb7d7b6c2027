# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tasks of one run share: turns under a budget, and lists that are believed only as far as they go."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._errors import Refused
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni import shared as shared_module
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni.shared import Shared

KEY = ("https://example.omniapp.co", "omni_osk_secret")
PATH = "/api/v1/connections"


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        self.now += 0.001  # no two moments are the same
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(shared_module, "time", SimpleNamespace(time=clock, monotonic=clock))
    return clock


@pytest.fixture(params=["file", "memory"])
def shared(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Shared:
    return Shared(KEY, str(tmp_path) if request.param == "file" else None)


def turns(shared: Shared, count: int, a_minute: int = 3) -> list[float]:
    found = [shared.turn(a_minute, 1e9) for _turn in range(count)]
    assert None not in found
    return [turn or 0.0 for turn in found]


def test_no_more_turns_a_minute_than_there_are(shared, clock):
    taken = turns(shared, 9)
    for early, late in zip(taken, taken[3:], strict=False):
        assert 60 < late - early < 62
    assert taken[2] - taken[0] < 1
    clock.now += 1000
    assert turns(shared, 1)[0] - clock.now < 1


def test_after_a_429_nobody_goes_before_it_is_over_and_there_are_no_bursts(shared, clock):
    (mine,) = turns(shared, 1)
    assert not shared.held(mine)
    shared.hold(5)
    assert shared.held(mine)
    taken = turns(shared, 4)
    assert taken[0] - mine >= 5
    assert [round(late - early) for early, late in itertools.pairwise(taken)] == [20, 20, 20]
    assert not shared.held(taken[0])


def test_a_turn_that_is_too_far_off_is_not_taken(shared):
    turns(shared, 3)
    assert [shared.turn(3, 30), shared.turn(3, 0)] == [None, None]
    (late,) = turns(shared, 1)
    assert shared.turn(3, 1e9) == pytest.approx(late, abs=1)


def test_what_was_asked_once_is_known(shared):
    assert shared.once("whoami", lambda: "MEMBER") == "MEMBER"
    assert shared.once("whoami", lambda: pytest.fail("asked again")) == "MEMBER"


class Omni:
    """Connections, and how often they were asked for."""

    def __init__(self, *names: str) -> None:
        self.there = [{"id": f"id of {name}", "name": name} for name in names]
        self.asked: list[str] = []

    def few(self, field: str, value: str) -> list[dict[str, Any]]:
        self.asked.append(value)
        return [one for one in self.there if value in one[field]]

    def every(self) -> list[dict[str, Any]]:
        self.asked.append("all")
        return list(self.there)

    def known(self, shared: Shared, value: str, field: str = "name") -> list[str]:
        found = shared.records("connections", field, value, lambda: self.few(field, value), self.every)
        return [one["name"] for one in found]


@pytest.fixture
def run(tmp_path: Path, clock: Clock) -> Callable[..., Shared]:
    """Another task of the same run, of the same key unless another is given."""
    return lambda *key: Shared(key or KEY, str(tmp_path), tmp_path / "shipped")


def test_a_list_is_asked_for_once_a_run_and_key(run):
    omni = Omni("a", "aa", "b")
    assert [omni.known(run(), name) for name in ("a", "b", "none")] == [["a"], ["b"], []]
    assert omni.known(run(), "id of b", "id") == ["b"]
    assert omni.asked == ["all"]
    assert omni.known(run("https://other.omniapp.co", KEY[1]), "a") == ["a"]
    assert omni.known(run(KEY[0], "another key"), "a") == ["a"]
    assert omni.asked == ["all"] * 3


def test_a_task_on_its_own_asks_for_what_it_needs(clock):
    omni, shared = Omni("a", "aa"), Shared(KEY)
    assert omni.known(shared, "a") == omni.known(shared, "a") == ["a"]
    assert omni.asked == ["a", "a"]


@pytest.mark.parametrize(
    ("path", "body", "change", "found", "asked"),
    [
        (PATH, {"name": "c"}, lambda omni: omni.there.append({"id": "id of c", "name": "c"}), ["c"], ["c"]),
        (PATH, {"name": "c"}, lambda omni: None, [], ["c"]),
        (f"{PATH}/id of a", {"baseRole": "VIEWER"}, lambda omni: None, [], []),
        (f"{PATH}/id of c/schedules", {}, lambda omni: None, [], []),
        ("/api/v1/models", {"connectionId": "c"}, lambda omni: None, [], []),
    ],
    ids=["made", "not made", "another", "below", "elsewhere"],
)
def test_what_was_written_is_asked_for_anew_and_nothing_else(run, path, body, change, found, asked):
    omni = Omni("a", "b")
    omni.known(run(), "b")
    run().wrote(path, body)
    change(omni)
    for _time in range(2):
        assert omni.known(run(), "c") == found
        assert omni.known(run(), "b") == ["b"]
    assert omni.asked == ["all", *asked]


@pytest.mark.parametrize("gone", [True, False])
def test_a_change_by_id_counts_for_the_name_too(run, gone):
    omni = Omni("a", "b")
    omni.known(run(), "a")
    run().wrote(f"{PATH}/id of a", {})
    if gone:
        del omni.there[0]
    assert omni.known(run(), "a") == omni.known(run(), "a") == ([] if gone else ["a"])
    assert omni.asked == ["all", "a"]


def test_a_new_id_is_asked_for_and_then_known_by_its_name(run):
    omni = Omni("a")
    assert omni.known(run(), "c") == []
    run().wrote(PATH, {"name": "c"})
    omni.there.append({"id": "id of c", "name": "c"})
    assert omni.known(run(), "id of c", "id") == ["c"]
    assert omni.known(run(), "c") == omni.known(run(), "id of c", "id") == ["c"]
    assert omni.asked == ["all", "id of c"]


def test_two_of_one_name_stay_two(run):
    omni = Omni("a")
    omni.there.append({"id": "id of twin", "name": "a"})
    assert omni.known(run(), "a") == ["a", "a"]
    run().wrote(f"{PATH}/id of twin", {})
    assert omni.known(run(), "id of twin", "id") == ["a"]
    assert omni.known(run(), "a") == ["a", "a"]


def test_an_answer_from_before_another_write_is_not_kept(run):
    omni = Omni("a")
    omni.known(run(), "a")
    run().wrote(PATH, {"name": "a"})

    def few() -> Sequence[dict[str, Any]]:
        found = list(omni.there)
        run().wrote(f"{PATH}/id of a", {})  # while the answer is on its way
        omni.there.clear()
        return found

    assert run().records("connections", "name", "a", few, omni.every)
    assert omni.known(run(), "a") == []


def test_what_is_not_in_an_old_list_is_looked_for_again(run, clock):
    omni = Omni("a")
    assert omni.known(run(), "c") == []
    omni.there.append({"id": "id of c", "name": "c"})
    assert omni.known(run(), "c") == []
    clock.now += 61
    assert omni.known(run(), "a") == ["a"]
    assert omni.asked == ["all"]
    assert omni.known(run(), "c") == ["c"]
    assert omni.asked == ["all", "all"]


def test_a_shipped_task_makes_the_list_old(run, tmp_path, clock):
    omni = Omni("a")
    omni.known(run(), "a")
    shipped = tmp_path / "shipped"
    shipped.touch()
    os.utime(shipped, (clock.now + 1, clock.now + 1))
    clock.now += 2
    assert omni.known(run(), "a") == omni.known(run(), "a") == ["a"]
    assert omni.asked == ["all", "all"]


def test_who_waited_for_a_list_that_failed_does_not_wait_again(run, clock, monkeypatch):
    omni = Omni("a")

    def fail() -> list[dict[str, Any]]:
        raise Refused("Listing", "503")

    with pytest.raises(Refused):
        run().records("connections", "name", "a", fail, fail)
    moments = iter([clock.now - 1])  # it began before that failed
    monkeypatch.setattr(shared_module.time, "time", lambda: next(moments, clock()))
    assert omni.known(run(), "a") == ["a"]
    assert omni.asked == ["a"]
    assert omni.known(run(), "a") == ["a"]
    assert omni.asked == ["a", "all"]


def test_a_file_that_was_not_finished_is_as_if_there_were_none(run, tmp_path):
    omni = Omni("a")
    omni.known(run(), "a")
    (file,) = tmp_path.iterdir()
    file.write_text(file.read_text()[:20])
    assert omni.known(run(), "a") == ["a"]
    assert omni.asked == ["all", "all"]


def test_files_are_private_and_have_no_secret_in_them(run, tmp_path):
    Omni("a").known(run(), "a")
    run().wrote(PATH, {"name": "c", "passwordUnencrypted": "a password nobody may see"})
    run().turn(60, 10)
    run().once("whoami", lambda: "ORG_ADMIN")
    with run().alone("connection a"):
        files = list(tmp_path.iterdir())
    assert len(files) == 4
    for file in files:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        text = file.name + file.read_text()
        assert "secret" not in text
        assert "password" not in text

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists that a run asks Omni for once: believed only as far as nothing was written meanwhile."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._errors import Refused
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni.list_cache import ListCache
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni.run_files import RunFiles
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni.time_budget import TimeBudget
from tests.unit.omni.conftest import KEY, Clock

PATH = "/api/v1/connections"
Run = Callable[..., ListCache]


class Omni:
    """Connections, and how often they were asked for."""

    def __init__(self, *names: str) -> None:
        self.there = [{"id": f"id of {name}", "name": name} for name in names]
        self.asked: list[str] = []

    def matching(self, field: str, value: str) -> list[dict[str, Any]]:
        self.asked.append(value)
        return [one for one in self.there if value in one[field]]

    def all(self) -> list[dict[str, Any]]:
        self.asked.append("all")
        return list(self.there)

    def known(self, lists: ListCache, value: str, field: str = "name", **how: bool) -> list[str]:
        found = lists.find("connections", field, value, lambda: self.matching(field, value), self.all, **how)
        return [one["name"] for one in found]


@pytest.fixture
def run(tmp_path: Path, clock: Clock) -> Run:
    """Another task of the same run, of the same key unless another is given."""

    def task(*key: str) -> ListCache:
        return ListCache(RunFiles(str(tmp_path), key or KEY), TimeBudget(2, 1), tmp_path / "shipped")

    return task


def write(lists: ListCache, path: str, body: dict[str, Any], happens: Callable[[], object]) -> None:
    with lists.write_under_way(path, body):
        happens()


def test_a_list_is_asked_for_once_a_run_and_key(run):
    omni = Omni("a", "aa", "b")
    assert [omni.known(run(), name) for name in ("a", "b", "none")] == [["a"], ["b"], []]
    assert omni.known(run(), "id of b", "id") == ["b"]
    assert omni.asked == ["all"]
    assert omni.known(run("https://other.omniapp.co", KEY[1]), "a") == ["a"]
    assert omni.known(run(KEY[0], "another key"), "a") == ["a"]
    assert omni.asked == ["all"] * 3


def test_a_task_on_its_own_asks_for_what_it_needs(clock):
    omni, lists = Omni("a", "aa"), ListCache(RunFiles(None, KEY), TimeBudget(900, 30))
    assert omni.known(lists, "a") == omni.known(lists, "a") == ["a"]
    write(lists, PATH, {"name": "a"}, lambda: None)
    assert omni.asked == ["a", "a"]


def test_of_a_long_list_only_what_is_asked_for_is_decoded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the name is spelled in JSON, and whatever other fields have it."""
    names = ['a "quoted" one', "with \\ and \n", "é, 漢, 😀", "", "1"]
    omni = Omni(*names, *(f"host {number}" for number in range(1000)))
    omni.known(run(), "1")
    decoded, decode = [], json.JSONDecoder.decode

    def decode_and_note(self: json.JSONDecoder, text: str) -> Any:
        decoded.append(text)
        return decode(self, text)

    monkeypatch.setattr(json.JSONDecoder, "decode", decode_and_note)
    assert [omni.known(run(), name) for name in names] == [[name] for name in names]
    assert omni.asked == ["all"]
    assert sum(map(len, decoded)) < 10_000


@pytest.mark.parametrize(
    ("path", "body", "change", "found", "asked"),
    [
        (PATH, {"name": "c"}, lambda omni: omni.there.append({"id": "id of c", "name": "c"}), ["c"], ["c"]),
        (PATH, {"name": "c"}, lambda omni: None, [], ["c", "c"]),
        (f"{PATH}/id of a", {"baseRole": "VIEWER"}, lambda omni: None, [], []),
        (f"{PATH}/id of c/schedules", {}, lambda omni: None, [], []),
        ("/api/v1/models", {"connectionId": "c"}, lambda omni: None, [], []),
    ],
    ids=["made", "not there yet", "another", "below", "elsewhere"],
)
def test_what_was_written_is_asked_for_anew_and_nothing_else(run, path, body, change, found, asked):
    omni = Omni("a", "b")
    omni.known(run(), "b")
    write(run(), path, body, lambda: change(omni))
    for _time in range(2):
        assert omni.known(run(), "c") == found
        assert omni.known(run(), "b") == ["b"]
    assert omni.asked == ["all", *asked]


@pytest.mark.parametrize("gone", [True, False])
def test_a_change_by_id_counts_for_the_name_too(run, gone):
    omni = Omni("a", "b")
    omni.known(run(), "a")
    write(run(), f"{PATH}/id of a", {}, lambda: omni.there.__delitem__(0) if gone else None)
    assert omni.known(run(), "a") == omni.known(run(), "a") == ([] if gone else ["a"])
    assert omni.asked == ["all", "a"]


def test_a_new_id_is_asked_for_and_then_known_by_its_name(run):
    omni = Omni("a")
    assert omni.known(run(), "c") == []
    write(run(), PATH, {"name": "c"}, lambda: omni.there.append({"id": "id of c", "name": "c"}))
    assert omni.known(run(), "id of c", "id") == ["c"]
    assert omni.known(run(), "c") == omni.known(run(), "id of c", "id") == ["c"]
    assert omni.asked == ["all", "id of c", "c"]  # that the id is there does not tell of twins


def test_two_of_one_name_stay_two(run):
    omni = Omni("a")
    omni.there.append({"id": "id of twin", "name": "a"})
    assert omni.known(run(), "a") == ["a", "a"]
    write(run(), f"{PATH}/id of twin", {}, lambda: None)
    assert omni.known(run(), "id of twin", "id") == ["a"]
    assert omni.known(run(), "a") == ["a", "a"]


def test_an_answer_from_before_another_write_is_not_kept(run):
    omni = Omni("a")
    omni.known(run(), "a")
    write(run(), PATH, {"name": "a"}, lambda: None)

    def matching() -> Sequence[dict[str, Any]]:
        found = list(omni.there)
        write(run(), f"{PATH}/id of a", {}, omni.there.clear)  # while the answer is on its way
        return found

    assert run().find("connections", "name", "a", matching, omni.all)
    assert omni.known(run(), "a") == []


def test_a_list_that_is_read_while_a_write_waits_for_its_turn_is_not_believed_about_it(run, clock):
    omni = Omni("a")
    omni.known(run(), "a")
    with run().write_under_way(PATH, {"name": "c"}):
        clock.now += 61
        assert omni.known(run(), "d") == []  # reads the list anew, and the write is not sent yet
        omni.there.append({"id": "id of c", "name": "c"})
    assert omni.known(run(), "c") == ["c"]
    assert omni.asked == ["all", "all", "c"]


def test_a_list_that_comes_in_late_does_not_undo_what_was_asked_for_meanwhile(run):
    omni = Omni("a")

    def all_late() -> Sequence[dict[str, Any]]:
        found = omni.all()
        write(run(), PATH, {"name": "c"}, lambda: omni.there.append({"id": "id of c", "name": "c"}))
        write(run(), f"{PATH}/id of a", {}, lambda: omni.there.__delitem__(0))
        assert omni.known(run(), "c", fresh=True) == ["c"]
        return found

    assert run().find("connections", "name", "b", list, all_late) == []
    assert omni.known(run(), "c") == ["c"]
    assert omni.known(run(), "a") == []


def test_a_late_list_keeps_what_is_newer(run, clock):
    omni = Omni("a")
    omni.known(run(), "a")
    clock.now += 61

    def all_late() -> Sequence[dict[str, Any]]:
        found = omni.all()
        write(run(), PATH, {"name": "c"}, lambda: omni.there.append({"id": "id of c", "name": "c"}))
        write(run(), f"{PATH}/id of a", {}, lambda: omni.there.__delitem__(0))
        assert omni.known(run(), "c", fresh=True) == ["c"]
        assert omni.known(run(), "a", fresh=True) == []
        return found

    assert run().find("connections", "name", "b", list, all_late) == []
    omni.asked.clear()
    assert omni.known(run(), "id of c", "id") == omni.known(run(), "c") == ["c"]
    assert omni.asked == []
    assert omni.known(run(), "a") == []


def test_a_write_whose_answer_was_lost_may_still_happen(run):
    omni = Omni("a")
    omni.known(run(), "a")
    with pytest.raises(TimeoutError), run().write_under_way(PATH, {"name": "c"}):
        raise TimeoutError
    assert omni.known(run(), "c") == []
    omni.there.append({"id": "id of c", "name": "c"})
    assert omni.known(run(), "c") == ["c"]


@pytest.mark.parametrize("outcome", [None, Refused("Patching", "400")])
def test_a_write_ends_even_where_nobody_knows_any_more_that_it_began(run, tmp_path, outcome):
    omni = Omni("a")
    omni.known(run(), "a")
    with suppress(Refused), run().write_under_way(f"{PATH}/id of a", {}):
        for file in tmp_path.iterdir():
            file.write_text("")
        if outcome:
            raise outcome
    assert omni.known(run(), "a") == omni.known(run(), "a") == ["a"]
    assert omni.asked == ["all", "all"]


def test_a_write_that_omni_refused_is_over(run):
    omni = Omni("a")
    omni.known(run(), "a")
    with pytest.raises(Refused), run().write_under_way(f"{PATH}/id of a", {}):
        raise Refused("Patching", "400")
    assert omni.known(run(), "a") == omni.known(run(), "a") == ["a"]
    assert omni.asked == ["all", "a"]


def test_fresh_asks_in_any_case_and_others_profit(run):
    omni = Omni("a")
    omni.known(run(), "a")
    omni.there.append({"id": "id of c", "name": "c"})
    assert omni.known(run(), "c", fresh=True) == omni.known(run(), "c") == ["c"]
    assert omni.asked == ["all", "c"]


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


@pytest.mark.parametrize("later", [5, -5], ids=["", "the clock was set back"])
def test_a_shipped_task_makes_the_list_old(run, tmp_path, later):
    omni = Omni("a")
    shipped = tmp_path / "shipped"
    shipped.touch()
    omni.known(run(), "a")
    now = shipped.stat().st_mtime
    os.utime(shipped, (now + later, now + later))
    assert omni.known(run(), "a") == omni.known(run(), "a") == ["a"]
    assert omni.asked == ["all", "all"]


def test_who_waited_for_a_list_that_failed_does_not_wait_again(run):
    omni = Omni("a")

    def fail() -> list[dict[str, Any]]:
        raise Refused("Listing", "503")

    class Waits(ListCache):
        """A task that finds another one asking, which fails then."""

        def _have_list(self, *how: Any) -> None:
            files = self._files

            class Neighbour(RunFiles):
                def asking(self, name: str, budget: TimeBudget) -> Any:
                    with pytest.raises(Refused):
                        run().find("connections", "name", "a", fail, fail)
                    return files.asking(name, budget)

            self._files = Neighbour.__new__(Neighbour)
            self._files.__dict__ = files.__dict__
            super()._have_list(*how)

    waiting = run()
    waiting.__class__ = Waits
    assert omni.known(waiting, "a") == ["a"]
    assert omni.asked == ["a"]
    assert omni.known(run(), "a") == ["a"]
    assert omni.asked == ["a", "all"]


def test_no_secret_is_stored(run, tmp_path):
    Omni("a").known(run(), "a")
    write(run(), PATH, {"name": "c", "passwordUnencrypted": "a password nobody may see"}, lambda: None)
    assert "password" not in "".join(file.read_text() for file in tmp_path.iterdir())


class Interleaved:
    """Tasks of one run that look for connections and change them. Whatever takes time (a request, a wait for its
    turn) lets others do something meanwhile, as the lot has it.
    """

    NAMES = ("a", "b", "c")

    def __init__(self, run: Run, clock: Clock, seed: int) -> None:
        self.run, self.clock, self.lot = run, clock, random.Random(seed)
        self.there: dict[str, dict[str, Any]] = {}
        self.past: list[dict[str, dict[str, Any]]] = [{}]
        self.lost: list[Callable[[], None]] = []
        self.depth = 0
        self.made = 0

    def meanwhile(self) -> None:
        if self.depth < 4:
            self.depth += 1
            for _number in range(self.lot.choice([0, 0, 1, 1, 2])):
                self.lot.choice([self.find, self.find, self.write, self.pass_time])()
            self.depth -= 1

    def pass_time(self) -> None:
        self.clock.now += self.lot.choice([1, 70])
        if self.lost:
            self.lost.pop(0)()

    def change(self, change: Callable[[], object]) -> None:
        change()
        self.past.append(dict(self.there))

    def ask(self) -> list[dict[str, Any]]:
        self.meanwhile()
        answer = list(self.there.values())
        self.meanwhile()
        return answer

    def find(self) -> None:
        field = self.lot.choice(["name", "id"])
        value = self.lot.choice([*self.NAMES] if field == "name" else [*self.there, "id 1", "id 2"])
        since = len(self.past) - 1
        found = self.run().find(
            "connections", field, value, self.ask, self.ask, fresh=self.lot.random() < 0.1
        )
        possible = [
            sorted(one["id"] for one in past.values() if one[field] == value) for past in self.past[since:]
        ]
        assert sorted(one["id"] for one in found) in possible

    def write(self) -> None:
        if self.there and self.lot.random() < 0.4:
            id = self.lot.choice([*self.there])
            path, body, change = f"{PATH}/{id}", {}, partial(self.there.pop, id, None)
        else:
            self.made += 1
            new = {"id": f"id {self.made}", "name": self.lot.choice(self.NAMES)}
            path, body = PATH, {"name": new["name"]}
            change = partial(self.there.setdefault, new["id"], new)
        outcome = self.lot.choice(["done", "done", "refused", "lost"])
        with suppress(Refused, TimeoutError), self.run().write_under_way(path, body):
            self.meanwhile()
            if outcome == "refused":
                raise Refused("Writing", "400")
            if outcome == "lost":
                self.lost.append(lambda: self.change(change))
                raise TimeoutError
            self.change(change)
            self.meanwhile()


@pytest.mark.parametrize("seed", range(int(os.environ.get("INTERLEAVINGS", "8"))))
def test_whatever_happens_meanwhile_a_find_tells_what_was_true_then(run, clock, seed):
    tasks = Interleaved(run, clock, seed)
    for _number in range(12):
        tasks.meanwhile()
        tasks.find()

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop that every module runs, on a resource that keeps a set of words true."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils import _converge
from ansible_collections.omni_analytics.connect.plugins.module_utils._converge import (
    ATTEMPTS,
    Change,
    Resource,
    converge,
    shortened,
)
from ansible_collections.omni_analytics.connect.plugins.module_utils._errors import (
    Moved,
    NotConverged,
    Prerequisite,
)


class Words(Resource):
    """Adds the words that lack. It moves as often as told, and loses the words that it is told to lose."""

    sends = "statements"

    def __init__(self, wanted: str, there: str = "", moves: int = 0, loses: str = "", most: int = 0) -> None:
        super().__init__()
        self.wanted, self.there, self.moves, self.loses, self.max_listed = (
            wanted,
            set(there),
            moves,
            loses,
            most,
        )
        self.log: list[str] = []

    def read(self) -> frozenset[str]:
        self.log.append("read")
        return frozenset(self.there)

    def plan(self, state: frozenset[str]) -> list[Change]:
        return [Change(word, {word: None}, {word: "there"}) for word in self.wanted if word not in state]

    def require(self, state: frozenset[str], changes: Sequence[Change]) -> None:
        self.log.append("require")

    def apply(self, changes: Sequence[Change]) -> Iterator[Change]:
        for change in changes:
            if self.moves and change is changes[-1]:
                self.moves -= 1
                raise Moved("Adding", "somebody else was faster")
            self.log.append(f"add {change.payload}")
            self.there |= {change.payload} - set(self.loses)
            yield change

    def show(self, change: Change) -> str:
        return f"ADD {change.payload}"

    def result(self, state: frozenset[str], done: Sequence[Change]) -> dict[str, Any]:
        return {"there": "".join(sorted(state)), "done": len(done), "warnings": []}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_converge.time, "sleep", lambda seconds: None)


def test_check_mode_reads_once_and_tells_what_a_run_would_do() -> None:
    words = Words("abc", there="b")
    planned = converge(words, check_mode=True)
    assert words.log == ["read", "require"]
    assert planned == {
        "changed": True,
        "statements": ["ADD a", "ADD c"],
        "diff": {"before": "", "after": "a: there\nc: there\n", "prepared": "ADD a\nADD c\n"},
        "there": "b",
        "done": 2,
    }
    assert converge(words, check_mode=False) == {**planned, "there": "abc"}
    assert words.log[2:] == ["read", "require", "add a", "add c", "read", "require"]


@pytest.mark.parametrize("check_mode", [False, True])
def test_nothing_to_do(check_mode: bool) -> None:
    words = Words("ab", there="ab")
    assert converge(words, check_mode) == {"changed": False, "statements": [], "there": "ab", "done": 0}
    assert words.log == ["read", "require"]


def test_what_moved_is_read_again_and_nothing_is_sent_twice() -> None:
    words = Words("abc", moves=2)
    result = converge(words, check_mode=False)
    assert [entry for entry in words.log if entry.startswith("add")] == ["add a", "add b", "add c"]
    assert result["statements"] == ["ADD a", "ADD b", "ADD c"]
    assert words.log.count("read") == 4


def test_moving_without_end_is_given_up() -> None:
    words = Words("a", moves=1000)
    with pytest.raises(Moved):
        converge(words, check_mode=False)
    assert words.log.count("read") == ATTEMPTS


def test_a_change_without_effect_is_an_error() -> None:
    words = Words("abc", loses="b")
    with pytest.raises(NotConverged, match=r"still missing: ADD b\. Run the first") as caught:
        converge(words, check_mode=False)
    assert caught.value.result()["statements"] == ["ADD a", "ADD b", "ADD c"]
    assert words.log.count("add b") == 1


def test_what_an_earlier_step_makes_is_an_error_before_the_first_write_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def require(state: object, changes: object) -> None:
        raise Prerequisite("Adding", "there is no alphabet")

    words = Words("a")
    monkeypatch.setattr(words, "require", require)
    planned = converge(words, check_mode=True)
    assert planned["changed"]
    assert planned["warnings"] == [
        "Adding: there is no alphabet. In check mode it is no error: an earlier task may be about to make it."
    ]
    with pytest.raises(Prerequisite):
        converge(words, check_mode=False)
    assert words.there == set()


@pytest.mark.parametrize(
    ("most", "after"),
    [
        (0, "a: there\nb: there\nc: there\n"),
        (3, "a: there\nb: there\nc: there\n"),
        (1, "a: there\n… 2 more\n"),
    ],
)
def test_a_long_diff_is_cut(most: int, after: str) -> None:
    assert converge(Words("abc", most=most), check_mode=True)["diff"]["after"] == after


@pytest.mark.parametrize(
    ("most", "names", "truncated"), [(0, ["a", "b"], False), (2, ["a", "b"], False), (1, ["a"], True)]
)
def test_a_long_list_is_cut(most: int, names: list[str], truncated: bool) -> None:
    assert shortened(["a", "b"], most) == {"count": 2, "list": names, "truncated": truncated}


def test_a_failure_says_what_was_done() -> None:
    words = Words("abc", moves=1000)
    with pytest.raises(Moved) as caught:
        converge(words, check_mode=False)
    assert caught.value.result() == {
        "changed": True,
        "statements": ["ADD a", "ADD b"],
        "failed": True,
        "msg": "Adding: somebody else was faster",
        "error": {"kind": "moved"},
    }


class Replaced(Words):
    """Its words are objects that somebody replaces each time when they are added."""

    generation = 0

    def plan(self, state: frozenset[str]) -> list[Change]:
        self.generation += 1
        return [
            Change(word, {word: None}, {word: "there"}, frozenset({(word, self.generation)}))
            for word in self.wanted
            if word not in state
        ]


def test_what_is_replaced_meanwhile_is_not_taken_for_a_change_without_effect() -> None:
    words = Replaced("a", loses="a")
    with pytest.raises(NotConverged, match="keeps being replaced") as caught:
        converge(words, check_mode=False)
    assert words.log.count("add a") == ATTEMPTS
    assert caught.value.result()["statements"] == ["ADD a"] * ATTEMPTS


class Silent(Words):
    """The answer to each addition is lost; ``arrives`` says whether the word was added."""

    arrives = True

    def apply(self, changes: Sequence[Change]) -> Iterator[Change]:
        self.log.append(f"add {changes[0].payload}")
        if self.arrives:
            self.there.add(changes[0].payload)
        yield from ()
        raise Moved("Adding", "no answer", change=changes[0])

    def settle(self, change: Change) -> None:
        self.log.append(f"settle {change.payload}")


def test_a_change_whose_answer_was_lost_counts_once_it_is_seen() -> None:
    words = Silent("ab")
    result = converge(words, check_mode=False)
    assert result["statements"] == ["ADD a", "ADD b"]
    assert [entry for entry in words.log if "settle" in entry] == ["settle a", "settle b"]
    assert [entry for entry in words.log if "add" in entry] == ["add a", "add b"]


def test_a_change_that_did_not_arrive_is_sent_again_and_never_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Silent, "arrives", False)
    words = Silent("a")
    with pytest.raises(Moved) as caught:
        converge(words, check_mode=False)
    assert words.log.count("add a") == ATTEMPTS
    assert caught.value.result()["changed"] is False

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
    listed,
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
        self.wanted, self.there, self.moves, self.loses, self.most = wanted, set(there), moves, loses, most
        self.log: list[str] = []

    def read(self) -> frozenset[str]:
        self.log.append("read")
        return frozenset(self.there)

    def plan(self, state: frozenset[str]) -> list[Change]:
        return [Change(word, {word: None}, {word: "there"}) for word in self.wanted if word not in state]

    def require(self, state: frozenset[str]) -> None:
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

    def learned(self, state: frozenset[str], done: Sequence[Change]) -> dict[str, Any]:
        return {"there": "".join(sorted(state)), "done": len(done), "warnings": []}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_converge.time, "sleep", lambda seconds: None)


def test_check_mode_reads_once_and_tells_what_a_run_would_do() -> None:
    words = Words("abc", there="b")
    planned = converge(words, check_mode=True)
    assert words.log == ["read"]
    assert planned == {
        "changed": True,
        "statements": ["ADD a", "ADD c"],
        "diff": {"before": "", "after": "a: there\nc: there\n", "prepared": "ADD a\nADD c\n"},
        "there": "b",
        "done": 2,
    }
    assert converge(words, check_mode=False) == {**planned, "there": "abc"}
    assert words.log[1:] == ["read", "require", "add a", "add c", "read"]


@pytest.mark.parametrize("check_mode", [False, True])
def test_nothing_to_do(check_mode: bool) -> None:
    words = Words("ab", there="ab")
    assert converge(words, check_mode) == {"changed": False, "statements": [], "there": "ab", "done": 0}
    assert words.log == ["read"]


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
    assert caught.value.detail == {"statements": ["ADD a", "ADD b", "ADD c"]}
    assert words.log.count("add b") == 1


def test_what_an_earlier_step_makes_is_missed_before_the_first_write_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def require(state: object) -> None:
        raise Prerequisite("Adding", "there is no alphabet")

    words = Words("a")
    monkeypatch.setattr(words, "require", require)
    assert converge(words, check_mode=True)["changed"]
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
    assert listed(["a", "b"], most) == {"count": 2, "names": names, "truncated": truncated}

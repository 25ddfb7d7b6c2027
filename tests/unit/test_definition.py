# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module as data: what comes out of it, whatever happens inside."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._converge import Resource
from ansible_collections.omni_analytics.connect.plugins.module_utils._definition import Definition, Library
from ansible_collections.omni_analytics.connect.plugins.module_utils._errors import Conflict, ConnectError

PRESENT = Library("thing", "thing-binary", None)


class Probe(Resource):
    """Raises `error` where `where` says."""

    closed = False

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__()
        self.params = params
        self.secrets.add("made")
        self._at("build")

    def _at(self, where: str) -> None:
        if self.params["where"] == where:
            raise self.params["error"]

    def __enter__(self) -> Probe:
        self._at("enter")
        return self

    def __exit__(self, *error: object) -> None:
        Probe.closed = True

    def read(self) -> None:
        self._at("read")


def perform(where: str = "", error: BaseException | None = None, library: Library = PRESENT) -> Any:
    Probe.closed = False
    return Definition(Probe, {}, library).perform({"where": where, "error": error}, check_mode=True)


def test_success_hands_over_result_and_secrets() -> None:
    assert perform() == ({"changed": False}, {"made"})
    assert Probe.closed


@pytest.mark.parametrize("where", ["build", "enter", "read"])
def test_an_error_of_ours_is_a_failed_task(where: str) -> None:
    result, secrets = perform(where, Conflict("Doing it", "said\n so ", "Do that.", names=["a"]))
    assert result == {
        "failed": True,
        "msg": "Doing it: said so. Do that.",
        "error": {"kind": "conflict", "names": ["a"]},
    }
    assert secrets == (set() if where == "build" else {"made"})
    assert Probe.closed is (where == "read")


def test_a_message_is_one_line_whatever_names_are_in_it() -> None:
    result, dummy = perform("read", Conflict("Reading database a\nb"))
    assert result["msg"] == r"Reading database a\nb"


@pytest.mark.parametrize("where", ["build", "enter", "read"])
def test_a_bug_is_a_failed_task_with_its_traceback(where: str) -> None:
    result, dummy = perform(where, KeyError("lost"))
    assert result["failed"]
    assert result["msg"] == "Unexpected KeyError: 'lost'. This is a bug in omni_analytics.connect."
    assert result["error"] == {"kind": "bug"}
    assert "_at" in result["exception"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1)])
def test_whoever_ends_the_process_may(error: BaseException) -> None:
    with pytest.raises(type(error)):
        perform("read", error)
    assert Probe.closed


@pytest.mark.parametrize("in_venv", [True, False])
def test_a_library_that_is_not_there_is_named(in_venv: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the Python and the machine that lack it, and what gets it there: the system's own Python mostly refuses
    pip, and its packages do not reach a virtual environment."""
    monkeypatch.setattr("sys.prefix", "/somewhere" if in_venv else sys.base_prefix)
    result, secrets = perform(
        library=Library("thing", "thing-binary", ImportError("No module named 'thing'"))
    )
    assert result["error"] == {"kind": "missing_library", "library": "thing"}
    pip = f"{sys.executable} -m pip install thing-binary."
    todo = pip if in_venv else f"apt install python3-thing, where that is Debian's own Python; else {pip}"
    assert result["msg"] == (
        f"Importing thing in {sys.executable} on {socket.gethostname()}: No module named 'thing'. "
        f"Install it there: {todo}"
    )
    assert secrets == set()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (("Doing",), "Doing"),
        (("Doing", "said"), "Doing: said"),
        (("Doing", "said."), "Doing: said."),
        (("Doing", "said.", "Next."), "Doing: said. Next."),
        (("Doing", "", "Next."), "Doing. Next."),
    ],
)
def test_how_an_error_reads(parts: tuple[str, ...], message: str) -> None:
    assert str(ConnectError(*parts)) == message

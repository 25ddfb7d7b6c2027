# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a resource tells while it works reaches people through the in-process door."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._converge import Resource
from ansible_collections.omni_analytics.connect.plugins.module_utils._definition import Definition, Library
from ansible_collections.omni_analytics.connect.plugins.plugin_utils import _in_process_door as _door


class Slow(Resource):
    def read(self) -> None:
        self.progress("half of it is done")


class Action(_door.InProcess):
    definition = Definition(lambda _params: Slow(), {}, Library("thing", "thing", None))

    def __init__(self) -> None:
        self._task = SimpleNamespace(args={}, check_mode=False, action="slow", _role=None)

    def _why_ship(self, task_vars: Any) -> tuple[str, bool]:
        return "", False


def test_it_is_shown_with_the_hosts_name(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(_door.display, "display", lines.append)
    Action().run(task_vars={"inventory_hostname": "sales"})
    assert lines == ["sales: half of it is done"]


class Echo(Resource):
    """Returns its options."""

    def __init__(self, params: Any) -> None:
        super().__init__()
        self.params = params

    def read(self) -> None:
        return None

    def result(self, state: Any, done: Any) -> dict[str, Any]:
        return {"params": self.params, "warnings": ["our own"]}


class EchoAction(_door.InProcess):
    definition = Definition(
        Echo,
        {
            "ca_cert": {"type": "path"},
            "socket": {"type": "path"},
            "name": {"type": "str", "aliases": ["role"]},
        },
        Library("thing", "thing", None),
    )
    reason = ""

    def __init__(self, async_val: int = 0, **args: Any) -> None:
        self._task = SimpleNamespace(
            args=args, check_mode=False, action="echo", _role=None, async_val=async_val
        )
        self._loader = SimpleNamespace(get_basedir=lambda: "/play")

    def _why_ship(self, task_vars: Any) -> tuple[str, bool]:
        return self.reason, False


@pytest.mark.parametrize(
    ("given", "used"),
    [("ca.pem", "/play/ca.pem"), ("/ca.pem", "/ca.pem"), ("system", "system"), ("@abstract", "@abstract")],
)
def test_a_relative_path_is_the_playbooks_and_what_is_no_file_stays(given: str, used: str) -> None:
    assert EchoAction(ca_cert=given).run()["params"]["ca_cert"] == used


def test_null_is_not_given_and_warnings_about_options_are_kept() -> None:
    result = EchoAction(name="a", role="b", socket=None).run()
    assert result["warnings"] == ["Both option name and its alias role are set.", "our own"]
    assert "socket" not in EchoAction(socket=None)._task.args or result["params"]["socket"] is None


def test_lists_are_not_believed_while_a_shipped_job_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_door.C, "DEFAULT_LOCAL_TMP", str(tmp_path))
    monkeypatch.setattr(_door.ShippedModule, "run", lambda *_: {"started": 1})
    mark = EchoAction.definition.library.shipped(str(tmp_path))

    def moved_by(action: EchoAction) -> bool:
        mark.touch()
        os.utime(mark, (1, 1))
        action.run()
        return mark.stat().st_mtime > 1

    assert not moved_by(EchoAction())
    shipped = EchoAction()
    shipped.reason = "a reason"
    assert moved_by(shipped)
    assert not moved_by(EchoAction())
    job = EchoAction(async_val=3600)
    job.reason = "the task is async"
    assert moved_by(job)
    assert moved_by(EchoAction())


def test_it_is_nothing_to_the_module_door() -> None:
    assert Action.definition.perform({}, check_mode=False) == ({"changed": False}, set())

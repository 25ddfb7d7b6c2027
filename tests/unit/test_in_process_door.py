# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a resource tells while it works reaches people through the in-process door."""

from __future__ import annotations

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


def test_it_is_nothing_to_the_module_door() -> None:
    assert Action.definition.perform({}, check_mode=False) == ({"changed": False}, set())

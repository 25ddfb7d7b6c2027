# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils import _converge
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni import (
    time_budget,
)
from tests.sandbox.fake_omni import FakeOmni


@pytest.fixture(scope="session")
def running() -> Iterator[FakeOmni]:
    with FakeOmni() as omni:
        yield omni


@pytest.fixture
def omni(running: FakeOmni, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeOmni]:
    """An empty fake Omni that nobody waits for."""
    running.reset()
    for waiting in (time_budget, _converge):
        monkeypatch.setattr(waiting, "time", SimpleNamespace(sleep=lambda _seconds: None))
    yield running
    assert running.violations == []

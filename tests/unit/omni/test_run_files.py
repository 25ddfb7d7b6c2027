# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tasks of one run share in files: one at a time, and nobody waits for longer than for himself."""

from __future__ import annotations

import errno
import multiprocessing
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._omni import run_files
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni.run_files import RunFiles
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni.time_budget import TimeBudget
from tests.unit.omni.conftest import KEY


@pytest.fixture
def files(tmp_path: Path) -> Callable[[], RunFiles]:
    """Those of another task of the same run."""
    return lambda: RunFiles(str(tmp_path), KEY)


def test_what_one_task_stores_the_others_see(files):
    with files().opened("a") as (state, save):
        state["x"] = 1
        save()
    with files().opened("a") as (state, _save), files().opened("b") as (other, _save_other):
        assert (state, other) == ({"x": 1}, {})


def test_a_task_without_a_folder_remembers_for_itself():
    mine = RunFiles(None, KEY)
    with mine.opened("a") as (state, save):
        state["x"] = 1
        save()
    with mine.opened("a") as (state, _save):
        assert state == {"x": 1}


def test_a_file_that_was_not_finished_is_as_if_there_were_none(files, tmp_path):
    with files().opened("a") as (state, save):
        state["x"] = 1
        save()
    for file in tmp_path.iterdir():
        file.write_text(file.read_text()[:3])
    with files().opened("a") as (state, _save):
        assert state == {}


def test_who_is_cut_off_while_he_writes_leaves_what_was_there(files):
    with files().opened("a") as (state, save):
        state["x"] = 1
        save()
    with files().opened("a") as (state, save):
        state["y"] = object()
        with pytest.raises(TypeError):
            save()
    with files().opened("a") as (state, _save):
        assert state == {"x": 1}


def test_where_no_file_can_be_locked_nothing_is_shared_and_nobody_stopped(files, monkeypatch):
    def no_locks(_file: int, _how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(run_files.fcntl, "flock", no_locks)
    by_opening, by_waiting, by_asking = files(), files(), files()
    for _time in range(2):
        with by_opening.opened("a") as (state, save):
            state["count"] = state.get("count", 0) + 1
            save()
        with by_waiting.exclusively("connection sales", TimeBudget(0, 0)):
            pass
        with by_asking.asking("list", TimeBudget(0, 0)) as mine, by_asking.request_under_way():
            assert mine
    assert state == {"count": 2}
    assert not any(one.shared for one in (by_opening, by_waiting, by_asking))


def test_who_was_stopped_with_a_file_in_hand_stops_nobody_else(files, monkeypatch):
    monkeypatch.setattr(run_files, "PATIENCE", 0.0)
    mine = files()
    with files().opened("a") as (state, save):
        state["x"] = 1
        save()
        for _time in range(2):
            with mine.opened("a") as (own, keep):
                own["count"] = own.get("count", 0) + 1
                keep()
        assert own == {"count": 2}
    with mine.opened("a") as (state, _save):
        assert state == {"x": 1}


def test_a_second_task_waits_until_the_first_is_done_or_its_own_time_is_over(files):
    budget = TimeBudget(0.2, 0.1)
    with files().exclusively("connection sales", TimeBudget(9, 9)):
        with files().exclusively("connection support", TimeBudget(0, 0)):
            pass
        with pytest.raises(TimeoutError), files().exclusively("connection sales", budget):
            pass
    assert budget.left < 0.1
    with files().exclusively("connection sales", budget):
        pass


@contextmanager
def neighbour(files: RunFiles, sends: bool) -> Iterator[None]:
    """Another task that asks Omni for what all need, and whose request is under way or waits for its turn."""
    begun, end = threading.Event(), threading.Event()

    def ask() -> None:
        with files.asking("list", TimeBudget(9, 9)):
            if sends:
                with files.request_under_way():
                    begun.set()
                    end.wait(9)
            begun.set()
            end.wait(9)

    thread = threading.Thread(target=ask)
    thread.start()
    begun.wait(9)
    yield
    end.set()
    thread.join()


@pytest.mark.parametrize(
    ("sends", "budget"),
    [(True, TimeBudget(9, 0.05)), (False, TimeBudget(0.3, 0.05))],
    ids=["a slow request: as long as for one's own", "no turn yet: as long as there is time"],
)
def test_a_neighbour_who_asks_is_waited_for(files, sends, budget):
    before = budget.left
    with neighbour(files(), sends), files().asking("list", budget) as mine:
        assert not mine
    assert (before - budget.left < 0.2) == sends
    with files().asking("list", budget) as mine:
        assert mine


def test_a_request_that_is_over_is_waited_for_no_more(files):
    asking = files()
    with asking.asking("list", TimeBudget(9, 9)):
        with asking.request_under_way():
            pass
        budget = TimeBudget(0.2, 0.01)
        with files().asking("list", budget) as mine:
            assert not mine
    assert budget.left < 0.15  # it was not the request's time that ended


def test_who_was_killed_holds_up_nobody(files):
    def hang() -> None:
        with files().asking("list", TimeBudget(9, 9)):
            begun.set()
            time.sleep(60)

    context = multiprocessing.get_context("fork")
    begun = context.Event()
    process = context.Process(target=hang)
    process.start()
    begun.wait(9)
    process.kill()
    with files().asking("list", TimeBudget(9, 9)) as mine:
        assert mine
    process.join()


def test_files_are_private_and_their_names_tell_no_key(files, tmp_path):
    with (
        files().exclusively("connection a", TimeBudget(1, 1)),
        files().asking("list", TimeBudget(1, 1)),
        files().opened("turns") as (state, save),
    ):
        state["taken"] = [1]
        save()
    found = list(tmp_path.iterdir())
    assert len(found) == 4
    for file in found:
        assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
        assert "secret" not in file.name

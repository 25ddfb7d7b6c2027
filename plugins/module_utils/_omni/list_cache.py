# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lists of connections and of models, which a run asks Omni for once, however many hosts it has.

Each list has a version, which grows with every write that a task of the run has ended. An answer is known by
the version at which it was asked for, and it is believed about an object unless a write to that object is
under way, or ended at a later version. So it does not matter how long a write waits for its turn, or which
answer comes in first, or what any clock says.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, List

from .._errors import ConnectError, Refused
from .run_files import RunFiles, State
from .time_budget import TimeBudget

#: For how many seconds a list is believed about what it lacks: another run may make it meanwhile.
FRESH = 60.0

#: A write to these changes what the list of that name shows.
PATH = re.compile(r"/api/v1/(connections|models)(?:/([^/?]+))?")

#: The fields by which an object may be asked for.
NAMES = ("id", "name", "connectionId")

Objects = List[Dict[str, Any]]


class ListCache:
    """The lists of one instance as one key sees them.

    :param shipped: a file that is touched when a task wrote that could not tell; see Library.
    """

    def __init__(self, files: RunFiles, budget: TimeBudget, shipped: Path | None = None) -> None:
        self._files = files
        self._budget = budget
        self._shipped = shipped

    def find(
        self,
        kind: str,
        field: str,
        value: str,
        ask_matching: Callable[[], Objects],
        ask_all: Callable[[], Objects],
        fresh: bool = False,
    ) -> Objects:
        """The objects whose ``field`` is ``value``.

        :param kind: one of those in PATH.
        :param ask_matching: asks Omni for those objects, and maybe for others. It alone is asked where nothing
            is shared.
        :param ask_all: asks Omni for all of that kind.
        :param fresh: ask Omni in any case, such as for what was just written.
        """
        if not self._files.shared:
            return _chosen(ask_matching(), field, value)
        if not fresh:
            self._have_list(kind, field, value, ask_all)
            with self._files.opened(kind) as (state, _save):
                found = self._believed(state, field, value)
            if found is not None:
                return found
        with self._files.opened(kind) as (state, _save):
            asked_at = state.get("version", 0)
        found = _chosen(ask_matching(), field, value)
        with self._files.opened(kind) as (state, save):
            if _put(state, field, value, found, asked_at):
                save()
        return found

    @contextmanager
    def write_under_way(self, path: str, body: Mapping[str, Any]) -> Iterator[None]:
        """Tell all tasks of the run that what this write names is not to be believed as it is listed, until Omni
        has answered it. Where no answer came, Omni may still do it later, so that does not end it."""
        listed = PATH.fullmatch(path)
        if not listed or not self._files.shared:
            yield
            return
        names = [name for name in (listed[2], body.get("name"), body.get("connectionId")) if name]
        with self._files.opened(listed[1]) as (state, save):
            under_way = state.setdefault("under_way", {})
            for name in names:
                under_way[name] = under_way.get(name, 0) + 1
            save()
        try:
            yield
        except Refused:
            self._end_write(listed[1], names)
            raise
        self._end_write(listed[1], names)

    def _end_write(self, kind: str, names: Sequence[str]) -> None:
        with self._files.opened(kind) as (state, save):
            state["version"] = state.get("version", 0) + 1
            under_way = state.setdefault("under_way", {})
            # That it began may be noted elsewhere: in the task's own memory, or in the run's file.
            for name in names:
                under_way[name] = max(0, under_way.get(name, 0) - 1)
                state.setdefault("written", {})[name] = state["version"]
            save()

    def _have_list(self, kind: str, field: str, value: str, ask_all: Callable[[], Objects]) -> None:
        """Have a list that can be asked, unless the one who was to read it failed, or takes too long."""
        with self._files.opened(kind) as (state, _save):
            failures = state.get("failures", 0)
            if self._is_usable(state, field, value):
                return
        with self._files.asking(kind, self._budget) as mine:
            if not mine:
                return
            with self._files.opened(kind) as (state, _save):
                if self._is_usable(state, field, value) or state.get("failures", 0) != failures:
                    return
                asked_at, shipped = state.get("version", 0), self._last_shipped()
            try:
                objects = ask_all()
            except ConnectError:
                with self._files.opened(kind) as (state, save):
                    state["failures"] = failures + 1
                    save()
                raise
            with self._files.opened(kind) as (state, save):
                _put_all(state, objects, asked_at)
                state.update(listed_at=time.monotonic(), shipped=shipped)
                save()

    def _is_usable(self, state: State, field: str, value: str) -> bool:
        """Whether there is a list, and new enough to be asked."""
        if "objects" not in state or state["shipped"] != self._last_shipped():
            return False
        new = time.monotonic() < state["listed_at"] + FRESH
        return new or field == "id" or bool(_matching(state["objects"], field, value))

    def _believed(self, state: State, field: str, value: str) -> Objects | None:
        """What the list says, or None where Omni has to be asked."""
        if not self._is_usable(state, field, value):
            return None
        found = _matching(state["objects"], field, value)
        if any(_is_stale(state, name) for name in _asked_for(value, found)) or (not found and field == "id"):
            return None
        return found

    def _last_shipped(self) -> int | None:
        """Tells the last shipped task from those before."""
        try:
            return self._shipped.stat().st_mtime_ns if self._shipped else None
        except FileNotFoundError:
            return None


def _is_stale(state: State, name: str) -> bool:
    """Whether something that goes by this name may have changed since Omni was asked for it."""
    asked_at = max(state["listed_version"], state["asked"].get(name, 0))
    return bool(state.get("under_way", {}).get(name)) or state.get("written", {}).get(name, 0) > asked_at


def _put(state: State, field: str, value: str, found: Objects, asked_at: int) -> bool:
    """Put an answer about some objects into the list; say whether it is new enough for that."""
    if "objects" not in state:
        return False
    old = _matching(state["objects"], field, value)
    names = _asked_for(value, [*old, *found])
    under_way, written = state.get("under_way", {}), state.get("written", {})
    if any(under_way.get(name) or written.get(name, 0) > asked_at for name in names):
        return False
    others = _without(state["objects"], {one["id"] for one in [*old, *found]})
    state["objects"] = [*others, *map(json.dumps, found)]
    # What was written and is not there may show up later: then it is asked for again.
    if found or value not in written:
        state["asked"].update(dict.fromkeys(names, asked_at))
    return True


def _put_all(state: State, objects: Objects, asked_at: int) -> None:
    """Put a whole list in place of the one before, except for what was asked for later than this one."""
    later = {name: at for name, at in state.get("asked", {}).items() if at > asked_at}
    kept = [one for one in map(json.loads, state.get("objects", ())) if later.keys() & _names(one)]
    ids = {one["id"] for one in kept}
    new = [one for one in objects if one["id"] not in ids and not later.keys() & _names(one)]
    state["objects"] = list(map(json.dumps, [*kept, *new]))
    state.update(listed_version=asked_at, asked=later)


def _matching(lines: Sequence[str], field: str, value: str) -> Objects:
    there = json.dumps(value)
    return _chosen([json.loads(line) for line in lines if there in line], field, value)


def _without(lines: Sequence[str], ids: set[str]) -> list[str]:
    there = [json.dumps(id) for id in ids]
    return [
        line for line in lines if not any(id in line for id in there) or json.loads(line)["id"] not in ids
    ]


def _chosen(objects: Objects, field: str, value: str) -> Objects:
    return [one for one in objects if one.get(field) == value]


def _asked_for(value: str, objects: Sequence[Mapping[str, Any]]) -> set[str]:
    """What an answer about ``value`` tells of, and what may have changed it: a write that names the value itself,
    or one of the objects by its id. One about an id tells nothing of others that have the same name."""
    return {value, *(one["id"] for one in objects)}


def _names(one: Mapping[str, Any]) -> set[str]:
    """All by which an object may have been asked for."""
    return {one[field] for field in NAMES if one.get(field)}

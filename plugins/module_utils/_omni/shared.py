# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tasks of one run share about one API key: its requests a minute, and the lists that were read.

It is in small files under locks, in the run's own temporary folder. No secret is in them, and their names
are made of a hash of the instance's address and the key. A task without such a folder shares nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .._errors import ConnectError

#: In how many seconds Omni counts requests, with a little on top for those that are slow to arrive.
MINUTE = 61.0
#: For how many seconds a list is believed about what it lacks: another run may make it meanwhile.
FRESH = 60.0

#: A write to these changes what a list of the same name shows.
LISTED = re.compile(r"/api/v1/(connections|models)(?:/([^/?]+))?")


class Shared:
    """What is known of one key.

    :param key: the instance's address and the API key.
    :param folder: of this run; None: nothing is shared.
    :param shipped: a file that is touched when somebody wrote who did not tell; see Library.
    """

    def __init__(self, key: Sequence[str], folder: str | None = None, shipped: Path | None = None) -> None:
        self._base = folder and os.path.join(folder, "omni_" + _hash("\0".join(key)))
        self._shipped = shipped
        self._own: dict[str, dict[str, Any]] = {}

    def turn(self, a_minute: int, longest: float) -> float | None:
        """Take the next moment at which a request may be sent, and return it as time.monotonic() has it.

        :param a_minute: how many requests Omni allows.
        :param longest: for how many seconds it is waited at most; if it takes longer, None is returned,
            and no turn is taken.
        """
        with self._open("turns") as (data, save):
            now = time.monotonic()
            taken, hold = data.get("taken", []), data.get("hold", 0.0)
            turn = max(now, hold)
            if len(taken) >= a_minute:
                turn = max(turn, taken[-a_minute] + MINUTE)
            if taken and hold:  # there were fewer than we thought: no bursts any more
                turn = max(turn, taken[-1] + MINUTE / a_minute)
            if turn >= now + longest:
                return None
            data["taken"] = [*taken, turn][-a_minute:]
            save()
        return turn

    def hold(self, seconds: float) -> None:
        """Let nobody send anything for so long, since Omni said that there were too many requests."""
        with self._open("turns") as (data, save):
            data["hold"] = max(data.get("hold", 0.0), time.monotonic() + seconds)
            save()

    def held(self, turn: float) -> bool:
        """Whether a turn that was taken must not be used, because somebody called hold() since."""
        with self._open("turns") as (data, _save):
            return turn < data.get("hold", 0.0)

    def once(self, what: str, ask: Callable[[], Any]) -> Any:
        """What ``ask`` returned to the first who came here; something that JSON can hold."""
        with self._open(what) as (data, save):
            if "answer" not in data:
                data["answer"] = ask()
                save()
            return data["answer"]

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Keep all other tasks of the run from being in here under the same name."""
        with self._open(_hash(name)):
            yield

    def records(
        self,
        kind: str,
        field: str,
        value: str,
        few: Callable[[], list[dict[str, Any]]],
        every: Callable[[], list[dict[str, Any]]],
    ) -> list[dict[str, Any]]:
        """The records whose ``field`` is ``value``, from a list that is asked for once a run; but what was
        written since, and an id that is not in it, is asked for anew.

        :param kind: one of those in LISTED.
        :param few: asks for those records, and maybe for others. It alone is asked where nothing is shared.
        :param every: asks for all of that kind.
        """
        began = time.time()
        with self._open(kind) as (data, save):  # whoever comes meanwhile waits for the list
            if self._base and not self._tells(data, field, value) and data.get("failed", 0.0) < began:
                try:
                    at = time.time()
                    data.update(records=every(), at=at, written={})
                except ConnectError:
                    data.clear()
                    data["failed"] = time.time()  # those who waited go on by themselves, all at once
                    raise
                finally:
                    save()
            found = _chosen(data.get("records", []), field, value)
            seen = dict(data.get("written", {}))
            if "records" in data and not seen.keys() & _names(found, value) and (found or field != "id"):
                return found
        found = _chosen(few(), field, value)
        with self._open(kind) as (data, save):
            if "records" in data:
                old = _chosen(data["records"], field, value)
                names = _names([*old, *found], value)
                if all(data["written"].get(name) == seen.get(name) for name in names):  # nobody wrote since
                    ids = {one["id"] for one in [*old, *found]}
                    data["records"] = [*(one for one in data["records"] if one["id"] not in ids), *found]
                    data["written"] = {name: at for name, at in data["written"].items() if name not in names}
                    save()
        return found

    def _tells(self, data: Mapping[str, Any], field: str, value: str) -> bool:
        """Whether there is a list, and new enough to be asked."""
        if "records" not in data:
            return False
        if self._shipped and self._shipped.exists() and data["at"] <= self._shipped.stat().st_mtime:
            return False
        new = time.time() < data["at"] + FRESH
        return new or field == "id" or bool(_chosen(data["records"], field, value))

    def wrote(self, path: str, body: Mapping[str, Any]) -> None:
        """Say, before a request is sent, that the lists are not to be believed about what it changes."""
        listed = LISTED.fullmatch(path)
        if listed:
            with self._open(listed[1]) as (data, save):
                if "written" in data:
                    names = {listed[2], body.get("name"), body.get("connectionId")} - {None}
                    data["written"].update(dict.fromkeys(names, time.time()))
                    save()

    @contextmanager
    def _open(self, what: str) -> Iterator[tuple[dict[str, Any], Callable[[], None]]]:
        """What is known of ``what``, with nobody else looking at it, and a function that keeps its changes."""
        if self._base is None:
            yield self._own.setdefault(what, {}), lambda: None
            return
        with os.fdopen(os.open(f"{self._base}_{what}", os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                data = json.load(file)
            except ValueError:  # it is new, or who wrote it was killed
                data = {}

            def save() -> None:
                file.seek(0)
                file.truncate()
                json.dump(data, file)
                file.flush()

            yield data, save


def _chosen(records: list[dict[str, Any]], field: str, value: str) -> list[dict[str, Any]]:
    return [one for one in records if one.get(field) == value]


def _names(records: list[dict[str, Any]], *others: str) -> set[str]:
    """All by which a write may have named one of these records."""
    return {*others, *(one[key] for one in records for key in ("id", "name", "connectionId") if key in one)}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]

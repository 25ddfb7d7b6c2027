# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong with one request on its way to Omni and back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple


class Reply(NamedTuple):
    """What goes out: `delay` seconds late, and up to where `cut` says that the connection ends."""

    status: int
    body: str
    content_type: str = "application/json"
    headers: Mapping[str, str] | None = None
    delay: float = 0
    cut: Literal["", "before it", "amid its body"] = ""


Serve = Callable[[], Reply]  # does the request


def _failure(status: str) -> Reply:
    return Reply(int(status), json.dumps({"detail": "arranged by the test", "status": int(status)}))


def _status_after(serve: Serve, status: str) -> Reply:
    serve()
    return _failure(status)


# The kinds of faults, and the reply that each makes of a request: doing it is left to them.
KINDS: dict[str, Callable[..., Reply]] = {
    r"status (\d{3})": lambda serve, status: _failure(status),
    r"status_after (\d{3})": _status_after,
    r"delay (\d+|\d*\.\d+)": lambda serve, seconds: serve()._replace(delay=float(seconds)),
    "drop_before": lambda serve: Reply(0, "", cut="before it"),
    "drop_after": lambda serve: serve()._replace(cut="before it"),
    "truncated": lambda serve: serve()._replace(cut="amid its body"),
    "garbage": lambda serve: serve()._replace(body="\0}{\ufffd"),
}


def with_fault(kind: str, serve: Serve) -> Reply:
    """Answer a request with that fault.

    "status N" answers N and does nothing; "delay S" does it, and answers S seconds later; "drop_before"
    and "drop_after" end the connection without an answer, before or after it is done; "truncated" and
    "garbage" do it, and half of the answer's body, or none of it, can be read; "status_after N" does it
    and answers N.
    """
    make, values = _parsed(kind)
    return make(serve, *values)


def _parsed(kind: str) -> tuple[Callable[..., Reply], tuple[str, ...]]:
    for pattern, make in KINDS.items():
        if found := re.fullmatch(pattern, kind):
            return make, found.groups()
    raise ValueError(f"{kind!r} is none of the kinds of faults: {', '.join(KINDS)}")


@dataclass
class Fault:
    """A fault for some of the requests of a method ("*": any) at the paths that match `path`, where "*"
    stands for any text: the first `spared` pass, and the next `times` meet it.
    """

    method: str
    path: str
    spared: int
    times: int
    kind: str

    def __post_init__(self) -> None:
        _parsed(self.kind)
        if self.spared < 0 or self.times < 1:
            raise ValueError("requests are counted from 1")

    def meets(self, method: str, path: str) -> bool:
        """Whether this request, which is counted by asking, meets the fault."""
        if self.method not in ("*", method) or not fnmatchcase(path, self.path):
            return False
        self.spared -= 1
        return -self.times <= self.spared < 0

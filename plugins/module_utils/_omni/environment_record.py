# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of the environments of a connection on an instance that does not list them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .client import Request
from .connection_record import Record
from .environment_links import ENVIRONMENTS, Link, texts


class RecordedEnvironments:
    """The environments that this run has made, and those that the record tells of; each change is recorded.

    An environment has an id of its own, which only the answer to its POST shows, and without which it can neither
    be changed nor deleted. Without a folder for records what this run makes is known until its end.

    :param folder: where the records are, or None.
    :param about: the base connection's ``name``, ``id`` and ``instance``.
    """

    def __init__(self, folder: str | None, about: Mapping[str, str]) -> None:
        #: the environments, by the connection's id; one whose own id is None is known to be none
        self.links: dict[str, Link] = {}
        #: ids of connections that Omni says are environments already, and whose own ids nobody knows
        self.unknown: frozenset[str] = frozenset()
        self.record: Record | None = None
        if folder:
            self.record = Record(folder, about)
            self.links = {
                id: Link(one.get("id"), texts(one.get("values")))
                for id, one in self.record.environments.items()
                if isinstance(one, dict)
            }

    def note(self, request: Request, answer: Mapping[str, Any]) -> None:
        """Note what there is since Omni gave this answer to ``request``."""
        if not request.path.startswith(ENVIRONMENTS):
            return
        if request.method == "POST":
            for one in answer.get("connectionEnvironments") or answer.get("data") or ():
                self.links[str(one.get("connectionId") or one.get("environmentConnectionId"))] = Link(
                    one["id"], []
                )
        for id, link in self.links.items():
            if not _is_of(link, request):
                continue
            if request.method == "DELETE":
                self.links[id] = Link(None, [])
            else:
                self.links[id] = Link(link.id, texts(request.body["userAttributeValues"]))
        self._save()

    def note_unknown(self, request: Request) -> None:
        """Note that the environments that ``request`` would make are there, which is all that Omni tells."""
        self.unknown |= frozenset(texts(request.body["environmentConnectionIds"]))

    def forget(self, request: Request) -> None:
        """Forget the environment of ``request``: there is none of its id any more."""
        self.links = {id: link for id, link in self.links.items() if not _is_of(link, request)}
        self._save()

    def _save(self) -> None:
        if self.record:
            self.record.environments = {id: link._asdict() for id, link in self.links.items()}
            self.record.save()

    def warnings(self, label: str) -> list[str]:
        if self.record is None:
            return []
        said = []
        if self.record.unwritten:
            said.append(f"The record of {label} is not stored: {self.record.unwritten}.")
        if self.record.unread:
            said.append(f"{self.record.path} does not serve as the record of {label}: {self.record.unread}.")
        return said


def _is_of(link: Link, request: Request) -> bool:
    """Whether ``request`` is about the environment of ``link``."""
    return link.id is not None and request.path == f"{ENVIRONMENTS}/{link.id}"

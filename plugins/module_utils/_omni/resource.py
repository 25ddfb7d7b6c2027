# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base of the resources in Omni."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from .._converge import Change, Resource
from .._errors import ConnectError, Moved
from .client import Client


class OmniResource(Resource):
    """A resource in Omni: it sends requests, through one client.

    :param params: the module's options.
    """

    sends = "requests"

    #: what it is about, for people; no two tasks of a run work on the same at a time
    label = ""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__()
        self.params = params
        self.client = Client(params)
        self._opened = ExitStack()

    def __enter__(self) -> OmniResource:
        self.client.join_run(self.run_dir, self.before_write, self.progress)
        if self.label:
            self._opened.enter_context(self.client.only_task(self.label))
        self._opened.enter_context(self.client)
        return self

    def __exit__(self, *error: object) -> None:
        self._opened.close()

    def show(self, change: Change) -> str:
        return str(change.payload)

    def send(self, change: Change) -> dict[str, Any]:
        """Send ``change`` and return the answer.

        :raises Moved: the change was not made, or (with the change in it) nobody knows whether it was.
        :raises Refused: Omni said no.
        """
        try:
            return self.client.write(change.payload)
        except Moved as moved:
            if not was_refused(moved):
                moved.change = change
            raise


def was_refused(error: ConnectError) -> bool:
    """Whether ``error`` says for certain that a request was not carried out."""
    return 400 <= error.detail.get("status", 0) < 500

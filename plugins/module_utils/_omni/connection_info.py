# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What connections there are in Omni."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._converge import Change
from .._definition import Definition
from .._errors import InvalidInput
from .api_options import OPTIONS
from .client import LIBRARY
from .find_connection import check_id, get_connection, list_connections, snake_case
from .resource import OmniResource


class ConnectionInfo(OmniResource):
    """The connections of one name, of one id, or all; nothing is written."""

    sends = ""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        self.name = params["name"]
        self.id = check_id(params["connection_id"])
        self.archived = params["include_archived"]
        if self.name is not None and not self.name.strip():
            raise InvalidInput("Reading O(name)", "it is empty", "Leave it out to read all connections.")

    def read(self) -> list[dict[str, Any]]:
        if self.id is not None:
            one = get_connection(self.client, self.id, self.archived)
            return [one] if one else []
        found = list_connections(self.client, self.name, self.archived)
        return sorted(
            (one for one in found if self.name in (None, one["name"])),
            key=lambda one: (one["name"], one["id"]),
        )

    def result(self, state: Sequence[Mapping[str, Any]], done: Sequence[Change]) -> dict[str, Any]:
        return {"connections": [snake_case(one) for one in state]}


DEFINITION = Definition(
    build=ConnectionInfo,
    options={
        **OPTIONS,
        "name": {"type": "str"},
        "connection_id": {"type": "str"},
        "include_archived": {"type": "bool", "default": False},
    },
    library=LIBRARY,
    rules={"mutually_exclusive": [("name", "connection_id")]},
)

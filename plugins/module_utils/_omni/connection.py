# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection in Omni (step 4 of the guide): its module's options, and what they ask for.

The guide: https://docs.omni.co/docs/connections/database/postgres
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._definition import Definition
from . import connection_fields
from .api_options import OPTIONS
from .client import LIBRARY
from .connection_replacement import Replacement
from .connection_resource import Connection


def build(params: Mapping[str, Any]) -> Connection:
    """What keeps the connection as ``params`` want it."""
    replace = params["state"] == "present" and params["on_immutable_change"] == "replace"
    return Replacement(params) if replace else Connection(params)


DEFINITION = Definition(
    build=build,
    options={
        **OPTIONS,
        "connection_id": {"type": "str"},
        **connection_fields.OPTIONS,
        "update_password": {
            "type": "str",
            "default": "on_create",
            "choices": ["on_create", "always"],
            "no_log": False,
        },
        "on_immutable_change": {
            "type": "str",
            "default": "fail",
            "choices": ["fail", "warn", "accept", "replace"],
        },
        "record_path": {"type": "path"},
        "record_password": {"type": "bool", "default": True, "no_log": False},
        "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
    },
    library=LIBRARY,
)

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which schema models there are in Omni, and what they know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._errors import Refused, Unreachable
from .client import Client
from .connection_part import objects

MODELS = "/api/v1/models"

#: How many pages of a list are read at most, with 100 models each.
PAGES = 1000


def find_models(client: Client, connection_id: str, fresh: bool = False) -> list[dict[str, Any]]:
    """The live schema models of a connection, as the run knows them: there is one, or none."""
    return client.lists.find(
        "models",
        "connectionId",
        connection_id,
        lambda: _asked(client, {"connectionId": connection_id}),
        lambda: _asked(client, {"pageSize": "100"}),
        fresh=fresh,
    )


def _asked(client: Client, query: Mapping[str, str]) -> list[dict[str, Any]]:
    """The live schema models that Omni has, page after page.

    :raises Unreachable: there is no end to the pages.
    """
    found: dict[str, dict[str, Any]] = {}
    cursors: set[str | None] = set()
    cursor: str | None = None
    while cursor not in cursors:
        cursors.add(cursor)
        if len(cursors) > PAGES:
            raise Unreachable(
                f"GET {client.root}{MODELS}",
                f"after {PAGES} pages there are still more",
                "Check that O(api_url) is your Omni instance.",
            )
        page = {"cursor": cursor} if cursor else {}
        answer = client.get(MODELS, {"modelKind": "SCHEMA", **query, **page})
        for one in objects(client, MODELS, answer, "records", "id", "connectionId", foreign=True):
            found[one["id"]] = one
        info = answer.get("pageInfo")
        if not isinstance(info, dict) or info.get("hasNextPage") is False or not info.get("nextCursor"):
            break
        cursor = str(info["nextCursor"])
    return [one for one in found.values() if one.get("modelKind") == "SCHEMA" and not one.get("deletedAt")]


def schemas_of(client: Client, model: str) -> list[str] | None:
    """The schemas that a model knows: none before a refresh has read the database. None where Omni does not tell,
    which is no trouble: not every instance does."""
    try:
        found = client.get(f"{MODELS}/{model}/schemas").get("schemas")
    except (Refused, Unreachable):
        return None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        return None
    return found

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which connections there are in Omni: found by id, or by exact name."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable, Dict, List

from .._errors import Conflict, InvalidInput, Refused, Unreachable
from .client import Client

CONNECTIONS = "/api/v1/connections"

#: How long to wait for what Omni does not show yet, or will not show much longer, in seconds.
LAGS = (0.5, 1.0, 2.0)

_PLURAL = re.compile("^(userAttribute.*For)Connections")
_CAPITAL = re.compile("(?=[A-Z])")

#: Asks Omni for the live connections of a name.
Look = Callable[[], List[Dict[str, Any]]]


def check_id(value: str | None) -> str | None:
    """``value`` as the API writes ids.

    :raises InvalidInput: it is no UUID.
    """
    if value is None:
        return None
    try:
        return str(uuid.UUID(value))
    except ValueError:
        raise InvalidInput(
            "Reading O(connection_id)",
            f"{value!r} is no id",
            "Omni's ids are UUIDs; omni_connection_info shows them.",
        ) from None


def list_connections(client: Client, name: str | None = None, archived: bool = False) -> list[dict[str, Any]]:
    """The connections whose names contain ``name``, whatever the case; live ones unless ``archived``."""
    # Those in the trash are always asked for, so that there is one list for all who look.
    query = {"includeDeleted": "true", **({} if name is None else {"name": name})}
    answer = client.get(CONNECTIONS, query)
    found = [one for one in _list(client, answer) if archived or not one.get("deletedAt")]
    # One that is listed twice is one, and one without a name is none that we could mean.
    named = {one["id"]: _record(one) for one in found if isinstance(one.get("name"), str)}
    return list(named.values())


def get_connection(client: Client, connection_id: str, archived: bool = False) -> dict[str, Any] | None:
    """The connection of that id, or None; a live one unless ``archived``."""
    try:
        answer = client.get(f"{CONNECTIONS}/{connection_id}")
    except Refused as refused:
        if refused.detail["status"] not in (404, 405, 410):
            raise
        # Older instances have no such route.
        found = [one for one in list_connections(client, archived=archived) if one["id"] == connection_id]
        return found[0] if found else None
    record = answer.get("connection", answer)
    if not isinstance(record, dict) or not all(isinstance(record.get(key), str) for key in ("id", "name")):
        raise _strange(client, "a connection without id or name")
    return _record(record) if archived or not record.get("deletedAt") else None


def find_all(client: Client, field: str, value: str, fresh: bool = False) -> list[dict[str, Any]]:
    """The connections whose ``field`` (id or name) is ``value``, archived ones too, as the run knows them.

    :param fresh: ask Omni in any case, such as right after a write.
    """

    def ask_matching() -> list[dict[str, Any]]:
        if field == "name":
            return list_connections(client, value, archived=True)
        one = get_connection(client, value, archived=True)
        return [one] if one else []

    return client.lists.find(
        "connections",
        field,
        value,
        ask_matching,
        lambda: list_connections(client, archived=True),
        fresh=fresh,
    )


def find_by_id(client: Client, connection_id: str) -> dict[str, Any] | None:
    """The live connection of that id, or None."""
    found = find_all(client, "id", connection_id)
    return next((one for one in found if not one.get("deletedAt")), None)


def find_by_name(client: Client, name: str) -> dict[str, Any] | None:
    """The live connection of exactly that name, or None.

    :raises Conflict: there are several.
    """

    def look(fresh: bool = True) -> list[dict[str, Any]]:
        return [one for one in find_all(client, "name", name, fresh) if not one.get("deletedAt")]

    return only_one(client, without_twins(client, look(fresh=False), look), name)


def looks(
    client: Client, look: Look, pauses: Sequence[float] | None = None
) -> Iterator[list[dict[str, Any]]]:
    """What is there now, and again after each pause."""
    yield list(look())
    for pause in LAGS if pauses is None else pauses:
        client.budget.sleep(pause)
        yield list(look())


def without_twins(client: Client, found: list[dict[str, Any]], look: Look) -> list[dict[str, Any]]:
    """``found``; where there are several, without those that their makers take back: while two runs create a
    connection of one name at once, there are two for a moment (see connection_creation)."""
    if len(found) > 1:
        for found in looks(client, look):
            if len(found) < 2:
                break
    return found


def only_one(client: Client, found: Sequence[dict[str, Any]], name: str) -> dict[str, Any] | None:
    """The one connection of those ``found`` by ``name``, or None.

    :raises Conflict: there are several.
    """
    if len(found) > 1:
        ids = sorted(one["id"] for one in found)
        raise Conflict(
            f"Finding connection {name} at {client.root}",
            f"there are {len(ids)} of that name: {', '.join(ids)}",
            "Choose one by its id (O(connection_id)), or delete those that nobody needs.",
            ids=ids,
        )
    return found[0] if found else None


def _list(client: Client, answer: Mapping[str, Any]) -> list[Any]:
    found = answer.get("connections")
    if not isinstance(found, list) or not all(
        isinstance(one, dict) and isinstance(one.get("id"), str) for one in found
    ):
        raise _strange(client, "no list of connections with ids")
    return found


def _record(record: Mapping[str, Any]) -> dict[str, Any]:
    """``record`` with every field that the plan looks at."""
    shown = {_PLURAL.sub(r"\1Connection", key): record[key] for key in record}
    return {**dict.fromkeys(("dialect", "database", "defaultSchema", "baseRole")), **shown}


def _strange(client: Client, what: str) -> Unreachable:
    return Unreachable(
        f"Reading connections at {client.root}",
        f"it answered {what}",
        "Check that O(api_url) is your Omni instance.",
    )


def snake_case(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of the API with its fields spelled as Ansible's users spell them."""
    return {_CAPITAL.sub("_", key).lower(): value for key, value in record.items()}

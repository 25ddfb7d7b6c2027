# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Creating a connection although names are no keys in Omni, and two runs may create one of the same name.

Who creates looks again by name. Where another one has appeared meanwhile, the one that Omni made first stays.
Both runs see the same order, so exactly one of them takes its own back, and goes on with the other's.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from .._errors import NotConverged, Refused
from .client import Client
from .find_connection import CONNECTIONS, LAGS, Look, find_by_id, looks
from .find_model import MODELS


def seen(client: Client, made: str, look: Look, label: str) -> list[dict[str, Any]]:
    """The live connections of the name, the one of the id ``made`` among them.

    :raises NotConverged: Omni made it, and does not show it.
    """
    found: list[dict[str, Any]] = []
    for found in looks(client, look):
        if made in [one["id"] for one in found]:
            return found
    one = find_by_id(client, made)  # the list may lag behind more than that
    if one is None:
        raise NotConverged(
            f"Creating {label} at {client.root}",
            f"Omni answered that it made {made}, and does not show it after {sum(LAGS):.0f} s",
            again_by_id(client, made),
            connection_id=made,
        )
    return [*found, one]


def again_by_id(client: Client, id: str) -> str:
    """What to do about a connection that Omni made and that a run could not go on with."""
    return (
        "Do not send the POST by hand: it would make a second one. Wait until this shows it: "
        f"ansible localhost -m omni_analytics.connect.omni_connection_info -a 'api_url={client.root} "
        f"connection_id={id}' (with the key in OMNI_API_TOKEN), then run again with O(connection_id={id})."
    )


def survivor(client: Client, made: str, others: Sequence[dict[str, Any]], look: Look) -> str:
    """The id of the one to go on with, of the connection that this run made and the ``others``, which appeared
    since: that which was made first. Where the instance does not show when that was, one with a model is in use
    already, else the lesser id stays. But whoever made the other may have seen no twin, and be gone: where it is
    not sure to have been the later one, and is still there after a while, this run's own gives way.
    """
    found = {one["id"]: one for one in others}
    ours = next((one for one in look() if one["id"] == made), None)
    if ours is None:
        return made
    dated = all(one.get("createdAt") for one in (ours, *others))
    if dated:
        first = min((ours, *others), key=lambda one: (one["createdAt"], one["id"]))["id"]
    else:
        first = min([one["id"] for one in others if in_use(client, one["id"])] or [made, *found])
    if first != made:
        return str(first)
    rest: list[str] = []
    # Those who only want to use the connection wait for all of LAGS.
    for live in looks(client, look, [pause * random.uniform(0.3, 0.6) for pause in LAGS]):
        rest = sorted(one["id"] for one in live if one["id"] in found)
        if not rest:
            break
    return made if dated or not rest else rest[0]


def in_use(client: Client, id: str) -> bool:
    """Whether somebody has gone on with a connection already: it has a model, or a schedule."""
    try:
        models = client.get(MODELS, {"connectionId": id, "modelKind": "SCHEMA"}).get("records")
        return bool(models or client.get(f"{CONNECTIONS}/{id}/schedules").get("schedules"))
    except Refused as refused:
        if refused.detail.get("status") != 404:
            raise
        return False  # it is gone

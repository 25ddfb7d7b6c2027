# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hangs on a connection in Omni, for the new one that takes its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .._converge import ATTEMPTS, Change
from .._errors import Conflict, Moved
from . import connection_environment as environment
from . import cron, refresh_schedule, schema_model
from . import find_connection as lookup
from .client import Client
from .resource import OmniResource


class Hanging(NamedTuple):
    """What the new connection is to have too.

    :param schedules: as options of omni_refresh_schedule.
    :param disabled: whether there are disabled schedules, which a new one could not be.
    :param attribute: the user attribute that chooses an environment, and the connection's own values of it.
    :param environments: the values that each of its environments serves, by the environment's id.
    :param bases: the connections that it is an environment of, and the values that it serves there.
    """

    schedules: list[dict[str, Any]]
    disabled: bool
    attribute: tuple[str | None, list[str]]
    environments: dict[str, list[str]]
    bases: list[tuple[dict[str, Any], list[str]]]


def read(client: Client, connection: Mapping[str, Any], serves: Mapping[str, list[str]]) -> Hanging:
    """What hangs on ``connection``.

    :param serves: the values that it served, by base connection, before a replacement was cut off.
    :raises Conflict: it may have environments, and this instance does not list them.
    """
    id = connection["id"]
    schedules = refresh_schedule.listed(client, id)
    live = {
        (cron.normal(one["schedule"]), one["timezone"]): {
            "schedule": one["schedule"],
            "timezone": one["timezone"],
            "hard_refresh": one.get("hardRefresh"),
        }
        for one in schedules
        if not one.get("disabledAt")
    }
    links = environment.links(client)
    if links is None:
        with_attribute = [one for one in lookup.listed(client) if environment.attribute_of(one)[0]]
        if with_attribute:
            raise Conflict(
                f"Reading the environments of connection {connection['name']} at {client.root}",
                "this instance does not list them, so they could be lost",
                "Edit the connection in Omni instead of replacing it.",
                ids=[one["id"] for one in with_attribute],
            )
    # One without values serves nobody.
    linked = [
        (one["baseConnectionId"], one["connectionId"], environment.texts(one.get("userAttributeValues")))
        for one in links or ()
        if one.get("userAttributeValues")
    ]
    served = {**serves, **{base: values for base, one, values in linked if one == id}}
    bases = [(lookup.identified(client, base), values) for base, values in served.items()]
    return Hanging(
        list(live.values()),
        len(schedules) > len(live),
        environment.attribute_of(connection),
        {one: values for base, one, values in linked if base == id},
        [(base, values) for base, values in bases if base],
    )


class Carrier(NamedTuple):
    """A resource that carries something over, and how it stands before there is a new connection."""

    resource: OmniResource
    without: Any


def carriers(params: Mapping[str, Any], old: str, hanging: Hanging, new: str | None) -> Iterator[Carrier]:
    """What brings all that hangs on ``old`` to ``new`` (None: it has no id yet), in the order it takes."""
    of_new = {**params, "connection": None, "connection_id": new or old, "state": "present"}
    model = {**of_new, "refresh": "on_create", "wait": False, "wait_timeout": 1}
    yield Carrier(schema_model.SchemaModel(model), schema_model.State(None, None))
    if hanging.schedules:
        wanted = {**of_new, "schedules": hanging.schedules, "exclusive": False}
        yield Carrier(refresh_schedule.RefreshSchedules(wanted), refresh_schedule.State(None, []))
    attribute, defaults = hanging.attribute
    if attribute or hanging.environments:
        its = {"attribute": attribute, "default_values": defaults if attribute else None}
        there = environment.State(None, {one: {"id": one} for one in hanging.environments}, {})
        yield Carrier(_environments(params, new or old, hanging.environments, **its), there)
    for base, values in hanging.bases:
        # Two connections cannot serve one value.
        there = environment.State(base, {}, {old: environment.Link("", values)})
        yield Carrier(_environments(params, base["id"], {old: values}, state="absent"), there)
        there = environment.State(base, {new or old: None}, {})
        yield Carrier(_environments(params, base["id"], {new or old: values}), there)


def _environments(
    params: Mapping[str, Any], base: str, values: Mapping[str, list[str]], **given: Any
) -> OmniResource:
    wanted = [{"connection": one, "values": of_one} for one, of_one in values.items()]
    options = {"attribute": None, "default_values": None, "state": "present", **given}
    return environment.Environments({**params, **options, "base_connection": base, "environments": wanted})


def carry(resource: OmniResource, client: Client) -> Iterator[Change]:
    """Carry over what ``resource`` stands for, and yield what was done.

    :raises Moved: something went on changing meanwhile.
    """
    resource.client = client
    for attempt in range(1, ATTEMPTS + 1):
        changes = resource.plan(resource.read())
        if not changes:
            return
        try:
            yield from resource.apply(changes)
        except Moved:
            if attempt == ATTEMPTS:
                raise

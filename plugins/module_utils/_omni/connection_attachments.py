# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hangs on a connection in Omni, for the new one that takes its place: its model, its schedules, its
environments, and its own places among the environments of others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .._definition import Definition
from .._errors import Conflict
from . import connection_environment as environment
from . import cron, environment_links, find_connection, refresh_schedule, schema_model
from .api_options import OPTIONS
from .client import Client
from .resource import OmniResource


class Attachments(NamedTuple):
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

    def serves(self) -> dict[str, list[str]]:
        """The values that it serves as an environment, by the id of the base connection."""
        return {base["id"]: values for base, values in self.bases}


class Part(NamedTuple):
    """A resource that brings something to the new connection, and how that stands before there is one.

    :param name: tells it from the others of one replacement.
    """

    name: str
    resource: OmniResource
    before: Any


def attached(client: Client, connection: Mapping[str, Any], serves: Mapping[str, list[str]]) -> Attachments:
    """What hangs on ``connection``.

    :param serves: the values that it served, by base connection, before a replacement began to take them away.
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
    links = environment_links.links(client)
    if links is None:
        with_attribute = [
            one for one in find_connection.list_connections(client) if environment_links.attribute_of(one)[0]
        ]
        if with_attribute:
            raise Conflict(
                f"Reading the environments of connection {connection['name']} at {client.root}",
                "this instance does not list them, so they could be lost",
                "Edit the connection in Omni instead of replacing it.",
                ids=[one["id"] for one in with_attribute],
            )
    # One without values serves nobody.
    linked = [
        (
            one["baseConnectionId"],
            one["connectionId"],
            environment_links.texts(one.get("userAttributeValues")),
        )
        for one in links or ()
        if one.get("userAttributeValues")
    ]
    served = {**serves, **{base: values for base, one, values in linked if one == id}}
    bases = [(find_connection.find_by_id(client, base), values) for base, values in served.items()]
    return Attachments(
        list(live.values()),
        len(schedules) > len(live),
        environment_links.attribute_of(connection),
        {one: values for base, one, values in linked if base == id},
        [(base, values) for base, values in bases if base],
    )


def parts(params: Mapping[str, Any], old: str, found: Attachments, new: str | None) -> Iterator[Part]:
    """What brings all that hangs on ``old`` to ``new`` (None: it has no id yet), in the order it takes."""
    of_new = {"connection": None, "connection_id": new or old, "state": "present"}
    # Whether a run that was cut off refreshed the model, nobody can tell; doing it twice does no harm.
    model = _options(schema_model.DEFINITION, params, **of_new, refresh="always", wait=False)
    yield Part("model", schema_model.SchemaModel(model), schema_model.State(None, None))
    if found.schedules:
        wanted = _options(refresh_schedule.DEFINITION, params, **of_new, schedules=found.schedules)
        none = refresh_schedule.State(None, [])
        yield Part("schedules", refresh_schedule.RefreshSchedules(wanted), none)
    attribute, defaults = found.attribute
    if attribute or found.environments:
        its = {"attribute": attribute, "default_values": defaults if attribute else None}
        there = environment.State(None, {one: {"id": one} for one in found.environments}, {})
        yield Part("environments", _environments(params, new or old, found.environments, **its), there)
    for base, values in found.bases:
        # Two connections cannot serve one value.
        there = environment.State(base, {}, {old: environment_links.Link("", values)})
        leaving = _environments(params, base["id"], {old: values}, state="absent")
        yield Part(f"leave {base['id']}", leaving, there)
        there = environment.State(base, {new or old: None}, {})
        joining = _environments(params, base["id"], {new or old: values})
        yield Part(f"join {base['id']}", joining, there)


def _environments(
    params: Mapping[str, Any], base: str, values: Mapping[str, list[str]], **given: Any
) -> OmniResource:
    wanted = [{"connection": one, "values": of_one} for one, of_one in values.items()]
    given = {"base_connection": base, "environments": wanted, **given}
    return environment.Environments(_options(environment.DEFINITION, params, **given))


def _options(definition: Definition, params: Mapping[str, Any], **given: Any) -> dict[str, Any]:
    """The options of another module: those ``given``, the way to Omni as in ``params``, and else the defaults."""
    defaults = {name: option.get("default") for name, option in definition.options.items()}
    return {**defaults, **{name: params[name] for name in OPTIONS}, **given}

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The environments of connections as Omni's API has them, and what of them an option can mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .._errors import InvalidInput, Refused
from .client import Client
from .connection_checks import check_name
from .connection_part import objects
from .connection_record import LIBRARY as RECORD_LIBRARY

ENVIRONMENTS = "/api/v1/connection-environments"
USER_ATTRIBUTES = "/api/v1/user-attributes"

#: Two spellings of one field, on instances of different age.
ATTRIBUTE = ("userAttributeNameForConnectionEnvironments", "userAttributeNameForConnectionsEnvironments")


class Link(NamedTuple):
    """A connection's place among the environments of a base connection; None is an id yet to be given."""

    id: str | None
    values: list[str]


def links(client: Client) -> list[dict[str, Any]] | None:
    """All environments of all connections, or None on an instance that does not list them."""
    try:
        answer = client.get(ENVIRONMENTS)
    except Refused as refused:
        if refused.detail["status"] not in (400, 404, 405):
            raise
        return None
    return objects(
        client,
        ENVIRONMENTS,
        answer,
        "connectionEnvironments",
        "id",
        "baseConnectionId",
        "connectionId",
        foreign=True,
    )


def attribute_of(connection: Mapping[str, Any]) -> tuple[str | None, list[str]]:
    """The user attribute that chooses an environment, and the values that ``connection`` itself serves."""
    name = next((connection[field] for field in ATTRIBUTE if connection.get(field)), None)
    return name, texts(connection.get("userAttributeValuesForDefaultEnvironment"))


def texts(value: Any) -> list[str]:
    """A list as the API gives it: as such, as text with commas, or not at all."""
    if isinstance(value, str):
        return [one.strip() for one in value.split(",") if one.strip()]
    return [str(one) for one in value or ()]


def user_attributes(client: Client) -> frozenset[str] | None:
    """The names of all user attributes; None where Omni does not tell."""
    try:
        found = client.get(USER_ATTRIBUTES).get("records")
    except Refused:
        return None
    if not isinstance(found, list):
        return None
    return frozenset(str(one.get("name")) for one in found if isinstance(one, dict))


def check(params: Mapping[str, Any]) -> None:
    """Refuse environments that Omni could not tell apart.

    :raises InvalidInput: names the option.
    """
    names = [params["base_connection"], *(one["connection"] for one in params["environments"])]
    for name, option in [(names[0], "base_connection"), *((name, "environments") for name in names[1:])]:
        check_name(name, option)
    if params["attribute"] is not None:
        check_name(params["attribute"], "attribute")
    values = [*(params["default_values"] or ())]
    for one in params["environments"]:
        values += one["values"]
        if not one["values"] and params["state"] == "present":
            raise InvalidInput(
                "Reading O(environments)", f"{one['connection']} has no values", "Give it one."
            )
    for given in (names, values):
        twice = sorted(one for one in given if given.count(one) > 1)
        if twice:
            raise InvalidInput(
                "Reading O(environments)", f"{twice[0]!r} is there twice", "Name each only once."
            )
    strange = [one for one in values if not one.strip() or one != one.strip() or "," in one]
    if strange:
        raise InvalidInput(
            "Reading O(environments)",
            f"the value {strange[0]!r} is empty, or has a comma or blanks at its ends",
            "Omni separates values by commas.",
        )
    for value in values:
        check_name(value, "environments")
    if params["default_values"] is not None and params["attribute"] is None:
        raise InvalidInput(
            "Reading O(default_values)", "they are values of no attribute", "Set O(attribute)."
        )
    if params["record_path"] is not None:
        check_name(params["record_path"], "record_path")
    if params["record_path"]:
        RECORD_LIBRARY.require(", for O(record_path)")

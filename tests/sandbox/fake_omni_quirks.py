# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How one instance of Omni differs from another: what has been seen, what is documented, what may be."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from typing import Any, Literal, get_args, get_origin, get_type_hints


@dataclass(slots=True)
class Quirks:
    """The switches of a fake Omni. The defaults are what was seen of a real one, else its newest
    specification. A name or a value that there is not raises AttributeError or ValueError.
    """

    # "spec": every failed authentication is a 401.
    auth_style: Literal["live", "spec"] = "live"
    # Not 0: the status that reading or deleting a connection by its id gives, as of a route that is not there.
    no_get_route: Literal[0, 404, 405] = 0
    # The status of reading an archived connection by its id.
    archived_get: Literal[200, 404] = 200
    # Whether a field in a body that Omni does not know is refused instead of ignored.
    strict_body: bool = False
    # Not 0: the status of a create with a name that another connection has.
    unique_names: Literal[0, 400, 409] = 0
    # Requests per key in any `rate_window` seconds; 0 is no limit. What is refused does not count.
    rate_limit: int = 0
    rate_window: float = 60.0
    # Whether a 429 comes with Retry-After.
    retry_after: bool = False
    # Not 0: a connection is made, but the create answers 502 or the connection to the client is dropped.
    fail_after_commit: Literal[0, 502, "drop"] = 0
    # How often a new connection's id is answered with 404 before it is found.
    get_lag: int = 0
    # For how many seconds a new connection is in no list, and is not found by its id.
    list_lag: float = 0.0
    # Whether connections show when they were made and changed.
    stamps: bool = True
    # Whether the default schema reads as null, whatever it is.
    drop_default_schema: bool = False
    # Whether RESTRICTED_QUERIER reads as QUERY_TOPICS, its other name.
    role_alias: bool = False
    # Which of these two names is accepted: "docs" QUERY_TOPICS, "spec" RESTRICTED_QUERIER.
    role_enum: Literal["any", "docs", "spec"] = "any"
    # "docs": lists of ids and values are text with commas, and environments cannot be listed.
    env_shape: Literal["spec", "docs"] = "spec"
    # Not 0: the status of listing environments, as of the newer description, which has no such route.
    no_env_list: Literal[0, 400, 404, 405] = 0
    # Not 0: the status of listing user attributes.
    no_user_attributes: Literal[0, 403, 404] = 0
    # Whether a connection's environment attribute is read under the older spelling of its field.
    old_spelling: bool = False
    # What an error's body is: see ERROR_STYLES.
    error_style: Literal["detail", "legacy", "message", "error", "html", "empty"] = "detail"
    # 404: there is no whoami.
    whoami: Literal[200, 404] = 200
    # What the holder of `token` is.
    org_role: Literal["ORG_ADMIN", "MEMBER"] = "ORG_ADMIN"
    # Whether schemas are refreshed by branch, which rules out schedules and shared models.
    branch_refresh: bool = False
    # Unless there is one of this name: two connections, and an archived one, that have it.
    duplicate_seed: str = ""

    def __setattr__(self, name: str, value: Any) -> None:
        hint = _HINTS.get(name, object)
        if get_origin(hint) is Literal:
            fits = value in get_args(hint)
        else:
            fits = isinstance(value, (int, float) if hint is float else hint)
        if not fits:
            raise ValueError(f"{name}: {value!r} is no {hint}")
        object.__setattr__(self, name, value)

    def set(self, assignment: str) -> None:
        """Set a switch by text, `name=value`."""
        name, _equals, text = assignment.partition("=")
        value: Any = text
        if not isinstance(getattr(self, name), str):
            with suppress(ValueError):  # a number or a flag, unless it is one of a list of names
                value = json.loads(text)
        setattr(self, name, value)

    @property
    def absent(self) -> dict[str, int]:
        """The routes of omni_api that this instance has not, and the status that stands in for them."""
        routes = {
            "connections_get": self.no_get_route,
            "connections_delete": self.no_get_route,
            # Others use that path.
            "environments_list": self.no_env_list or (400 if self.env_shape == "docs" else 0),
            "user_attributes_list": self.no_user_attributes,
            "whoami": self.whoami,
        }
        return {name: status for name, status in routes.items() if status >= 400}


_HINTS = get_type_hints(Quirks)


def _html(status: int, detail: str) -> str:
    title = f"{status} {HTTPStatus(status).phrase}"
    return f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{escape(detail)}</body></html>"


# From a status and its text to a body, for each style but Omni's usual one.
ERROR_STYLES: dict[str, Callable[[int, str], str]] = {
    "legacy": lambda status, detail: json.dumps({"error": HTTPStatus(status).phrase, "message": detail}),
    "message": lambda status, detail: json.dumps({"message": detail}),
    "error": lambda status, detail: json.dumps({"error": detail}),
    "html": _html,
    "empty": lambda status, detail: "",
}

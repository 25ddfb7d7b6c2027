# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection in Omni (step 4 of the guide)."""

from __future__ import annotations

import ipaddress
import re
import socket
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

try:
    from zoneinfo import ZoneInfo
except ImportError:  # Python 3.8
    ZoneInfo = None  # type: ignore[assignment, misc]

from .. import _schemas
from .._converge import MASK, Change
from .._definition import Definition
from .._errors import Conflict, InvalidInput, Moved, Refused, Unreachable
from .client import LIBRARY, OPTIONS, PASSWORD, Client, OmniResource, Request

CONNECTIONS = "/api/v1/connections"

#: The options that are sent when a connection is created, and are a field of the API each.
SENT = (
    "name",
    "host",
    "port",
    "database",
    "username",
    "password",
    "default_schema",
    "include_schemas",
    "scratch_schema",
    "system_timezone",
    "query_timezone",
    "allows_user_specific_timezones",
    "query_timeout_seconds",
    "base_role",
)
#: Those that a connection shows again. The others it never does.
SHOWN = ("name", "database", "default_schema", "base_role")

LOCAL_NAME = re.compile(r"(.*\.)?localhost6?(\.localdomain6?)?\.?", re.IGNORECASE)
ZONE = re.compile(r"[A-Za-z][\w+-]*(/[\w+-]+)*", re.ASCII)


class Connection(OmniResource):
    """One connection to a Postgres database, found by its exact name or by its id."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        self.id = check_id(params["connection_id"])
        self.label = f"connection {params['name'] or self.id}"
        self._created = self._password_sent = False
        if not params["name"] and (self.id is None or params["state"] == "present"):
            raise InvalidInput("Reading name", "it is missing", "Give the connection's name.")
        if params["state"] == "present":
            check(params)

    def read(self) -> dict[str, Any] | None:
        """The connection as the API has it, or None where there is no live one."""
        if self.id is not None:
            return find(self.client, self.id)
        return named(self.client, self.params["name"])

    def plan(self, state: dict[str, Any] | None) -> list[Change]:
        if self.params["state"] == "absent":
            return self._plan_absent(state)
        if state is None:
            return self._plan_create()
        differing = self._differing(state, "dialect", "name", "database", "default_schema")
        if differing:
            raise self._conflict(
                differing,
                "and Omni's API cannot change that",
                "Edit it in Omni under Settings > Connections; or give this one another name; or delete the "
                "old one with state: absent (its models and dashboards go to Omni's trash) and run again.",
            )
        return self._plan_patch(state)

    def _plan_absent(self, state: dict[str, Any] | None) -> list[Change]:
        if state is None:
            return []
        differing = self._differing(state, "dialect", *(["name"] if self.params["name"] else []))
        if differing:
            raise self._conflict(differing, "so it is not deleted", "Correct name or connection_id.")
        request = Request("DELETE", f"{CONNECTIONS}/{state['id']}")
        before = {"in Omni": state["id"], "database": state["database"]}
        after = {"in the trash, with its models and content": state["id"]}
        return [self._change(request, before, after)]

    def _plan_create(self) -> list[Change]:
        if self.params["connection_id"] is not None:
            raise Conflict(
                f"Finding connection {self.id} at {self.client.root}",
                "there is none of that id, or it is in the trash",
                "Correct connection_id; without it, a connection of that name is created.",
                connection_id=self.id,
            )
        wanted = self._wanted()
        if "password" not in wanted:
            raise InvalidInput(
                f"Creating {self.label}", "it does not exist yet, and no password was given", "Set password."
            )
        body = {"dialect": "postgres", **{_field(option): value for option, value in wanted.items()}}
        return [self._change(Request("POST", CONNECTIONS, body), {}, {**wanted, "password": MASK})]

    def _wanted(self) -> dict[str, Any]:
        """The settings that have a value. No include list, or one with * in it, is every schema."""
        include = self.params["include_schemas"]
        values = {**self.params, "include_schemas": None if "*" in include else ",".join(include) or None}
        return {option: values[option] for option in SENT if values[option] is not None}

    def _change(self, request: Request, before: Mapping[str, Any], after: Mapping[str, Any]) -> Change:
        lines = [{f"{self.label}: {what}": side[what] for what in side} for side in (before, after)]
        return Change(request, *lines)

    def _differing(self, state: Mapping[str, Any], *options: str) -> dict[str, dict[str, str]]:
        """Those of ``options`` that are not as wanted, and that the API cannot change."""
        wanted = {**self.params, "dialect": "postgres"}
        return {
            option: {"is": state[_field(option)], "wanted": wanted[option]}
            for option in options
            if state[_field(option)] != wanted[option]
            # Omni does not always tell which default schema it was given.
            and not (option == "default_schema" and state["defaultSchema"] is None)
        }

    def _conflict(self, differing: Mapping[str, Mapping[str, str]], so: str, todo: str) -> Conflict:
        said = [
            f"{option} is {pair['is']!r} where {pair['wanted']!r} is wanted"
            for option, pair in differing.items()
        ]
        doing = f"Comparing {self.label} at {self.client.root}"
        return Conflict(doing, f"{', '.join(said)}, {so}", todo, differences=differing)

    def _plan_patch(self, state: dict[str, Any]) -> list[Change]:
        body: dict[str, Any] = {}
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        password, role = self.params["password"], self.params["base_role"]
        if password is not None and self.params["update_password"] == "always" and not self._password_sent:
            body[PASSWORD] = password
            before["password"], after["password"] = "not readable", MASK
        if role is not None and _role(role) != _role(state["baseRole"]):
            body["baseRole"] = role
            before["base_role"], after["base_role"] = state["baseRole"], role
        if not body:
            return []
        request = Request("PATCH", f"{CONNECTIONS}/{state['id']}", body)
        return [self._change(request, before, after)]

    def apply(self, changes: Sequence[Change]) -> Iterator[Change]:
        for change in changes:
            request = change.payload
            answer: Mapping[str, Any] = {}
            try:
                answer = self.client.write(request)
            except Moved:
                # What is not planned any more was done, though its answer was lost.
                if change in self.plan(self.read()):
                    raise
            except Refused as refused:
                if request.method != "POST" and refused.detail["status"] in (404, 410):
                    raise Moved(str(refused), **refused.detail) from None  # somebody else deleted it
                raise
            if request.method == "POST":
                self._created = True
                self.id = answer.get("data")  # nothing else is answered
            elif request.method == "DELETE":
                self.id = request.path.rpartition("/")[2]
            self._password_sent = self._password_sent or PASSWORD in request.body
            yield change

    def learned(self, state: dict[str, Any] | None, done: Sequence[Change]) -> dict[str, Any]:
        result = {
            "connection_id": state["id"] if state else self.id,
            "name": self.params["name"] or (state and state["name"]),
            "connection": state and snake_case(state),
            "requests": [f"{change.payload.method} {change.payload.path}" for change in done],
            "unverifiable": self._unverifiable(state),
        }
        if done and self.params["state"] == "absent":
            result["msg"] = f"Deleting {self.label} sends it to Omni's trash, with its models and content."
        return result

    def _unverifiable(self, state: dict[str, Any] | None) -> list[str]:
        """The wanted settings that a connection which was there before does not show."""
        if state is None or self._created or self.params["state"] == "absent":
            return []
        return [
            option
            for option in self._wanted()
            if not (option == "password" and self._password_sent)
            and (option not in SHOWN or state[_field(option)] is None)
        ]


def check(params: Mapping[str, Any]) -> None:
    """Refuse settings of a connection that Omni, or the database behind it, could not use.

    :raises InvalidInput: names the option.
    """
    for option in ("host", "database", "username"):
        if not params[option]:
            raise InvalidInput(f"Reading {option}", "it is missing", "A connection needs one.")
    for option in ("password", "default_schema", "scratch_schema", "base_role"):
        if params[option] == "":
            raise InvalidInput(f"Reading {option}", "it is empty", "Leave it out, or give it a value.")
    check_host(params["host"])
    for option, most in (("port", 65535), ("query_timeout_seconds", 3600)):
        if params[option] is not None and not 1 <= params[option] <= most:
            raise InvalidInput(
                f"Reading {option}", f"{params[option]} is out of range", f"Give it from 1 to {most}."
            )
    check_timezone(params["system_timezone"], "system_timezone")
    if params["query_timezone"] != "NONE":
        check_timezone(params["query_timezone"], "query_timezone", " or NONE")
    check_schemas(params["include_schemas"], params["default_schema"], params["scratch_schema"])


def check_host(host: str) -> None:
    """Refuse an address that Omni could not reach, or that is none.

    :raises InvalidInput: says which of the two.
    """
    if re.search(r"[\s,/@\[\]\\]", host) or re.fullmatch(r"[^:]*:\d*", host):
        raise InvalidInput(
            "Reading host",
            "it is no host name or IP address",
            "Give the one host; its port belongs into port.",
        )
    address = _address(host)
    if LOCAL_NAME.fullmatch(host) or (address and (address.is_loopback or address.is_unspecified)):
        raise InvalidInput(
            "Reading host",
            f"{host} is this machine, and Omni connects from elsewhere",
            "Set host to the address at which Omni reaches the database.",
        )


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address that ``host`` is, in whatever spelling (127.1 is one), or None for a name."""
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        pass
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        return None
    return address.ipv4_mapped or address


def check_timezone(name: str, option: str, other: str = "") -> None:
    """Refuse what is no IANA time zone; where there is no database of them, what does not look like one.

    :raises InvalidInput: quotes the name.
    """
    if name == "NONE" or not ZONE.fullmatch(name) or (_known_zone("UTC") and not _known_zone(name)):
        raise InvalidInput(
            f"Reading {option}",
            f"{name!r} is no time zone",
            f"Give an IANA name{other}, such as Europe/Berlin.",
        )


def _known_zone(name: str) -> bool:
    try:
        return ZoneInfo is not None and bool(ZoneInfo(name))
    except (ValueError, OSError, LookupError):
        return False


def check_schemas(include: Sequence[str], default: str, upload: str | None) -> None:
    """Refuse schemas that contradict each other.

    :raises InvalidInput: names the option.
    """
    commas = [name for name in include if "," in name]
    if commas:
        raise InvalidInput(
            "Reading include_schemas",
            f"{commas[0]!r} has a comma, which in Omni separates two schemas",
            "Leave it out: Omni cannot include a schema of that name.",
        )
    if include:
        _schemas.check(include, "include_schemas")
        if not _schemas.matches(default, include):
            raise InvalidInput(
                "Reading default_schema",
                f"{default} is not among include_schemas ({', '.join(include)})",
                "Add it there, or choose another default_schema.",
            )
    if upload is not None:
        _schemas.check_apart(upload, include, "include_schemas")
        _schemas.check_apart(upload, [default], "default_schema")


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
            "Reading connection_id",
            f"{value!r} is no id",
            "Omni's ids are UUIDs; omni_connection_info shows them.",
        ) from None


def listed(client: Client, name: str | None = None, archived: bool = False) -> list[dict[str, Any]]:
    """The connections whose names contain ``name``, whatever the case; live ones unless ``archived``."""
    query = {} if name is None else {"name": name}
    if archived:
        query["includeDeleted"] = "true"
    answer = client.get(CONNECTIONS, query)
    return [_record(client, one) for one in _list(client, answer) if archived or not one.get("deletedAt")]


def find(client: Client, connection_id: str, archived: bool = False) -> dict[str, Any] | None:
    """The connection of that id, or None; a live one unless ``archived``."""
    try:
        answer = client.get(f"{CONNECTIONS}/{connection_id}")
    except Refused as refused:
        if refused.detail["status"] not in (404, 405, 410):
            raise
        # Older instances have no such route.
        found = [one for one in listed(client, archived=archived) if one["id"] == connection_id]
        return found[0] if found else None
    record = _record(client, answer.get("connection", answer))
    return record if archived or not record.get("deletedAt") else None


def named(client: Client, name: str) -> dict[str, Any] | None:
    """The live connection of exactly that name, or None.

    :raises Conflict: there are several.
    """
    return only(client, [one for one in listed(client, name) if one["name"] == name], name)


def only(
    client: Client, found: Sequence[dict[str, Any]], name: str, choice: str = "connection_id"
) -> dict[str, Any] | None:
    """The one connection of those ``found`` by ``name``, or None.

    :param choice: what tells several apart.
    :raises Conflict: there are several.
    """
    if len(found) > 1:
        ids = sorted(one["id"] for one in found)
        raise Conflict(
            f"Finding connection {name} at {client.root}",
            f"there are {len(ids)} of that name: {', '.join(ids)}",
            f"Choose one with {choice}, or delete those that nobody needs.",
            ids=ids,
        )
    return found[0] if found else None


def _list(client: Client, answer: Mapping[str, Any]) -> list[Any]:
    found = answer.get("connections")
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise _strange(client, "no list of connections")
    return found


def _record(client: Client, record: Any) -> dict[str, Any]:
    """``record`` with every field that the plan looks at."""
    if not isinstance(record, dict) or not all(isinstance(record.get(key), str) for key in ("id", "name")):
        raise _strange(client, "a connection without id or name")
    return {**dict.fromkeys(("dialect", "database", "defaultSchema", "baseRole")), **record}


def _strange(client: Client, what: str) -> Unreachable:
    return Unreachable(
        f"Reading connections at {client.root}",
        f"it answered {what}",
        "Check that api_url is your Omni instance.",
    )


def _field(option: str) -> str:
    """The API's field of an option."""
    if option == "password":
        return PASSWORD
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), option)


def snake_case(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of the API with its fields spelled as Ansible's users spell them."""
    return {re.sub("(?=[A-Z])", "_", key).lower(): value for key, value in record.items()}


def _role(name: str | None) -> str | None:
    """A base role's one name: Omni's documentation and its specification differ in this one."""
    return "QUERY_TOPICS" if name == "RESTRICTED_QUERIER" else name


DEFINITION = Definition(
    build=Connection,
    options={
        **OPTIONS,
        "name": {"type": "str"},
        "connection_id": {"type": "str"},
        "host": {"type": "str"},
        "port": {"type": "int", "default": 5432},
        "database": {"type": "str"},
        "username": {"type": "str", "default": "omni"},
        "password": {"type": "str", "no_log": True},
        "default_schema": {"type": "str", "default": "public"},
        "include_schemas": {"type": "list", "elements": "str", "default": []},
        "scratch_schema": {"type": "str", "aliases": ["upload_schema"]},
        "system_timezone": {"type": "str", "default": "UTC", "aliases": ["database_timezone"]},
        "query_timezone": {"type": "str", "default": "NONE"},
        "allows_user_specific_timezones": {"type": "bool", "default": False},
        "query_timeout_seconds": {"type": "int", "aliases": ["query_timeout"]},
        "base_role": {"type": "str"},
        "update_password": {
            "type": "str",
            "default": "on_create",
            "choices": ["on_create", "always"],
            "no_log": False,
        },
        "state": {"type": "str", "default": "present", "choices": ["present", "absent"]},
    },
    library=LIBRARY,
)

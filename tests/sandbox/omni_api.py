# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shapes of Omni's REST API, as data: the part of it that a Postgres connection can use.

The fake server answers from this table, and the tests hold both sides of the wire to it. Objects are
closed: a field that is not written here is a mistake of whoever sent it. Query and path parameters are
text, as they are on the wire.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker, ValidationError

Schema = dict[str, Any]

# Accepted by a create, and never to be seen in any answer.
WRITE_ONLY = frozenset({
    "allowsUserSpecificTimezones",
    "alwaysScopeViewNames",
    "host",
    "includeOtherCatalogs",
    "includeSchemas",
    "inferRelationshipsFromColumnNames",
    "inferRelationshipsFromForeignKeys",
    "offloadedSchemas",
    "passwordUnencrypted",
    "port",
    "privateKey",
    "queryTimeoutSeconds",
    "queryTimezone",
    "scratchSchema",
    "systemTimezone",
    "username",
})  # fmt: skip

# A connection's environment attribute, in its present and its older spelling.
ATTRIBUTE_NAME = "userAttributeNameForConnectionEnvironments"
OLD_ATTRIBUTE_NAME = "userAttributeNameForConnectionsEnvironments"

DIALECTS = (
    "athena", "bigquery", "clickhouse", "databricks", "databricks_lakebase", "exasol", "fabric", "mariadb",
    "motherduck", "mssql", "mysql", "oracle", "postgres", "redshift", "sap_hana", "snowflake", "starrocks",
    "trino",
)  # fmt: skip


class ShapeError(Exception):
    """A request or a response that does not fit the table. Its text never quotes a secret.

    `errors` has one entry a misfit, empty when there is no such route or status at all.
    """

    def __init__(self, text: str, errors: list[ValidationError] | None = None) -> None:
        super().__init__(text)
        self.errors = errors or []


@dataclass(frozen=True)
class Route:
    """One operation. `body` None: no body may be sent. `responses`: a schema for each status."""

    name: str
    method: str
    template: str
    responses: Mapping[int, Schema]
    query: Mapping[str, Schema] = field(default_factory=dict)
    body: Schema | None = None

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.template))

    @cached_property
    def request(self) -> Draft202012Validator:
        """Validates `{"path": …, "query": …, "body": …}`."""
        path = {name: _TEXT if name == "jobId" else _UUID for name in self.pattern.groupindex}
        parts = {
            "path": _object(path),
            "query": _object(self.query, optional=tuple(self.query)),
            "body": self.body or {"type": "null"},
        }
        return _validator(_object(parts))

    @cached_property
    def answers(self) -> dict[int, Draft202012Validator]:
        return {status: _validator(schema) for status, schema in self.responses.items()}


def find_route(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The route of a request, and what stands in the variable parts of its path."""
    for route in ROUTES:
        found = route.pattern.fullmatch(path)
        if found and route.method == method:
            return route, found.groupdict()
    raise ShapeError(f"{method} {path}: no such route")


def validate_request(method: str, path: str, query: Mapping[str, str], body: Any) -> None:
    """Raise ShapeError unless Omni knows this request. `path` starts with /api; no body is None."""
    route, variables = find_route(method, path)
    request = {"path": variables, "query": dict(query), "body": body}
    _check(route.request, request, f"{method} {path}")


def validate_response(method: str, path: str, status: int, body: Any) -> None:
    """Raise ShapeError unless Omni could give this answer. `body` is the decoded JSON."""
    route, _variables = find_route(method, path)
    if status not in route.answers:
        raise ShapeError(f"{method} {path}: status {status} is none of {sorted(route.responses)}")
    _check(route.answers[status], body, f"{method} {path}: answer {status}")


def explain(error: ValidationError) -> tuple[str, str]:
    """What is wrong, as (field, message), in the words of the validator that Omni uses.

    The field is "" for the whole object. Values are quoted only where a list of allowed ones exists.
    """
    where = [part for part in error.absolute_path if isinstance(part, str) and part not in _PARTS]
    schema: Any = error.schema
    expected: Any = error.validator_value
    value: Any = error.instance
    if "x-message" in schema:
        return ".".join(where), schema["x-message"]
    match error.validator:
        case "required":
            where.append(error.message.split("'")[1])
            message = "Required"
        case "additionalProperties":
            unknown = [key for key in value if key not in schema["properties"]]
            message = "Unrecognized key(s) in object: " + ", ".join(f"'{key}'" for key in unknown)
        case "type":
            if isinstance(expected, list):
                expected = " or ".join(expected)
            message = f"Expected {expected}, received {_kind(value)}"
        case "enum":
            allowed = " | ".join(f"'{one}'" for one in expected)
            message = f"Invalid enum value. Expected {allowed}, received '{value}'"
        case "format":
            message = f"Invalid {expected}"
        case "maximum":
            message = f"Number must be less than or equal to {expected}"
        case "minProperties":
            message = "Empty request body"
        case _:
            message = "Invalid input"
    return ".".join(where), message


_PARTS = ("path", "query", "body")


def _kind(value: Any) -> str:
    names = {type(None): "null", bool: "boolean", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "number")


def _check(validator: Draft202012Validator, value: Any, what: str) -> None:
    errors = list(validator.iter_errors(value))
    if errors:
        raise ShapeError(f"{what}: " + "; ".join(": ".join(filter(None, explain(e))) for e in errors), errors)


def _validator(schema: Schema) -> Draft202012Validator:
    return Draft202012Validator(schema, format_checker=FormatChecker(["uuid"]))


def _object(properties: Mapping[str, Schema], optional: tuple[str, ...] = (), **more: Any) -> Schema:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
        **more,
    }


def _list_of(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _enum(*values: str) -> Schema:
    return {"enum": list(values)}


def _or_null(kind: str) -> Schema:
    return {"type": [kind, "null"]}


def _answers(success: int, schema: Schema, *errors: int) -> dict[int, Schema]:
    """The answers of a route: one success, the errors that every route has, and its own errors."""
    return {success: schema} | {status: _error(status) for status in (400, 401, 403, 429, *errors)}


def _error(status: int) -> Schema:
    return _object({"detail": _TEXT, "status": {"const": status}})


_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
_UUID: Schema = {"type": "string", "format": "uuid"}
_TEXTS = _list_of(_TEXT)
_SUCCESS: Schema = {"const": True}
_QUERY_FLAG = _enum("true", "false")
_QUERY_BIT = _enum("0", "1", "true", "false")

CONNECTION = _object(
    {
        "id": _UUID,
        "name": _TEXT,
        "dialect": _TEXT,
        "database": _or_null("string"),
        "defaultSchema": _or_null("string"),
        "baseRole": _or_null("string"),
        "deletedAt": _or_null("string"),
        "createdAt": _TEXT,
        "updatedAt": _TEXT,
        "environmentConnectionSwitchesSchemaModel": _or_null("boolean"),
        "allowBranchConnectionEnvironments": _or_null("boolean"),
        # Its older name, which both descriptions require.
        "branchConnectionEnvironmentOverridesUserAttr": _or_null("boolean"),
        ATTRIBUTE_NAME: _or_null("string"),
        OLD_ATTRIBUTE_NAME: _or_null("string"),
        "userAttributeValuesForDefaultEnvironment": {"type": ["array", "string", "null"], "items": _TEXT},
    },
    optional=(
        "createdAt", "updatedAt", "allowBranchConnectionEnvironments", ATTRIBUTE_NAME, OLD_ATTRIBUTE_NAME
    ),
    oneOf=[{"required": [ATTRIBUTE_NAME]}, {"required": [OLD_ATTRIBUTE_NAME]}],
)  # fmt: skip

CONNECTION_CREATE = _object(
    {
        "dialect": {"enum": list(DIALECTS), "x-detail": "Invalid connection dialect"},
        "name": _TEXT,
        "passwordUnencrypted": _TEXT,
        "host": _TEXT,
        "port": {"type": "integer"},
        "database": _TEXT,
        "username": _TEXT,
        "defaultSchema": _TEXT,
        "includeSchemas": _TEXT,  # separated by commas
        "offloadedSchemas": {"anyOf": [_TEXT, _TEXTS]},
        "scratchSchema": _TEXT,
        "systemTimezone": _TEXT,
        "queryTimezone": _TEXT,
        "allowsUserSpecificTimezones": _FLAG,
        "queryTimeoutSeconds": {"type": "integer", "maximum": 3600},
        "baseRole": _TEXT,  # custom roles too, so no list of names
        "alwaysScopeViewNames": _FLAG,
        "inferRelationshipsFromColumnNames": _FLAG,
        "inferRelationshipsFromForeignKeys": _FLAG,
    },
)
CONNECTION_CREATE["required"] = ["dialect", "name", "passwordUnencrypted"]

CONNECTION_PATCH = _object(
    {
        "passwordUnencrypted": _TEXT,
        "baseRole": _TEXT,
        "environmentUserAttribute": _object(
            {"attributeName": _TEXT, "defaultValues": {"type": ["array", "null"], "items": _TEXT}},
            type=["object", "null"],
        ),
    },
    optional=("passwordUnencrypted", "baseRole", "environmentUserAttribute"),
    minProperties=1,
)

SCHEDULE = _object(
    {
        "scheduleId": _UUID,
        "connectionId": _UUID,
        "schedule": _TEXT,
        "timezone": _TEXT,
        "description": _TEXT,
        "hardRefresh": _FLAG,
        "createdAt": _TEXT,
        "updatedAt": _TEXT,
        "disabledAt": _or_null("string"),
    },
)

SCHEDULE_WRITE = _object(
    {
        "schedule": _TEXT,  # cron of six fields: minute hour day-of-month month day-of-week year
        "timezone": _TEXT,
        "hardRefresh": _FLAG,
    },
    optional=("hardRefresh",),
)

MODEL = _object(
    {
        "id": _UUID,
        "name": _or_null("string"),
        "modelKind": _or_null("string"),
        "connectionId": _or_null("string"),
        "baseModelId": _or_null("string"),
        "createdAt": _TEXT,
        "updatedAt": _TEXT,
        "deletedAt": _or_null("string"),
    },
)

MODEL_CREATE = _object(
    {
        "connectionId": _UUID,
        "modelKind": _enum("SCHEMA", "SHARED", "SHARED_EXTENSION", "BRANCH"),
        "modelName": _TEXT,
        "baseModelId": _TEXT,
    },
    optional=("modelKind", "modelName", "baseModelId"),
)

PAGE_INFO = _object(
    {
        "hasNextPage": _FLAG,
        "nextCursor": _or_null("string"),
        "pageSize": {"type": "integer"},
        "totalRecords": {"type": "integer"},
    },
)

ENVIRONMENT = _object(
    {"id": _UUID, "baseConnectionId": _UUID, "connectionId": _UUID, "userAttributeValues": _TEXTS},
)
_ENVIRONMENTS = _object({"connectionEnvironments": _list_of(ENVIRONMENT)})
# The documentation has another answer to a create than the specification; which is real is open. The
# same goes for lists in requests: it has them as text with commas.
_ENVIRONMENTS_MADE: Schema = {
    "anyOf": [
        _ENVIRONMENTS,
        _object(
            {
                "success": _SUCCESS,
                "data": _list_of(_object({"id": _UUID, "environmentConnectionId": _UUID})),
            }
        ),
    ]
}

USER_ATTRIBUTE = _object(
    {
        "id": _TEXT,  # empty of one that is Omni's own
        "name": _TEXT,
        "label": _TEXT,
        "type": _TEXT,
        "multiple_values": _FLAG,
        "default_value": {},
        "description": _or_null("string"),
        "system": _FLAG,
    },
)

WHOAMI = _object(
    {
        "keyScope": _enum("user", "organization"),
        "orgRole": _enum("MEMBER", "ORG_ADMIN"),
        "user": _object({"id": _TEXT, "membershipId": _TEXT}),
        "rolesByModel": {
            "type": "object",
            "additionalProperties": _object(
                {"roleName": _TEXT, "baseRole": _TEXT, "permissions": _TEXTS},
            ),
        },
    },
)


def _routes() -> Iterator[Route]:
    connections = "/api/v1/connections"
    yield Route(
        "connections_list", "GET", connections,
        _answers(200, _object({"connections": _list_of(CONNECTION)})),
        query={
            "name": _TEXT,  # contains, whatever the case; so is database
            "database": _TEXT,
            "dialect": _TEXT,  # separated by commas
            "includeDeleted": _QUERY_FLAG,
            "sortField": _enum("database", "dialect", "name"),
            "sortDirection": _enum("asc", "desc"),
        },
    )  # fmt: skip
    yield Route(
        "connections_create", "POST", connections,
        # Whether names may be used twice is not documented; 409 is for an instance where they may not.
        _answers(201, _object({"success": _SUCCESS, "data": _UUID}), 409),
        body=CONNECTION_CREATE,
    )  # fmt: skip
    connection = f"{connections}/{{id}}"
    acknowledged = _object({"success": _SUCCESS, "message": _TEXT})
    yield Route("connections_get", "GET", connection, _answers(200, _object({"connection": CONNECTION}), 404))
    yield Route(
        "connections_patch", "PATCH", connection, _answers(200, acknowledged, 404), body=CONNECTION_PATCH
    )
    yield Route("connections_delete", "DELETE", connection, _answers(200, acknowledged, 404, 410))

    done = _object({"success": _SUCCESS})
    schedules = f"{connections}/{{connectionId}}/schedules"
    yield Route(
        "schedules_list", "GET", schedules, _answers(200, _object({"schedules": _list_of(SCHEDULE)}), 404)
    )
    yield Route("schedules_create", "POST", schedules, _answers(201, SCHEDULE, 404), body=SCHEDULE_WRITE)
    schedule = f"{schedules}/{{scheduleId}}"
    yield Route("schedules_get", "GET", schedule, _answers(200, SCHEDULE, 404))
    yield Route("schedules_put", "PUT", schedule, _answers(200, SCHEDULE, 404), body=SCHEDULE_WRITE)
    yield Route("schedules_delete", "DELETE", schedule, _answers(200, done, 404))

    models = "/api/v1/models"
    yield Route(
        "models_list", "GET", models,
        _answers(200, _object({"pageInfo": PAGE_INFO, "records": _list_of(MODEL)})),
        query={
            "connectionId": _UUID,
            "modelId": _UUID,
            "baseModelId": _UUID,
            "modelKind": _enum("SCHEMA", "SHARED", "SHARED_EXTENSION", "BRANCH", "WORKBOOK", "QUERY"),
            "includeDeleted": _QUERY_BIT,
            "pageSize": {"type": "string", "pattern": "^[1-9][0-9]*$"},
            "cursor": _TEXT,
        },
    )  # fmt: skip
    made = _object({"id": _UUID, "name": _or_null("string"), "modelKind": _TEXT})
    yield Route(
        "models_create", "POST", models,
        # A 404 here has been seen without a detail.
        _answers(200, _object({"success": _SUCCESS, "model": made}))
        | {404: _object({"detail": _TEXT, "status": {"const": 404}}, optional=("detail",))},
        body=MODEL_CREATE,
    )  # fmt: skip
    yield Route(
        "models_schemas", "GET", f"{models}/{{modelId}}/schemas",
        _answers(200, _object({"schemas": _list_of(_TEXT)}), 404),
    )  # fmt: skip
    yield Route(
        "models_refresh", "POST", f"{models}/{{modelId}}/refresh",
        _answers(
            200,
            _object({"jobId": _TEXT, "modelId": _UUID, "status": _enum("running", "completed", "failed")}),
            404,
        ),
        query={"branch_id": _UUID, "hard_refresh": _QUERY_BIT, "schemas": _TEXT, "tables": _TEXT},
    )  # fmt: skip
    yield Route(
        "jobs_status", "GET", "/api/v1/jobs/{jobId}/status",
        _answers(
            200,
            _object({
                "job_id": _TEXT,
                "job_type": _TEXT,
                "status": _enum("IN_PROGRESS", "COMPLETED", "FAILED"),
            }),
            404,
        ),
    )  # fmt: skip

    environments = "/api/v1/connection-environments"
    yield Route("environments_list", "GET", environments, _answers(200, _ENVIRONMENTS))
    base_id = _UUID | {"x-message": "Base connection ID must be a valid UUID"}
    no_uuids = {"x-message": "All environment connection IDs must be valid UUIDs"}
    environment_ids = {
        "type": ["array", "string"],
        "items": _UUID | no_uuids,
        "pattern": r"^[0-9a-fA-F-]{36}( *, *[0-9a-fA-F-]{36})*$",
        **no_uuids,
    }
    yield Route(
        "environments_create", "POST", environments, _answers(201, _ENVIRONMENTS_MADE, 404),
        body=_object({"baseConnectionId": base_id, "environmentConnectionIds": environment_ids}),
    )  # fmt: skip
    environment = f"{environments}/{{id}}"
    yield Route(
        "environments_put", "PUT", environment, _answers(200, done, 404),
        body=_object({"userAttributeValues": {"type": ["array", "string"], "items": _TEXT}}),
    )  # fmt: skip
    yield Route("environments_delete", "DELETE", environment, _answers(200, done, 404))

    yield Route(
        "user_attributes_list", "GET", "/api/v1/user-attributes",
        _answers(200, _object({"records": _list_of(USER_ATTRIBUTE)}), 404),
    )  # fmt: skip
    yield Route("whoami", "GET", "/api/v1/whoami", _answers(200, WHOAMI, 404), query={"modelId": _TEXT})


ROUTES = tuple(_routes())

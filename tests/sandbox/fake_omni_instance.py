# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Omni stores, and what each of its operations does with it: the rules, without the wire."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from tests.sandbox import omni_api

from .fake_omni_quirks import Quirks

Record = dict[str, Any]
Answer = tuple[int, Any]  # status and body

NO_CONNECTION = "Connection does not exist"
# One role, by the name that the specification has and the one that the documentation has.
SPEC_ROLE, DOCS_ROLE = "RESTRICTED_QUERIER", "QUERY_TOPICS"
REFUSED_ROLE = {"any": None, "docs": SPEC_ROLE, "spec": DOCS_ROLE}


class Refusal(Exception):
    """An error answer of Omni. `detail` None leaves the text out, as Omni does in one place."""

    def __init__(self, status: int, detail: str | None) -> None:
        super().__init__(status, detail)
        self.status = status
        self.body = {"status": status} if detail is None else {"detail": detail, "status": status}


class Call(NamedTuple):
    """A request that fits its route."""

    path: dict[str, str]
    query: dict[str, str]
    body: Any


class OmniInstance:
    """One organization's connections and what hangs on them, by id.

    There is a method for each route of omni_api that needs stored state, of the route's name. It returns
    an answer or raises Refusal. Passwords are kept apart, so that no record can give one away.
    """

    def __init__(self) -> None:
        self.quirks = Quirks()
        # Whether Omni reaches a connection's database, asked when a refresh starts.
        self.reachable: bool | Callable[[Record], bool] = True
        # How often a job's status is IN_PROGRESS before it says how the job ended.
        self.polls_in_progress = 1
        self.connections: dict[str, Record] = {}
        self.passwords: dict[str, str] = {}
        self.models: dict[str, Record] = {}
        self.schedules: dict[str, Record] = {}
        self.environments: dict[str, Record] = {}
        #: The names of user attributes, beside Omni's own.
        self.user_attributes = ["region", "area"]
        self.jobs: dict[str, Record] = {}
        # How often each new connection is still not found, and until when it is not shown.
        self._lags: dict[str, int] = {}
        self._shown_at: dict[str, float] = {}

    def add_connection(self, name: str, password: str | None = None, **fields: Any) -> str:
        """Store a connection, its settings named as in the API, and return its id."""
        record: Record = dict.fromkeys(omni_api.CONNECTION["required"]) | {
            "id": str(uuid.uuid4()),
            "name": name,
            "dialect": "postgres",
            omni_api.ATTRIBUTE_NAME: None,
            "environmentConnectionSwitchesSchemaModel": False,
            "allowBranchConnectionEnvironments": False,
            "branchConnectionEnvironmentOverridesUserAttr": False,
            **_stamps(),
            **fields,
        }
        self.connections[record["id"]] = record
        if password is not None:
            self.passwords[record["id"]] = password
        return str(record["id"])

    def seed(self) -> None:
        """Make what the quirk duplicate_seed asks for."""
        name = self.quirks.duplicate_seed
        if name and not any(record["name"] == name for record in self.connections.values()):
            for deleted in (None, None, _now()):
                self.add_connection(name, deletedAt=deleted)

    # Connections

    def connections_list(self, call: Call) -> Answer:
        query = call.query
        dialects = [name for name in query.get("dialect", "").split(",") if name]
        strange = [name for name in dialects if name not in omni_api.DIALECTS]
        if strange:
            raise Refusal(400, f"Invalid dialect(s): {', '.join(strange)}")
        found = [
            record
            for record in self.connections.values()
            if self._is_shown(record["id"])
            and (query.get("includeDeleted") == "true" or not record["deletedAt"])
            and (not dialects or record["dialect"] in dialects)
            and all(query.get(key, "").lower() in (record[key] or "").lower() for key in ("name", "database"))
        ]
        if "sortField" in query:
            found.sort(
                key=lambda record: record[query["sortField"]] or "",
                reverse=query.get("sortDirection") == "desc",
            )
        return 200, {"connections": [self._readable(record) for record in found]}

    def connections_create(self, call: Call) -> Answer:
        fields = dict(call.body)
        self._check_role(fields)
        name, status = fields.pop("name"), self.quirks.unique_names
        if status and any(
            record["name"] == name and not record["deletedAt"] for record in self.connections.values()
        ):
            raise Refusal(status, "A connection with this name already exists")
        id = self.add_connection(name, fields.pop("passwordUnencrypted"), **fields)
        self._lags[id] = self.quirks.get_lag
        self._shown_at[id] = time.monotonic() + self.quirks.list_lag
        return 201, {"success": True, "data": id}

    def _is_shown(self, id: str) -> bool:
        return self._shown_at.get(id, 0.0) <= time.monotonic()

    def connections_get(self, call: Call) -> Answer:
        id = call.path["id"]
        if self._lags.get(id):
            self._lags[id] -= 1
            raise Refusal(404, NO_CONNECTION)
        if not self._is_shown(id):
            raise Refusal(404, NO_CONNECTION)
        record = _found(self.connections, id, NO_CONNECTION, archived=self.quirks.archived_get == 200)
        return 200, {"connection": self._readable(record)}

    def connections_patch(self, call: Call) -> Answer:
        record = _found(self.connections, call.path["id"], "Connection not found", archived=False)
        if not call.body:  # nothing is left without the fields that nobody knows
            raise Refusal(400, "Bad Request: Empty request body")
        self._check_role(call.body)
        wanted = {}
        if "baseRole" in call.body:
            wanted["baseRole"] = call.body["baseRole"]
        if "environmentUserAttribute" in call.body:
            attribute = call.body["environmentUserAttribute"] or {
                "attributeName": None,
                "defaultValues": None,
            }
            self._check_values_free(attribute["defaultValues"] or [], record["id"], holder=record["id"])
            wanted[omni_api.ATTRIBUTE_NAME] = attribute["attributeName"]
            wanted["userAttributeValuesForDefaultEnvironment"] = attribute["defaultValues"]
        changed = {key for key, value in wanted.items() if record[key] != value}
        record.update(wanted)
        if "passwordUnencrypted" in call.body:
            self.passwords[record["id"]] = call.body["passwordUnencrypted"]
            message = "Updated connection credentials."
        elif not changed:
            return 200, {"success": True, "message": "No updates were made to the connection."}
        elif changed == {"baseRole"}:
            message = "Updated connection default role."
        elif "baseRole" in changed:
            message = "Updated connection default role and user attribute settings."
        else:
            message = "Updated environment user attribute settings."
        record["updatedAt"] = _now()
        return 200, {"success": True, "message": message}

    def connections_delete(self, call: Call) -> Answer:
        record = _found(self.connections, call.path["id"], NO_CONNECTION)
        if record["deletedAt"]:
            raise Refusal(410, "Connection has already been archived")
        record["deletedAt"] = _now()
        self.passwords.pop(record["id"], None)
        for model in self.models.values():
            if model["connectionId"] == record["id"]:
                model["deletedAt"] = record["deletedAt"]
        return 200, {"success": True, "message": "Connection moved to trash."}

    def _check_role(self, fields: Record) -> None:
        refused = REFUSED_ROLE[self.quirks.role_enum]
        if refused and fields.get("baseRole") == refused:
            raise Refusal(400, "Bad Request: baseRole: Invalid enum value")

    def _readable(self, connection: Record) -> Record:
        shown = {key: connection[key] for key in omni_api.CONNECTION["properties"] if key in connection}
        values = shown["userAttributeValuesForDefaultEnvironment"]
        if self.quirks.env_shape == "docs" and values is not None:
            shown["userAttributeValuesForDefaultEnvironment"] = ",".join(values)
        if self.quirks.old_spelling:
            shown[omni_api.OLD_ATTRIBUTE_NAME] = shown.pop(omni_api.ATTRIBUTE_NAME)
        if self.quirks.drop_default_schema:
            shown["defaultSchema"] = None
        if not self.quirks.stamps:
            del shown["createdAt"], shown["updatedAt"]
        if self.quirks.role_alias and shown["baseRole"] == SPEC_ROLE:
            shown["baseRole"] = DOCS_ROLE
        return shown

    # Schedules

    def schedules_list(self, call: Call) -> Answer:
        connection = self._scheduled_connection(call)
        return 200, {
            "schedules": [one for one in self.schedules.values() if one["connectionId"] == connection["id"]]
        }

    def schedules_create(self, call: Call) -> Answer:
        connection = self._scheduled_connection(call)
        if connection["id"] not in self.models:
            # So says Omni of a connection that it has, as long as it has no schema model.
            raise Refusal(404, f"Connection with id {connection['id']} does not exist")
        if self.quirks.branch_refresh:
            # That it is refused is documented; the words are not.
            raise Refusal(400, "Schedules are disabled when branch schema refresh is enabled")
        record = {"scheduleId": str(uuid.uuid4()), "connectionId": connection["id"], "disabledAt": None}
        record |= _schedule_fields(call.body) | _stamps()
        self.schedules[record["scheduleId"]] = record
        return 201, record

    def schedules_get(self, call: Call) -> Answer:
        return 200, self._schedule(call)

    def schedules_put(self, call: Call) -> Answer:
        record = self._schedule(call)
        record.update(_schedule_fields(call.body), updatedAt=_now())
        return 200, record

    def schedules_delete(self, call: Call) -> Answer:
        del self.schedules[self._schedule(call)["scheduleId"]]
        return 200, {"success": True}

    def _scheduled_connection(self, call: Call) -> Record:
        id = call.path["connectionId"]
        return _found(self.connections, id, f"Connection with id {id} does not exist", archived=False)

    def _schedule(self, call: Call) -> Record:
        connection = self._scheduled_connection(call)
        id = call.path["scheduleId"]
        record = _found(self.schedules, id, f"Schedule with id {id} does not exist")
        if record["connectionId"] != connection["id"]:
            raise Refusal(404, f"Schedule with id {id} does not exist")
        return record

    # Models and jobs

    def models_list(self, call: Call) -> Answer:
        query = call.query
        filters = {
            "connectionId": "connectionId",
            "modelId": "id",
            "baseModelId": "baseModelId",
            "modelKind": "modelKind",
        }
        found = [
            {key: model[key] for key in omni_api.MODEL["properties"]}
            for model in self.models.values()
            if (query.get("includeDeleted") in ("1", "true") or not model["deletedAt"])
            and all(query.get(name, model[field]) == model[field] for name, field in filters.items())
        ]
        if not query.get("cursor", "0").isdecimal():
            raise Refusal(400, "Bad Request: cursor: Invalid cursor")
        size, start = int(query.get("pageSize", 20)), int(query.get("cursor", 0))
        end = start + size
        page = {
            "hasNextPage": end < len(found),
            "nextCursor": str(end) if end < len(found) else None,
            "pageSize": size,
            "totalRecords": len(found),
        }
        return 200, {"pageInfo": page, "records": found[start:end]}

    def models_create(self, call: Call) -> Answer:
        id, kind = call.body["connectionId"], call.body.get("modelKind", "SCHEMA")
        connection = _found(self.connections, id, f"Connection with id {id} does not exist", archived=False)
        schema_model = self.models.get(id)
        if kind == "SCHEMA":
            if schema_model:
                raise Refusal(400, "Bad Request: Schema model already exists for the connection")
            model_id, name = id, connection["name"]
        elif kind == "SHARED" and self.quirks.branch_refresh:
            raise Refusal(
                400, "Bad Request: Shared model cannot be created when branch schema refresh is enabled"
            )
        else:
            if not schema_model:
                raise Refusal(400, "Schema model does not exist")
            if not schema_model["refreshed"]:
                raise Refusal(404, None)
            model_id, name = str(uuid.uuid4()), call.body.get("modelName")
        self.models[model_id] = {
            "id": model_id,
            "name": name,
            "modelKind": kind,
            "connectionId": id,
            "baseModelId": call.body.get("baseModelId"),
            "deletedAt": None,
            "refreshed": False,
            **_stamps(),
        }
        return 200, {"success": True, "model": {"id": model_id, "name": name, "modelKind": kind}}

    def models_schemas(self, call: Call) -> Answer:
        id = call.path["modelId"]
        model = _found(self.models, id, f"Model with id {id} does not exist", archived=False)
        return 200, {"schemas": ["public"] if model["refreshed"] else []}

    def models_refresh(self, call: Call) -> Answer:
        id = call.path["modelId"]
        model = _found(self.models, id, f"Model with id {id} does not exist", archived=False)
        if ("branch_id" in call.query) != self.quirks.branch_refresh:
            wrong = "Required" if self.quirks.branch_refresh else "Branch-based schema refresh is not enabled"
            raise Refusal(400, f"Bad Request: branch_id: {wrong}")
        if call.query.get("hard_refresh", "true") in ("1", "true") and {"schemas", "tables"} & set(
            call.query
        ):
            raise Refusal(400, "Bad Request: schemas, tables: hard_refresh must be false")
        connection = self.connections[model["connectionId"]]
        reachable = self.reachable(deepcopy(connection)) if callable(self.reachable) else self.reachable
        job: Record = {
            "id": secrets.token_hex(12),
            "model": id,
            "polls_left": self.polls_in_progress,
            "end": "COMPLETED" if reachable else "FAILED",
        }
        self.jobs[job["id"]] = job
        return 200, {"jobId": job["id"], "modelId": id, "status": "running"}

    def jobs_status(self, call: Call) -> Answer:
        job = _found(self.jobs, call.path["jobId"], f"Job with id {call.path['jobId']} does not exist")
        status = "IN_PROGRESS"
        if job["polls_left"]:
            job["polls_left"] -= 1
        else:
            status = job["end"]
            self.models[job["model"]]["refreshed"] |= status == "COMPLETED"
        return 200, {"job_id": job["id"], "job_type": "REFRESH_SCHEMA", "status": status}

    # Connection environments

    def environments_list(self, call: Call) -> Answer:
        return 200, {"connectionEnvironments": list(self.environments.values())}

    def environments_create(self, call: Call) -> Answer:
        base_id, ids = call.body["baseConnectionId"], self._texts(call.body, "environmentConnectionIds")
        base = _found(
            self.connections, base_id, f"Connection with id {base_id} does not exist", archived=False
        )
        taken = {one["connectionId"] for one in self._environments_of(base_id)} | {base_id}
        fitting = {
            record["id"]
            for record in self.connections.values()
            if not record["deletedAt"] and record["dialect"] == base["dialect"] and record["id"] not in taken
        }
        wrong = [id for id in ids if id not in fitting]
        if wrong:
            raise Refusal(
                400,
                "The following environment connection IDs are not valid for this connection: "
                + ", ".join(wrong),
            )
        made = [
            {
                "id": str(uuid.uuid4()),
                "baseConnectionId": base_id,
                "connectionId": id,
                "userAttributeValues": [],
            }
            for id in dict.fromkeys(ids)
        ]
        self.environments |= {one["id"]: one for one in made}
        if self.quirks.env_shape == "docs":
            data = [{"id": one["id"], "environmentConnectionId": one["connectionId"]} for one in made]
            return 201, {"success": True, "data": data}
        return 201, {"connectionEnvironments": made}

    def environments_put(self, call: Call) -> Answer:
        record = self._environment(call)
        values = self._texts(call.body, "userAttributeValues")
        self._check_values_free(values, record["baseConnectionId"], holder=record["id"])
        record["userAttributeValues"] = values
        return 200, {"success": True}

    def environments_delete(self, call: Call) -> Answer:
        del self.environments[self._environment(call)["id"]]
        return 200, {"success": True}

    def user_attributes_list(self, call: Call) -> Answer:
        own = [_user_attribute("", name, system=True) for name in ("omni_user_id", "omni_user_email")]
        made = [_user_attribute(str(uuid.uuid4()), name, system=False) for name in self.user_attributes]
        return 200, {"records": [*own, *made]}

    def _texts(self, body: Record, field: str) -> list[str]:
        """A list out of a body, in the one form that this instance takes."""
        value, as_text = body[field], self.quirks.env_shape == "docs"
        if isinstance(value, str) != as_text:
            text = "Expected string, received array" if as_text else "Expected array, received string"
            raise Refusal(400, f"Bad Request: {field}: {text}")
        return [one.strip() for one in value.split(",") if one.strip()] if as_text else value

    def _environment(self, call: Call) -> Record:
        id = call.path["id"]
        return _found(self.environments, id, f"Connection environment with id {id} does not exist")

    def _environments_of(self, base_id: str) -> list[Record]:
        return [one for one in self.environments.values() if one["baseConnectionId"] == base_id]

    def _check_values_free(self, values: list[str], base_id: str, holder: str) -> None:
        """No two connections around a base may serve the same value of its user attribute. `holder` is the
        id of the one that is to have the values: an environment, or the base for its default values.
        """
        defaults = self.connections[base_id]["userAttributeValuesForDefaultEnvironment"] or []
        holders = dict.fromkeys(defaults, base_id)
        for one in self._environments_of(base_id):
            holders |= dict.fromkeys(one["userAttributeValues"], one["id"])
        for value in values:
            if holders.get(value, holder) != holder:
                raise Refusal(400, f'User attribute value "{value}" is already in use')


def _found(records: dict[str, Record], id: str, otherwise: str, archived: bool = True) -> Record:
    """The record of that id, or a refusal; `archived` says whether one in the trash counts."""
    record = records.get(id)
    if record is None or (not archived and record["deletedAt"]):
        raise Refusal(404, otherwise)
    return record


def _schedule_fields(body: Record) -> Record:
    fields = body["schedule"].split()
    if len(fields) != 6 or (fields[2] == "?") == (fields[4] == "?"):
        raise Refusal(400, "Bad Request: schedule: Schedule is an invalid cron expression")
    try:
        ZoneInfo(body["timezone"])
    except (ValueError, OSError, LookupError):
        raise Refusal(400, "Bad Request: timezone: Time zone must be IANA valid.") from None
    return {
        "schedule": body["schedule"],
        "timezone": body["timezone"],
        "hardRefresh": body.get("hardRefresh", False),
        "description": f"At {body['schedule']} {body['timezone']}",
    }


def _user_attribute(id: str, name: str, system: bool) -> Record:
    kind = {"label": name, "type": "String", "multiple_values": False}
    return {
        "id": id,
        "name": name,
        "default_value": None,
        "description": None,
        "system": system,
        **kind,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _stamps() -> Record:
    now = _now()
    return {"createdAt": now, "updatedAt": now}

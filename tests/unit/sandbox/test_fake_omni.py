# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fake Omni, over real TLS, held to the shapes of the API."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.sandbox import omni_api
from tests.sandbox.fake_omni import FakeOmni
from tests.sandbox.fake_omni_instance import OmniInstance

CONNECTIONS = "/api/v1/connections"
MODELS = "/api/v1/models"
ENVIRONMENTS = "/api/v1/connection-environments"
PASSWORD = "correct horse battery"
SETTINGS: dict[str, Any] = {
    "dialect": "postgres",
    "passwordUnencrypted": PASSWORD,
    "host": "db.example.com",
    "port": 5432,
    "database": "sales",
    "username": "omni",
    "defaultSchema": "public",
    "includeSchemas": "public,stats",
    "offloadedSchemas": "old",
    "scratchSchema": "omni_uploads",
    "systemTimezone": "UTC",
    "queryTimezone": "NONE",
    "allowsUserSpecificTimezones": True,
    "queryTimeoutSeconds": 600,
    "baseRole": "NO_ACCESS",
    "alwaysScopeViewNames": False,
    "inferRelationshipsFromColumnNames": True,
    "inferRelationshipsFromForeignKeys": True,
}


class Client:
    """Checks each request that it sends and each answer that it gets, unless the request is meant wrong."""

    def __init__(self, omni: FakeOmni) -> None:
        self.omni = omni
        self.session = requests.Session()
        self.session.verify = omni.ca_file
        self.session.trust_env = False  # no proxy of the machine's
        self.succeeded: set[str] = set()
        self.sent = ""

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: dict[str, str] | None = None,
        token: str | None = None,
        wrong: bool = False,
    ) -> tuple[int, Any]:
        if not wrong:
            omni_api.validate_request(method, path, query or {}, body)
        answer = self.raw(method, path, json=body, params=query, token=token)
        omni_api.validate_response(method, path, answer.status_code, answer.json())
        if answer.ok:
            self.succeeded.add(omni_api.find_route(method, path)[0].name)
        self.sent += answer.text
        return answer.status_code, answer.json()

    def raw(self, method: str, path: str, token: str | None = None, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {token or self.omni.token}"} | more.pop("headers", {})
        return self.session.request(
            method, self.omni.url + path, headers=headers, timeout=10, allow_redirects=False, **more
        )

    def create(self, name: str = "sales", **settings: Any) -> str:
        status, answer = self("POST", CONNECTIONS, SETTINGS | {"name": name} | settings)
        assert (status, sorted(answer), answer["success"]) == (201, ["data", "success"], True)
        return str(answer["data"])

    def names(self, **query: str) -> list[str]:
        status, answer = self("GET", CONNECTIONS, query=query)
        assert status == 200
        return [connection["name"] for connection in answer["connections"]]

    def refreshed_model(self, connection_id: str) -> str:
        """Make the connection's schema model and refresh it; return how the job ended."""
        assert self("POST", MODELS, {"connectionId": connection_id})[0] == 200
        _status, job = self("POST", f"{MODELS}/{connection_id}/refresh", query={"hard_refresh": "false"})
        status_path = f"/api/v1/jobs/{job['jobId']}/status"
        assert self("GET", status_path)[1]["status"] == "IN_PROGRESS"
        return str(self("GET", status_path)[1]["status"])


@pytest.fixture
def omni(running: FakeOmni) -> FakeOmni:
    running.reset()
    return running


@pytest.fixture
def call(omni: FakeOmni) -> Client:
    return Client(omni)


def detail(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1]["detail"]


def test_every_route_keeps_to_the_shapes_and_gives_no_setting_away(omni: FakeOmni, call: Client) -> None:
    id, other = call.create(), call.create("other")
    path = f"{CONNECTIONS}/{id}"
    assert call.names() == ["sales", "other"]

    status, answer = call("GET", path)
    assert status == 200
    stored = answer["connection"]
    assert {
        key: stored[key] for key in ("id", "name", "database", "defaultSchema", "baseRole", "deletedAt")
    } == {
        "id": id,
        "name": "sales",
        "database": "sales",
        "defaultSchema": "public",
        "baseRole": "NO_ACCESS",
        "deletedAt": None,
    }
    assert uuid.UUID(id).version == 4
    assert call("PATCH", path, {"baseRole": "QUERIER"})[0] == 200

    assert call.refreshed_model(id) == "COMPLETED"
    assert call("GET", f"{MODELS}/{id}/schemas") == (200, {"schemas": ["public"]})
    assert call("POST", MODELS, {"connectionId": id, "modelKind": "SHARED", "modelName": "m"})[0] == 200
    status, answer = call("GET", MODELS, query={"connectionId": id, "modelKind": "SCHEMA"})
    assert [(model["id"], model["name"]) for model in answer["records"]] == [(id, "sales")]

    status, schedule = call("POST", f"{path}/schedules", {"schedule": "0 2 * * ? *", "timezone": "UTC"})
    assert (status, schedule["hardRefresh"]) == (201, False)
    one = f"{path}/schedules/{schedule['scheduleId']}"
    daily = {"schedule": "0 3 * * ? *", "timezone": "Europe/Oslo", "hardRefresh": True}
    assert call("PUT", one, daily)[0] == 200
    assert call("GET", one)[1] == call("GET", f"{path}/schedules")[1]["schedules"][0]
    assert call("GET", one)[1]["schedule"] == "0 3 * * ? *"
    assert call("DELETE", one) == (200, {"success": True})
    assert call("GET", f"{path}/schedules")[1] == {"schedules": []}

    body = {"baseConnectionId": id, "environmentConnectionIds": [other]}
    status, answer = call("POST", ENVIRONMENTS, body)
    assert (status, answer["connectionEnvironments"][0]["connectionId"]) == (201, other)
    environment = f"{ENVIRONMENTS}/{answer['connectionEnvironments'][0]['id']}"
    assert call("PUT", environment, {"userAttributeValues": ["eu"]})[0] == 200
    assert call("GET", ENVIRONMENTS)[1]["connectionEnvironments"][0]["userAttributeValues"] == ["eu"]
    assert call("DELETE", environment)[0] == 200
    assert call("GET", ENVIRONMENTS)[1] == {"connectionEnvironments": []}

    assert call("GET", "/api/v1/user-attributes")[1]["records"][-1]["name"] == "area"
    assert call("GET", "/api/v1/whoami")[1]["orgRole"] == "ORG_ADMIN"
    assert call("DELETE", path)[0] == 200

    assert call.succeeded == {route.name for route in omni_api.ROUTES}
    assert omni.violations == []
    assert not [name for name in omni_api.WRITE_ONLY if f'"{name}"' in call.sent]
    assert PASSWORD not in call.sent


def test_stores_what_it_never_shows(omni: FakeOmni, call: Client) -> None:
    id = call.create()
    (stored,) = omni.connections
    assert stored["id"] == id
    expected = {key: value for key, value in SETTINGS.items() if key != "passwordUnencrypted"}
    assert {key: stored[key] for key in expected} == expected
    assert PASSWORD not in json.dumps(omni.connections)
    assert omni.password_of(id) == PASSWORD


def test_logs_requests_without_secrets(omni: FakeOmni, call: Client) -> None:
    call.create()
    call("GET", CONNECTIONS, query={"name": "sales"})
    create, read = omni.requests
    assert (create["method"], create["path"], create["status"]) == ("POST", CONNECTIONS, 201)
    assert create["body"]["passwordUnencrypted"] == "********"
    assert create["body"]["host"] == "db.example.com"
    assert create["user_agent"].startswith("python-requests/")
    assert (read["query"], read["body"]) == ({"name": "sales"}, None)
    assert omni.writes() == [create]
    for secret in (PASSWORD, omni.token):
        assert secret not in json.dumps(omni.requests)


@pytest.mark.parametrize(
    ("header", "status", "text"),
    [
        (None, 400, "Authorization"),
        ("omni_osk_x", 400, "Authorization"),
        ("Bearer ", 400, "Authorization"),
        ("Bearer omni_osk_x", 403, "Invalid bearer token"),
    ],
)
def test_refuses_who_has_no_token(call: Client, header: str | None, status: int, text: str) -> None:
    for path in (CONNECTIONS, "/api/v1/whoami", "/_fake/state"):
        answer = call.raw("GET", path, headers={"Authorization": header})
        assert answer.status_code == answer.json()["status"] == status
        assert text in answer.json()["detail"]


def test_refuses_a_member(omni: FakeOmni, call: Client) -> None:
    id, token = call.create(), omni.member_token
    for method, path, body in (
        ("GET", CONNECTIONS, None),
        ("POST", CONNECTIONS, SETTINGS | {"name": "x"}),
        ("PATCH", f"{CONNECTIONS}/{id}", {"baseRole": "QUERIER"}),
        ("DELETE", f"{CONNECTIONS}/{id}", None),
    ):
        assert detail(call(method, path, body, token=token)) == (403, "Permission denied")
    assert detail(call("GET", MODELS, token=token)) == (403, "Forbidden")
    assert call("GET", "/api/v1/whoami", token=token)[1]["orgRole"] == "MEMBER"
    assert [connection["baseRole"] for connection in omni.connections] == ["NO_ACCESS"]


def test_list_filters_by_part_of_a_name_whatever_the_case(call: Client) -> None:
    call.create("Sales")
    call.create("presales", database="other")
    call.create("support")
    assert call.names(name="SALES") == ["Sales", "presales"]
    assert call.names(name="sales", database="oth") == ["presales"]
    assert call.names(dialect="snowflake,mysql") == []
    assert call.names(sortField="name", sortDirection="desc") == ["support", "presales", "Sales"]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"nocache": "1"}, "Bad Request: formErrors: Unrecognized key(s) in object: 'nocache'"),
        (
            {"sortField": "id"},
            "Bad Request: sortField: Invalid enum value. "
            "Expected 'database' | 'dialect' | 'name', received 'id'",
        ),
    ],
)
def test_list_refuses_queries_that_it_does_not_know(
    omni: FakeOmni, call: Client, query: dict[str, str], text: str
) -> None:
    assert detail(call("GET", CONNECTIONS, query=query, wrong=True)) == (400, text)
    assert len(omni.violations) == 1


def test_list_refuses_unknown_dialects(call: Client) -> None:
    answer = call("GET", CONNECTIONS, query={"dialect": "postgres,dbase"})
    assert detail(answer) == (400, "Invalid dialect(s): dbase")


def test_names_are_not_keys(call: Client) -> None:
    assert call.create() != call.create()
    assert call.names(name="sales") == ["sales", "sales"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"passwordUnencrypted": None}, "Bad Request: passwordUnencrypted: Required"),
        ({"name": None}, "Bad Request: name: Required"),
        ({"dialect": "dbase"}, "Invalid connection dialect"),
        ({"port": "5432"}, "Bad Request: port: Expected integer, received string"),
    ],
)
def test_create_refuses_what_does_not_fit(
    omni: FakeOmni, call: Client, change: dict[str, Any], text: str
) -> None:
    body = {key: value for key, value in (SETTINGS | {"name": "x"} | change).items() if value is not None}
    assert detail(call("POST", CONNECTIONS, body, wrong=True)) == (400, text)
    assert omni.connections == []
    assert len(omni.violations) == 1


def test_create_ignores_unknown_fields_but_tells(omni: FakeOmni, call: Client) -> None:
    body = SETTINGS | {"name": "x", "sslMode": "require"}
    assert call("POST", CONNECTIONS, body, wrong=True)[0] == 201
    assert "sslMode" not in omni.connections[0]
    assert "'sslMode'" in omni.violations[0]


def test_refuses_broken_json(omni: FakeOmni, call: Client) -> None:
    answer = call.raw("POST", CONNECTIONS, data=f'{{"passwordUnencrypted": "{PASSWORD}"')
    assert (answer.status_code, answer.json()["detail"]) == (400, "Bad Request: Invalid JSON")
    assert PASSWORD not in json.dumps([omni.requests, omni.violations])


def test_unknown_paths_and_methods(omni: FakeOmni, call: Client) -> None:
    answer = call.raw("PUT", CONNECTIONS)
    assert (answer.status_code, answer.json()["detail"]) == (400, "Invalid method")
    assert call.raw("GET", "/api" + CONNECTIONS).status_code == 404
    assert len(omni.violations) == 2


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"passwordUnencrypted": "another one"}, "Updated connection credentials."),
        ({"baseRole": "QUERIER"}, "Updated connection default role."),
        ({"baseRole": "NO_ACCESS"}, "No updates were made to the connection."),
        (
            {"environmentUserAttribute": {"attributeName": "region", "defaultValues": ["eu"]}},
            "Updated environment user attribute settings.",
        ),
        (
            {
                "baseRole": "QUERIER",
                "environmentUserAttribute": {"attributeName": "region", "defaultValues": None},
            },
            "Updated connection default role and user attribute settings.",
        ),
    ],
)
def test_patch(omni: FakeOmni, call: Client, body: dict[str, Any], message: str) -> None:
    id = call.create()
    assert call("PATCH", f"{CONNECTIONS}/{id}", body) == (200, {"success": True, "message": message})
    (stored,) = omni.connections
    assert omni.password_of(id) == body.get("passwordUnencrypted", PASSWORD)
    assert stored["baseRole"] == body.get("baseRole", "NO_ACCESS")
    attribute = body.get("environmentUserAttribute", {})
    assert stored["userAttributeNameForConnectionEnvironments"] == attribute.get("attributeName")
    assert stored["userAttributeValuesForDefaultEnvironment"] == attribute.get("defaultValues")


def test_patch_changes_nothing_else(omni: FakeOmni, call: Client) -> None:
    path = f"{CONNECTIONS}/{call.create()}"
    before = omni.connections
    for body in ({}, {"host": "elsewhere", "name": "y"}):
        assert detail(call("PATCH", path, body, wrong=True)) == (400, "Bad Request: Empty request body")
    assert omni.connections == before


def test_unknown_ids(call: Client) -> None:
    missing = f"{CONNECTIONS}/{uuid.uuid4()}"
    assert detail(call("GET", missing)) == (404, "Connection does not exist")
    assert detail(call("PATCH", missing, {"baseRole": "QUERIER"})) == (404, "Connection not found")
    assert call("DELETE", missing)[0] == 404
    assert detail(call("GET", f"{CONNECTIONS}/sales", wrong=True)) == (400, "Bad Request: id: Invalid uuid")


def test_an_archived_connection(omni: FakeOmni, call: Client) -> None:
    id = call.create()
    path = f"{CONNECTIONS}/{id}"
    call.refreshed_model(id)
    assert call("DELETE", path) == (200, {"success": True, "message": "Connection moved to trash."})
    assert call("DELETE", path)[0] == 410
    assert call.names() == []
    assert call.names(includeDeleted="true") == ["sales"]
    status, answer = call("GET", path)
    assert status == 200
    assert answer["connection"]["deletedAt"]
    assert omni.password_of(id) is None
    assert call("GET", MODELS)[1]["records"] == []
    assert call("GET", MODELS, query={"includeDeleted": "1"})[1]["records"][0]["deletedAt"]


def test_schedules_and_shared_models_wait_for_the_schema_model(call: Client) -> None:
    id = call.create()
    schedule = {"schedule": "0 2 * * ? *", "timezone": "UTC"}
    shared = {"connectionId": id, "modelKind": "SHARED"}
    missing = f"Connection with id {id} does not exist"
    assert detail(call("POST", f"{CONNECTIONS}/{id}/schedules", schedule)) == (404, missing)
    assert detail(call("POST", MODELS, shared)) == (400, "Schema model does not exist")
    call("POST", MODELS, {"connectionId": id, "modelName": "of no effect"})
    assert call("POST", f"{CONNECTIONS}/{id}/schedules", schedule)[0] == 201
    assert call("POST", MODELS, shared) == (404, {"status": 404})
    again = "Bad Request: Schema model already exists for the connection"
    assert detail(call("POST", MODELS, {"connectionId": id})) == (400, again)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"schedule": "0 2 * * *"}, "Bad Request: schedule: Schedule is an invalid cron expression"),
        ({"schedule": "0 2 * * * *"}, "Bad Request: schedule: Schedule is an invalid cron expression"),
        ({"timezone": "Europe/Atlantis"}, "Bad Request: timezone: Time zone must be IANA valid."),
    ],
)
def test_schedules_are_checked(call: Client, change: dict[str, str], text: str) -> None:
    id = call.create()
    call("POST", MODELS, {"connectionId": id})
    body = {"schedule": "0 2 * * ? *", "timezone": "UTC"} | change
    assert detail(call("POST", f"{CONNECTIONS}/{id}/schedules", body)) == (400, text)


def test_a_refresh_tells_whether_the_database_was_reached(omni: FakeOmni, call: Client) -> None:
    omni.reachable = lambda connection: connection["host"] == "db.example.com"
    assert call.refreshed_model(call.create("near")) == "COMPLETED"
    assert call.refreshed_model(call.create("far", host="db.invalid")) == "FAILED"
    omni.reachable = False
    assert call.refreshed_model(call.create("nowhere")) == "FAILED"


def test_models_come_in_pages(call: Client) -> None:
    ids = [call.create(str(number)) for number in range(3)]
    for id in ids:
        call("POST", MODELS, {"connectionId": id})
    first = call("GET", MODELS, query={"pageSize": "2"})[1]
    assert (first["pageInfo"]["hasNextPage"], first["pageInfo"]["totalRecords"]) == (True, 3)
    rest = call("GET", MODELS, query={"pageSize": "2", "cursor": first["pageInfo"]["nextCursor"]})[1]
    assert [model["id"] for model in first["records"] + rest["records"]] == ids
    assert rest["pageInfo"]["nextCursor"] is None
    assert call("GET", MODELS, query={"cursor": "elsewhere"})[0] == 400


def test_environments_are_checked(call: Client) -> None:
    base, other, third = call.create("base"), call.create("other"), call.create("third")

    def create(base_id: str, *ids: str, wrong: bool = False) -> tuple[int, Any]:
        body = {"baseConnectionId": base_id, "environmentConnectionIds": list(ids)}
        return call("POST", ENVIRONMENTS, body, wrong=wrong)

    no_uuid = "Bad Request: baseConnectionId: Base connection ID must be a valid UUID"
    assert detail(create("base", other, wrong=True)) == (400, no_uuid)
    no_uuid = "Bad Request: environmentConnectionIds: All environment connection IDs must be valid UUIDs"
    assert detail(create(base, "other", wrong=True)) == (400, no_uuid)
    unfit = f"The following environment connection IDs are not valid for this connection: {base}"
    assert detail(create(base, other, base)) == (400, unfit)
    one, two = (made["id"] for made in create(base, other, third)[1]["connectionEnvironments"])
    assert create(base, other)[0] == 400

    in_use = 'User attribute value "eu" is already in use'
    assert call("PUT", f"{ENVIRONMENTS}/{one}", {"userAttributeValues": ["eu", "us"]})[0] == 200
    assert call("PUT", f"{ENVIRONMENTS}/{one}", {"userAttributeValues": ["eu"]})[0] == 200
    assert detail(call("PUT", f"{ENVIRONMENTS}/{two}", {"userAttributeValues": ["eu"]})) == (400, in_use)
    attribute = {"environmentUserAttribute": {"attributeName": "region", "defaultValues": ["eu"]}}
    assert detail(call("PATCH", f"{CONNECTIONS}/{base}", attribute)) == (400, in_use)


@pytest.mark.parametrize(
    ("leak", "text"),
    [
        ({"host": "db.example.com"}, "write-only ['host'] in the answer"),
        ({"baseRole": PASSWORD}, "a secret in the answer"),
        ({"database": 5}, "database: Expected string or null"),
        ({"mood": "good"}, "Unrecognized key(s)"),
    ],
)
def test_a_wrong_answer_of_the_fake_is_loud(
    omni: FakeOmni, call: Client, monkeypatch: pytest.MonkeyPatch, leak: dict[str, Any], text: str
) -> None:
    call.create()
    honest: Callable[..., Any] = OmniInstance.connections_list

    def leaking(self: OmniInstance, request: Any) -> Any:
        status, answer = honest(self, request)
        answer["connections"][0].update(leak)
        return status, answer

    monkeypatch.setattr(OmniInstance, "connections_list", leaking)
    answer = call.raw("GET", CONNECTIONS)
    assert answer.status_code == 599
    assert text in answer.json()["detail"]
    assert PASSWORD not in answer.text
    assert len(omni.violations) == 1
    assert text in omni.violations[0]


def test_canned_answers(omni: FakeOmni, call: Client) -> None:
    omni.respond_next(302, headers={"Location": "https://elsewhere.example.com/"})
    omni.respond_next(502, "down", "text/plain")
    assert call.raw("GET", CONNECTIONS).headers["Location"] == "https://elsewhere.example.com/"
    assert (call.raw("GET", CONNECTIONS).status_code, call.names()) == (502, [])
    omni.always(200, "<html>é</html>", "text/html; charset=utf-8")
    for dummy in range(2):
        assert call.raw("GET", CONNECTIONS).text == "<html>é</html>"
    assert [request["status"] for request in omni.requests] == [302, 502, 200, 200, 200]
    omni.reset()
    assert call.names() == []


def test_state_for_another_process(omni: FakeOmni, call: Client) -> None:
    id = call.create()
    kept = omni.add_connection("made before", database="old")

    answer = call.raw("GET", "/_fake/state")
    state = answer.json()
    assert [(one["id"], one["has_password"]) for one in state["connections"]] == [(id, True), (kept, False)]
    assert state["connections"][0]["host"] == "db.example.com"
    assert [request["path"] for request in state["requests"]] == [CONNECTIONS]
    assert PASSWORD not in answer.text
    for password, connection, matches in ((PASSWORD, id, True), ("x", id, False), ("", kept, False)):
        body = {"connection_id": connection, "password": password}
        assert call.raw("POST", "/_fake/password_matches", json=body).json() == {"matches": matches}
    malformed: list[Any] = [None, [], {"connection_id": id}, {"connection_id": [], "password": "x"}]
    for body in malformed:
        assert call.raw("POST", "/_fake/password_matches", json=body).status_code == 400
    assert call.raw("GET", "/_fake/state", token=omni.member_token).status_code == 403


def test_serves_many_clients_at_once_even_beside_a_silent_one(omni: FakeOmni) -> None:
    host, port = omni.url.removeprefix("https://").split(":")
    statuses = []
    with socket.create_connection((host, int(port))):  # never starts its handshake

        def create(number: int) -> None:
            statuses.append(Client(omni)("POST", CONNECTIONS, SETTINGS | {"name": str(number)})[0])

        threads = [threading.Thread(target=create, args=(number,)) for number in range(200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
    assert statuses == [201] * 200
    assert len({connection["id"] for connection in omni.connections}) == 200


def test_its_certificate_has_to_be_trusted(omni: FakeOmni, call: Client) -> None:
    url = omni.url.replace("127.0.0.1", "localhost") + CONNECTIONS
    assert call.session.get(url, timeout=10).status_code == 400
    call.session.verify = True
    with pytest.raises(requests.exceptions.SSLError):
        call.session.get(url, timeout=10)


def test_stopping_ends_open_connections(tmp_path: Path) -> None:
    with FakeOmni(state_dir=tmp_path) as omni:
        client = Client(omni)
        client.create()
        started = time.monotonic()
    assert time.monotonic() - started < 2
    with pytest.raises(requests.exceptions.ConnectionError):
        client.names()


def test_leaves_nothing_behind() -> None:
    with FakeOmni() as omni:
        assert Path(omni.ca_file).exists()
    assert not Path(omni.ca_file).parent.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_by_hand(tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "state"
    command = ["-m", "tests.sandbox.fake_omni", "--state-dir", str(folder), "--quirk", "duplicate_seed=sales"]
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = dict(process.stdout.readline().strip().split(": ", 1) for dummy in range(3))
        found = json.loads((folder / "fake_omni.json").read_text())
        assert found == said | {"member_token": found["member_token"], "pid": process.pid}
        assert {os.stat(path).st_mode & 0o777 for path in folder.iterdir()} == {0o600}
        answer = requests.get(
            said["url"] + CONNECTIONS,
            headers={"Authorization": f"Bearer {said['token']}"},
            verify=said["ca_file"],
            timeout=10,
        )
        assert [connection["name"] for connection in answer.json()["connections"]] == ["sales", "sales"]
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=10)
        assert (process.returncode, stdout, stderr) == (0, "", "")
        assert not (folder / "fake_omni.json").exists()
    finally:
        process.kill()
        process.wait()

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The switches of the fake Omni, one by one, and the faults that it can be made to have."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.sandbox.fake_omni import FakeOmni
from tests.sandbox.fake_omni_quirks import Quirks

CONNECTIONS = "/api/v1/connections"
MODELS = "/api/v1/models"
ENVIRONMENTS = "/api/v1/connection-environments"
WHOAMI = "/api/v1/whoami"
CREATE = {"dialect": "postgres", "name": "sales", "passwordUnencrypted": "correct horse battery"}
DAILY = {"schedule": "0 2 * * ? *", "timezone": "UTC"}

Send = Callable[..., requests.Response]


@pytest.fixture
def omni(running: FakeOmni) -> Iterator[FakeOmni]:
    running.reset()
    yield running
    assert not [text for text in running.violations if text.startswith("answer")]


@contextmanager
def client(url: str, ca_file: str, token: str) -> Iterator[Send]:
    with requests.Session() as session:
        session.verify = ca_file
        session.trust_env = False  # no proxy of the machine's
        session.headers["Authorization"] = f"Bearer {token}"

        def send(
            method: str, path: str, body: Any = None, timeout: float = 10, **more: Any
        ) -> requests.Response:
            return session.request(method, url + path, json=body, timeout=timeout, **more)

        yield send


@pytest.fixture
def send(omni: FakeOmni) -> Iterator[Send]:
    with client(omni.url, omni.ca_file, omni.token) as send:
        yield send


def status_and_detail(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["detail"]


def create(send: Send, **changes: Any) -> str:
    answer = send("POST", CONNECTIONS, CREATE | changes)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"])


# Switches


def test_switches_are_checked_and_reset(omni: FakeOmni) -> None:
    with pytest.raises(AttributeError):
        omni.quirks.no_such = 1
    for name, value in (("archived_get", 500), ("rate_limit", "1"), ("strict_body", 1), ("env_shape", "doc")):
        with pytest.raises(ValueError, match=name):
            setattr(omni.quirks, name, value)
    omni.quirks.get_lag = 3
    omni.reset()
    assert omni.quirks == Quirks()


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("rate_limit=60", 60),
        ("rate_window=0.5", 0.5),
        ("strict_body=true", True),
        ("fail_after_commit=drop", "drop"),
        ("fail_after_commit=502", 502),
        ("duplicate_seed=2024", "2024"),
        ("duplicate_seed=a=b", "a=b"),
    ],
)
def test_switches_by_text(assignment: str, value: Any) -> None:
    quirks = Quirks()
    quirks.set(assignment)
    assert getattr(quirks, assignment.partition("=")[0]) == value


def test_switches_by_hand(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.sandbox.fake_omni", "--state-dir", str(tmp_path)]
    with subprocess.Popen(
        [*command, "--quirk", "whoami=404", "--quirk", "error_style=html"],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            found = json.loads((tmp_path / "fake_omni.json").read_text())
            with client(found["url"], found["ca_file"], found["token"]) as send:
                answer = send("GET", WHOAMI)
            assert (answer.status_code, answer.text[:15]) == (404, "<!DOCTYPE html>")
        finally:
            process.terminate()


@pytest.mark.parametrize("header", ["", "omni_osk_x", "Bearer omni_osk_x"])
def test_auth_style(omni: FakeOmni, send: Send, header: str) -> None:
    assert send("GET", WHOAMI, headers={"Authorization": header}).status_code in (400, 403)
    omni.quirks.auth_style = "spec"
    answer = send("GET", WHOAMI, headers={"Authorization": header})
    assert status_and_detail(answer) == (401, "Authentication required")


@pytest.mark.parametrize("status", [404, 405])
def test_no_get_route(omni: FakeOmni, send: Send, status: Any) -> None:
    path = f"{CONNECTIONS}/{create(send)}"
    omni.quirks.no_get_route = status
    assert [send(method, path).status_code for method in ("GET", "DELETE")] == [status] * 2
    assert send("PATCH", path, {"baseRole": "VIEWER"}).status_code == 200
    assert omni.connections[0]["deletedAt"] is None


def test_archived_get(omni: FakeOmni, send: Send) -> None:
    path = f"{CONNECTIONS}/{create(send)}"
    send("DELETE", path)
    assert send("GET", path).json()["connection"]["deletedAt"]
    omni.quirks.archived_get = 404
    assert status_and_detail(send("GET", path)) == (404, "Connection does not exist")
    assert send("DELETE", path).status_code == 410


def test_strict_body(omni: FakeOmni, send: Send) -> None:
    omni.quirks.strict_body = True
    path = f"{CONNECTIONS}/{create(send)}"
    unknown = (400, "Bad Request: formErrors: Unrecognized key(s) in object: 'mood'")
    assert status_and_detail(send("POST", CONNECTIONS, CREATE | {"mood": "good"})) == unknown
    assert status_and_detail(send("PATCH", path, {"baseRole": "VIEWER", "mood": "good"})) == unknown
    assert [one["baseRole"] for one in omni.connections] == [None]


@pytest.mark.parametrize("status", [400, 409])
def test_unique_names(omni: FakeOmni, send: Send, status: Any) -> None:
    id = create(send)
    omni.quirks.unique_names = status
    assert send("POST", CONNECTIONS, CREATE).status_code == status
    create(send, name="other")
    send("DELETE", f"{CONNECTIONS}/{id}")
    create(send)  # one in the trash does not hold its name


def test_rate_limit(omni: FakeOmni, send: Send) -> None:
    omni.quirks.rate_limit = 3
    statuses = [send("POST", CONNECTIONS, CREATE).status_code for dummy in range(5)]
    assert statuses == [201, 201, 201, 429, 429]
    assert len(omni.connections) == 3
    limited = send("GET", CONNECTIONS)
    assert (limited.status_code, "Retry-After" in limited.headers) == (429, False)
    omni.quirks.retry_after = True
    assert 50 <= int(send("GET", CONNECTIONS).headers["Retry-After"]) <= 60
    member = {"Authorization": f"Bearer {omni.member_token}"}
    assert send("GET", WHOAMI, headers=member).status_code == 200  # a key's limit is its own
    omni.quirks.rate_window = 0.1
    time.sleep(0.1)
    assert send("GET", CONNECTIONS).status_code == 200


def test_fail_after_commit(omni: FakeOmni, send: Send) -> None:
    omni.quirks.fail_after_commit = 502
    assert send("POST", CONNECTIONS, CREATE).status_code == 502
    assert send("POST", CONNECTIONS, {}).status_code == 400  # nothing was made
    omni.quirks.fail_after_commit = "drop"
    with pytest.raises(requests.exceptions.ConnectionError):
        send("POST", CONNECTIONS, CREATE)
    assert len(send("GET", CONNECTIONS).json()["connections"]) == len(omni.connections) == 2


def test_get_lag(omni: FakeOmni, send: Send) -> None:
    omni.quirks.get_lag = 2
    path = f"{CONNECTIONS}/{create(send)}"
    assert [send("GET", path).status_code for dummy in range(4)] == [404, 404, 200, 200]


def read_both_ways(send: Send, id: str) -> dict[str, Any]:
    """A connection as it is read by its id and in the list, which are the same."""
    (listed,) = send("GET", CONNECTIONS).json()["connections"]
    assert listed == send("GET", f"{CONNECTIONS}/{id}").json()["connection"]
    found: dict[str, Any] = listed
    return found


def test_drop_default_schema(omni: FakeOmni, send: Send) -> None:
    id = create(send, defaultSchema="public")
    assert read_both_ways(send, id)["defaultSchema"] == "public"
    omni.quirks.drop_default_schema = True
    assert read_both_ways(send, id)["defaultSchema"] is None


def test_role_alias(omni: FakeOmni, send: Send) -> None:
    id = create(send, baseRole="RESTRICTED_QUERIER")
    assert read_both_ways(send, id)["baseRole"] == "RESTRICTED_QUERIER"
    omni.quirks.role_alias = True
    assert read_both_ways(send, id)["baseRole"] == "QUERY_TOPICS"
    send("PATCH", f"{CONNECTIONS}/{id}", {"baseRole": "VIEWER"})
    assert read_both_ways(send, id)["baseRole"] == "VIEWER"


@pytest.mark.parametrize(
    ("enum", "refused", "accepted"),
    [
        ("docs", {"RESTRICTED_QUERIER"}, {"QUERY_TOPICS", "VIEWER"}),
        ("spec", {"QUERY_TOPICS"}, {"RESTRICTED_QUERIER", "VIEWER"}),
        ("any", set(), {"RESTRICTED_QUERIER", "QUERY_TOPICS"}),
    ],
)
def test_role_enum(omni: FakeOmni, send: Send, enum: Any, refused: set[str], accepted: set[str]) -> None:
    path = f"{CONNECTIONS}/{create(send)}"
    omni.quirks.role_enum = enum
    for method, target, body, good in (("POST", CONNECTIONS, CREATE, 201), ("PATCH", path, {}, 200)):
        for role in refused:
            answer = send(method, target, body | {"baseRole": role})
            assert status_and_detail(answer) == (400, "Bad Request: baseRole: Invalid enum value")
        for role in accepted:
            assert send(method, target, body | {"baseRole": role}).status_code == good


def test_env_shape(omni: FakeOmni, send: Send) -> None:
    base, one, two = (create(send, name=name) for name in ("base", "one", "two"))
    as_list = {"baseConnectionId": base, "environmentConnectionIds": [one, two]}
    as_text = as_list | {"environmentConnectionIds": f"{one}, {two}"}
    wrong = (400, "Bad Request: environmentConnectionIds: Expected array, received string")
    assert status_and_detail(send("POST", ENVIRONMENTS, as_text)) == wrong

    omni.quirks.env_shape = "docs"
    wrong = (400, "Bad Request: environmentConnectionIds: Expected string, received array")
    assert status_and_detail(send("POST", ENVIRONMENTS, as_list)) == wrong
    answer = send("POST", ENVIRONMENTS, as_text)
    assert answer.status_code == 201
    made = {record["environmentConnectionId"]: record["id"] for record in answer.json()["data"]}
    assert set(made) == {one, two}
    assert status_and_detail(send("GET", ENVIRONMENTS)) == (400, "Invalid method")

    path = f"{ENVIRONMENTS}/{made[one]}"
    assert send("PUT", path, {"userAttributeValues": ["eu"]}).status_code == 400
    assert send("PUT", path, {"userAttributeValues": "eu,us"}).status_code == 200
    in_use = send("PUT", f"{ENVIRONMENTS}/{made[two]}", {"userAttributeValues": "asia,us"})
    assert status_and_detail(in_use) == (400, 'User attribute value "us" is already in use')
    attribute = {"attributeName": "region", "defaultValues": ["asia", "africa"]}
    send("PATCH", f"{CONNECTIONS}/{base}", {"environmentUserAttribute": attribute})
    shown = send("GET", f"{CONNECTIONS}/{base}").json()["connection"]
    assert shown["userAttributeValuesForDefaultEnvironment"] == "asia,africa"
    assert send("DELETE", path).status_code == 200
    assert omni.violations == []  # each of these is somebody's reading of the API
    answer = send("POST", ENVIRONMENTS, as_text | {"environmentConnectionIds": "one,two"})
    wrong = (400, "Bad Request: environmentConnectionIds: All environment connection IDs must be valid UUIDs")
    assert status_and_detail(answer) == wrong


def test_old_spelling(omni: FakeOmni, send: Send) -> None:
    id = create(send)
    attribute = {"attributeName": "region", "defaultValues": None}
    send("PATCH", f"{CONNECTIONS}/{id}", {"environmentUserAttribute": attribute})
    new, old = (f"userAttributeNameForConnection{s}Environments" for s in ("", "s"))
    shown = read_both_ways(send, id)
    assert (shown[new], old in shown) == ("region", False)
    omni.quirks.old_spelling = True
    shown = read_both_ways(send, id)
    assert (shown[old], new in shown) == ("region", False)


@pytest.mark.parametrize(
    ("style", "body"),
    [
        ("detail", {"detail": "Connection does not exist", "status": 404}),
        ("legacy", {"error": "Not Found", "message": "Connection does not exist"}),
        ("message", {"message": "Connection does not exist"}),
        ("error", {"error": "Connection does not exist"}),
    ],
)
def test_error_styles_in_json(omni: FakeOmni, send: Send, style: Any, body: dict[str, Any]) -> None:
    omni.quirks.error_style = style
    answer = send("GET", f"{CONNECTIONS}/{uuid.uuid4()}")
    assert (answer.status_code, answer.json()) == (404, body)
    assert send("GET", CONNECTIONS).json() == {"connections": []}


def test_error_styles_without_json(omni: FakeOmni, send: Send) -> None:
    omni.quirks.error_style = "html"
    answer = send("GET", CONNECTIONS, params={"<": "1"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "text/html")
    assert "<title>400 Bad Request</title>" in answer.text
    assert "&#x27;&lt;&#x27;" in answer.text
    omni.quirks.error_style = "empty"
    answer = send("GET", f"{CONNECTIONS}/{uuid.uuid4()}")
    assert (answer.status_code, answer.content) == (404, b"")


def test_whoami_and_org_role(omni: FakeOmni, send: Send) -> None:
    omni.quirks.org_role = "MEMBER"
    assert send("GET", WHOAMI).json()["orgRole"] == "MEMBER"
    assert status_and_detail(send("POST", CONNECTIONS, CREATE)) == (403, "Permission denied")
    assert send("GET", "/_fake/state").status_code == 200
    omni.quirks.whoami = 404
    assert status_and_detail(send("GET", WHOAMI)) == (404, "Not found")


def test_branch_refresh(omni: FakeOmni, send: Send) -> None:
    id = create(send)
    send("POST", MODELS, {"connectionId": id})
    refresh, branch = f"{MODELS}/{id}/refresh", {"branch_id": str(uuid.uuid4())}
    assert [send("POST", refresh, params=query).status_code for query in ({}, branch)] == [200, 400]
    omni.quirks.branch_refresh = True
    assert [send("POST", refresh, params=query).status_code for query in ({}, branch)] == [400, 200]
    assert send("POST", f"{CONNECTIONS}/{id}/schedules", DAILY).status_code == 400
    shared = send("POST", MODELS, {"connectionId": id, "modelKind": "SHARED"})
    text = "Bad Request: Shared model cannot be created when branch schema refresh is enabled"
    assert status_and_detail(shared) == (400, text)


def test_duplicate_seed(omni: FakeOmni, send: Send) -> None:
    omni.quirks.duplicate_seed = "sales"
    live = send("GET", CONNECTIONS).json()["connections"]
    assert [one["name"] for one in live] == ["sales", "sales"]
    assert [(one["name"], bool(one["deletedAt"])) for one in omni.connections] == [
        ("sales", False),
        ("sales", False),
        ("sales", True),
    ]
    for one in live:
        send("DELETE", f"{CONNECTIONS}/{one['id']}")
    assert send("GET", CONNECTIONS).json()["connections"] == []


# Faults


@pytest.mark.parametrize(
    ("kind", "seen", "done"),
    [
        ("status 503", 503, False),
        ("status_after 502", 502, True),
        ("delay 0.4", 201, True),
        ("drop_before", requests.exceptions.ConnectionError, False),
        ("drop_after", requests.exceptions.ConnectionError, True),
        ("truncated", requests.exceptions.ChunkedEncodingError, True),
        ("garbage", 201, True),
    ],
)
def test_faults(omni: FakeOmni, send: Send, kind: str, seen: Any, done: bool) -> None:
    omni.fault("POST", CONNECTIONS, kind=kind)
    started = time.monotonic()
    if isinstance(seen, int):
        answer = send("POST", CONNECTIONS, CREATE)
        assert answer.status_code == seen
        if kind == "garbage":
            with pytest.raises(requests.exceptions.JSONDecodeError):
                answer.json()
    else:
        with pytest.raises(seen):
            send("POST", CONNECTIONS, CREATE)
    assert (time.monotonic() - started >= 0.4) == (kind == "delay 0.4")
    assert len(omni.connections) == done
    create(send)  # the fault is over
    assert [request["fault"] for request in omni.requests] == [kind, None]
    assert (omni.requests[0]["status"] is None) == kind.startswith("drop")


def test_a_delay_holds_up_nobody_else_and_may_outlast_a_client(omni: FakeOmni, send: Send) -> None:
    omni.fault("POST", CONNECTIONS, kind="delay 20")
    with pytest.raises(requests.exceptions.ReadTimeout):
        send("POST", CONNECTIONS, CREATE, timeout=0.5)
    started = time.monotonic()
    assert len(send("GET", CONNECTIONS).json()["connections"]) == 1
    assert time.monotonic() - started < 10


def test_which_requests_meet_a_fault(omni: FakeOmni, send: Send) -> None:
    path = f"{CONNECTIONS}/{create(send)}"
    omni.fault("GET", f"{CONNECTIONS}/*", nth=2, times=2, kind="status 500")
    omni.fault("*", "/api/v1/models*", kind="status 503")
    assert [send("PATCH", path, {"baseRole": "VIEWER"}).status_code for dummy in range(2)] == [200, 200]
    assert send("GET", CONNECTIONS).status_code == 200
    assert send("GET", MODELS).status_code == 503
    assert [send("GET", path).status_code for dummy in range(5)] == [200, 500, 500, 200, 200]
    assert send("GET", MODELS).status_code == 200


def test_each_request_of_a_run_in_turn(omni: FakeOmni, send: Send) -> None:
    def run() -> list[int]:
        path = f"{CONNECTIONS}/{create(send)}"
        sent = [send("GET", path), send("GET", MODELS), send("PATCH", path, {"baseRole": "VIEWER"})]
        return [answer.status_code for answer in sent]

    assert run() == [200, 200, 200]
    for n in (2, 3, 4):
        omni.fault_at(n, "status 500")
        assert run() == [500 if n == place else 200 for place in (2, 3, 4)]


def test_faults_end(omni: FakeOmni, send: Send) -> None:
    for end in (omni.clear_faults, omni.reset):
        omni.fault("*", "*", times=1000, kind="drop_before")
        with pytest.raises(requests.exceptions.ConnectionError):
            send("GET", CONNECTIONS)
        end()
        assert send("GET", CONNECTIONS).status_code == 200


def test_a_fault_changes_canned_answers_too(omni: FakeOmni, send: Send) -> None:
    omni.respond_next(200, "as canned", "text/plain")
    omni.fault_at(1, "truncated")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        send("GET", CONNECTIONS)


@pytest.mark.parametrize("kind", ["", "status", "status 99999", "delay", "delay -1", "drop", "truncated 3"])
def test_unknown_faults(omni: FakeOmni, kind: str) -> None:
    with pytest.raises(ValueError, match="kinds of faults"):
        omni.fault("GET", "*", kind=kind)


def test_requests_are_counted_from_one(omni: FakeOmni) -> None:
    for wrong in ({"nth": 0}, {"times": 0}):
        with pytest.raises(ValueError, match="from 1"):
            omni.fault("GET", "*", kind="garbage", **wrong)

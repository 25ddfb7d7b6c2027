# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""omni_connection against the fake Omni; where it matters, through both doors."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.helpers import harness
from tests.helpers.perform import modules
from tests.sandbox.fake_omni import FakeOmni

CONNECTIONS = "/api/v1/connections"
PASSWORD = "5ecret of the Omni role"
CHECK = {"check_mode": True}
SETTINGS = {
    "name": "Sales",
    "host": "db1.example.com",
    "port": 6432,
    "database": "sales",
    "username": "reader",
    "password": PASSWORD,
    "default_schema": "public",
    "include_schemas": ["public", "stats_*"],
    "upload_schema": "uploads",
    "database_timezone": "Europe/Berlin",
    "query_timezone": "America/New_York",
    "allows_user_specific_timezones": True,
    "query_timeout": 600,
    "base_role": "VIEWER",
}


@pytest.fixture
def omni(omni: FakeOmni) -> Iterator[FakeOmni]:
    yield omni
    assert omni.violations == []


def api(omni: FakeOmni, **given: Any) -> dict[str, Any]:
    return {"api_url": omni.url, "api_token": omni.token, "ca_path": omni.ca_file, **given}


def wanted(omni: FakeOmni, **given: Any) -> dict[str, Any]:
    return api(omni, **{**SETTINGS, **given})


def call(omni: FakeOmni, *keywords: dict[str, Any], **given: Any) -> tuple[Any, ...]:
    return ("omni_connection", wanted(omni, **given), *keywords)


def methods(omni: FakeOmni) -> list[str]:
    return [request["method"] for request in omni.requests]


def test_invalid_then_check_apply_again_changed_outside_repaired(omni, door):
    invalid, checked, made, again, again_checked = harness.modules(
        [call(omni, port=0), call(omni, CHECK), call(omni), call(omni), call(omni, CHECK)],
        door=door,
        diff=True,
    )
    assert invalid["failed"]
    assert "Reading port: 0 is out of range" in invalid["msg"]
    # The check only reads (whoami too: it would create); the run sends what it showed; after that there are reads only.
    shared = ["GET", "GET", "POST", "GET"]  # the list, once; whoami; and what was made, read
    alone = ["GET", "GET", *shared, "GET", "GET"]
    assert methods(omni) == (shared if door == "in_process" else alone)
    for result in (checked, made):
        assert result["changed"]
        assert result["requests"] == [f"POST {CONNECTIONS}"]
    assert checked["diff"] == made["diff"]
    assert checked["connection_id"] is None

    (stored,) = omni.connections
    assert made["connection_id"] == stored["id"]
    assert {
        "name": "Sales",
        "dialect": "postgres",
        "host": "db1.example.com",
        "port": 6432,
        "database": "sales",
        "username": "reader",
        "defaultSchema": "public",
        "includeSchemas": "public,stats_*",
        "scratchSchema": "uploads",
        "systemTimezone": "Europe/Berlin",
        "queryTimezone": "America/New_York",
        "allowsUserSpecificTimezones": True,
        "queryTimeoutSeconds": 600,
        "baseRole": "VIEWER",
    }.items() <= stored.items()
    assert omni.password_of(stored["id"]) == PASSWORD
    _method, _path, body = made["diff"]["prepared"].split(" ", 2)
    (post,) = omni.writes()
    assert json.loads(body) == post["body"]

    for result in (again, again_checked):
        assert not result["changed"]
        assert result["requests"] == []
        assert "diff" not in result or not result["diff"]
        assert result["connection_id"] == stored["id"]
        assert {"host", "password", "scratch_schema"} <= set(result["unverifiable"])

    # Somebody changes the base role in Omni.
    omni.instance.connections[stored["id"]]["baseRole"] = "QUERIER"
    repaired, once_more = harness.modules([call(omni), call(omni)], door=door)
    assert repaired["requests"] == [f"PATCH {CONNECTIONS}/{stored['id']}"]
    assert omni.connections[0]["baseRole"] == "VIEWER"
    assert not once_more["changed"]


def test_a_password_is_replaced_on_demand(omni):
    new = "the n3w password"
    made, kept, checked, changed = modules(
        [
            call(omni),
            call(omni, password=new),
            call(omni, CHECK, password=new, update_password="always"),
            call(omni, password=new, update_password="always"),
        ],
    )
    path = f"{CONNECTIONS}/{made['connection_id']}"
    assert (kept["changed"], "password" in kept["unverifiable"]) == (False, True)
    assert checked["requests"] == changed["requests"] == [f"PATCH {path}"]
    assert (changed["changed"], "password" in changed["unverifiable"]) == (True, False)
    assert omni.password_of(made["connection_id"]) == new
    assert [(one["method"], one["path"]) for one in omni.writes()] == [("POST", CONNECTIONS), ("PATCH", path)]


def test_a_difference_that_the_api_cannot_repair_fails_and_changes_nothing(omni):
    omni.add_connection("Sales", database="sales_old", defaultSchema="stats", baseRole="QUERIER")
    results = modules([call(omni), call(omni, CHECK)])
    for result in results:
        assert result["failed"]
        assert result["error"]["differences"] == {
            "database": {"is": "sales_old", "wanted": "sales"},
            "default_schema": {"is": "stats", "wanted": "public"},
        }
        assert "Settings > Connections" in result["msg"]
    assert omni.writes() == []


def test_deleted_on_demand(omni):
    _made, checked, gone, again = modules(
        [
            call(omni),
            *(
                ("omni_connection", api(omni, name="Sales", state="absent"), keywords)
                for keywords in (CHECK, {}, {})
            ),
        ],
    )
    (stored,) = omni.connections
    assert stored["deletedAt"]
    for result in (checked, gone):
        assert result["requests"] == [f"DELETE {CONNECTIONS}/{stored['id']}"]
        assert result["connection_id"] == stored["id"]
        assert "models and content" in result["msg"]
    assert not again["changed"]
    assert [one["method"] for one in omni.writes()] == ["POST", "DELETE"]


def test_input_that_cannot_work_says_what_to_do_and_sends_nothing(omni):
    cases: list[tuple[dict[str, Any], str]] = [
        ({"api_url": omni.url.replace("https:", "http:")}, "would send the token unencrypted. Use https://"),
        ({"api_url": f"{omni.url}/connections"}, "Give it like https://example.omniapp.co"),
        ({"api_token": ""}, "Check api_token"),
        ({"database_timezone": "Europe/Berln"}, "'Europe/Berln' is no time zone. Give an IANA name"),
        ({"query_timezone": "CEST/x"}, "no time zone. Give an IANA name or NONE"),
        ({"port": 65536}, "Give it from 1 to 65535"),
        ({"query_timeout": 3601}, "Give it from 1 to 3600"),
        ({"timeout": 0}, "Reading timeout"),
        ({"host": "127.0.0.1"}, "Set host to the address at which Omni reaches the database"),
        ({"host": "/var/run/postgresql"}, "no host name or IP address"),
        ({"host": None}, "Reading host: it is missing"),
        ({"upload_schema": "public"}, "needs a schema of its own"),
        ({"default_schema": "finance"}, "Add it there"),
        ({"include_schemas": ["public", ""]}, "names no schema"),
        ({"connection_id": "7"}, "Omni's ids are UUIDs"),
        ({"name": None}, "Reading name: it is missing"),
        ({"ca_path": "nowhere.pem"}, "there is no"),
    ]
    results = modules([call(omni, **given) for given, _words in cases])
    for result, (given, words) in zip(results, cases, strict=True):
        assert result["failed"], given
        assert words in result["msg"], given
    assert omni.requests == []


def test_the_other_side_is_not_what_it_should_be(omni):
    with FakeOmni() as stranger:
        refused, untrusted, no_admin, no_password = modules(
            [
                call(omni, api_token="omni_osk_wrong"),
                call(omni, api_url=stranger.url),
                call(omni, api_token=omni.member_token),
                call(omni, password=None),
            ],
        )
        assert stranger.requests == []
    assert refused["error"] == {"kind": "unreachable", "status": 403}
    assert "Invalid bearer token. Check api_token (or OMNI_API_TOKEN, OMNI_API_KEY)" in refused["msg"]
    assert "no trusted TLS connection" in untrusted["msg"]
    assert "Set ca_path" in untrusted["msg"]
    assert no_admin["error"] == {"kind": "refused", "status": 403}
    assert "Organization Admin" in no_admin["msg"]
    assert "no password was given. Set password." in no_password["msg"]
    assert omni.writes() == []


@pytest.mark.parametrize(
    ("status", "body", "content_type", "words"),
    [
        (401, '{"detail": "Authentication required", "status": 401}', "application/json", "Check api_token"),
        (200, "<title>Sign in</title>", "text/html", "an HTML page titled 'Sign in', not Omni's JSON. Check"),
    ],
)
def test_an_instance_that_answers_so(omni, status, body, content_type, words):
    omni.always(status, body, content_type)
    (result,) = modules([call(omni)])
    assert result["failed"]
    assert words in result["msg"]
    assert omni.writes() == []


def test_two_of_one_name(omni):
    ids = sorted(omni.add_connection("Sales", database="sales", defaultSchema="public") for dummy in range(2))
    unclear, absent, chosen = modules(
        [call(omni), call(omni, state="absent"), call(omni, connection_id=ids[0])]
    )
    for result in (unclear, absent):
        assert result["error"] == {"kind": "conflict", "ids": ids}
        assert "Choose one by its id (connection_id)" in result["msg"]
    assert (chosen["changed"], chosen["connection_id"]) == (True, ids[0])
    assert [one["path"] for one in omni.writes()] == [f"{CONNECTIONS}/{ids[0]}"]


def test_address_and_token_come_from_the_environment_too(omni, door):
    settings = {key: value for key, value in wanted(omni).items() if key not in ("api_url", "api_token")}
    result = harness.module(
        "omni_connection",
        settings,
        door=door,
        env={"OMNI_BASE_URL": omni.url, "OMNI_API_TOKEN": omni.token, "OMNI_API_KEY": "unused"},
    )
    assert result["changed"]
    assert omni.token not in str(result)
    result = harness.module(
        "omni_connection", settings, door=door, env={"OMNI_BASE_URL": omni.url, "OMNI_API_KEY": "wrong-key"}
    )
    assert "Invalid bearer token" in result["msg"]


def test_no_secret_is_printed_however_much_is_asked_for(omni, door):
    calls: list[dict[str, Any]] = [
        {"port": 0},
        {},
        {},
        {"update_password": "always"},
        {"database": "x"},
        {"timeout": "many"},
    ]
    tasks = [
        {
            "name": f"{number}",
            "ignore_errors": True,
            "omni_analytics.connect.omni_connection": {
                **wanted(omni, **given),
                "api_token": "{{ token }}",
                "password": "{{ password }}",
            },
        }
        for number, given in enumerate(calls)
    ]
    omni.respond_next(400, json.dumps({"detail": f"{PASSWORD} {omni.token}"}))
    for check in (True, False):
        run = harness.play(
            tasks,
            door=door,
            vars={"token": omni.token, "password": PASSWORD},
            verbosity=4,
            check=check,
            diff=True,
        )
        assert len(run.results) == len(tasks)
        for secret in (PASSWORD, omni.token):
            assert secret not in run.text
            assert secret not in str(run.results)
    assert [request["method"] for request in omni.writes()] == ["POST", "PATCH"]


def test_a_silent_instance_ends_by_the_tasks_timeout(omni, door):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        given = wanted(omni, api_url=f"https://127.0.0.1:{silent.getsockname()[1]}")
        task = {"name": "hang", "omni_analytics.connect.omni_connection": given, "timeout": 1}
        with harness.started(harness.plays([task]), door=door) as playing:
            run = playing.finish(30)
            deadline = time.monotonic() + 5
            while playing.processes() and time.monotonic() < deadline:
                time.sleep(0.1)
            assert playing.processes() == []
    assert "Timed out after 1 second" in run.result("hang").result["msg"]
    assert run.seconds < 20


def test_both_doors_give_the_same_result(omni):
    results = []
    for door in harness.DOORS:
        omni.reset()
        omni.add_connection(
            "Sales", id="00000000-0000-4000-8000-000000000001", database="sales", baseRole="QUERIER"
        )
        found = harness.modules(
            [
                call(omni, CHECK),
                call(omni, CHECK, name="New"),
                call(omni, CHECK, database="x"),
                call(omni, port=0),
            ],
            door=door,
            diff=True,
        )
        for result in found:
            result.get("connection") and result["connection"].update(created_at=None, updated_at=None)
            for incidental in ("invocation", "ansible_facts", "_ansible_no_log", "exception"):
                result.pop(incidental, None)
        results.append(found)
    assert results[0] == results[1]

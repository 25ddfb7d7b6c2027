# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fleet costs in Omni: lists once a run and key, and one budget of requests for all forks."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.helpers import harness
from tests.helpers.fleet import SCHEDULES, asked, connect, inventory, names
from tests.sandbox.fake_omni import FakeOmni

UNLIMITED = ["_omni.rate_limiter:MINUTE=0.0"]
LISTS = {"GET connections": 1, "GET models": 1}
NEW = ("POST connections", "POST models", "POST models/*/refresh", "GET jobs/*/status")
MODULE = "omni_analytics.connect.omni_connection"


def failed(run: harness.Run) -> list[str]:
    return [host for host, recap in run.recap.items() if recap["failed"] or recap["unreachable"]]


@pytest.mark.parametrize(
    ("play", "extra_args"),
    [
        ({}, []),
        ({"strategy": "free", "throttle": 2}, []),
        ({"serial": 2}, ["--limit", "db000,db001,db002"]),
    ],
    ids=["linear", "free and throttle", "serial and limit"],
)
def test_lists_are_read_once_a_run_however_it_is_run(omni, play, extra_args):
    omni.instance.polls_in_progress = 0
    hosts = inventory(omni, names(5), omni_postgres_refresh_schedules=SCHEDULES)
    options: dict[str, Any] = {"play": play, "extra_args": extra_args, "patches": UNLIMITED}
    first = connect(hosts, **options)
    count = len(first.recap)
    assert count == (3 if extra_args else 5)
    assert failed(first) == []
    made = asked(omni)
    schedules = {"POST connections/*/schedules": count, "GET connections/*/schedules": 2 * count}
    # Each new one is looked for by its name once more, so that a twin is seen.
    listed = {**LISTS, "GET connections": 1 + count, "GET whoami": 1}
    assert made == {**listed, **dict.fromkeys(NEW, count), **schedules}
    assert sorted(one["name"] for one in omni.connections) == names(count)

    since = len(omni.requests)
    again = connect(hosts, **options)
    assert {recap["changed"] + recap["failed"] for recap in again.recap.values()} == {0}
    assert asked(omni, since) == {**LISTS, "GET connections/*/schedules": count}


def test_models_are_listed_a_page_per_hundred(omni):
    for name in names(101):
        id = omni.add_connection(name, defaultSchema="public", database="sales")
        record = {"id": id, "name": name, "modelKind": "SCHEMA", "connectionId": id, "baseModelId": None}
        stamps = dict.fromkeys(("createdAt", "updatedAt"), "2026-01-01T00:00:00.000Z")
        omni.instance.models[id] = {**record, **stamps, "deletedAt": None, "refreshed": True}
    run = connect(inventory(omni, [*names(1), "db100"]), patches=UNLIMITED)
    assert {recap["changed"] + recap["failed"] for recap in run.recap.values()} == {0}
    assert asked(omni) == {"GET connections": 1, "GET models": 2}


def test_instances_and_keys_stay_apart(omni):
    with FakeOmni() as other:
        here = inventory(omni, ["a", "b"])
        there = inventory(other, ["c", "d"], omni_postgres_ca_path=other.ca_file)
        member = inventory(omni, ["e", "f"], omni_postgres_api_token=omni.member_token)
        run = connect({**here, **there, **member}, tags=["omni_connection"])
        assert sorted(failed(run)) == ["e", "f"]
        assert (
            "this key belongs to a member"
            in run.result("Check the variables and look at Omni before anything changes", "e").result["msg"]
        )
        assert [sorted(one["name"] for one in each.connections) for each in (omni, other)] == [
            ["a", "b"],
            ["c", "d"],
        ]
        assert other.violations == []
        assert asked(other)["GET connections"] == 3  # one list, and each new one by its name


def test_a_name_that_many_hosts_have_is_created_once(omni):
    run = connect(
        inventory(omni, names(12), omni_postgres_connection_name="Shared"), tags=["omni_connection"]
    )
    assert failed(run) == []
    assert sum(recap["changed"] for recap in run.recap.values()) == 1
    assert [one["name"] for one in omni.connections] == ["Shared"]


def test_what_the_run_itself_wrote_is_read_anew(omni, api):
    given = {**api, "host": "db.example.com", "database": "sales", "password": "secret of the role"}
    shipped = {"vars": {"omni_connect_in_process": False}}

    def call(name: str, *keywords: dict[str, Any], **more: Any) -> tuple[Any, ...]:
        return ("omni_connection", {**given, "name": name, **more}, *keywords)

    results = harness.modules(
        [
            call("one"),
            call("one", base_role="VIEWER"),
            call("one", base_role="VIEWER"),
            call("two", shipped),
            call("two"),
            call("one", shipped, state="absent"),
            call("one", base_role="QUERIER"),
            call("two", state="absent"),
            call("two", state="absent"),
            call("two"),
        ],
        door="in_process",
    )
    assert [result["failed"] for result in results] == [False] * 10
    changed = [result["changed"] for result in results]
    assert changed == [True, True, False, True, False, True, True, True, False, True]
    live = {one["name"]: one["baseRole"] for one in omni.connections if not one["deletedAt"]}
    assert live == {"one": "QUERIER", "two": None}
    assert Counter(request["method"] for request in omni.writes()) == {"POST": 4, "PATCH": 1, "DELETE": 2}


def test_forks_wait_for_their_turn_instead_of_being_refused(omni):
    omni.quirks.rate_limit, omni.quirks.rate_window = 60, 1.5
    hosts = inventory(omni, names(100))
    run = connect(hosts, tags=["omni_connection"], patches=["_omni.rate_limiter:MINUTE=1.7"])
    assert failed(run) == []
    assert sorted(one["name"] for one in omni.connections) == names(100)
    assert sum(request["status"] == 429 for request in omni.requests) < 5
    assert sum(asked(omni).values()) < 210


def test_all_forks_take_their_turns_from_one_minute(omni, api):
    given = {**api, "name": "{{ inventory_hostname }}", "host": "db.example.com", "database": "sales"}
    task = {"name": "create", MODULE: {**given, "password": "secret of the role", "total_timeout": 20}}
    forks = ["--forks", "20"]
    run = harness.play([task], door="in_process", hosts=names(40), extra_args=forks)
    assert len(omni.requests) == 60  # of 82
    late = [item.result["msg"] for item in run.results if item.status == "failed"]
    assert len(late) == len(failed(run)) > 0
    assert all("total_timeout" in text and "requests_per_minute" in text for text in late)
    again = harness.play([task], door="in_process", hosts=names(40), extra_args=forks)
    assert failed(again) == []
    assert sorted(one["name"] for one in omni.connections) == names(40)

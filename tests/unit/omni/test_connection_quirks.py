# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection against instances of Omni that differ from one another."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import pytest

from tests.sandbox.fake_omni_quirks import Quirks

from .test_connection import CONNECTIONS, ID, run

ROLES = ("RESTRICTED_QUERIER", "QUERY_TOPICS")
STYLES = get_args(get_type_hints(Quirks)["error_style"])


def writes(omni: Any) -> list[tuple[str, int]]:
    return [(one["method"], one["status"]) for one in omni.writes()]


@pytest.mark.parametrize(
    "quirks",
    [
        {"no_get_route": 404},
        {"no_get_route": 405},
        {"archived_get": 404},
        {"strict_body": True},
        {"get_lag": 5},
        {"drop_default_schema": True},
        {"role_alias": True},
        {"role_enum": "docs"},
        {"role_enum": "spec"},
        {"old_spelling": True},
        {"env_shape": "docs"},
        {"whoami": 404},
        {"unique_names": 409},
        {"fail_after_commit": 502},
        {"fail_after_commit": "drop"},
        *({"error_style": style} for style in STYLES),
    ],
    ids=str,
)
def test_a_life_on_any_instance(omni, quirks):
    for name, value in quirks.items():
        setattr(omni.quirks, name, value)
    for role in ROLES:
        made = run(omni, name=role, base_role=role)
        assert made["changed"], made
        id = made["connection_id"]
        assert made["connection"]["user_attribute_name_for_connection_environments"] is None
        for given in ({"name": role}, {"name": role, "connection_id": id}):
            again = run(omni, **given, base_role=role)
            assert (again["changed"], again["connection_id"]) == (False, id), again
        # Also by its other name.
        assert not run(omni, name=role, base_role=ROLES[role == ROLES[0]])["changed"]
        assert run(omni, name=role, base_role="VIEWER")["changed"]
        assert run(omni, name=role, base_role=role)["changed"]
        stored = omni.instance.connections[id]
        assert stored["baseRole"] in ROLES
        assert len([one for one in omni.connections if one["name"] == role]) == 1
        gone = run(omni, name=role, state="absent")
        if "no_get_route" in quirks:
            # What has no route there, nor one to delete it, is left to a person.
            assert f"do it in Omni ({omni.url}, Settings > Connections > {role})" in gone["msg"]
            assert gone["error"]["status"] == quirks["no_get_route"]
            assert not stored["deletedAt"]
            stored["deletedAt"] = "2026-01-01T00:00:00.000Z"
        else:
            assert gone["changed"], gone
        assert not run(omni, name=role, state="absent")["changed"]
        assert not run(omni, name=role, state="absent", connection_id=id)["changed"]


def test_a_role_that_goes_by_neither_name_is_refused(omni):
    omni.fault("POST", CONNECTIONS, times=2, kind="status 400")
    result = run(omni, base_role="QUERY_TOPICS")
    assert result["error"] == {"kind": "refused", "status": 400}
    assert writes(omni) == [("POST", 400), ("POST", 400)]
    assert omni.connections == []


def test_a_new_connection_that_nobody_finds_yet_is_not_made_twice(omni, monkeypatch):
    real, lag = omni.instance.connections_list, [3]

    def later(call: Any) -> Any:
        status, answer = real(call)
        if answer["connections"] and lag[0]:
            lag[0] -= 1
            return status, {"connections": []}
        return status, answer

    monkeypatch.setattr(omni.instance, "connections_list", later)
    omni.quirks.get_lag = 3
    made = run(omni)
    assert (made["changed"], made["connection"]["name"], lag) == (True, "sales", [0])
    omni.quirks.get_lag, lag[0] = 99, 99
    unseen = run(omni, name="unseen")
    assert unseen["error"]["kind"] == "not_converged"
    assert writes(omni) == [("POST", 201), ("POST", 201)]


def test_archived_twins_are_reported_and_left(omni):
    omni.quirks.duplicate_seed = "sales"
    several = run(omni)
    assert len(several["error"]["ids"]) == 2
    live = several["error"]["ids"]
    (archived,) = {one["id"] for one in omni.connections} - set(live)
    for id in live:
        omni.instance.connections[id].update(database="sales", defaultSchema="public")
    assert run(omni, connection_id=live[0])["connection_id"] == live[0]
    for id in live:
        omni.instance.connections[id]["deletedAt"] = "2026-01-01T00:00:00.000Z"
    archived_ids = sorted([*live, archived])
    for check in (True, False):
        made = run(omni, check)
        assert (made["changed"], made["archived"]) == (True, archived_ids)
        assert "Omni's trash has 3 of the name sales too" in made["warnings"][0]
    again = run(omni)
    assert (again["changed"], again["archived"], "warnings" in again) == (False, archived_ids, False)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("auth_style", ["live", "spec"])
def test_a_bad_token_is_told_from_one_that_may_not(omni, style, auth_style):
    omni.quirks.error_style, omni.quirks.auth_style = style, auth_style
    rejected = run(omni, api_token="omni_osk_wrong")
    if auth_style == "spec" or style not in ("html", "empty"):
        assert rejected["error"]["kind"] == "unreachable"
        assert "Check api_token" in rejected["msg"]
    member = run(omni, api_token=omni.member_token)
    assert member["error"]["kind"] == "refused"
    assert "Organization Admin" in member["msg"]
    assert omni.connections == []


def test_a_header_that_was_lost_on_the_way(omni):
    omni.always(400, '{"detail": "Bad Request: Missing or malformed Authorization header", "status": 400}')
    result = run(omni)
    assert (result["error"]["kind"], "did not arrive as it was sent" in result["msg"]) == (
        "unreachable",
        True,
    )


@pytest.mark.parametrize("status", [400, 409])
def test_an_instance_that_wants_names_to_differ(omni, status):
    omni.quirks.unique_names = status
    real = omni.add_connection("sales", database="sales")
    omni.instance.connections[real]["dialect"] = "mysql"
    result = run(omni)
    assert result["error"]["differences"] == {"dialect": {"is": "mysql", "wanted": "postgres"}}
    assert omni.writes() == []


def test_a_settings_page_is_named_where_the_api_cannot_help(omni):
    omni.add_connection("sales", database="old", defaultSchema="public")
    result = run(omni)
    for words in (
        "database is 'old' where 'sales' is wanted",
        f"{omni.url}, Settings > Connections > sales",
        "warn",
    ):
        assert words in result["msg"]
    warned = run(omni, on_immutable_change="warn", base_role="VIEWER")
    assert warned["changed"]
    assert warned["differences"] == {"database": {"is": "old", "wanted": "sales"}}
    assert "Omni's API cannot change that" in warned["warnings"][0]
    assert run(omni, connection_id=ID)["error"]["connection_id"] == ID

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection: its plan and its checks as tables, and what it does when the API misbehaves."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._errors import Conflict, InvalidInput
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni import connection, connection_info
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni import connection_checks as checks
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni.connection_plan import State
from tests.helpers.perform import perform, said
from tests.sandbox import omni_api
from tests.sandbox.fake_omni import FakeOmni

CONNECTIONS = "/api/v1/connections"
ID = "00000000-0000-4000-8000-000000000001"
PASSWORD = "a password nobody may see"
MASK = "********"


def params(**given: Any) -> dict[str, Any]:
    """The module's options as a door hands them over: what is given, and else the defaults."""
    defaults = {name: option.get("default") for name, option in connection.DEFINITION.options.items()}
    usual = {
        "api_url": "https://example.omniapp.co",
        "api_token": "token",
        "name": "sales",
        "host": "db.example.com",
        "database": "sales",
    }
    return {**defaults, **usual, **given}


def run(omni: FakeOmni, check: bool = False, run_dir: str | None = None, **given: Any) -> dict[str, Any]:
    here = {"api_url": omni.url, "api_token": omni.token, "ca_path": omni.ca_file, "password": PASSWORD}
    result = perform(connection.DEFINITION, params(**{**here, **given}), check, run_dir=run_dir)
    assert PASSWORD not in str(result)
    assert omni.token not in str(result)
    return result


def sent(omni: FakeOmni) -> list[str]:
    return [request["method"] for request in omni.requests]


def found(**fields: Any) -> dict[str, Any]:
    return {
        "id": ID,
        "name": "sales",
        "dialect": "postgres",
        "database": "sales",
        "defaultSchema": "public",
        "baseRole": "VIEWER",
        **fields,
    }


MINIMAL = {
    "dialect": "postgres",
    "name": "sales",
    "host": "db.example.com",
    "port": 5432,
    "database": "sales",
    "username": "omni",
    "passwordUnencrypted": "p",
    "defaultSchema": "public",
    "systemTimezone": "UTC",
    "queryTimezone": "NONE",
    "allowsUserSpecificTimezones": False,
}
EVERYTHING: dict[str, Any] = {
    "port": 6432,
    "username": "reader",
    "password": " p ",
    "default_schema": "stats_eu",
    "include_schemas": ["public", "stats_*"],
    "scratch_schema": "uploads",
    "system_timezone": "Europe/Berlin",
    "query_timezone": "America/New_York",
    "allows_user_specific_timezones": True,
    "query_timeout_seconds": 600,
    "base_role": "NO_ACCESS",
}
EVERY_FIELD = {
    **MINIMAL,
    "port": 6432,
    "username": "reader",
    "passwordUnencrypted": " p ",
    "defaultSchema": "stats_eu",
    "includeSchemas": "public,stats_*",
    "scratchSchema": "uploads",
    "systemTimezone": "Europe/Berlin",
    "queryTimezone": "America/New_York",
    "allowsUserSpecificTimezones": True,
    "queryTimeoutSeconds": 600,
    "baseRole": "NO_ACCESS",
}
PATH = f"{CONNECTIONS}/{ID}"
ALWAYS = {"password": "p", "update_password": "always"}


@pytest.mark.parametrize(
    ("given", "state", "expected"),
    [
        ({"password": "p"}, None, ("POST", CONNECTIONS, MINIMAL)),
        (EVERYTHING, None, ("POST", CONNECTIONS, EVERY_FIELD)),
        ({"password": "p", "include_schemas": ["public", "*"]}, None, ("POST", CONNECTIONS, MINIMAL)),
        ({}, found(), None),
        ({"password": "p"}, found(), None),
        ({}, found(defaultSchema=None, baseRole=None), None),
        (ALWAYS, found(), ("PATCH", PATH, {"passwordUnencrypted": "p"})),
        ({"update_password": "always"}, found(), None),
        ({"base_role": "VIEWER"}, found(), None),
        ({"base_role": "QUERIER"}, found(), ("PATCH", PATH, {"baseRole": "QUERIER"})),
        ({"base_role": "VIEWER"}, found(baseRole=None), ("PATCH", PATH, {"baseRole": "VIEWER"})),
        ({"base_role": "RESTRICTED_QUERIER"}, found(baseRole="QUERY_TOPICS"), None),
        ({"base_role": "QUERY_TOPICS"}, found(baseRole="RESTRICTED_QUERIER"), None),
        (
            {**ALWAYS, "base_role": "my role"},
            found(),
            ("PATCH", PATH, {"passwordUnencrypted": "p", "baseRole": "my role"}),
        ),
        ({"state": "absent"}, None, None),
        ({"state": "absent", "database": "another"}, found(), ("DELETE", PATH, {})),
        ({"state": "absent", "name": None, "connection_id": ID}, found(), ("DELETE", PATH, {})),
    ],
)
def test_plan(given, state, expected):
    changes = connection.build(params(**given)).plan(State(state))
    requests = [(one.payload.method, one.payload.path, one.payload.body) for one in changes]
    assert requests == ([expected] if expected else [])
    for method, path, body in requests:
        omni_api.validate_request(method, path, {}, body or None)


@pytest.mark.parametrize(
    ("given", "state", "differences"),
    [
        ({}, found(database="other"), ["database"]),
        ({}, found(database="Sales"), ["database"]),
        ({}, found(database=None), ["database"]),
        ({}, found(defaultSchema="stats"), ["default_schema"]),
        ({}, found(dialect="mysql"), ["dialect"]),
        ({"connection_id": ID}, found(name="sales "), ["name"]),
        ({**ALWAYS}, found(database="x", defaultSchema="y"), ["database", "default_schema"]),
        ({"state": "absent"}, found(dialect="mysql"), ["dialect"]),
        ({"state": "absent", "connection_id": ID}, found(name="other"), ["name"]),
    ],
)
def test_what_the_api_cannot_change_fails_and_is_named(given, state, differences):
    with pytest.raises(Conflict) as caught:
        connection.build(params(**given)).plan(State(state))
    assert list(caught.value.detail["differences"]) == differences
    for option in differences:
        assert f"{option} is " in said(caught.value, connection.DEFINITION)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({}, InvalidInput, "no password was given. Set password."),
        ({"password": "p", "connection_id": ID}, Conflict, "there is none of that id"),
    ],
)
def test_what_cannot_be_created_says_why(given, error, words):
    with pytest.raises(error) as caught:
        connection.build(params(**given)).plan(State(None))
    assert words in said(caught.value, connection.DEFINITION)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("name", "", "name: it is empty"),
        ("database", "", "database: it is missing"),
        ("username", "", "username: it is missing"),
        ("name", None, "name: it is missing"),
        ("host", None, "host: it is missing"),
        ("database", None, "database: it is missing"),
        ("password", "", "password: it is empty"),
        ("host", "", "host: it is missing"),
        ("host", "localhost", "this machine"),
        ("host", "LocalHost.", "this machine"),
        ("host", "db.localhost", "this machine"),
        ("host", "localhost.localdomain", "this machine"),
        ("host", "127.0.0.1", "this machine"),
        ("host", "127.1", "this machine"),
        ("host", "127.10.0.9", "this machine"),
        ("host", "0.0.0.0", "this machine"),
        ("host", "0", "this machine"),
        ("host", "::1", "this machine"),
        ("host", "::", "this machine"),
        ("host", "::ffff:127.0.0.1", "this machine"),
        ("host", "/var/run/postgresql", "no host name"),
        ("host", "@socket", "no host name"),
        ("host", "a.example.com,b.example.com", "no host name"),
        ("host", "db.example.com:5432", "no host name"),
        ("host", "[2001:db8::1]", "no host name"),
        ("host", "postgres://omni:pass@db.example.com/sales", "no host name"),
        ("host", "db example", "no host name"),
        ("port", 0, "port: 0 is out of range. Give it from 1 to 65535."),
        ("port", 65536, "out of range"),
        ("query_timeout_seconds", 0, "out of range. Give it from 1 to 3600."),
        ("query_timeout_seconds", 3601, "out of range"),
        ("system_timezone", "Europe/Berln", "system_timezone: 'Europe/Berln' is no time zone"),
        ("system_timezone", "NONE", "no time zone"),
        ("system_timezone", "", "no time zone"),
        ("system_timezone", "../UTC", "no time zone"),
        ("system_timezone", "Europe", "no time zone"),
        ("query_timezone", "none", "Give an IANA name or NONE"),
        ("query_timezone", "UTC ", "no time zone"),
        ("connection_id", "12", "connection_id: '12' is no id"),
        ("connection_id", "../users", "is no id"),
        ("default_schema", "", "default_schema: it is empty"),
        ("scratch_schema", "", "scratch_schema: it is empty"),
        ("scratch_schema", "public", "default_schema: public is the schema for table uploads"),
        ("base_role", "", "base_role: it is empty"),
        (
            "include_schemas",
            ["stats_*"],
            "default_schema: it is missing, and include_schemas (stats_*) neither",
        ),
        ("offloaded_schemas", ["a,b"], "offloaded_schemas: 'a,b' has a comma"),
        ("host", 64 * "a" + ".example.com", "no host name"),
        ("include_schemas", ["pub*c", ""], "include_schemas: it names no schema"),
        ("include_schemas", [], "include_schemas: it names no schema"),
        ("include_schemas", ["public", "a,b"], "'a,b' has a comma"),
        ("include_schemas", ["public", "pg_catalog"], "belongs to Postgres"),
    ],
)
def test_settings_that_nobody_could_use_are_refused(option, value, words):
    with pytest.raises(InvalidInput) as caught:
        connection.build(params(**{"password": "p", option: value}))
    assert words in said(caught.value, connection.DEFINITION)
    assert "pass@" not in str(caught.value)


TEXTS = [name for name, spec in connection.DEFINITION.options.items() if spec["type"] in ("str", "list")]
STRANGE = [
    "",
    " ",
    "\ud800",
    "\0",
    "a\nb",
    "\u2028",
    "x" * 70_000,
    "ü" * 300,
    "{{ x }}",
    "%s%n",
    "..",
    "💥",
    "'\"\\",
]


@pytest.mark.parametrize("option", [*(name for name in TEXTS if not name.startswith("api_")), "record_path"])
@pytest.mark.parametrize("value", STRANGE, ids=ascii)
def test_text_that_is_given_is_sent_as_it_is_or_refused_by_its_option(option, value):
    given: Any = [value] if connection.DEFINITION.options[option]["type"] == "list" else value
    try:
        (change,) = connection.build(params(**{"password": "p", option: given})).plan(State(None))
    except (InvalidInput, Conflict) as error:
        refused = str(error)
    else:
        refused = ""
    if refused:
        assert option in refused
        return
    json.dumps(change.payload.body, ensure_ascii=False).encode()
    if option in ("name", "host", "database", "username", "default_schema"):
        assert value in change.payload.body.values()


@pytest.mark.parametrize(
    "name", [" ", "ü" * 300, "x" * 3000, "\u2028", "💥", "../..", "a&b=c#d?e/f"], ids=ascii
)
def test_any_name_can_be_looked_for_created_and_recorded(omni, tmp_path, name):
    assert run(omni, name=name, record_path=str(tmp_path))["changed"]
    again = run(omni, name=name, record_path=str(tmp_path))
    assert (again["changed"], again["unverifiable"], "warnings" in again) == (False, [], False)


@pytest.mark.parametrize(
    ("include", "default"),
    [
        (None, "public"),
        (["*"], "public"),
        (["public", "sales"], "public"),
        (["sales", "pub*"], "public"),
        (["stats_*", "sales", "x"], "sales"),
    ],
)
def test_the_default_schema_comes_from_the_list_of_schemas(omni, include, default):
    assert run(omni, include_schemas=include)["connection"]["default_schema"] == default
    assert run(omni, include_schemas=include)["differences"] == {}


def test_an_upload_schema_is_not_modelled():
    with pytest.raises(InvalidInput, match=r"O\(include_schemas\): up is the schema for table uploads"):
        connection.build(params(include_schemas=["public", "up"], scratch_schema="up"))
    connection.build(params(include_schemas=["public", "*"], scratch_schema="up"))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("host", "db"),
        ("host", "10.0.0.1"),
        ("host", "2001:db8::1"),
        ("host", "localhost.example.com"),
        ("host", "127.example.com"),
        ("port", 1),
        ("port", 65535),
        ("query_timeout_seconds", 1),
        ("query_timeout_seconds", 3600),
        ("system_timezone", "America/Argentina/Buenos_Aires"),
        ("system_timezone", "Etc/GMT+5"),
        ("query_timezone", "NONE"),
        ("name", '  Übersicht, "x" '),
        ("include_schemas", ["pub*"]),
        ("include_schemas", ["public", "with space"]),
    ],
)
def test_settings_that_are_right_are_taken(option, value):
    connection.build(params(**{option: value}))


def test_without_a_timezone_database_the_shape_decides(monkeypatch):
    monkeypatch.setattr(checks, "ZoneInfo", None)
    connection.build(params(system_timezone="Mars/Olympus_Mons"))
    for name in ("NONE", "a b", "+02:00", ""):
        with pytest.raises(InvalidInput):
            connection.build(params(system_timezone=name))


def test_what_to_delete_has_to_be_named():
    for name in (None, ""):
        with pytest.raises(InvalidInput, match=r"name.*: it is (missing|empty)"):
            connection.build(params(state="absent", name=name))


def test_no_setting_is_looked_at_to_delete():
    given = params(host=None, database=None, port=0, system_timezone="x", state="absent")
    assert connection.build(given).plan(State(found()))


def test_a_life(omni):
    checked = run(omni, check=True, base_role="VIEWER")
    assert (checked["changed"], checked["connection_id"], sent(omni)) == (True, None, ["GET", "GET"])

    made = run(omni, base_role="VIEWER")
    assert (made["changed"], made["requests"], made["unverifiable"]) == (True, [f"POST {CONNECTIONS}"], [])
    assert made["diff"] == checked["diff"]
    assert sent(omni)[2:] == ["GET", "GET", "POST", "GET"]
    id = made["connection_id"]
    assert made["connection"]["id"] == id
    assert (made["connection"]["default_schema"], made["connection"]["base_role"]) == ("public", "VIEWER")
    assert omni.password_of(id) == PASSWORD

    again = run(omni, base_role="VIEWER")
    assert (again["changed"], again["requests"], again["connection_id"]) == (False, [], id)
    assert again["unverifiable"] == [
        "host",
        "port",
        "username",
        "include_schemas",
        "system_timezone",
        "query_timezone",
        "allows_user_specific_timezones",
        "password",
    ]
    assert sent(omni)[6:] == ["GET"]

    changed = run(omni, base_role="QUERIER", update_password="always")
    assert changed["requests"] == [f"PATCH {CONNECTIONS}/{id}"]
    assert "password" not in changed["unverifiable"]
    assert (
        changed["diff"]["before"]
        == "connection sales: password: not readable\nconnection sales: base_role: VIEWER\n"
    )
    assert sent(omni)[7:] == ["GET", "PATCH", "GET"]
    assert run(omni, update_password="always")["changed"]

    gone = run(omni, state="absent", password=None)
    assert (gone["changed"], gone["connection_id"], gone["connection"]) == (True, id, None)
    assert gone["requests"] == [f"DELETE {CONNECTIONS}/{id}"]
    assert "models and content" in gone["msg"]
    assert "in the trash" in gone["diff"]["after"]
    assert omni.connections[0]["deletedAt"]
    assert not run(omni, state="absent")["changed"]
    assert not run(omni, state="absent", name=None, connection_id=id)["changed"]


def test_the_diff_shows_every_setting_and_the_request_in_full(omni):
    diff = run(omni, check=True, **EVERYTHING | {"password": PASSWORD})["diff"]
    assert diff["before"] == ""
    shown = dict(line.split(": ", 2)[1:] for line in diff["after"].splitlines())
    expected = {key: str(value) for key, value in EVERYTHING.items()}
    assert shown == expected | {
        "name": "sales",
        "host": "db.example.com",
        "database": "sales",
        "password": MASK,
        "include_schemas": "public,stats_*",
    }
    assert diff["prepared"].startswith(f'POST {CONNECTIONS} {{"dialect": "postgres", "name": "sales"')
    for name in EVERY_FIELD:
        assert f'"{name}": ' in diff["prepared"]


def test_only_the_exact_name_of_a_live_connection_counts(omni):
    for name in ("Sales", "sales ", " sales", "sales2"):
        omni.add_connection(name, database="sales", defaultSchema="public")
    omni.add_connection("sales", deletedAt="2026-01-01T00:00:00.000Z")
    assert run(omni)["changed"]
    assert not run(omni)["changed"]
    assert not run(omni, name="sales ")["changed"]


def test_one_in_the_trash_does_not_count_though_it_be_listed(omni, monkeypatch):
    omni.add_connection("sales", database="old", deletedAt="2026-01-01T00:00:00.000Z")
    real = omni.instance.connections_list
    monkeypatch.setattr(
        omni.instance,
        "connections_list",
        lambda call: real(call._replace(query={**call.query, "includeDeleted": "true"})),
    )
    assert run(omni, check=True)["requests"] == [f"POST {CONNECTIONS}"]
    assert not run(omni, check=True, state="absent")["changed"]


def test_several_of_one_name_are_an_error_until_one_is_chosen(omni):
    ids = sorted(omni.add_connection("sales", database="sales", defaultSchema="public") for dummy in range(2))
    result = run(omni)
    assert (result["error"]["kind"], result["error"]["ids"]) == ("conflict", ids)
    assert all(id in result["msg"] for id in ids)
    assert "connection_id" in result["msg"]
    assert run(omni, state="absent")["failed"]
    assert omni.writes() == []
    result = run(omni, connection_id=ids[1].upper(), base_role="VIEWER")
    assert (result["changed"], result["connection_id"]) == (True, ids[1])


def test_an_archived_one_is_not_there(omni):
    id = omni.add_connection("sales", deletedAt="2026-01-01T00:00:00.000Z")
    result = run(omni, connection_id=id)
    assert result["error"] == {"kind": "conflict", "connection_id": id}
    assert omni.writes() == []


def lose(omni: FakeOmni, monkeypatch: pytest.MonkeyPatch, method: str, before: bool = False) -> None:
    """Answer the first request of that method by 502: after it was done, or before, so that it is not."""
    real = omni.answer
    lost: list[str] = []

    def answer(asked: str, *rest: Any) -> Any:
        if asked != method or lost:
            return real(asked, *rest)
        lost.append(asked)
        if before:
            omni.respond_next(502)
        return real(asked, *rest)._replace(status=502, body="")

    monkeypatch.setattr(omni, "answer", answer)


def test_a_create_whose_answer_is_lost_is_not_repeated(omni, monkeypatch):
    lose(omni, monkeypatch, "POST")
    result = run(omni)
    assert (result["changed"], result["requests"]) == (True, [f"POST {CONNECTIONS}"])
    assert [stored["id"] for stored in omni.connections] == [result["connection_id"]]
    assert len(omni.writes()) == 1


def test_a_create_that_was_not_done_is_repeated(omni, monkeypatch):
    lose(omni, monkeypatch, "POST", before=True)
    result = run(omni)
    assert (result["changed"], result["requests"]) == (True, [f"POST {CONNECTIONS}"])
    assert len(omni.connections) == 1


def refuse(omni: FakeOmni, monkeypatch: pytest.MonkeyPatch, **theirs: Any) -> list[str]:
    """Answer the first POST by 429, while somebody else makes a connection of that name; returns its id."""
    real = omni.answer
    made: list[str] = []

    def answer(asked: str, *rest: Any) -> Any:
        if asked == "POST" and not made:
            made.append(omni.add_connection("sales", **theirs))
            omni.respond_next(429)
        return real(asked, *rest)

    monkeypatch.setattr(omni, "answer", answer)
    return made


def test_a_create_that_was_refused_for_now_is_not_taken_for_that_of_somebody_else(
    omni, monkeypatch, tmp_path
):
    theirs = refuse(omni, monkeypatch, database="sales", defaultSchema="public")
    result = run(omni, record_path=str(tmp_path))
    assert (result["changed"], result["requests"], [result["connection_id"]]) == (False, [], theirs)
    assert result["password"]["state"] == "unknown"
    assert list(tmp_path.iterdir()) == []


def test_a_lost_answer_to_an_update_or_a_deletion(omni, monkeypatch):
    id = omni.add_connection("sales", database="sales", defaultSchema="public")
    lose(omni, monkeypatch, "PATCH")
    result = run(omni, base_role="VIEWER", update_password="always")
    assert result["requests"] == [f"PATCH {CONNECTIONS}/{id}"]
    assert omni.password_of(id) == PASSWORD
    lose(omni, monkeypatch, "DELETE")
    result = run(omni, state="absent")
    assert (result["changed"], result["requests"]) == (True, [f"DELETE {CONNECTIONS}/{id}"])


def test_a_connection_that_somebody_else_deletes_meanwhile_was_not_deleted_here(omni, monkeypatch):
    id = omni.add_connection("sales", database="sales")
    real = omni.instance.connections_delete

    def first_somebody_else(call: Any) -> Any:
        real(call)
        return real(call)

    monkeypatch.setattr(omni.instance, "connections_delete", first_somebody_else)
    result = run(omni, state="absent")
    assert (result["changed"], result["requests"]) == (False, [])
    assert [(one["method"], one["status"]) for one in omni.writes()] == [("DELETE", 410)]
    assert omni.password_of(id) is None


def test_a_change_without_effect_is_an_error(omni, monkeypatch):
    omni.add_connection("sales", database="sales", defaultSchema="public")
    monkeypatch.setattr(
        omni.instance, "connections_patch", lambda _call: (200, {"success": True, "message": "."})
    )
    result = run(omni, base_role="VIEWER")
    assert result["error"]["kind"] == "not_converged"
    assert len(omni.writes()) == 1


def test_an_older_instance_that_shows_no_single_connection(omni, monkeypatch):
    real = omni.answer

    def answer(method: str, target: str, *rest: Any) -> Any:
        if method == "GET" and target.count("/") > 3:
            omni.respond_next(404, '{"detail": "Not found"}')
        return real(method, target, *rest)

    monkeypatch.setattr(omni, "answer", answer)
    made = run(omni)
    assert made["changed"]
    assert made["connection"]["name"] == "sales"
    assert not run(omni, connection_id=made["connection_id"])["changed"]


@pytest.mark.parametrize(
    "body", ["{}", '{"connections": {}}', '{"connections": ["x"]}', '{"connections": [{}]}']
)
def test_an_answer_of_another_shape_is_an_error(omni, body):
    omni.respond_next(200, body)
    result = run(omni)
    assert result["error"]["kind"] == "unreachable"
    assert "api_url" in result["msg"]


def test_info(omni):
    b, a, other = (omni.add_connection(name) for name in ("b", "a", "A"))
    gone = omni.add_connection("a", deletedAt="2026-01-01T00:00:00.000Z")

    def ids(**given: Any) -> list[str]:
        options = {name: option.get("default") for name, option in connection_info.DEFINITION.options.items()}
        here = {"api_url": omni.url, "api_token": omni.token, "ca_path": omni.ca_file}
        result = perform(connection_info.DEFINITION, {**options, **here, **given})
        assert (result["changed"], list(result)) == (False, ["changed", "connections"])
        return [one["id"] for one in result["connections"]]

    assert ids() == [other, a, b]
    assert ids(name="a") == [a]
    assert ids(name="c") == []
    assert ids(name="a", include_archived=True) == sorted([a, gone])
    assert ids(connection_id=b) == [b]
    assert ids(connection_id=gone) == []
    assert ids(connection_id=gone, include_archived=True) == [gone]
    assert ids(connection_id=ID) == []
    assert omni.writes() == []

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the record of a connection makes visible, and what it survives."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.omni_analytics.connect.plugins.module_utils._definition import Library
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni import connection_record as record

from .test_connection import CONNECTIONS, PASSWORD, run

WRITE_ONLY = [
    "host",
    "port",
    "username",
    "include_schemas",
    "system_timezone",
    "query_timezone",
    "allows_user_specific_timezones",
]
NEW = "a newer password"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "connections"


def the_file(folder: Path) -> Path:
    (file,) = folder.iterdir()
    return file


def test_it_reads_well(omni, folder):
    assert run(omni, check=True, record_path=str(folder))["changed"]
    assert not folder.exists()
    made = run(
        omni,
        record_path=str(folder),
        name="Übersicht: A/B",
        include_schemas=["stats_*", "public"],
        scratch_schema="uploads",
    )
    file = the_file(folder)
    id = made["connection_id"]
    assert file.name == f"Übersicht_A_B.{id[:8]}.yml"
    lines = file.read_text(encoding="utf-8").splitlines()
    digest = lines.pop()
    assert all(line.startswith("# ") for line in lines[:2])
    assert lines[2:] == [
        "format: 1",
        "name: 'Übersicht: A/B'",
        f"id: {id}",
        f"instance: {omni.url}",
        "settings:",
        "  host: db.example.com",
        "  port: 5432",
        "  database: sales",
        "  username: omni",
        "  default_schema: public",
        "  include_schemas:",
        "  - stats_*",
        "  - public",
        "  offloaded_schemas: null",
        "  scratch_schema: uploads",
        "  system_timezone: UTC",
        "  query_timezone: NONE",
        "  allows_user_specific_timezones: false",
        "  query_timeout_seconds: null",
        "  infer_relationships_from_foreign_keys: null",
        "  infer_relationships_from_column_names: null",
        "  always_scope_view_names: null",
    ]
    assert digest.startswith("password: scrypt:16384:8:1:")
    assert PASSWORD not in digest


@pytest.mark.parametrize(
    ("given", "field", "is_"),
    [
        ({"host": "db2.example.com"}, "host", "db.example.com"),
        ({"port": 6432}, "port", 5432),
        ({"username": "reader"}, "username", "omni"),
        ({"include_schemas": ["public"]}, "include_schemas", ["*"]),
        ({"scratch_schema": "uploads"}, "scratch_schema", None),
        ({"system_timezone": "Europe/Berlin"}, "system_timezone", "UTC"),
        ({"query_timezone": "Europe/Berlin"}, "query_timezone", "NONE"),
        ({"allows_user_specific_timezones": True}, "allows_user_specific_timezones", False),
        ({"query_timeout_seconds": 60}, "query_timeout_seconds", None),
    ],
)
def test_a_change_that_the_api_cannot_show_is_seen(omni, folder, given, field, is_):
    here: dict[str, Any] = {"record_path": str(folder)}
    id = run(omni, **here)["connection_id"]
    kept = the_file(folder).read_bytes()
    again = run(omni, **here)
    assert (again["changed"], again["unverifiable"], again["differences"]) == (False, [], {})

    (wanted,) = given.values()
    for check in (True, False):
        failed = run(omni, check, **here, **given)
        assert failed["error"] == {
            "kind": "conflict",
            "differences": {field: {"is": is_, "wanted": wanted}},
        }
        assert f"{field} is {is_!r} where {wanted!r} is wanted" in failed["msg"]
        warned = run(omni, check, **here, **given, on_immutable_change="warn")
        assert (warned["changed"], list(warned["differences"])) == (False, [field])
        assert field in warned["warnings"][0]
    assert the_file(folder).read_bytes() == kept

    accept: dict[str, Any] = {**here, **given, "on_immutable_change": "accept"}
    checked, accepted, quiet = run(omni, True, **accept), run(omni, **accept), run(omni, **accept)
    assert checked["diff"] == accepted["diff"]
    assert accepted["diff"]["before"] in ("", f"connection sales: {field} in the record: {is_}\n")
    assert accepted["diff"]["after"] == f"connection sales: {field} in the record: {wanted}\n"
    assert (accepted["changed"], accepted["requests"], quiet["changed"]) == (True, [], False)
    assert not run(omni, **here, **given)["changed"]
    assert the_file(folder).name.endswith(f".{id[:8]}.yml")
    assert [write["method"] for write in omni.writes()] == ["POST"]


def test_the_order_of_schemas_means_nothing(omni, folder):
    here: dict[str, Any] = {"record_path": str(folder)}
    run(omni, **here, include_schemas=["public", "stats_*"])
    assert run(omni, **here, include_schemas=["stats_*", "public", "public"])["differences"] == {}


def test_what_omni_shows_counts_before_the_record(omni, folder):
    here: dict[str, Any] = {"record_path": str(folder)}
    id = run(omni, **here)["connection_id"]
    omni.instance.connections[id]["database"] = "moved"
    assert run(omni, **here)["error"]["differences"] == {"database": {"is": "moved", "wanted": "sales"}}
    refused = run(omni, **here, on_immutable_change="accept")
    assert "so it is in Omni still" in refused["msg"]
    assert run(omni, **here, database="moved")["differences"] == {}
    # Only where Omni keeps the default schema to itself does the record tell it.
    omni.instance.connections[id]["database"] = "sales"
    omni.quirks.drop_default_schema = True
    assert run(omni, **here)["unverifiable"] == []
    differences = run(omni, **here, default_schema="stats")["error"]["differences"]
    assert differences == {"default_schema": {"is": "public", "wanted": "stats"}}


def test_a_connection_made_by_hand_is_used_as_it_is_until_accepted(omni, folder):
    omni.add_connection("sales", database="sales", defaultSchema="public")
    here: dict[str, Any] = {"record_path": str(folder)}
    for dummy in range(2):
        result = run(omni, **here)
        assert (result["changed"], result["unverifiable"]) == (False, [*WRITE_ONLY, "password"])
        assert not folder.exists()
    assert run(omni, **here, on_immutable_change="accept")["changed"]
    assert not run(omni, **here, on_immutable_change="accept")["changed"]
    # That somebody set the password too is more than accept says.
    assert run(omni, **here)["unverifiable"] == ["password"]
    assert run(omni, **here, port=1)["error"]["differences"] == {"port": {"is": 5432, "wanted": 1}}
    assert omni.writes() == []


@pytest.mark.parametrize(
    "broken", [None, "", "settings", "format: 1\n", "<<<<<<< HEAD\nformat: 1\n", "[", "- 1", "\0"]
)
def test_a_record_that_was_deleted_or_broken_leaves_the_settings_unverifiable(omni, folder, broken):
    here: dict[str, Any] = {"record_path": str(folder)}
    run(omni, **here)
    file = the_file(folder)
    if broken is None:
        file.unlink()
    else:
        file.write_text(broken, encoding="utf-8")
    for dummy in range(2):
        result = run(omni, **here)
        assert (result["changed"], result["unverifiable"]) == (False, [*WRITE_ONLY, "password"])
        (warning,) = result["warnings"]
        assert ("has no record" if broken is None else "does not serve as the record") in warning
        assert (file.read_text() if file.exists() else None) == broken
    assert [run(omni, **here, update_password="always")["changed"] for dummy in range(2)] == [True, False]
    mended = run(omni, **here, on_immutable_change="accept")
    assert (mended["changed"], run(omni, **here)["unverifiable"]) == (True, [])


@pytest.mark.parametrize(
    ("edit", "unverifiable", "differing"),
    [
        ({"port": "5432"}, ["port"], []),
        ({"port": 5433}, [], ["port"]),
        ({"include_schemas": "public"}, ["include_schemas"], []),
        ({"include_schemas": [1, None]}, [], ["include_schemas"]),
        ({"allows_user_specific_timezones": "no"}, ["allows_user_specific_timezones"], []),
        ({"host": {"a": 1}}, ["host"], []),
        ({"unknown": [1]}, [], []),
        ({"include_schemas": ["*", "*"]}, [], []),
    ],
)
def test_a_record_that_was_edited_by_hand(omni, folder, edit, unverifiable, differing):
    here: dict[str, Any] = {"record_path": str(folder), "on_immutable_change": "warn"}
    run(omni, **here)
    kept = yaml.safe_load(the_file(folder).read_text())
    the_file(folder).write_text(yaml.safe_dump({**kept, "settings": {**kept["settings"], **edit}}))
    for dummy in range(2):
        result = run(omni, **here)
        assert (result["changed"], result["unverifiable"]) == (False, unverifiable)
        assert list(result["differences"]) == differing
    accept: dict[str, Any] = {**here, "on_immutable_change": "accept"}
    assert run(omni, **accept)["changed"] is bool(unverifiable or differing)
    assert not run(omni, **accept)["changed"]


def test_the_record_of_another_connection_does_not_count(omni, folder):
    here: dict[str, Any] = {"record_path": str(folder)}
    first = run(omni, **here)["connection_id"]
    old = the_file(folder).read_text()
    assert run(omni, **here, state="absent")["changed"]
    assert list(folder.iterdir()) == []
    second = run(omni, **here, host="db2.example.com")["connection_id"]
    the_file(folder).write_text(old)
    stale = run(omni, **here)
    assert (stale["changed"], "host" in stale["unverifiable"]) == (False, True)
    assert f"is no record of connection {second}" in stale["warnings"][0]
    assert first != second


def test_a_stale_copy_settles_after_one_run(omni, folder):
    here: dict[str, Any] = {"record_path": str(folder), "update_password": "always"}
    run(omni, **here)
    stale = the_file(folder).read_text()
    run(omni, **here, password=NEW)
    the_file(folder).write_text(stale)
    assert [run(omni, **here, password=NEW)["changed"] for dummy in range(2)] == [True, False]


def test_a_newer_format_is_left_alone(omni, folder):
    here: dict[str, Any] = {"record_path": str(folder)}
    run(omni, **here)
    newer = the_file(folder).read_text().replace("format: 1", "format: 2")
    the_file(folder).write_text(newer)
    result = run(omni, **here, update_password="always")
    assert result["error"]["kind"] == "invalid_input"
    assert "Update omni_analytics.connect" in result["msg"]
    assert the_file(folder).read_text() == newer


def test_a_record_that_cannot_be_written_is_returned(omni, tmp_path):
    (tmp_path / "file").touch()
    here: dict[str, Any] = {"record_path": str(tmp_path / "file" / "connections")}
    made = run(omni, **here)
    assert made["changed"]
    assert made["record"]["path"].startswith(here["record_path"])
    content = yaml.safe_load(made["record"]["content"])
    assert (content["id"], content["settings"]["port"]) == (made["connection_id"], 5432)
    assert "is not stored" in made["warnings"][0]
    again = run(omni, **here)
    assert (again["changed"], "record" in again, "host" in again["unverifiable"]) == (False, False, True)
    accepted = run(omni, **here, on_immutable_change="accept")
    assert (accepted["changed"], accepted["record"]["path"]) == (False, made["record"]["path"])
    assert accepted["unverifiable"] == ["password"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_record_is_written_whole_or_not_at_all(omni, folder, monkeypatch, step):
    here: dict[str, Any] = {"record_path": str(folder), "update_password": "always"}
    run(omni, **here)
    kept = the_file(folder).read_bytes()

    def full(*_given: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(record.os, step, full)
    result = run(omni, **here, password=NEW)
    assert (result["changed"], the_file(folder).read_bytes()) == (True, kept)
    assert "No space left on device" in result["warnings"][0]
    assert yaml.safe_load(result["record"]["content"])["password"].encode() not in kept


def test_passwords(omni, folder):
    here: dict[str, Any] = {"record_path": str(folder)}
    id = run(omni, **here)["connection_id"]
    assert run(omni, **here)["password"] == {"state": "fits", "how": "by the record"}
    assert run(omni, **here, password=None)["password"]["state"] == "not_checked"
    # One that differs is reported, and neither sent nor noted.
    for dummy in range(2):
        differs = run(omni, **here, password=NEW)
        assert (differs["changed"], differs["password"]["state"]) == (False, "differs")
        assert "update_password: always sends it" in differs["warnings"][0]
    always: dict[str, Any] = {**here, "update_password": "always"}
    assert not run(omni, **always)["changed"]
    checked, sent, quiet = (run(omni, check, **always, password=NEW) for check in (True, False, False))
    assert (checked["changed"], sent["changed"], quiet["changed"]) == (True, True, False)
    assert sent["password"] == {"state": "set", "how": "by this run"}
    assert omni.password_of(id) == NEW
    assert NEW not in the_file(folder).read_text()
    # Without a digest, every run has to send it.
    none: dict[str, Any] = {**always, "record_password": False, "password": NEW}
    assert [run(omni, **none)["changed"] for dummy in range(2)] == [True, True]
    assert "scrypt" not in the_file(folder).read_text()
    assert [write["method"] for write in omni.writes()] == ["POST", "PATCH", "PATCH", "PATCH"]


@pytest.mark.parametrize(
    "kind", ["drop_before", "drop_after", "status 502", "status_after 502", "status 400"]
)
def test_a_new_password_whose_answer_is_lost_is_no_longer_in_the_record(omni, folder, kind):
    here: dict[str, Any] = {"record_path": str(folder), "update_password": "always"}
    id = run(omni, **here)["connection_id"]
    omni.fault("PATCH", f"{CONNECTIONS}/*", times=99, kind=kind)
    assert run(omni, **here, password=NEW)["failed"]
    omni.clear_faults()
    # Back to the old one, and then on to the new one: neither was proved to be there.
    for password in (PASSWORD, NEW):
        assert run(omni, **here, password=password)["changed"]
        assert omni.password_of(id) == password
        assert not run(omni, **here, password=password)["changed"]


@pytest.mark.parametrize(
    "given", [{"query_timeout_seconds": 600}, {"scratch_schema": "up"}, {"offloaded_schemas": ["a"]}]
)
def test_a_setting_that_is_taken_out_of_the_task_is_noticed(omni, folder, given):
    here: dict[str, Any] = {"record_path": str(folder)}
    run(omni, **here, **given)
    ((field, value),) = given.items()
    result = run(omni, **here)
    assert result["error"]["differences"] == {field: {"is": value, "wanted": None}}
    assert f"{field} is {value!r}, wanted: not set" in result["msg"]
    assert run(omni, **here, on_immutable_change="accept")["changed"]
    assert not run(omni, **here)["changed"]
    # Only the record can tell: without one, nothing is known of it.
    assert run(omni)["differences"] == {}


@pytest.mark.parametrize("said", ['{"success": false, "error": "no"}', '{"success": false, "message": "no"}'])
def test_what_omni_did_not_take_is_not_recorded(omni, folder, said):
    here: dict[str, Any] = {"record_path": str(folder), "update_password": "always"}
    real = omni.answer

    def answer(method: str, *rest: Any) -> Any:
        if method != "GET":
            omni.respond_next(200, said)
        return real(method, *rest)

    omni.answer = answer
    try:
        assert run(omni, **here)["failed"]
        assert not folder.exists()
        omni.answer = real
        run(omni, **here)
        omni.answer = answer
        refused = run(omni, **here, password=NEW)
        assert (refused["failed"], refused["error"]["kind"]) == (True, "refused")
    finally:
        omni.answer = real
    (kept,) = folder.iterdir()
    assert "scrypt" not in kept.read_text()
    assert run(omni, **here, password=NEW)["changed"]


@pytest.mark.parametrize("error", [AttributeError("no scrypt"), ValueError("disabled for FIPS")])
def test_without_scrypt_the_record_does_without_a_digest(omni, folder, monkeypatch, error):
    here: dict[str, Any] = {"record_path": str(folder)}
    run(omni, **here, name="before")

    def refused(*_given: Any, **_named: Any) -> None:
        raise error

    monkeypatch.setattr(record.hashlib, "scrypt", refused)
    made = run(omni, **here)
    assert (made["changed"], len(list(folder.iterdir()))) == (True, 2)
    for result in (made, run(omni, **here, name="before")):
        (warning,) = result["warnings"]
        assert f"({error}), as in FIPS mode. Set record_password: false" in warning
    assert run(omni, **here, name="before")["unverifiable"] == ["password"]
    assert "warnings" not in run(omni, **here, record_password=False)


def test_a_connection_that_was_seen_since_is_noted_as_seen(omni, folder):
    run(omni, record_path=str(folder))
    file = the_file(folder)
    file.write_text(file.read_text() + "unseen: true\n")
    run(omni, record_path=str(folder), host="db2.example.com", on_immutable_change="accept")
    kept = yaml.safe_load(file.read_text())
    assert (kept["settings"]["host"], "unseen" in kept) == ("db2.example.com", False)


def test_a_created_connection_whose_answer_is_lost_has_its_record(omni, folder):
    omni.fault("POST", CONNECTIONS, kind="drop_after")
    run(omni, record_path=str(folder))
    again = run(omni, record_path=str(folder))
    assert (again["changed"], again["unverifiable"]) == (False, [])
    assert len(omni.connections) == 1


def test_many_at_once(omni, folder):
    here: dict[str, Any] = {"record_path": str(folder), "update_password": "always"}
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda number: run(omni, **here, name=f"sales {number}"), range(20)))
        assert len(list(folder.iterdir())) == 20
        again = list(pool.map(lambda number: run(omni, **here, name=f"sales {number}"), range(20)))
        assert [(one["changed"], one["unverifiable"]) for one in again] == [(False, [])] * 20
        # One connection by several names of hosts, each with a password of its own: the last one counts.
        list(
            pool.map(
                lambda number: run(omni, **here, name="sales 0", password=f"password {number}"), range(20)
            )
        )
    assert len(list(folder.iterdir())) == 20
    assert all(yaml.safe_load(file.read_text())["format"] == 1 for file in folder.iterdir())


def test_it_needs_a_library_and_a_place(omni, folder, monkeypatch):
    assert "Set record_path" in run(omni, on_immutable_change="accept")["msg"]
    monkeypatch.setattr(record, "LIBRARY", Library("yaml", "PyYAML", ImportError("no yaml")))
    result = run(omni, record_path=str(folder))
    assert result["error"] == {"kind": "missing_library", "library": "yaml"}
    assert run(omni)["changed"]


@pytest.mark.parametrize(
    ("kept", "fits"),
    [
        (record.digest("right", b"0" * 16), True),
        (record.digest("wrong", b"0" * 16), False),
        (record.digest("right", b"0" * 16).replace("16384", "1073741824"), None),
        (record.digest("right", b"0" * 16) + "x", None),
        ("right", None),
        (None, None),
    ],
)
def test_digests(kept: Any, fits: bool | None, tmp_path: Path) -> None:
    one = record.Record(
        str(tmp_path), {"name": "sales", "id": "00000000", "instance": "https://example.omniapp.co"}
    )
    one.password = kept
    assert one.fits("right") is fits

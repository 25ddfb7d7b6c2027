# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of shapes refuses what Omni would not know."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox import omni_api

CONNECTIONS = "/api/v1/connections"
ID = "0b0f6f0e-6b8e-4b8e-9b58-0d3d0c9f4a11"
CREATE = {"dialect": "postgres", "name": "sales", "passwordUnencrypted": "not-to-be-quoted"}
READ_BACK: dict[str, Any] = {
    "id": ID,
    "name": "sales",
    "dialect": "postgres",
    "database": "sales",
    "defaultSchema": None,
    "baseRole": None,
    "deletedAt": None,
    "environmentConnectionSwitchesSchemaModel": None,
    "branchConnectionEnvironmentOverridesUserAttr": None,
    "userAttributeNameForConnectionEnvironments": None,
    "userAttributeValuesForDefaultEnvironment": None,
}


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("GET", CONNECTIONS, {"name": "sales", "includeDeleted": "true"}, None),
        ("POST", CONNECTIONS, {}, CREATE),
        ("POST", CONNECTIONS, {}, CREATE | {"port": 5432, "queryTimeoutSeconds": 3600}),
        ("PATCH", f"{CONNECTIONS}/{ID}", {}, {"environmentUserAttribute": None}),
        ("POST", f"/api/v1/models/{ID}/refresh", {"hard_refresh": "false"}, None),
        ("GET", "/api/v1/jobs/any-text/status", {}, None),
    ],
)
def test_good_requests(method: str, path: str, query: dict[str, str], body: Any) -> None:
    omni_api.validate_request(method, path, query, body)


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "text"),
    [
        ("GET", "/api/v2/connections", {}, None, "no such route"),
        ("PUT", CONNECTIONS, {}, None, "no such route"),
        ("GET", CONNECTIONS, {"limit": "1"}, None, "Unrecognized key(s) in object: 'limit'"),
        ("GET", CONNECTIONS, {"includeDeleted": "True"}, None, "includeDeleted: Invalid enum value"),
        ("GET", CONNECTIONS, {}, {}, "Expected null, received object"),
        ("GET", f"{CONNECTIONS}/sales", {}, None, "id: Invalid uuid"),
        ("POST", CONNECTIONS, {}, None, "Expected object, received null"),
        ("POST", CONNECTIONS, {}, {"dialect": "postgres", "name": "x"}, "passwordUnencrypted: Required"),
        ("POST", CONNECTIONS, {}, CREATE | {"dialect": "postgresql"}, "dialect: Invalid enum value"),
        ("POST", CONNECTIONS, {}, CREATE | {"port": "5432"}, "port: Expected integer, received string"),
        ("POST", CONNECTIONS, {}, CREATE | {"queryTimeoutSeconds": 3601}, "less than or equal to 3600"),
        (
            "POST",
            CONNECTIONS,
            {},
            CREATE | {"ssl_mode": "require"},
            "Unrecognized key(s) in object: 'ssl_mode'",
        ),
        ("PATCH", f"{CONNECTIONS}/{ID}", {}, {}, "Empty request body"),
        ("PATCH", f"{CONNECTIONS}/{ID}", {}, {"host": "db.example.com"}, "'host'"),
        (
            "PATCH",
            f"{CONNECTIONS}/{ID}",
            {},
            {"environmentUserAttribute": {"attributeName": "region"}},
            "environmentUserAttribute.defaultValues: Required",
        ),
    ],
)
def test_bad_requests(method: str, path: str, query: dict[str, str], body: Any, text: str) -> None:
    with pytest.raises(omni_api.ShapeError) as caught:
        omni_api.validate_request(method, path, query, body)
    assert text in str(caught.value)
    assert str(caught.value).startswith(f"{method} {path}: ")


def test_errors_do_not_quote_secrets() -> None:
    with pytest.raises(omni_api.ShapeError) as caught:
        omni_api.validate_request(
            "POST", CONNECTIONS, {}, {"passwordUnencrypted": 31337, "unknown": "not-to-be-quoted"}
        )
    assert "31337" not in str(caught.value)
    assert "not-to-be-quoted" not in str(caught.value)


def test_good_answers() -> None:
    omni_api.validate_response("GET", CONNECTIONS, 200, {"connections": [READ_BACK]})
    omni_api.validate_response("POST", CONNECTIONS, 201, {"success": True, "data": ID})
    omni_api.validate_response("DELETE", f"{CONNECTIONS}/{ID}", 410, {"detail": "gone", "status": 410})


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", CONNECTIONS, 200, [READ_BACK]),
        ("GET", f"{CONNECTIONS}/{ID}", 200, READ_BACK),
        ("GET", f"{CONNECTIONS}/{ID}", 410, {"detail": "gone", "status": 410}),
        ("GET", f"{CONNECTIONS}/{ID}", 404, {"detail": "missing", "status": 400}),
        ("POST", CONNECTIONS, 200, {"success": True, "data": ID}),
        ("POST", CONNECTIONS, 201, {"success": True, "data": "1"}),
        ("POST", CONNECTIONS, 201, {"connection": READ_BACK}),
    ],
)
def test_bad_answers(method: str, path: str, status: int, body: Any) -> None:
    with pytest.raises(omni_api.ShapeError):
        omni_api.validate_response(method, path, status, body)


@pytest.mark.parametrize("name", sorted(omni_api.WRITE_ONLY))
def test_no_answer_may_hold_a_write_only_field(name: str) -> None:
    with pytest.raises(omni_api.ShapeError, match=name):
        omni_api.validate_response("GET", CONNECTIONS, 200, {"connections": [READ_BACK | {name: "x"}]})


def test_what_can_be_created_is_either_readable_or_write_only() -> None:
    for name in omni_api.CONNECTION_CREATE["properties"]:
        assert (name in omni_api.CONNECTION["properties"]) != (name in omni_api.WRITE_ONLY), name

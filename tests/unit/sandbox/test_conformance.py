# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fake Omni gives each answer that omni_api has for each of its routes, in the shape that it has there.

That holds for every status in the table: one that is added there, or a route, needs a way to it here.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.sandbox import omni_api
from tests.sandbox.fake_omni import FakeOmni

PASSWORD = "correct horse battery"
MADE = {"dialect": "postgres", "passwordUnencrypted": PASSWORD, "baseRole": "VIEWER", "port": 5432}
MISSING = str(uuid.UUID(int=4, version=4))
#: Statuses that say that something was done.
DONE = (200, 201)
#: The routes that answer members of the organization too.
FOR_EVERYBODY = ("whoami",)


class World:
    """An instance with one of everything, and how to send each route's request to it."""

    def __init__(self, omni: FakeOmni) -> None:
        self.omni = omni
        self.token = omni.token
        self.session = requests.Session()
        self.session.verify = omni.ca_file
        self.session.trust_env = False  # no proxy of the machine's
        self.attribute_values: Any = ["eu"]
        self.ids = {
            "free": omni.add_connection("free", PASSWORD),
            "id": omni.add_connection("base", PASSWORD),
        }
        self.ids["connectionId"] = self.ids["modelId"] = self.ids["id"]
        self.ids["other"] = omni.add_connection("other", PASSWORD)
        model = {"connectionId": self.ids["id"]}
        assert self.send("models_create", model).status_code == 200
        self.ids["scheduleId"] = self.send("schedules_create").json()["scheduleId"]
        self.ids["jobId"] = self.send("models_refresh").json()["jobId"]
        made = self.send("environments_create").json()
        self.ids["environment"] = made["connectionEnvironments"][0]["id"]
        self.ids["other"] = omni.add_connection("another", PASSWORD)

    def send(self, name: str, body: Any = None, header: str | None = "Bearer {token}") -> requests.Response:
        """Send that route's request, the one that succeeds unless there is another body."""
        (route,) = (route for route in omni_api.ROUTES if route.name == name)
        ids = dict(self.ids)
        if name.startswith("environments_") and "environment" in ids:
            ids["id"] = ids["environment"]
        bodies: dict[str, Any] = {
            "connections_create": MADE | {"name": "new"},
            "connections_patch": {"baseRole": "QUERIER"},
            "schedules_create": {"schedule": "0 2 * * ? *", "timezone": "UTC"},
            "schedules_put": {"schedule": "0 3 * * ? *", "timezone": "Europe/Oslo", "hardRefresh": True},
            "models_create": {"connectionId": ids["free"], "modelKind": "SCHEMA"},
            "environments_create": {
                "baseConnectionId": ids["connectionId"],
                "environmentConnectionIds": [ids["other"]],
            },
            "environments_put": {"userAttributeValues": self.attribute_values},
        }
        path, body = route.template.format(**ids), body or bodies.get(name)
        omni_api.validate_request(route.method, path, {}, body)
        answer = self.session.request(
            route.method,
            self.omni.url + path,
            headers={"Authorization": header and header.format(token=self.token)},
            json=body,
            timeout=10,
        )
        assert answer.headers["Content-Type"] == "application/json"
        omni_api.validate_response(route.method, path, answer.status_code, answer.json())
        assert PASSWORD not in answer.text
        assert not [field for field in omni_api.WRITE_ONLY if f'"{field}"' in answer.text]
        return answer

    def stored(self) -> str:
        return json.dumps(vars(self.omni.instance) | {"quirks": None}, default=repr)


@pytest.fixture
def world(running: FakeOmni) -> Iterator[World]:
    running.reset()
    world = World(running)
    with world.session:
        yield world
    assert running.violations == []


def without_header(world: World, name: str) -> requests.Response:
    return world.send(name, header=None)


def with_an_unknown_token(world: World, name: str) -> requests.Response:
    world.omni.quirks.auth_style = "spec"
    return world.send(name, header="Bearer omni_osk_x")


def as_a_member(world: World, name: str) -> requests.Response:
    if name in FOR_EVERYBODY:
        return world.send(name, header="Bearer omni_osk_x")
    world.token = world.omni.member_token
    return world.send(name)


def of_what_is_missing(world: World, name: str) -> requests.Response:
    world.ids = dict.fromkeys(world.ids, MISSING)
    return world.send(name)


def without_whoami(world: World, name: str) -> requests.Response:
    world.omni.quirks.whoami = 404
    return world.send(name)


def twice(world: World, name: str) -> requests.Response:
    world.omni.quirks.unique_names = 409
    assert world.send(name).status_code in DONE
    return world.send(name)


def beyond_the_limit(world: World, name: str) -> requests.Response:
    world.omni.quirks.rate_limit = 1
    return world.send(name)


WAYS: dict[int, Callable[[World, str], requests.Response]] = {
    200: World.send,
    201: World.send,
    400: without_header,
    401: with_an_unknown_token,
    403: as_a_member,
    404: of_what_is_missing,
    409: twice,
    410: twice,
    429: beyond_the_limit,
}


def without_user_attributes(world: World, name: str) -> requests.Response:
    world.omni.quirks.no_user_attributes = 404
    return world.send(name)


OTHER_WAYS = {("whoami", 404): without_whoami, ("user_attributes_list", 404): without_user_attributes}


@pytest.mark.parametrize(
    ("name", "status"), [(route.name, status) for route in omni_api.ROUTES for status in route.responses]
)
def test_every_answer_of_every_route(world: World, name: str, status: int) -> None:
    way = OTHER_WAYS.get((name, status), WAYS[status])
    before = world.stored()
    answer = way(world, name)
    assert answer.status_code == status
    if status not in (*DONE, 409, 410):
        assert world.stored() == before, "refused, but done"


def test_a_shared_model_too_early_is_refused_without_a_reason(world: World) -> None:
    shared = {"connectionId": world.ids["id"], "modelKind": "SHARED"}
    answer = world.send("models_create", shared)
    assert (answer.status_code, answer.json()) == (404, {"status": 404})


@pytest.mark.parametrize(
    ("switch", "value"),
    [
        ("archived_get", 404),
        ("auth_style", "spec"),
        ("branch_refresh", True),
        ("drop_default_schema", True),
        ("duplicate_seed", "new"),
        ("env_shape", "docs"),
        ("get_lag", 1),
        ("old_spelling", True),
        ("org_role", "MEMBER"),
        ("rate_limit", 1),
        ("role_alias", True),
        ("role_enum", "docs"),
        ("strict_body", True),
        ("unique_names", 400),
    ],
)
def test_every_route_on_instances_that_differ(world: World, switch: str, value: Any) -> None:
    """The other switches and the faults are there to break shapes."""
    setattr(world.omni.quirks, switch, value)
    names = [route.name for route in omni_api.ROUTES]
    if value == "docs" and switch == "env_shape":
        names.remove("environments_list")
        world.attribute_values = "eu,us"
        by_text = {
            "baseConnectionId": world.ids["connectionId"],
            "environmentConnectionIds": world.ids["other"],
        }
        assert world.send("environments_create", by_text).status_code == 201
        assert world.send("environments_put").status_code == 200
    for name in names:
        assert world.send(name).status_code < 500

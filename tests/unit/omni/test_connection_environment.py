# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments: their plan as a table, and both of the forms that Omni's API may have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils import _converge
from ansible_collections.omni_analytics.connect.plugins.module_utils._errors import InvalidInput
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni import (
    connection_environment as module,
)
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni import time_budget
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni.environment_links import (
    ATTRIBUTE,
    Link,
)
from tests.helpers.perform import perform, said
from tests.sandbox.fake_omni import FakeOmni

ENVIRONMENTS = "/api/v1/connection-environments"
CONNECTIONS = "/api/v1/connections"


@pytest.fixture
def omni(running: FakeOmni, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeOmni]:
    """An Omni with the connections base, eu and asia."""
    running.reset()
    for waiting in (time_budget, _converge):
        monkeypatch.setattr(waiting.time, "sleep", lambda _seconds: None)
    for name in ("base", "eu", "asia"):
        running.add_connection(name)
    yield running
    assert running.violations == []


def params(**given: Any) -> dict[str, Any]:
    defaults = {name: option.get("default") for name, option in module.DEFINITION.options.items()}
    usual = {"api_url": "https://example.omniapp.co", "api_token": "token", "base_connection": "base"}
    if "environments" in given:
        environments = [
            {"connection": name, "values": values} for name, values in given["environments"].items()
        ]
        given = {**given, "environments": environments}
    return {**defaults, **usual, **given}


def run(omni: FakeOmni, check: bool = False, **given: Any) -> dict[str, Any]:
    here = {"api_url": omni.url, "api_token": omni.token, "ca_path": omni.ca_file}
    return perform(module.DEFINITION, params(**{**here, **given}), check)


def served(omni: FakeOmni) -> dict[str, Any]:
    """Which values each connection serves."""
    names = {one["id"]: one["name"] for one in omni.connections}
    (base,) = (one for one in omni.connections if one["name"] == "base")
    values = {
        names[one["connectionId"]]: one["userAttributeValues"] for one in omni.instance.environments.values()
    }
    return {**values, "base": base["userAttributeValuesForDefaultEnvironment"]}


BASE = {"id": "b", "dialect": "postgres"}
OTHERS = {name: {"id": name, "dialect": "postgres"} for name in ("eu", "asia")}


def with_attribute(name: str | None, values: Any) -> dict[str, Any]:
    return {**BASE, ATTRIBUTE[0]: name, "userAttributeValuesForDefaultEnvironment": values}


def patch(name: str, values: list[str] | None) -> tuple[str, str, Any]:
    body = {"environmentUserAttribute": {"attributeName": name, "defaultValues": values}}
    return ("PATCH", f"{CONNECTIONS}/b", body)


def put(id: str, *values: str) -> tuple[str, str, Any]:
    return ("PUT", f"{ENVIRONMENTS}/{id}", {"userAttributeValues": list(values)})


def post(base: str, id: str) -> tuple[str, str, Any]:
    return ("POST", ENVIRONMENTS, {"baseConnectionId": base, "environmentConnectionIds": [id]})


@pytest.mark.parametrize(
    ("given", "base", "links", "requests"),
    [
        ({"environments": {"eu": ["a"]}}, BASE, {}, [post("b", "eu"), put("<new id>", "a")]),
        ({"environments": {"eu": ["a"]}}, BASE, {"eu": ["a"]}, []),
        ({"environments": {"eu": ["a", "b"]}}, BASE, {"eu": ["b", "a"]}, []),
        ({"environments": {"eu": ["a"]}}, BASE, {"eu": ["b"]}, [put("l-eu", "a")]),
        ({"environments": {"eu": ["a"]}}, BASE, {"eu": ["a"], "asia": ["c"]}, []),
        # A value that moves is given up before it is taken.
        (
            {"environments": {"eu": ["a"], "asia": ["b", "c"]}},
            BASE,
            {"eu": ["a", "b"], "asia": ["c"]},
            [put("l-eu", "a"), put("l-asia", "b", "c")],
        ),
        (
            {"environments": {"eu": ["b"], "asia": ["a"]}},
            BASE,
            {"eu": ["a"], "asia": ["b"]},
            [put("l-eu"), put("l-asia"), put("l-eu", "b"), put("l-asia", "a")],
        ),
        (
            {"attribute": "x", "default_values": ["b"], "environments": {"eu": ["a"]}},
            with_attribute("x", ["a"]),
            {"eu": ["b"]},
            [put("l-eu"), patch("x", None), put("l-eu", "a"), patch("x", ["b"])],
        ),
        # The attribute.
        ({"attribute": "x"}, BASE, {}, [patch("x", None)]),
        ({"attribute": "x"}, with_attribute("x", ["a"]), {}, []),
        ({"attribute": "x"}, with_attribute("y", ["a"]), {}, [patch("x", ["a"])]),
        ({"attribute": "x", "default_values": []}, with_attribute("x", "a, b"), {}, [patch("x", None)]),
        ({"attribute": "x", "default_values": ["b", "a"]}, with_attribute("x", "a,b"), {}, []),
        ({"attribute": "x"}, {**BASE, ATTRIBUTE[1]: "x"}, {}, []),
        # Absent.
        (
            {"state": "absent", "environments": {"eu": []}},
            BASE,
            {"eu": ["a"]},
            [("DELETE", f"{ENVIRONMENTS}/l-eu", {})],
        ),
        ({"state": "absent", "environments": {"eu": ["a"]}, "attribute": "x"}, with_attribute("y", None), {}, []),
        (
            {"state": "absent", "attribute": "x"},
            with_attribute("x", ["a"]),
            {},
            [("PATCH", f"{CONNECTIONS}/b", {"environmentUserAttribute": None})],
        ),
    ],
)  # fmt: skip
def test_the_plan(given: Any, base: Any, links: dict[str, list[str]], requests: list[Any]) -> None:
    resource = module.Environments(params(**given))
    found = {name: Link(f"l-{name}", links[name]) for name in resource.wanted if name in links}
    changes = resource.plan(module.State(base, {name: OTHERS[name] for name in resource.wanted}, found))
    sent = [change.payload for change in changes]
    assert [(request.method, request.path, request.body) for request in sent] == requests


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"environments": {"eu": []}}, "eu has no values"),
        ({"environments": {"base": ["a"]}}, "'base' is there twice"),
        ({"environments": {"eu": ["a"], "asia": ["a"]}}, "'a' is there twice"),
        ({"environments": {"eu": ["a"]}, "attribute": "x", "default_values": ["a"]}, "'a' is there twice"),
        ({"environments": {"eu": ["a,b"]}}, "'a,b' is empty, or has a comma"),
        ({"environments": {"eu": [" "]}}, "is empty"),
        ({"default_values": ["a"]}, "Set attribute"),
        ({"base_connection": ""}, "base_connection: it is empty"),
        ({"base_connection": "\ud800"}, "base_connection: it has half of a surrogate"),
        ({"environments": {"": ["a"]}}, "environments: it is empty"),
        ({"environments": {"eu": ["\ud800"]}}, "environments: it has half of a surrogate"),
        ({"attribute": ""}, "attribute: it is empty"),
        ({"record_path": "\0"}, "record_path: it has a control character"),
    ],
)
def test_what_cannot_be_meant(given: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        module.Environments(params(**given))
    assert says in said(caught.value, module.DEFINITION)


WANTED: dict[str, Any] = {
    "attribute": "region",
    "default_values": ["us"],
    "environments": {"eu": ["emea"], "asia": ["apac", "anz"]},
}


def test_made_left_alone_and_moved(omni):
    checked = run(omni, check=True, **WANTED)
    assert omni.writes() == []
    made = run(omni, **WANTED)
    methods = [line.split()[0] for line in made["requests"]]
    assert (
        methods
        == [line.split()[0] for line in checked["requests"]]
        == ["POST", "POST", "PUT", "PUT", "PATCH"]
    )
    assert served(omni) == {"eu": ["emea"], "asia": ["apac", "anz"], "base": ["us"]}
    assert [one["connection"] for one in made["environments"]] == ["eu", "asia"]
    for check in (True, False):
        again = run(omni, check, **WANTED)
        assert (again["changed"], again["requests"], again["unverifiable"]) == (False, [], [])
    swapped: dict[str, Any] = {
        "environments": {"eu": ["us", "apac"], "asia": ["emea"]},
        "attribute": "area",
        "default_values": [],
    }
    assert run(omni, **swapped)["changed"]
    assert served(omni) == {"eu": ["us", "apac"], "asia": ["emea"], "base": None}
    assert not run(omni, **swapped)["changed"]

    ids = {one["name"]: one["id"].upper() for one in omni.connections}
    by_id = {ids["eu"]: ["us", "apac"], ids["asia"]: ["emea"]}
    assert not run(omni, base_connection=ids["base"], environments=by_id)["changed"]

    gone: dict[str, Any] = {
        "state": "absent",
        "environments": {"eu": [], "never there": []},
        "attribute": "area",
    }
    assert [line.split()[0] for line in run(omni, **gone)["requests"]] == ["DELETE", "PATCH"]
    assert not run(omni, **gone)["changed"]
    assert served(omni) == {"asia": ["emea"], "base": None}


UNLISTED = [{"env_shape": "docs"}, {"no_env_list": 404}, {"no_env_list": 405}]


@pytest.fixture(params=UNLISTED, ids=str)
def unlisted(omni: FakeOmni, request: pytest.FixtureRequest) -> FakeOmni:
    """An instance that does not list environments, and takes lists as text with commas, or as such."""
    for name, value in request.param.items():
        setattr(omni.quirks, name, value)
    return omni


def test_where_environments_are_not_listed_the_record_keeps_their_ids(unlisted, tmp_path):
    omni = unlisted
    here: dict[str, Any] = {"record_path": str(tmp_path)}
    checked, made, quiet, result = (
        run(omni, check, **here, **WANTED) for check in (True, False, True, False)
    )
    assert "check mode cannot tell" in checked["warnings"][0]
    assert (checked["changed"], made["changed"], quiet["changed"]) == (True, True, False)
    assert not any(one.get("warnings") or one["unverifiable"] for one in (made, quiet, result))
    assert not result["changed"]
    assert served(omni) == {"eu": ["emea"], "asia": ["apac", "anz"], "base": ["us"]}
    # What changes is sent, and check mode knows it.
    moved = {**WANTED, "environments": {"eu": ["apac"], "asia": ["emea", "anz"]}}
    for check in (True, False):
        result = run(omni, check, **here, **moved)
        assert [line.split()[0] for line in result["requests"]] == ["PUT"] * 4
    assert served(omni) == {"eu": ["apac"], "asia": ["emea", "anz"], "base": ["us"]}
    assert not run(omni, **here, **moved)["changed"]
    # One that somebody deleted is made anew.
    omni.instance.environments.clear()
    moved["environments"]["eu"] = ["apac", "mena"]
    moved["environments"]["asia"] = ["anz"]
    assert run(omni, **here, **moved)["changed"]
    assert served(omni) == {"eu": ["apac", "mena"], "asia": ["anz"], "base": ["us"]}
    gone: dict[str, Any] = {"state": "absent", "environments": {"eu": []}}
    assert run(omni, **here, **gone)["changed"]
    assert not run(omni, **here, **gone)["changed"]
    assert served(omni) == {"asia": ["anz"], "base": ["us"]}
    assert run(omni, **here, **moved)["changed"]
    assert served(omni) == {"eu": ["apac", "mena"], "asia": ["anz"], "base": ["us"]}


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_run_that_is_cut_off_where_environments_are_not_listed_is_finished_by_the_record(
    unlisted, tmp_path, monkeypatch, nth
):
    given = {**WANTED, "record_path": str(tmp_path)}
    writes = [0]
    real = unlisted.answer

    def answer(method: str, *rest: Any) -> Any:
        writes[0] += method != "GET"
        if writes[0] > nth:
            unlisted.respond_next(401)
        return real(method, *rest)

    monkeypatch.setattr(unlisted, "answer", answer)
    assert run(unlisted, **given)["failed"]
    monkeypatch.setattr(unlisted, "answer", real)
    unlisted._next.clear()
    assert run(unlisted, **given)["changed"]
    assert served(unlisted) == {"eu": ["emea"], "asia": ["apac", "anz"], "base": ["us"]}
    assert not run(unlisted, check=True, **given)["changed"]


def test_a_user_attribute_that_is_not_there(omni):
    omni.instance.user_attributes = ["area"]
    checked = run(omni, check=True, **WANTED)
    assert checked["changed"]
    assert "user attribute region" in checked["warnings"][0]
    assert "an earlier task may be about to make it" in checked["warnings"][0]
    failed = run(omni, **WANTED)
    assert (failed["error"]["kind"], omni.writes()) == ("prerequisite", [])
    # Where Omni does not tell, it is not known; and one that is set already is not asked for.
    for status in (403, 404):
        omni.quirks.no_user_attributes = status
        assert run(omni, check=True, **WANTED)["changed"]
    assert run(omni, **WANTED)["changed"]
    since = len(omni.requests)
    assert not run(omni, **WANTED)["changed"]
    assert not any("user-attributes" in one["path"] for one in omni.requests[since:])


def test_an_instance_with_text_for_lists_and_without_a_list_of_environments(unlisted):
    omni = unlisted
    made = run(omni, **WANTED)
    assert [line.split()[0] for line in made["requests"]] == ["POST", "POST", "PUT", "PUT", "PATCH"]
    assert served(omni) == {"eu": ["emea"], "asia": ["apac", "anz"], "base": ["us"]}
    assert made["unverifiable"] == []
    # What was there before this run cannot be known.
    again = run(omni, **WANTED)
    assert (again["changed"], again["unverifiable"]) == (False, ["eu", "asia"])
    assert "eu, asia: environment of connection base already" in again["warnings"][0]
    assert "With record_path, those that this module makes are kept" in again["warnings"][0]
    checked = run(omni, check=True, **WANTED)
    assert checked["changed"]
    assert "check mode cannot tell whether eu, asia" in checked["warnings"][0]
    absent = run(omni, state="absent", environments={"eu": []})
    assert absent["error"]["kind"] == "conflict"
    assert "does not list them" in absent["msg"]


def test_connections_that_are_not_there(omni):
    planned = run(omni, check=True, base_connection="later", environments={"eu": ["a"], "soon": ["b"]})
    assert planned["base_connection_id"] is None
    assert planned["requests"] == [f"POST {ENVIRONMENTS}"] * 2 + [f"PUT {ENVIRONMENTS}/<new id>"] * 2
    for given in (
        {"base_connection": "later", "environments": {"eu": ["a"]}},
        {"environments": {"soon": ["b"]}},
    ):
        assert run(omni, **given)["error"]["kind"] == "prerequisite"
        assert not run(omni, state="absent", **given)["changed"]
    omni.add_connection("eu")
    assert run(omni, **WANTED)["error"]["kind"] == "conflict"
    assert omni.writes() == []


def test_an_environment_of_another_base_is_not_ours(omni):
    assert run(omni, base_connection="asia", environments={"eu": ["a"]})["changed"]
    assert [line.split()[0] for line in run(omni, environments={"eu": ["a"]})["requests"]] == ["POST", "PUT"]
    assert len(omni.instance.environments) == 2


def test_what_omni_would_refuse(omni):
    (base,) = (one["id"] for one in omni.connections if one["name"] == "base")
    itself = run(omni, base_connection=base, environments={"base": ["a"]})
    assert itself["error"] == {"kind": "refused", "status": 400}
    assert "not valid for this connection" in itself["msg"]
    assert omni.instance.environments == {}
    omni.add_connection("snow", dialect="snowflake")
    assert "their dialects are snowflake and postgres" in run(omni, environments={"snow": ["a"]})["msg"]
    run(omni, **WANTED)
    taken = run(omni, environments={"eu": ["apac"]})
    assert taken["error"] == {"kind": "refused", "status": 400}
    assert 'User attribute value "apac" is already in use' in taken["msg"]


@pytest.mark.parametrize("kind", ["status 502", "status_after 502", "drop_after", "garbage"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize("shape", ["spec", "docs"])
def test_a_write_whose_answer_is_lost(omni, shape, method, kind):
    omni.quirks.env_shape = shape
    omni.fault(method, "*", kind=kind)
    run(omni, **WANTED)
    omni.clear_faults()
    run(omni, **WANTED)
    assert len(omni.instance.environments) == 2
    if shape == "spec":
        assert served(omni) == {"eu": ["emea"], "asia": ["apac", "anz"], "base": ["us"]}
        assert not run(omni, **WANTED)["changed"]


def test_one_that_somebody_else_deletes_meanwhile(omni, monkeypatch):
    run(omni, **WANTED)
    real = omni.instance.environments_put

    def first_gone(call: Any) -> Any:
        monkeypatch.setattr(omni.instance, "environments_put", real)
        omni.instance.environments.clear()
        return real(call)

    monkeypatch.setattr(omni.instance, "environments_put", first_gone)
    assert run(omni, environments={"eu": ["a"]})["changed"]
    assert served(omni) == {"eu": ["a"], "base": ["us"]}

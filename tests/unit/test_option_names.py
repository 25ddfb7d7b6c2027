# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages name options as the caller wrote them: the module's options, or the role's variables."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.omni_analytics.connect.plugins.module_utils._definition import from_environment
from ansible_collections.omni_analytics.connect.plugins.module_utils._option_marks import render
from ansible_collections.omni_analytics.connect.plugins.plugin_utils._role_variables import (
    ROLE_VARIABLES,
    arguments,
    callers_names,
)

OPTIONS: dict[str, Any] = {
    "login_db": {"type": "str", "required": True},
    "token": {"type": "str", "required": True, "fallback": from_environment("TOKEN", "KEY")},
    "port": {"type": "int"},
    "ports": {"type": "list", "elements": "int"},
    "state": {"choices": ["present", "absent"]},
    "here": {"type": "str"},
    "there": {"type": "str"},
}
NAMES = {"login_db": "omni_postgres_database", "state": "omni_postgres_state"}


@pytest.mark.parametrize(
    ("said", "in_task", "in_role"),
    [
        ("Check O(login_db).", "Check login_db.", "Check omni_postgres_database."),
        ("Set O(state=absent).", "Set state: absent.", "Set omni_postgres_state: absent."),
        ("O(port), O(login_db)", "port, login_db", "port, omni_postgres_database"),
        (
            "Check O(nothing), O(refresh=never) and login_db.",
            "Check nothing, refresh: never and login_db.",
            "Check nothing, refresh: never and login_db.",
        ),
        *[(kept, kept, kept) for kept in ("FOO(login_db), O(), O(state=a(b))", "O(N), O(2 n), O(n*m), O(é)")],
    ],
)
def test_a_marked_option_has_the_callers_name(said: str, in_task: str, in_role: str) -> None:
    result = {"msg": said, "skip_reason": said, "warnings": [said], "statements": [said]}
    for names, seen in ((None, in_task), (NAMES, in_role)):
        assert render(result, OPTIONS, names) == {
            "msg": seen, "skip_reason": seen, "warnings": [seen], "statements": [said]
        }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "rules", "said"),
    [
        ({"token": "t"}, {}, "missing required arguments: omni_postgres_database"),
        ({"login_db": "d"}, {}, "missing required arguments: token (or TOKEN or KEY in the environment)"),
        ({}, {}, "arguments: omni_postgres_database, token (or TOKEN or KEY in the environment)"),
        ({"state": "login_db"}, {}, "value of omni_postgres_state must be one of: present, absent, got: login_db"),
        ({"port": "login_db"}, {}, "argument 'port' is of type"),
        ({"ports": ["x"]}, {}, "Elements value for option 'ports' is of type"),
        (
            {"state": "absent"},
            {"required_if": [["state", "absent", ["here", "there"]]]},
            "omni_postgres_state is absent but all of the following are missing: here, there",
        ),
        (
            {"here": "1", "there": "2"},
            {"mutually_exclusive": [["here", "there"]]},
            "parameters are mutually exclusive: here|there",
        ),
        ({}, {"required_one_of": [["here", "state"]]}, "one of the following is required: here, omni_postgres_state"),
        ({"here": "1"}, {"required_together": [["here", "state"]]}, "required together: here, omni_postgres_state"),
    ],
)  # fmt: skip
def test_what_ansible_says_of_arguments_too(
    arguments: dict[str, Any], rules: dict[str, Any], said: str
) -> None:
    options = OPTIONS if not rules else {**OPTIONS, "login_db": {}, "token": {}}
    if "arguments" not in said:
        arguments = {"login_db": "d", "token": "t", **arguments}
    errors = ArgumentSpecValidator(options, **rules).validate(arguments).error_messages
    assert said in render({"msg": errors[0]}, options, NAMES)["msg"]
    assert "omni_postgres" not in render({"msg": errors[0]}, options)["msg"]


@pytest.mark.parametrize("module", ROLE_VARIABLES)
def test_the_table_names_options(module: str) -> None:
    definition = import_module(
        f"ansible_collections.omni_analytics.connect.plugins.modules.{module}"
    ).DEFINITION
    assert callers_names(module).keys() <= {*definition.options, "become", "become_user"}


def test_the_connection_of_the_environments_goes_by_its_id_where_there_is_one() -> None:
    named = {"omni_postgres_connection_name": "sales"}
    for given, base in ((named, "sales"), ({**named, "omni_postgres_connection_id": "an id"}, "an id")):
        found = arguments("omni_connection_environment", given, lambda value: value)
        assert found["base_connection"] == base


def test_what_is_omitted_within_a_value_is_left_out() -> None:
    """Up to ansible-core 2.18, `omit` is a text."""
    omit = "__omit_place_holder__1"
    settings = {"work_mem": "64MB", "application_name": omit}
    schedules = [{"schedule": "0 2 * * ? *", "timezone": omit}]
    task_vars = {
        "omit": omit,
        "omni_postgres_role_settings": settings,
        "omni_postgres_refresh_schedules": schedules,
        "omni_postgres_role": omit,
    }
    user = arguments("omni_pg_user", task_vars, lambda value: value)
    assert user["settings"] == {"work_mem": "64MB"}
    assert "name" not in user
    schedule = arguments("omni_refresh_schedule", task_vars, lambda value: value)
    assert schedule["schedules"] == [{"schedule": "0 2 * * ? *"}]


@pytest.mark.parametrize("named", [["tmp_*", "raw"], "tmp_*,raw"])
def test_the_schema_for_uploads_is_for_its_own_step(named: Any) -> None:
    given = {"omni_postgres_exclude_schemas": named, "omni_postgres_upload_schema": "omni_uploads"}
    assert arguments("omni_pg_grants", given, lambda value: value)["exclude_schemas"] == [
        "tmp_*",
        "raw",
        "omni_uploads",
    ]
    del given["omni_postgres_exclude_schemas"]
    assert arguments("omni_pg_grants", given, lambda value: value)["exclude_schemas"] == ["omni_uploads"]
    given["omni_postgres_upload_schema"] = ""
    assert "exclude_schemas" not in arguments("omni_pg_grants", given, lambda value: value)


def test_nothing_fails_for_what_the_steps_before_have_not_made_in_check_mode() -> None:
    given = {"omni_postgres_verify_fail_on": ["relations"]}
    assert arguments("omni_pg_access_info", given, lambda value: value)["fail_on"] == ["relations"]
    given["ansible_check_mode"] = True  # type: ignore[assignment]
    assert "fail_on" not in arguments("omni_pg_access_info", given, lambda value: value)


def test_a_variable_that_evaluates_to_nothing_has_its_substitute() -> None:
    given = {"omni_postgres_host": "{{ none }}", "omni_postgres_login_host": "db1"}

    def template(values: dict[str, Any]) -> dict[str, Any]:
        return {name: None if value == "{{ none }}" else value for name, value in values.items()}

    assert arguments("omni_connection", given, template)["host"] == "db1"

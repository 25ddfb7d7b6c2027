# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection's fields are declared once; what has to be written down elsewhere is held to that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.omni_analytics.connect.plugins.module_utils._omni import connection
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni import connection_fields as fields
from ansible_collections.omni_analytics.connect.plugins.modules import omni_connection
from ansible_collections.omni_analytics.connect.plugins.plugin_utils._role_variables import ROLE_VARIABLES
from tests.sandbox import omni_api

ROLE = Path(__file__).resolve().parents[3] / "roles" / "omni_postgres"
API_NAMES = {field.api_name for field in fields.FIELDS}


@pytest.mark.parametrize("field", fields.FIELDS, ids=lambda field: field.option)
def test_each_field_is_documented_as_it_is(field: fields.Field) -> None:
    written = yaml.safe_load(omni_connection.DOCUMENTATION)["options"][field.option]
    kept = {key: written[key] for key in ("type", "elements", "default", "aliases") if key in written}
    assert kept == {key: value for key, value in field.spec.items() if key != "no_log"}


def test_nothing_is_documented_that_is_no_option() -> None:
    assert set(yaml.safe_load(omni_connection.DOCUMENTATION)["options"]) == set(
        connection.DEFINITION.options
    ) - set(connection.OPTIONS)


def test_each_field_can_be_set_in_the_role() -> None:
    variables = ROLE_VARIABLES["omni_connection"]
    specs = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main.yml"][
        "options"
    ]
    missing = {option for option in fields.OPTIONS if variables.get(option) not in specs}
    assert missing == set()


def test_the_fake_takes_shows_and_changes_what_is_declared() -> None:
    made = set(omni_api.CONNECTION_CREATE["properties"]) - {"dialect"}
    assert API_NAMES - made == set()
    shown = {field.api_name for field in fields.FIELDS if field.shown}
    assert shown <= set(omni_api.CONNECTION["properties"])
    assert API_NAMES - shown - omni_api.WRITE_ONLY == set()
    changed = set(omni_api.CONNECTION_PATCH["properties"]) - {"environmentUserAttribute"}
    assert changed == {field.api_name for field in fields.FIELDS if field.mutable}


VALUES: dict[str, Any] = {"bool": True, "int": 7, "str": "Etc/UTC", "list": ["one", "two"]}


@pytest.mark.parametrize("field", fields.FIELDS, ids=lambda field: field.option)
def test_each_field_is_sent_compared_and_recorded(field: fields.Field) -> None:
    given = VALUES[field.spec["type"]]
    sent = fields.body({field.option: given})
    assert sent == {field.api_name: ",".join(given) if isinstance(given, list) else given}
    if field.option not in fields.SETTINGS:
        return
    params = {option: spec.get("default") for option, spec in fields.OPTIONS.items()}
    want = {**params, "database": "sales", "default_schema": "one", field.option: given}
    assert fields.wanted(want)[field.option] == given
    shown = {"database": want["database"], "defaultSchema": want["default_schema"]}
    assert fields.differences(want, shown, fields.wanted(want)) == {}
    if not field.shown:
        recorded = {**fields.wanted(want), field.option: None}
        assert fields.differences(want, shown, recorded) == {field.option: {"is": None, "wanted": given}}

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules, run in this process without Ansible around; what they say names options plainly.

What lies below the doors needs no more than this. That each module gets there through both doors, and its result
back, is what the tests of its life (invalid, checked, made, again, repaired) and tests/integration/doors prove.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.omni_analytics.connect.plugins.module_utils._definition import Definition
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni import connection, schema_model
from ansible_collections.omni_analytics.connect.plugins.module_utils._option_marks import render
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres import (
    access_info,
    grants,
    upload_schema,
    user,
)

DEFINITIONS: dict[str, Definition] = {
    "omni_connection": connection.DEFINITION,
    "omni_pg_access_info": access_info.DEFINITION,
    "omni_pg_grants": grants.DEFINITION,
    "omni_pg_user": user.DEFINITION,
    "omni_schema_model": schema_model.DEFINITION,
    "omni_upload_schema": upload_schema.DEFINITION,
}


def perform(
    definition: Definition, params: Mapping[str, Any], check: bool = False, **door: Any
) -> dict[str, Any]:
    """Returns the module's result as people see it.

    params: validated ones. door: what else a door hands to Definition.perform.
    """
    result, _secrets = definition.perform(params, check, **door)
    return render(result, definition.options)


def perform_given(
    definition: Definition, arguments: Mapping[str, Any], check: bool = False
) -> dict[str, Any]:
    """The same for arguments as a task gives them; a bug of the module is an error of the test."""
    spec = {name: dict(option) for name, option in definition.options.items()}
    checked = ArgumentSpecValidator(spec, **definition.rules).validate(dict(arguments))
    assert not checked.error_messages
    result = perform(definition, checked.validated_parameters, check)
    assert result.get("error", {}).get("kind") != "bug", result["exception"]
    return {"failed": False, **result}


def modules(calls: Sequence[tuple[Any, ...]], check: bool = False) -> list[dict[str, Any]]:
    """Runs modules one after the other, failed or not, and returns their results.

    calls: (name, arguments) or (name, arguments, {"check_mode": …}), as for harness.modules().
    """
    return [
        perform_given(DEFINITIONS[name], arguments, {"check_mode": check, **(more or [{}])[0]}["check_mode"])
        for name, arguments, *more in calls
    ]


def said(error: BaseException, definition: Definition) -> str:
    """Returns the text of an error that was caught below the doors, as people see it."""
    return str(render({"msg": str(error)}, definition.options)["msg"])

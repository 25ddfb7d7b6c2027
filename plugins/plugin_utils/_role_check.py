# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What does not fit in the role's variables, of all steps, before the first one changes anything.

Ansible's own check of a role's arguments is a task of its own, which sends the documentation of all variables through
the templates of each host, and keeps it with each result: a sixth of the CPU time of a run in which there is nothing
to change. This one asks the definitions of the modules. It is made by the steps preflight and user, of which either
may be the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..module_utils._omni import connection, connection_environment, refresh_schedule, schema_model
from ..module_utils._postgres import access_info, allowlist, grants, upload_schema, user
from . import _role_variables as role

#: By module of a step: its options.
OPTIONS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "omni_pg_user": user.DEFINITION.options,
    "omni_pg_grants": grants.DEFINITION.options,
    "omni_upload_schema": upload_schema.DEFINITION.options,
    "omni_pg_allowlist": allowlist.DEFINITION.options,
    "omni_pg_access_info": access_info.DEFINITION.options,
    "omni_connection": connection.DEFINITION.options,
    "omni_schema_model": schema_model.DEFINITION.options,
    "omni_refresh_schedule": refresh_schedule.DEFINITION.options,
    "omni_connection_environment": connection_environment.DEFINITION.options,
}
#: What may be said of a variable's value alone, whichever steps run.
OF_A_VALUE = ("type", "choices", "elements", "options", "no_log")
#: What each variable of the role may be.
SPEC: Mapping[str, Mapping[str, Any]] = {
    **{
        variable: {key: OPTIONS[module][option][key] for key in OF_A_VALUE if key in OPTIONS[module][option]}
        for module, variables in role.ROLE_VARIABLES.items()
        for option, variable in variables.items()
    },
    # Those of no module.
    **{variable: spec for variables in role.DECIDE.values() for variable, spec in variables.items()},
    "omni_postgres_become": {"type": "bool"},
    "omni_postgres_become_user": {"type": "str"},
}


def what_does_not_fit(values: Mapping[str, Any]) -> str:
    """What is wrong with the variables that any step of the role would refuse, without secrets.

    What a step needs and does not have is for that step to say: with tags, not all of them run.

    :param values: see _role_variables.with_values().
    """
    said = role.checked(SPEC, {name: values[name] for name in SPEC if name in values})[1]
    return f"Checking the variables of all steps, before any of them runs: {said}." if said else ""

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role's variables: which option of which module each of them is.

The tasks of the role name no options. The action plugin takes them from these variables, since a template for each
(they were about thirty a task) costs a worker half of its time: Ansible compiles each anew in each fork.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.errors import UnsupportedError

ROLE = "omni_analytics.connect.omni_postgres"
PREFIX = "omni_postgres_"

_LOGIN = {
    "login_db": "omni_postgres_database",
    "login_host": "omni_postgres_login_host",
    "login_port": "omni_postgres_login_port",
    "login_user": "omni_postgres_login_user",
    "login_password": "omni_postgres_login_password",
    "login_unix_socket": "omni_postgres_login_unix_socket",
    "ssl_mode": "omni_postgres_ssl_mode",
    "ca_cert": "omni_postgres_ca_cert",
    "ssl_cert": "omni_postgres_ssl_cert",
    "ssl_key": "omni_postgres_ssl_key",
    "ssl_key_password": "omni_postgres_ssl_key_password",
    "session_role": "omni_postgres_session_role",
    "connect_params": "omni_postgres_connect_params",
    "connect_timeout": "omni_postgres_connect_timeout",
    "lock_timeout": "omni_postgres_lock_timeout",
    "statement_timeout": "omni_postgres_statement_timeout",
    "on_standby": "omni_postgres_on_standby",
}
#: Keywords of a task in the database that messages name, and the role's variables for them.
_KEYWORDS = {"become": "omni_postgres_become", "become_user": "omni_postgres_become_user"}
_API = {
    "api_url": "omni_postgres_api_url",
    "api_token": "omni_postgres_api_token",
    "validate_certs": "omni_postgres_validate_certs",
    "ca_path": "omni_postgres_ca_path",
    "timeout": "omni_postgres_timeout",
    "total_timeout": "omni_postgres_total_timeout",
    "requests_per_minute": "omni_postgres_requests_per_minute",
}
_CONNECTION = {
    "connection": "omni_postgres_connection_name",
    "connection_id": "omni_postgres_connection_id",
}

#: By module: the variable that an option comes from in the role's tasks.
ROLE_VARIABLES: Mapping[str, Mapping[str, str]] = {
    "omni_pg_user": {
        **_LOGIN,
        "name": "omni_postgres_role",
        "password": "omni_postgres_password",
        "update_password": "omni_postgres_update_password",
        "password_encryption": "omni_postgres_password_encryption",
        "connection_limit": "omni_postgres_connection_limit",
        "valid_until": "omni_postgres_valid_until",
        "comment": "omni_postgres_role_comment",
        "settings": "omni_postgres_role_settings",
        "memberships": "omni_postgres_role_memberships",
        "upload_schema": "omni_postgres_upload_schema",
    },
    "omni_pg_grants": {
        **_LOGIN,
        "role": "omni_postgres_role",
        "schemas": "omni_postgres_schemas",
        "exclude_schemas": "omni_postgres_exclude_schemas",
        "sequences": "omni_postgres_sequences",
        "default_privileges_for": "omni_postgres_default_privileges_for",
        "on_unmanageable": "omni_postgres_on_unmanageable",
        "mode": "omni_postgres_grants_mode",
        "exclusive": "omni_postgres_grants_exclusive",
    },
    "omni_upload_schema": {
        **_LOGIN,
        "name": "omni_postgres_upload_schema",
        "role": "omni_postgres_role",
        "owner": "omni_postgres_upload_owner",
        "readers": "omni_postgres_upload_readers",
        "modelled_schemas": "omni_postgres_schemas",
    },
    "omni_pg_allowlist": {
        **_LOGIN,
        "role": "omni_postgres_role",
        "addresses": "omni_postgres_allowlist",
        "method": "omni_postgres_allowlist_method",
        "connection_type": "omni_postgres_allowlist_connection_type",
        "path": "omni_postgres_allowlist_path",
        "backup": "omni_postgres_allowlist_backup",
        "allow_any_address": "omni_postgres_allowlist_allow_any_address",
    },
    "omni_pg_access_info": {
        **_LOGIN,
        "verify_host": "omni_postgres_verify_host",
        "role": "omni_postgres_role",
        "password": "omni_postgres_password",
        "schemas": "omni_postgres_schemas",
        "exclude_schemas": "omni_postgres_exclude_schemas",
        "upload_schema": "omni_postgres_upload_schema",
        "try_upload": "omni_postgres_verify_try_upload",
        "fail_on": "omni_postgres_verify_fail_on",
        "prove": "omni_postgres_verify_prove",
        "system_timezone": "omni_postgres_system_timezone",
    },
    "omni_connection": {
        **_API,
        "name": "omni_postgres_connection_name",
        "connection_id": "omni_postgres_connection_id",
        "host": "omni_postgres_host",
        "port": "omni_postgres_port",
        "database": "omni_postgres_database",
        "username": "omni_postgres_role",
        "password": "omni_postgres_password",
        "default_schema": "omni_postgres_default_schema",
        "include_schemas": "omni_postgres_schemas",
        "scratch_schema": "omni_postgres_upload_schema",
        "system_timezone": "omni_postgres_system_timezone",
        "query_timezone": "omni_postgres_query_timezone",
        "allows_user_specific_timezones": "omni_postgres_allows_user_specific_timezones",
        "query_timeout_seconds": "omni_postgres_query_timeout_seconds",
        "offloaded_schemas": "omni_postgres_offloaded_schemas",
        "infer_relationships_from_foreign_keys": "omni_postgres_infer_relationships_from_foreign_keys",
        "infer_relationships_from_column_names": "omni_postgres_infer_relationships_from_column_names",
        "always_scope_view_names": "omni_postgres_always_scope_view_names",
        "base_role": "omni_postgres_base_role",
        "update_password": "omni_postgres_update_password",
        "on_immutable_change": "omni_postgres_on_immutable_change",
        "record_path": "omni_postgres_record_path",
        "record_password": "omni_postgres_record_password",
    },
    "omni_schema_model": {
        **_API,
        **_CONNECTION,
        "refresh": "omni_postgres_model_refresh",
        "hard_refresh": "omni_postgres_model_hard_refresh",
        "wait": "omni_postgres_model_wait",
        "wait_timeout": "omni_postgres_model_wait_timeout",
    },
    "omni_refresh_schedule": {
        **_API,
        **_CONNECTION,
        "schedules": "omni_postgres_refresh_schedules",
        "exclusive": "omni_postgres_refresh_schedules_exclusive",
    },
    "omni_connection_environment": {
        **_API,
        "base_connection": "omni_postgres_connection_name",
        "attribute": "omni_postgres_environment_attribute",
        "default_values": "omni_postgres_environment_default_values",
        "environments": "omni_postgres_environments",
        "record_path": "omni_postgres_record_path",
    },
}
#: What else the options of a module are made of; see arguments().
BESIDES = {
    "omni_pg_grants": {"omni_postgres_upload_schema"},
    "omni_connection_environment": {"omni_postgres_connection_id"},
}
#: What is taken where a variable is not set.
INSTEAD = {
    "omni_postgres_connection_name": "inventory_hostname",
    "omni_postgres_host": "omni_postgres_login_host",
    "omni_postgres_port": "omni_postgres_login_port",
}
#: By module: the variable that decides whether its step has anything to do. A condition of the task, whose result is
#: the same, costs each host more.
DECIDE: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "omni_pg_allowlist": {"omni_postgres_allowlist_by": {"type": "str", "choices": ["pg_hba", "provider"]}},
    "omni_schema_model": {"omni_postgres_model": {"type": "bool"}},
}
#: What the steps returned: the role sets it.
RESULT = "omni_postgres_result"
#: Variables that no module has as an option or a keyword.
OTHERS = {RESULT, *(variable for variables in DECIDE.values() for variable in variables)}
#: Empty stands for none in these alone.
EMPTY_IS_NONE = {"omni_postgres_upload_schema"}


def callers_names(module: str) -> Mapping[str, str]:
    """What the role calls the options of ``module``."""
    own = ROLE_VARIABLES.get(module, {})
    return {**_KEYWORDS, **own} if "login_db" in own else own


#: Set for the steps that answer for the variables of all steps; see _role_check.py.
ALL_STEPS = "__omni_postgres_all_steps"
#: Set for the step preflight, in which a connection that differs is no failure.
ONLY_LOOKS = "__omni_postgres_only_looks"
#: All variables of the role. Once for all: each task of each host looks for others.
KNOWN = {*OTHERS, *(variable for module in ROLE_VARIABLES for variable in callers_names(module).values())}


def with_values(task_vars: Mapping[str, Any], template: Callable[[Any], Any]) -> Mapping[str, Any]:
    """The variables, of which those of the role are evaluated, all at once; those without a value are left out.

    :param template: evaluates the templates in a value.
    """
    others = {name: value for name, value in task_vars.items() if name not in KNOWN}
    return {**others, **evaluated(KNOWN - {RESULT}, task_vars, template)}


def arguments(module: str, task_vars: Mapping[str, Any], template: Callable[[Any], Any]) -> dict[str, Any]:
    """The options of ``module`` from the role's variables. What is not set, or is null, is left out.

    :param template: evaluates the templates in a value.
    """
    names = ROLE_VARIABLES.get(module, {})
    values = evaluated({*names.values(), *BESIDES.get(module, ())}, task_vars, template)
    missing = INSTEAD.keys() & names.values() - values.keys()
    instead = evaluated({INSTEAD[name] for name in missing}, task_vars, template)
    values.update({name: instead[INSTEAD[name]] for name in missing if INSTEAD[name] in instead})

    given = {option: values[name] for option, name in names.items() if name in values}
    if "connection_id" in given:
        given.pop("connection", None)  # the modules take one of the two
    if "base_connection" in given:  # takes a name or an id
        given["base_connection"] = values.get("omni_postgres_connection_id") or given["base_connection"]
    upload_schema = values.get("omni_postgres_upload_schema")
    if upload_schema is None:
        given.pop("try_upload", None)
    elif module == "omni_pg_grants":  # what the role may do there is for the step upload_schema
        given["exclude_schemas"] = [*_listed(given.get("exclude_schemas", ())), upload_schema]
    if task_vars.get("ansible_check_mode"):
        given.pop("fail_on", None)  # the steps before did not run either
    return given


def evaluated(
    names: Iterable[str], task_vars: Mapping[str, Any], template: Callable[[Any], Any]
) -> dict[str, Any]:
    """Those of the variables that have a value.

    All in one dictionary: a call costs more than a value, and ansible-core takes what is omitted out of a dictionary.
    """
    given = {name: task_vars[name] for name in names if task_vars.get(name) is not None}
    found = _without(task_vars.get("omit"), template(given)) if given else {}
    empty = {name for name in EMPTY_IS_NONE if found.get(name) == ""}
    return {name: value for name, value in found.items() if value is not None and name not in empty}


def _listed(names: Any) -> Iterable[Any]:
    """As every option that is a list, it may be one text with commas."""
    return names.split(",") if isinstance(names, str) else names


def _without(omitted: Any, value: Any) -> Any:
    """``value`` without what is omitted in it, which up to ansible-core 2.18 is a text of its own."""
    if isinstance(value, Mapping):
        return {key: _without(omitted, one) for key, one in value.items() if not _is(omitted, one)}
    if isinstance(value, (list, tuple)):
        return [_without(omitted, one) for one in value if not _is(omitted, one)]
    return value


def _is(omitted: Any, value: Any) -> bool:
    return omitted is not None and isinstance(value, str) and value == omitted


def no_server(names: Mapping[str, str], given: Mapping[str, Any]) -> str:
    """What is wrong where a login names no server: libpq would take the one that PGHOST names, for every host."""
    if "login_host" not in names or "login_host" in given or "login_unix_socket" in given:
        return ""
    return (
        "Reading O(login_host): neither it nor O(login_unix_socket) is set, so nothing says which server this host "
        "is about. Set one of them."
    )


def left_out(values: Mapping[str, Any]) -> str:
    """Why a step has nothing to do on this host, where somebody else does it.

    :param values: of the variables that decide whether there is such a step.
    """
    if values.get("omni_postgres_allowlist_by") == "provider":
        return (
            "omni_postgres_allowlist_by is provider, so this step is skipped: the provider's own firewall has to let "
            "Omni's addresses in. docs/managed_services.md of this collection has playbooks that do it, for AWS, Azure "
            "and Google Cloud."
        )
    return ""


def switched_off(values: Mapping[str, Any]) -> str:
    """Why a step is not wanted on this host."""
    return "omni_postgres_model is false." if values.get("omni_postgres_model") is False else ""


def checked(spec: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """The variables as their types have them, and what does not fit, without secrets."""
    given = json.loads(json.dumps(dict(given), default=str))
    result = ArgumentSpecValidator({name: dict(spec[name]) for name in given}).validate(given)
    found = [
        f"Unsupported parameters: {error.msg.rstrip('.')}"
        if isinstance(error, UnsupportedError)
        else error.msg
        for error in result.errors
    ]
    return result.validated_parameters, "; ".join(remove_values(found, result._no_log_values))


def misspelled(names: Iterable[str]) -> list[str]:
    """Warnings of variables that look like the role's, and are none."""
    warnings = []
    for name in sorted(name for name in names if name.startswith(PREFIX) and name not in KNOWN):
        near = difflib.get_close_matches(name, KNOWN, 1)
        hint = f" Is {near[0]} meant?" if near else ""
        warnings.append(f"The role {ROLE} has no variable {name}, so it does nothing.{hint}")
    return warnings

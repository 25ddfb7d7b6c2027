# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role's variables, by the module and the option that they are for. A message in the role names those."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ROLE = "omni_analytics.connect.omni_postgres"

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
    "session_role": "omni_postgres_session_role",
    "connect_params": "omni_postgres_connect_params",
    "connect_timeout": "omni_postgres_connect_timeout",
    "on_standby": "omni_postgres_on_standby",
}
_API = {
    "api_url": "omni_postgres_api_url",
    "api_token": "omni_postgres_api_token",
    "validate_certs": "omni_postgres_validate_certs",
    "ca_path": "omni_postgres_ca_path",
    "requests_per_minute": "omni_postgres_requests_per_minute",
}
_PART = {
    **_API,
    "connection": "omni_postgres_connection_name",
    "connection_id": "omni_postgres_connection_id",
}

#: The variable of the role from which its tasks take an option, by module. An option that is not here has none.
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
        "exclude_schemas": "omni_postgres_upload_schema",
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
        "readers": "omni_postgres_upload_readers",
        "modelled_schemas": "omni_postgres_schemas",
    },
    "omni_pg_access_info": {
        **_LOGIN,
        "role": "omni_postgres_role",
        "password": "omni_postgres_password",
        "schemas": "omni_postgres_schemas",
        "upload_schema": "omni_postgres_upload_schema",
        "try_upload": "omni_postgres_verify_try_upload",
        "system_timezone": "omni_postgres_system_timezone",
        "fail_on": "omni_postgres_verify_fail_on",
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
        "base_role": "omni_postgres_base_role",
        "update_password": "omni_postgres_update_password",
        "on_immutable_change": "omni_postgres_on_immutable_change",
        "record_path": "omni_postgres_record_path",
        "record_password": "omni_postgres_record_password",
    },
    "omni_schema_model": {
        **_PART,
        "refresh": "omni_postgres_model_refresh",
        "wait": "omni_postgres_model_wait",
        "wait_timeout": "omni_postgres_model_wait_timeout",
    },
    "omni_refresh_schedule": {
        **_PART,
        "schedules": "omni_postgres_refresh_schedules",
        "exclusive": "omni_postgres_refresh_schedules_exclusive",
    },
}


def callers_names(module: str, role: Any) -> Mapping[str, str]:
    """What the caller of a task calls the options of its ``module``, where that is not their own names.

    :param role: the role that the task is in, as Ansible's Task has it, or None.
    """
    if role is None or role.get_name() != ROLE:
        return {}
    return ROLE_VARIABLES.get(module, {})

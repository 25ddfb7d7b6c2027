# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database costs where all is as wanted: few statements of each module, and nothing written."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres import access_info as access
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres import (
    grants,
    upload_schema,
    user,
)
from tests.helpers.postgres_modules import perform, unwritten
from tests.sandbox.postgres import PostgresServer

PASSWORD = "of the role"


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(
    ("login_user", "of_the_role"),
    [
        ("admin", 2),
        # pg_authid is not readable: the role logs in instead, and sends nothing.
        ("dba", 1),
    ],
)
def test_a_converged_database_costs_few_statements(
    server: PostgresServer,
    login: dict[str, Any],
    admin_login: dict[str, Any],
    role_name: str,
    login_user: str,
    of_the_role: int,
    check: bool,
) -> None:
    login = admin_login if login_user == "admin" else login
    calls = [
        (user.DEFINITION, {"name": role_name, "password": PASSWORD}, of_the_role),
        (grants.DEFINITION, {"role": role_name}, 2),
        (upload_schema.DEFINITION, {"role": role_name, "name": "uploads"}, 1),
        (
            access.DEFINITION,
            {"role": role_name, "password": PASSWORD, "upload_schema": "uploads"},
            2,
        ),
    ]
    for definition, arguments, _sent in calls:
        perform(definition, {**login, **arguments})
    for definition, arguments, sent in calls:
        with unwritten(server, login["login_db"]) as watch:
            assert perform(definition, {**login, **arguments}, check)["changed"] is False
        # Each query is a transaction of its own, and no other message is sent.
        assert len(watch.everything) == sent
        assert all(text.startswith("SET TRANSACTION READ ONLY; ") for text in watch.everything)

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory of docs/recipes: one list of addresses for servers with a pg_hba.conf and for managed services."""

from __future__ import annotations

import json

from tests.helpers import harness
from tests.sandbox.postgres import PostgresServer

INVENTORY = harness.ROOT / "docs" / "recipes" / "inventory"


def test_the_step_allowlist_is_done_where_there_is_a_pg_hba_conf(
    server: PostgresServer, database: str
) -> None:
    # The server of the test, which this user may write to, in place of db1.example.com.
    reached = {
        "omni_postgres_login_unix_socket": str(server.socket_dir),
        "omni_postgres_login_port": server.port,
        "omni_postgres_login_user": "postgres",
        "omni_postgres_ssl_mode": "prefer",
        "omni_postgres_become": False,
    }
    run = harness.playbook(
        harness.plays([], {"roles": ["omni_analytics.connect.omni_postgres"]}),
        door="in_process",
        hosts={"finance": reached},
        tags=["omni_allowlist"],
        check=True,
        extra_args=[
            *("--inventory", str(INVENTORY)),
            *("--extra-vars", json.dumps({"omni_postgres_database": database, "vault_admin_password": "x"})),
        ],
    )
    step = "Let Omni's addresses in"
    assert run.result(step, "finance").status == "changed", run.text
    decided = run.result(step, "finance").result["decided_by"]["count"]
    assert decided == 4
    for host in ("sales", "support"):
        result = run.result(step, host)
        assert result.status == "skipped"
        assert f"{host}: omni_postgres_allowlist_by is provider" in run.text
        assert "docs/managed_services.md" in result.result["skip_reason"]
    assert (INVENTORY.parents[1] / "managed_services.md").exists()

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others do to the database, its pg_hba.conf and the connection in the months between."""

from __future__ import annotations

import sys
from pathlib import Path

import testinfra

SCENARIO = Path(__file__).parent
sys.path.insert(0, str(SCENARIO.parent / "shared"))
import fixtures  # noqa: E402  # beside the scenario

SQL = """
ALTER ROLE omni RESET statement_timeout;
REVOKE SELECT ON orders.orders FROM omni;
REVOKE CREATE ON SCHEMA omni_uploads FROM omni;
SELECT pg_reload_conf();
"""


def main() -> None:
    instance, fake = fixtures.read_instance(), fixtures.Fake()
    host = testinfra.get_host(f"{instance['engine']}://postgres@{instance['container']}")
    rules = (SCENARIO / "files" / "pg_hba.conf").read_text()
    host.check_output('printf %%s %s >"$PGDATA/pg_hba.conf"', rules)
    fixtures.ask(instance, SQL)
    (connection,) = fake.connections("sales")
    state = fake.state()
    (schedule,) = (one for one in state["schedules"] if one["connectionId"] == connection["id"])
    (environment,) = state["environments"]
    path = f"/api/v1/connections/{connection['id']}"
    fake.call("PATCH", path, baseRole="QUERIER")
    fake.call("DELETE", f"{path}/schedules/{schedule['scheduleId']}")
    fake.call("DELETE", f"/api/v1/connection-environments/{environment['id']}")


if __name__ == "__main__":
    main()

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be seen of the fleet from outside."""

from __future__ import annotations

from typing import Any

import fixtures

DATABASES = {
    "oldest": ["shop", "stock", "support"],
    "usual": ["orders", "returns", "suppliers", "billing"],
    "newest": ["visits", "payroll", "archive"],
}
#: All that a database has because of the role: rights on it, and what names the role in it.
TRACES = """
SELECT 'right on the database: ' || privilege_type FROM pg_database, aclexplode(datacl)
WHERE datname = current_database() AND grantee = to_regrole('omni')
UNION ALL
SELECT pg_describe_object(classid, objid, objsubid) FROM pg_shdepend
WHERE refobjid = to_regrole('omni') AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
UNION ALL
SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname ~ '^omni'
ORDER BY 1
"""


def look() -> dict[str, dict[str, Any]]:
    """For each database, the traces of the role in it, and the connections of its name in Omni."""
    instance, omni = fixtures.read_instance(), fixtures.Fake().state()
    return {
        database: {
            "traces": fixtures.ask(instance, TRACES, database, server),
            "connections": [one["id"] for one in omni["connections"] if one["name"] == database],
        }
        for server, databases in DATABASES.items()
        for database in databases
    }

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the policies of row-level security leave of a table for one reader.

https://www.postgresql.org/docs/current/ddl-rowsecurity.html: a row is shown where one permissive policy shows
it and no restrictive policy hides it. A reader without a permissive policy is shown none, and no error either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

#: The policies for SELECT that apply to {reader} on {relation}, as JSON. ``using`` is true or false where the
#: condition is that constant, else NULL; a policy without a condition counts for nothing. ``closed`` is a relation
#: that the condition reads and the reader must not. ``nested``: the condition reads what has conditions too,
#: which Postgres refuses where they go round in a circle. ``calls`` is a function that {caller} must not call, and
#: that Postgres calls while it plans the query, since it is IMMUTABLE.
POLICIES = """(
    SELECT coalesce(json_agg(json_build_object(
        'name', polname, 'permissive', polpermissive,
        'using', CASE pg_get_expr(polqual, polrelid) WHEN 'true' THEN true WHEN 'false' THEN false END,
        'closed', (
            SELECT min(n.nspname || '.' || c.relname)
            FROM pg_depend AS d JOIN pg_class AS c ON c.oid = refobjid
            JOIN pg_namespace AS n ON n.oid = relnamespace
            WHERE classid = 'pg_policy'::regclass AND objid = p.oid AND refclassid = 'pg_class'::regclass
              AND refobjid <> polrelid AND strpos(polqual::text, ':relid ' || refobjid || ' ') > 0
              AND NOT has_table_privilege({reader}, refobjid, 'SELECT') AND NOT CASE refobjsubid
                  WHEN 0 THEN has_any_column_privilege({reader}, refobjid, 'SELECT')
                  ELSE has_column_privilege({reader}, refobjid, refobjsubid::smallint, 'SELECT') END),
        'nested', strpos(polqual::text, ':relid ' || polrelid || ' ') > 0 OR EXISTS (
            SELECT FROM pg_depend AS d JOIN pg_class AS c ON c.oid = refobjid
            WHERE classid = 'pg_policy'::regclass AND objid = p.oid AND refclassid = 'pg_class'::regclass
              AND refobjid <> polrelid AND (relrowsecurity OR relkind = 'v')),
        'calls', (
            SELECT min(n.nspname || '.' || f.proname)
            FROM pg_depend AS d JOIN pg_proc AS f ON f.oid = refobjid JOIN pg_namespace AS n ON n.oid = pronamespace
            WHERE classid = 'pg_policy'::regclass AND objid = p.oid AND refclassid = 'pg_proc'::regclass
              AND provolatile = 'i' AND NOT has_function_privilege({caller}, f.oid, 'EXECUTE'))
        ) ORDER BY polname), '[]')
    FROM pg_policy AS p WHERE polrelid = {relation} AND polcmd IN ('*', 'r') AND polqual IS NOT NULL
      AND EXISTS (SELECT FROM unnest(polroles) AS target
                  WHERE target = 0 OR pg_has_role({reader}, target, 'USAGE')))"""

#: What is left of a table: every row, none, an error, or what only selecting can tell.
EVERY, NO_ROW, ERROR, UNKNOWN = "every", "no_row", "error", "unknown"


def judge(policies: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """What policies leave of a table for the one to whom they apply, and why."""
    restrictive = [policy for policy in policies if not policy["permissive"]]
    permissive = [policy for policy in policies if policy["permissive"] and policy["using"] is not False]
    hiding = next((policy for policy in restrictive if policy["using"] is False), None)
    if not permissive:
        return NO_ROW, "no policy shows a row"
    if hiding:
        return NO_ROW, f"the policy {hiding['name']} hides every row"
    shows_all = any(policy["using"] for policy in permissive)
    # Where one shows every row, Postgres does not ask the other permissive ones.
    asked = [policy for policy in [*restrictive, *([] if shows_all else permissive)] if not policy["using"]]
    closed = next((policy for policy in asked if policy["closed"]), None)
    if closed:
        return ERROR, f"its policy {closed['name']} reads {closed['closed']}"
    if asked:
        return UNKNOWN, f"the policy {asked[0]['name']} decides which rows, if any"
    nested = next((policy for policy in policies if policy["nested"]), None)
    if nested:
        return UNKNOWN, f"the policy {nested['name']} reads what has policies of its own"
    calling = next((policy for policy in policies if policy["calls"]), None)
    if calling:
        return UNKNOWN, f"the policy {calling['name']} calls {calling['calls']} without the right to"
    return EVERY, ""

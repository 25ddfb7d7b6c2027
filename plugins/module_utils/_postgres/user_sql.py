# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The queries of omni_pg_user's role: what is there."""

from __future__ import annotations

#: One row, whether the role is there or not. A role that inherits nothing from a group counts as no member.
ROLE = """
SELECT role.oid IS NOT NULL AS exists, rolcanlogin, rolsuper, rolconnlimit, rolconfig,
       rolvaliduntil <= now() AS expired, rolvaliduntil::text AS valid_until,
       coalesce(rolvaliduntil, 'infinity') <> wanted AS until_differs, until::text AS until,
       CASE WHEN isfinite(until) THEN ceil(extract(epoch FROM until - now()) / 86400)::int END AS days_left,
       shobj_description(role.oid, 'pg_authid') AS comment,
       ARRAY(SELECT name FROM unnest(%(memberships)s::text[]) WITH ORDINALITY AS named (name, place)
             LEFT JOIN pg_roles AS held ON held.rolname = name
             WHERE NOT coalesce(pg_has_role(role.oid, held.oid, %(inherits)s), false)
             ORDER BY place) AS unheld,
       ARRAY(SELECT name FROM unnest(%(memberships)s::text[]) AS name
             WHERE name NOT IN (SELECT rolname FROM pg_roles)) AS unknown,
       ARRAY(SELECT nspname::text FROM pg_namespace
             WHERE nspowner = role.oid OR EXISTS (
                 SELECT FROM aclexplode(nspacl) WHERE grantee = role.oid AND privilege_type = 'CREATE')
             ORDER BY 1) AS creates_in,
       has_table_privilege('pg_authid', 'SELECT') AS secrets_readable
FROM (SELECT %(valid_until)s::timestamptz AS wanted) AS given
     LEFT JOIN pg_roles AS role ON rolname = %(name)s
     CROSS JOIN LATERAL (SELECT coalesce(wanted, rolvaliduntil) AS until) AS ends
"""
STORED = "SELECT rolpassword FROM pg_authid WHERE rolname = %(name)s"

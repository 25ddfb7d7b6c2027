# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parts that several queries of the catalog share, so that granting and proving mean the same."""

from __future__ import annotations

#: Whether ``n``, a row of pg_namespace, is a schema of the database's users: none of Postgres' own, and none that
#: an extension made.
OF_USERS = """
nspname !~ '^pg_' AND nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend
                  WHERE classid = 'pg_namespace'::regclass AND objid = n.oid AND deptype = 'e')
"""

#: Who makes tables in which schema: the owners of what is there, and the schema's owner. Where nobody chose an
#: owner for ``public``, that is the database's owner. Needs ``space`` (oid, nspname, nspowner, modelled) and
#: ``relation`` (relnamespace, relowner, modelled).
CREATORS = """
SELECT relnamespace AS schema, relowner AS owner FROM relation WHERE modelled
UNION
SELECT space.oid, CASE WHEN nspname = 'public' AND nspowner = 10
                         OR pg_get_userbyid(nspowner) = 'pg_database_owner' THEN datdba ELSE nspowner END
FROM space, pg_database WHERE datname = current_database() AND modelled
"""

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The queries behind omni_pg_grants. A NULL oid (no such role) matches no entry of an ACL; a role that is yet to be
made will hold what PUBLIC does."""

from __future__ import annotations

from .catalog_sql import CREATORS, OF_USERS
from .grantor_sql import grantor
from .grants_excess_sql import EXCESS, EXCESS_COLUMNS, GRANTED

#: The login, and the role that the task is about.
_WHO = """
role AS (SELECT (SELECT oid FROM pg_roles WHERE rolname = %(role)s) AS oid),
me AS (SELECT oid, rolsuper FROM pg_roles WHERE rolname = current_user)"""


def places_query(revoking: bool) -> str:
    """The database and each schema of the users': what the role holds there, and what the login can give.

    :param revoking: whether to look for what is too much; else ``grants`` is empty.
    """
    return f"""
WITH {_WHO},
place AS (
    SELECT 'DATABASE' AS kind, d.oid, datname AS name, datdba AS owner,
           coalesce(datacl, acldefault('d', datdba)) AS acl, 'CONNECT' AS privilege,
           coalesce(has_database_privilege(role.oid, d.oid, 'CONNECT'),
                    has_database_privilege('public', d.oid, 'CONNECT')) AS held,
           has_database_privilege(d.oid, 'CONNECT WITH GRANT OPTION') AS able
    FROM pg_database AS d, role WHERE datname = current_database()
    UNION ALL
    SELECT 'SCHEMA', n.oid, nspname, nspowner, coalesce(nspacl, acldefault('n', nspowner)), 'USAGE',
           coalesce(has_schema_privilege(role.oid, n.oid, 'USAGE'), has_schema_privilege('public', n.oid, 'USAGE')),
           has_schema_privilege(n.oid, 'USAGE WITH GRANT OPTION')
    FROM pg_namespace AS n, role WHERE {OF_USERS}){GRANTED if revoking else ""}
SELECT kind, place.oid::bigint, name, privilege, role.oid IS NOT NULL AS role_exists,
       pg_get_userbyid(owner) AS owner, able, held,
       coalesce(owner = role.oid, false)
           OR EXISTS (SELECT FROM aclexplode(acl) WHERE grantee = role.oid AND privilege_type = privilege)
           AS granted,
       CASE WHEN able THEN (SELECT rolname FROM pg_roles
                            WHERE oid = ({grantor("acl", "owner", "privilege")})[2]) END AS as_role,
       ARRAY(SELECT privilege_type FROM aclexplode(acl) WHERE grantee = 0 ORDER BY 1) AS of_public,
       {"coalesce(grants, '[]')" if revoking else "'[]'::json"} AS grants
FROM place {"LEFT JOIN listed USING (kind, oid)" if revoking else ""}, role, me
ORDER BY kind, name COLLATE "C"
"""


def relations_query(revoking: bool) -> str:
    """One row. What lacks is in missing and missing_later, what is too much in excess and excess_later.

    The prefilter on relacl finds a grant by the owner without unpacking a list; of the others, each different list
    is unpacked once (giving). A relation that vanished meanwhile has NULL privileges, and lacks nothing.

    :param revoking: whether to look for what is too much; else ``excess`` and ``excess_later`` are empty.
    """
    return f"""
WITH {_WHO},
space AS MATERIALIZED (
    SELECT n.oid, nspname, nspowner, modelled, has_schema_privilege(n.oid, 'USAGE') AS usable
    FROM (SELECT unnest(%(schemas)s::name[]) AS nspname, true AS modelled UNION ALL
          SELECT unnest(%(others)s::name[]), false) AS listed JOIN pg_namespace AS n USING (nspname)),
relation AS MATERIALIZED (
    -- Names as text: values of type name take 64 bytes each, and thousands of them the way over a disk.
    SELECT c.oid, CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, relname::text, relowner, relacl,
           nspname::text, relnamespace, usable, modelled AND relkind = ANY (%(kinds)s::text[]) AS modelled
    FROM pg_class AS c JOIN space ON space.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
      AND NOT EXISTS (SELECT FROM pg_depend
                      WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e'
                        AND refclassid = 'pg_extension'::regclass)),
giving AS MATERIALIZED (
    SELECT acl FROM (SELECT DISTINCT relacl AS acl FROM relation WHERE modelled AND relacl IS NOT NULL) AS acls, role
    WHERE EXISTS (SELECT FROM aclexplode(acl) WHERE grantee = role.oid AND privilege_type = 'SELECT')),
ungranted AS MATERIALIZED (
    SELECT relation.*, role.oid AS role,
           me.rolsuper OR has_table_privilege(relation.oid, 'SELECT WITH GRANT OPTION') AS grantable
    FROM relation, role, me
    WHERE modelled AND NOT %(absent)s AND (
        role.oid IS NULL OR relowner <> role.oid
        AND NOT coalesce(relacl @> makeaclitem(role.oid, relowner, 'SELECT', false), false)
        AND (relacl IS NULL OR relacl NOT IN (SELECT acl FROM giving)))),
missing AS (
    SELECT ungranted.*, CASE WHEN NOT grantable THEN 'option' WHEN NOT usable THEN 'schema' ELSE '' END AS hindrance,
           CASE WHEN grantable AND usable
                THEN ({grantor("relacl", "relowner", "'SELECT'", "relnamespace")})[2] END AS granted_as
    FROM ungranted, me
    WHERE grantable AND usable AND NOT %(effective)s
       OR NOT coalesce(has_table_privilege(role, ungranted.oid, 'SELECT'),
                       has_table_privilege('public', ungranted.oid, 'SELECT'))),
-- Columns as arrays, in no order: JSON and sorting would take longer than the look-up of thousands of tables.
lacking AS (
    SELECT array_agg(kind) AS lacking_kind, array_agg(oid::bigint) AS lacking_oid,
           array_agg(nspname::text) AS lacking_schema, array_agg(relname::text) AS lacking_name,
           array_agg(pg_get_userbyid(relowner)::text) AS lacking_owner, array_agg(hindrance) AS lacking_hindrance,
           array_agg(CASE WHEN granted_as <> 0 THEN pg_get_userbyid(granted_as)::text END) AS lacking_as_role
    FROM missing),
creator AS (
    SELECT space.nspname, space.oid AS schema, owner.oid, owner.rolname
    FROM ({CREATORS}) AS candidate
    JOIN space ON space.oid = candidate.schema JOIN pg_roles AS owner ON owner.oid = candidate.owner
    WHERE %(creators)s::text[] IS NULL AND owner.rolname !~ '^pg_' AND owner.rolname <> %(role)s
    UNION
    SELECT space.nspname, space.oid, owner.oid, owner.rolname FROM space, pg_roles AS owner
    WHERE modelled AND owner.rolname = ANY (%(creators)s::text[]) AND owner.rolname <> %(role)s),
maker AS (SELECT oid, rolname, pg_has_role(oid, %(alter)s) AS able FROM pg_roles),
later AS (
    SELECT nspname, schema, creator.rolname, kind, able,
           EXISTS (SELECT FROM pg_default_acl, aclexplode(defaclacl)
                   WHERE defaclrole = creator.oid AND defaclobjtype = kind AND privilege_type = 'SELECT'
                     AND (defaclnamespace = schema OR defaclnamespace = 0 AND NOT %(exclusive)s)
                     AND grantee = role.oid) AS granted,
           coalesce(pg_has_role(role.oid, creator.oid, 'USAGE'), false)
               OR coalesce(pg_has_role(role.oid, to_regrole('pg_read_all_data')::oid, 'USAGE'), false)
               OR EXISTS (SELECT FROM pg_default_acl, aclexplode(defaclacl)
                          WHERE defaclrole = creator.oid AND defaclobjtype = kind
                            AND defaclnamespace IN (0, schema) AND privilege_type = 'SELECT'
                            AND (grantee = 0 OR grantee <> role.oid
                                 AND pg_has_role(role.oid, grantee, 'USAGE'))) AS held
    FROM creator JOIN maker USING (oid), role, unnest(%(later)s::text[]) AS kind
    WHERE NOT %(absent)s){EXCESS if revoking else ""}
SELECT (SELECT count(*) FROM relation WHERE modelled) AS relations,
       (SELECT count(*) FROM later) AS later,
       lacking.*,
       (SELECT coalesce(json_agg(json_build_array(kind, schema::bigint, nspname, 'SELECT', rolname, able, false)
            ORDER BY rolname COLLATE "C", nspname COLLATE "C", kind DESC), '[]')
        FROM later WHERE NOT granted AND (NOT held OR able AND NOT %(effective)s)) AS missing_later,
       {EXCESS_COLUMNS if revoking else "'[]'::json AS excess, '[]'::json AS excess_later"},
       (SELECT coalesce(array_agg(name), '{{}}') FROM unnest(%(creators)s::text[]) AS name
        WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)) AS unknown
FROM lacking
"""


#: The relations of this database on which somebody holds, or waits for, the lock that keeps all others out, and
#: whose process that is. Everybody may read it.
LOCKED = """
SELECT relation::bigint AS oid, min(pid) AS pid FROM pg_locks
WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock' AND pid <> pg_backend_pid()
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
GROUP BY 1
"""

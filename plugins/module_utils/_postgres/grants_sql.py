# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The queries behind omni_pg_grants. A NULL oid (no such role) matches no entry of an ACL; a role that is yet to be
made will hold what PUBLIC does."""

from __future__ import annotations

from .catalog_sql import CREATORS, OF_USERS
from .grantor_sql import grantor, left_to, passed_on, revoked_as

#: The login, and the role that the task is about.
_WHO = """
role AS (SELECT (SELECT oid FROM pg_roles WHERE rolname = %(role)s) AS oid),
me AS (SELECT oid, rolsuper FROM pg_roles WHERE rolname = current_user)"""


#: Whether who granted an entry of a place's ACL could still do so: the owner can, always.
_PLACE_ABLE = """grantor = owner OR EXISTS (
    SELECT FROM aclexplode(acl) AS e
    WHERE e.is_grantable AND e.grantee = entry.grantor AND e.privilege_type = entry.privilege_type)"""

#: The same of a relation: who can grant on the table, can on its columns; else it takes each of the columns.
_RELATION_ABLE = """grantor = relowner OR (held.oid, grantor, held.privilege_type) IN (
        SELECT oid, grantee, privilege_type FROM entry WHERE is_grantable AND attname IS NULL)
    OR NOT CASE WHEN given AND NOT %(absent)s THEN grantable ELSE whole END AND NOT EXISTS (
        SELECT FROM unnest(CASE WHEN given AND NOT %(absent)s THEN grantable_columns ELSE columns END) AS name
        WHERE (held.oid, grantor, held.privilege_type, name) NOT IN (
            SELECT oid, grantee, privilege_type, attname::text FROM entry
            WHERE is_grantable AND attname IS NOT NULL))"""

#: The database and each schema of the users': what the role holds there, and what the login can give.
PLACES = f"""
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
    FROM pg_namespace AS n, role WHERE {OF_USERS}),
granted AS (
    SELECT kind, place.oid, owner, privilege_type, is_grantable, grantor, {
    revoked_as(
        "grantor",
        "owner",
        _PLACE_ABLE,
        '''NOT EXISTS (SELECT FROM aclexplode(acl) AS e
                         WHERE e.is_grantable AND e.privilege_type = entry.privilege_type
                           AND e.grantee <> entry.grantor AND pg_has_role(e.grantee, 'USAGE'))
              AND (owner = grantor OR NOT pg_has_role(owner, 'USAGE'))''',
    )
} AS revoked_as,
           {
    left_to(
        "entry.grantor", "(SELECT NULL AS attname) AS whole", "owner", "entry.privilege_type", _PLACE_ABLE
    )
} AS left_to,
           ({grantor("acl", "owner", "entry.privilege_type")})[1] AS ours,
           CASE WHEN is_grantable THEN {
    passed_on("aclexplode(acl) AS e WHERE e.privilege_type = entry.privilege_type", "owner")
} END AS passed_on
    FROM place, role, me, aclexplode(acl) AS entry
    WHERE (%(absent)s OR %(exclusive)s) AND grantee = role.oid AND owner <> role.oid),
listed AS (
    SELECT kind, oid, json_agg(json_build_array(
        privilege_type, is_grantable, pg_get_userbyid(grantor),
        CASE WHEN revoked_as IS NULL OR %(absent)s AND ours <> grantor THEN 'grantor' ELSE '' END,
        CASE WHEN revoked_as <> 0 THEN pg_get_userbyid(revoked_as) END, passed_on, grantor = owner,
        left_to
    ) ORDER BY privilege_type, grantor) AS grants
    FROM granted GROUP BY kind, oid)
SELECT kind, place.oid::bigint, name, privilege, role.oid IS NOT NULL AS role_exists,
       pg_get_userbyid(owner) AS owner, able, held,
       coalesce(owner = role.oid, false)
           OR EXISTS (SELECT FROM aclexplode(acl) WHERE grantee = role.oid AND privilege_type = privilege)
           AS granted,
       CASE WHEN able THEN (SELECT rolname FROM pg_roles
                            WHERE oid = ({grantor("acl", "owner", "privilege")})[2]) END AS as_role,
       ARRAY(SELECT privilege_type FROM aclexplode(acl) WHERE grantee = 0 ORDER BY 1) AS of_public,
       coalesce(grants, '[]') AS grants
FROM place LEFT JOIN listed USING (kind, oid), role, me
ORDER BY kind, name COLLATE "C"
"""

#: One row. What lacks is in missing and missing_later; where something is to be revoked, what is too
#: much is in excess and excess_later. The prefilter on relacl finds a grant by the owner without
#: unpacking a list; of the others, each different list is unpacked once (giving). A relation that vanished
#: meanwhile has NULL privileges, and lacks nothing.
RELATIONS = f"""
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
                      WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')),
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
    WHERE NOT %(absent)s),
-- The ACL of each relation (attname is NULL) and of its columns, where something is to be revoked.
list AS MATERIALIZED (
    SELECT oid, relacl AS acl, NULL::name AS attname FROM relation WHERE %(absent)s OR %(exclusive)s
    UNION ALL
    SELECT attrelid, attacl, attname FROM pg_attribute JOIN relation ON relation.oid = attrelid
    WHERE attacl IS NOT NULL AND NOT attisdropped AND (%(absent)s OR %(exclusive)s)),
-- Thousands of relations share a few ACLs, each of which is unpacked once.
unpacked AS MATERIALIZED (
    SELECT acl, e.* FROM (SELECT DISTINCT acl FROM list) AS acls, role, aclexplode(acl) AS e
    WHERE grantee = role.oid),
-- What the role holds, but for what it is to hold.
held AS MATERIALIZED (
    SELECT relation.oid, grantor, privilege_type, modelled AND privilege_type = 'SELECT' AS given,
           bool_or(attname IS NULL) AS whole,
           bool_or(is_grantable AND attname IS NULL) AS grantable,
           array_remove(array_agg(attname::text ORDER BY attname), NULL) AS columns,
           coalesce(array_agg(attname::text ORDER BY attname) FILTER (WHERE is_grantable AND attname IS NOT NULL),
                    '{{}}') AS grantable_columns
    FROM unpacked JOIN list USING (acl) JOIN relation USING (oid)
    WHERE relowner <> grantee AND (%(absent)s OR is_grantable OR attname IS NOT NULL
          OR NOT (modelled AND privilege_type = 'SELECT'))
    GROUP BY 1, 2, 3, 4),
entry AS MATERIALIZED (
    SELECT oid, attname, grantor, grantee, privilege_type, is_grantable FROM list, aclexplode(acl)
    WHERE oid IN (SELECT held.oid FROM held)),
excess AS (
    SELECT held.*, kind, nspname, relname, usable, grantor = relowner AS of_owner,
           has_schema_privilege(grantor, relnamespace, 'USAGE') AS grantor_usable, {
    revoked_as(
        "grantor",
        "relowner",
        _RELATION_ABLE,
        '''NOT EXISTS (SELECT FROM entry AS e
                         WHERE e.oid = relation.oid AND e.is_grantable AND e.privilege_type = held.privilege_type
                           AND e.grantee <> held.grantor AND pg_has_role(e.grantee, 'USAGE'))
              AND (relowner = grantor OR NOT pg_has_role(relowner, 'USAGE'))''',
        "relnamespace",
    )
} AS revoked_as,
           {
    left_to(
        "held.grantor",
        '''(SELECT NULL::name AS attname, relacl AS acl UNION ALL
              SELECT attname, attacl FROM pg_attribute
              WHERE attrelid = relation.oid AND attacl IS NOT NULL AND NOT attisdropped) AS lists''',
        "relowner",
        "held.privilege_type",
        _RELATION_ABLE,
    )
} AS left_to,
           CASE WHEN %(absent)s
                THEN ({grantor("relacl", "relowner", "'SELECT'", "relnamespace")})[1] END AS ours,
           CASE WHEN grantable OR grantable_columns <> '{{}}' THEN {
    passed_on(
        "entry AS e WHERE e.oid = relation.oid AND e.privilege_type = held.privilege_type",
        "relowner",
        "e.attname",
        "has_schema_privilege(e.grantor, relnamespace, 'USAGE')",
    )
} END AS passed_on
    FROM held JOIN relation USING (oid), role, me
    WHERE CASE WHEN %(absent)s THEN given AND whole
               ELSE NOT given OR grantable OR grantable_columns <> '{{}}' END),
held_later AS (
    SELECT defaclobjtype, defaclnamespace, nspname, rolname, able, privilege_type, is_grantable,
           coalesce(modelled AND defaclobjtype = ANY (%(later)s::text[]) AND privilege_type = 'SELECT'
                    AND (%(creators)s::text[] IS NULL OR rolname = ANY (%(creators)s::text[])), false) AS given
    FROM pg_default_acl JOIN maker ON maker.oid = defaclrole
    LEFT JOIN space ON space.oid = defaclnamespace, role, aclexplode(defaclacl)
    WHERE (%(absent)s OR %(exclusive)s) AND grantee = role.oid AND defaclrole <> role.oid
      AND defaclobjtype IN ('r', 'S', 'n') AND (defaclnamespace = 0 OR space.oid IS NOT NULL))
SELECT (SELECT count(*) FROM relation WHERE modelled) AS relations,
       (SELECT count(*) FROM later) AS later,
       lacking.*,
       (SELECT coalesce(json_agg(json_build_array(kind, schema::bigint, nspname, 'SELECT', rolname, able, false)
            ORDER BY rolname COLLATE "C", nspname COLLATE "C", kind DESC), '[]')
        FROM later WHERE NOT granted AND (NOT held OR able AND NOT %(effective)s)) AS missing_later,
       (SELECT coalesce(json_agg(json_build_array(
            kind, oid::bigint, nspname, relname, privilege_type, pg_get_userbyid(grantor),
            CASE WHEN NOT usable THEN 'schema'
                 WHEN revoked_as IS NULL OR %(absent)s AND ours <> grantor THEN 'grantor' ELSE '' END,
            CASE WHEN revoked_as <> 0 THEN pg_get_userbyid(revoked_as) END,
            given AND NOT %(absent)s, whole, grantable, columns, grantable_columns, passed_on,
            of_owner, grantor_usable, left_to
        ) ORDER BY kind COLLATE "C" DESC, privilege_type COLLATE "C", nspname COLLATE "C",
            relname COLLATE "C", grantor), '[]')
        FROM excess) AS excess,
       (SELECT coalesce(json_agg(json_build_array(
            defaclobjtype, defaclnamespace::bigint, nspname, privilege_type, rolname, able,
            given AND NOT %(absent)s
        ) ORDER BY rolname COLLATE "C", nspname COLLATE "C", defaclobjtype DESC, privilege_type), '[]')
        FROM held_later
        WHERE CASE WHEN %(absent)s THEN given ELSE NOT given OR is_grantable END) AS excess_later,
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

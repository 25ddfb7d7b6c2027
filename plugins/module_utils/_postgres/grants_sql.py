# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two queries behind omni_pg_grants. A NULL oid (no such role) matches no entry of an ACL."""

from __future__ import annotations

#: The database and each schema of the users': what the role holds there, and what the login can give.
#: A REVOKE acts for the owner where the login has the owner's rights, and takes back no other grant.
PLACES = """
WITH role AS (SELECT (SELECT oid FROM pg_roles WHERE rolname = %(role)s) AS oid),
place AS (
    SELECT 'DATABASE' AS kind, datname AS name, datdba AS owner,
           coalesce(datacl, acldefault('d', datdba)) AS acl, 'CONNECT' AS privilege,
           has_database_privilege(role.oid, d.oid, 'CONNECT') AS held,
           has_database_privilege(d.oid, 'CONNECT WITH GRANT OPTION') AS able
    FROM pg_database AS d, role WHERE datname = current_database()
    UNION ALL
    SELECT 'SCHEMA', nspname, nspowner, coalesce(nspacl, acldefault('n', nspowner)), 'USAGE',
           has_schema_privilege(role.oid, n.oid, 'USAGE'),
           has_schema_privilege(n.oid, 'USAGE WITH GRANT OPTION')
    FROM pg_namespace AS n, role
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM pg_depend
                      WHERE classid = 'pg_namespace'::regclass AND objid = n.oid AND deptype = 'e'))
SELECT kind, name, privilege, role.oid IS NOT NULL AS role_exists, pg_get_userbyid(owner) AS owner, able,
       coalesce(held, false) AS held,
       coalesce(owner = role.oid, false)
           OR EXISTS (SELECT FROM aclexplode(acl) WHERE grantee = role.oid AND privilege_type = privilege)
           AS granted,
       ARRAY(SELECT privilege_type FROM aclexplode(acl) WHERE grantee = 0 ORDER BY 1) AS of_public,
       (SELECT coalesce(json_agg(json_build_array(
            privilege_type, is_grantable, pg_get_userbyid(grantor),
            CASE WHEN pg_has_role(owner, 'USAGE') THEN grantor = owner ELSE pg_has_role(grantor, 'USAGE') END
        ) ORDER BY privilege_type, grantor), '[]')
        FROM aclexplode(acl) WHERE grantee = role.oid AND owner <> role.oid) AS grants
FROM place, role
ORDER BY kind, name COLLATE "C"
"""

#: One row. What lacks is in missing and missing_later; where something is to be revoked, what is too
#: much is in excess and excess_later. The prefilter on relacl finds a grant by the owner without
#: unpacking the list. A relation that vanished meanwhile has NULL privileges, and lacks nothing.
RELATIONS = """
WITH role AS (SELECT (SELECT oid FROM pg_roles WHERE rolname = %(role)s) AS oid),
space AS (
    SELECT oid, nspname, nspowner, nspname = ANY (%(schemas)s::text[]) AS chosen,
           -- Where nobody chose an owner for public, the database's owner is who makes tables in it.
           nspname = 'public' AND nspowner = 10 OR pg_get_userbyid(nspowner) = 'pg_database_owner' AS nobodys
    FROM pg_namespace WHERE nspname = ANY (%(schemas)s::text[] || %(others)s::text[])),
relation AS MATERIALIZED (
    SELECT c.oid, CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, relname, relowner, relacl,
           nspname, relnamespace, chosen AND relkind = ANY (%(kinds)s::text[]) AS wanted
    FROM pg_class AS c JOIN space ON space.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
      AND NOT EXISTS (SELECT FROM pg_depend
                      WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')),
ungranted AS MATERIALIZED (
    SELECT relation.*, role.oid AS role,
           has_table_privilege(role.oid, relation.oid, 'SELECT') AS held,
           has_table_privilege(relation.oid, 'SELECT WITH GRANT OPTION') AS able
    FROM relation, role
    WHERE wanted AND NOT %(absent)s AND (
        role.oid IS NULL OR relowner <> role.oid
        AND NOT coalesce(relacl @> makeaclitem(role.oid, relowner, 'SELECT', false), false)
        AND NOT EXISTS (SELECT FROM aclexplode(relacl)
                        WHERE grantee = role.oid AND privilege_type = 'SELECT'))),
missing AS (SELECT * FROM ungranted WHERE role IS NULL OR NOT held OR able AND NOT %(effective)s),
creator AS (
    SELECT space.nspname, space.oid AS schema, owner.oid, owner.rolname
    FROM (SELECT relnamespace AS schema, relowner AS owner FROM relation WHERE wanted
          UNION SELECT space.oid, CASE WHEN nobodys THEN datdba ELSE nspowner END
          FROM space, pg_database WHERE datname = current_database()
          ) AS candidate
    JOIN space ON space.oid = candidate.schema JOIN pg_roles AS owner ON owner.oid = candidate.owner
    WHERE chosen AND %(creators)s::text[] IS NULL AND owner.rolname !~ '^pg_' AND owner.rolname <> %(role)s
    UNION
    SELECT space.nspname, space.oid, owner.oid, owner.rolname FROM space, pg_roles AS owner
    WHERE chosen AND owner.rolname = ANY (%(creators)s::text[]) AND owner.rolname <> %(role)s),
maker AS (
    SELECT oid, rolname, pg_has_role(oid, CASE WHEN current_setting('server_version_num')::int >= 160000
                                               THEN 'USAGE' ELSE 'MEMBER' END) AS able
    FROM pg_roles),
later AS (
    SELECT nspname, creator.rolname, kind, able,
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
held AS (
    SELECT kind, nspname, relname, relowner, grantor, privilege_type,
           wanted AND privilege_type = 'SELECT' AS given,
           bool_or(attname IS NULL) AS whole,
           bool_or(is_grantable AND attname IS NULL) AS grantable,
           array_remove(array_agg(attname::text ORDER BY attname), NULL) AS columns
    FROM (SELECT oid, relacl AS acl, NULL::name AS attname FROM relation
          UNION ALL
          SELECT attrelid, attacl, attname FROM pg_attribute WHERE attacl IS NOT NULL AND NOT attisdropped
          ) AS list
    JOIN relation USING (oid), role, aclexplode(acl)
    WHERE (%(absent)s OR %(exclusive)s) AND grantee = role.oid AND relowner <> role.oid
    GROUP BY 1, 2, 3, 4, 5, 6, 7),
held_later AS (
    SELECT defaclobjtype, nspname, rolname, able, privilege_type, is_grantable,
           coalesce(chosen AND defaclobjtype = ANY (%(later)s::text[]) AND privilege_type = 'SELECT'
                    AND (%(creators)s::text[] IS NULL OR rolname = ANY (%(creators)s::text[])), false) AS given
    FROM pg_default_acl JOIN maker ON maker.oid = defaclrole
    LEFT JOIN space ON space.oid = defaclnamespace, role, aclexplode(defaclacl)
    WHERE (%(absent)s OR %(exclusive)s) AND grantee = role.oid AND defaclrole <> role.oid
      AND defaclobjtype IN ('r', 'S', 'n') AND (defaclnamespace = 0 OR space.oid IS NOT NULL))
SELECT (SELECT count(*) FROM relation WHERE wanted) AS relations,
       (SELECT count(*) FROM later) AS later,
       (SELECT coalesce(json_agg(json_build_array(
            kind, json_build_array(nspname, relname), 'SELECT', pg_get_userbyid(relowner), able
        ) ORDER BY kind DESC, nspname COLLATE "C", relname COLLATE "C"), '[]') FROM missing) AS missing,
       (SELECT coalesce(json_agg(json_build_array(kind, json_build_array(nspname), 'SELECT', rolname, able)
            ORDER BY rolname COLLATE "C", nspname COLLATE "C", kind DESC), '[]')
        FROM later WHERE NOT granted AND (NOT held OR able AND NOT %(effective)s)) AS missing_later,
       (SELECT coalesce(json_agg(json_build_array(
            kind, json_build_array(nspname, relname),
            CASE WHEN given AND NOT %(absent)s THEN 'GRANT OPTION FOR ' ELSE '' END || privilege_type,
            pg_get_userbyid(grantor),
            CASE WHEN pg_has_role(relowner, 'USAGE') THEN grantor = relowner
                 ELSE pg_has_role(grantor, 'USAGE') END,
            columns
        ) ORDER BY kind DESC, privilege_type, nspname COLLATE "C", relname COLLATE "C", grantor), '[]')
        FROM held WHERE CASE WHEN %(absent)s THEN given AND whole ELSE NOT given OR grantable END) AS excess,
       (SELECT coalesce(json_agg(json_build_array(
            defaclobjtype, CASE WHEN nspname IS NULL THEN '[]' ELSE json_build_array(nspname) END,
            CASE WHEN given AND NOT %(absent)s THEN 'GRANT OPTION FOR ' ELSE '' END || privilege_type,
            rolname, able
        ) ORDER BY rolname COLLATE "C", nspname COLLATE "C", defaclobjtype DESC, privilege_type), '[]')
        FROM held_later
        WHERE CASE WHEN %(absent)s THEN given ELSE NOT given OR is_grantable END) AS excess_later,
       (SELECT coalesce(array_agg(name), '{}') FROM unnest(%(creators)s::text[]) AS name
        WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)) AS unknown
"""

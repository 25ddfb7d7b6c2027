# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The query behind omni_upload_schema."""

from __future__ import annotations

#: One row, whether the schema is there or not. Others' relations are those that the role does not own;
#: its uploads are those that it does. What is outside goes with the schema, too. ``entry`` are the
#: privileges on the schema once it has its owner: ALTER SCHEMA … OWNER TO hands the old owner's to the new one.
SCHEMA = """
WITH RECURSIVE role AS (SELECT (SELECT oid FROM pg_roles WHERE rolname = %(role)s) AS oid),
wanted AS (SELECT (SELECT oid FROM pg_roles WHERE rolname = %(owner)s::text) AS oid),
me AS (SELECT oid, rolsuper FROM pg_roles WHERE rolname = current_user),
owner AS (
    SELECT space.oid AS schema, coalesce(nspowner, wanted.oid, me.oid) AS old,
           coalesce(wanted.oid, nspowner, me.oid) AS oid, nspacl
    FROM wanted, me LEFT JOIN pg_namespace AS space ON nspname = %(name)s),
entry AS (
    SELECT CASE grantee WHEN old THEN owner.oid ELSE grantee END AS grantee, privilege_type, is_grantable
    FROM owner, aclexplode(coalesce(nspacl, acldefault('n', old)))),
grantor AS (
    SELECT owner.oid AS oid, privilege_type FROM owner, unnest(ARRAY['USAGE', 'CREATE']) AS privilege_type
    WHERE pg_has_role(owner.oid, 'USAGE')
    UNION
    SELECT grantee, privilege_type FROM entry WHERE is_grantable AND pg_has_role(grantee, 'USAGE')),
relation AS (
    SELECT c.oid, relname, relnamespace, relowner IS NOT DISTINCT FROM role.oid AND relkind <> 'S' AS upload,
           relowner IS DISTINCT FROM role.oid AS others
    FROM role, pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE nspname = %(name)s AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')),
-- All that DROP SCHEMA … CASCADE takes: what is in the schema, what depends on that, and what something lost is
-- an inner part of, as a view's rule is of the view.
lost AS (
    SELECT classid, objid, objsubid FROM owner, pg_depend
    WHERE %(absent)s AND refclassid = 'pg_namespace'::regclass AND refobjid = schema AND deptype = 'n'
    UNION
    SELECT next.* FROM lost, LATERAL (
        SELECT classid, objid, objsubid FROM pg_depend
        WHERE refclassid = lost.classid AND refobjid = lost.objid AND lost.objsubid IN (0, refobjsubid)
        UNION ALL
        SELECT refclassid, refobjid, refobjsubid FROM pg_depend
        WHERE deptype = 'i' AND classid = lost.classid AND objid = lost.objid) AS next)
SELECT txid_snapshot_xmax(txid_current_snapshot()) AS moment, schema::bigint AS oid,
       role.oid IS NOT NULL AS role_exists, wanted.oid IS NOT NULL AS owner_exists,
       pg_get_userbyid(nspowner) AS owner, current_user AS login, pg_has_role(role.oid, 'USAGE') AS acts,
       has_database_privilege(current_database(), 'CREATE')
           AND (wanted.oid IS NULL OR pg_has_role(session_user, wanted.oid, %(set)s))
           AND (nspowner IS NULL OR pg_has_role(nspowner, 'USAGE')) AS makes,
       ARRAY(SELECT privilege_type FROM entry WHERE grantee = role.oid) AS privileges,
       ARRAY(SELECT DISTINCT privilege_type FROM grantor) AS grants,
       EXISTS (SELECT FROM grantor GROUP BY oid HAVING count(*) > 1) AS grants_both,
       ARRAY(SELECT relname::text FROM relation WHERE others ORDER BY relname COLLATE "C" LIMIT 5) AS others,
       (SELECT extname FROM pg_depend JOIN pg_extension AS e ON e.oid = refobjid
        WHERE classid = 'pg_namespace'::regclass AND objid = schema AND deptype = 'e') AS extension,
       array_remove(ARRAY(SELECT pg_describe_object(classid, objid, 0) FROM pg_depend
             WHERE refclassid = 'pg_namespace'::regclass AND refobjid = schema AND deptype = 'n'), NULL) AS objects,
       array_remove(ARRAY(
             SELECT pg_describe_object(classid, objid, objsubid) FROM lost
             WHERE NOT EXISTS (
                 SELECT FROM pg_depend AS part
                 WHERE (part.classid, part.objid, part.objsubid) = (lost.classid, lost.objid, lost.objsubid)
                   AND (part.refclassid = 'pg_namespace'::regclass AND part.refobjid = schema
                        OR part.deptype <> 'n' AND (part.refclassid, part.refobjid) IN (
                            SELECT whole.classid, whole.objid FROM lost AS whole
                            WHERE whole.objsubid IN (0, part.refobjsubid))))), NULL) AS outside,
       (SELECT coalesce(json_agg(json_build_array(
            name, reader.oid IS NOT NULL,
            schema IS NOT NULL AND (
                coalesce(reader.rolsuper, false)
                OR coalesce(pg_has_role(reader.oid, to_regrole('pg_read_all_data')::oid, 'USAGE'), false)
                OR EXISTS (SELECT FROM entry WHERE privilege_type = 'USAGE'
                           AND (grantee = 0 OR pg_has_role(reader.oid, grantee, 'USAGE')))),
            EXISTS (SELECT FROM pg_default_acl, aclexplode(defaclacl)
                    WHERE defaclrole = role.oid AND defaclnamespace IN (0, schema) AND defaclobjtype = 'r'
                      AND privilege_type = 'SELECT' AND grantee IN (0, reader.oid)),
            (SELECT coalesce(json_agg(json_build_array(relation.oid::bigint, relname)
                 ORDER BY relname COLLATE "C"), '[]')
             FROM relation
             WHERE upload AND coalesce(has_table_privilege(reader.oid, relation.oid, 'SELECT'),
                                       has_table_privilege('public', relation.oid, 'SELECT')) IS NOT TRUE)
            ) ORDER BY name COLLATE "C"), '[]')
        FROM unnest(%(readers)s::text[]) AS name LEFT JOIN pg_roles AS reader ON rolname = name) AS readers
FROM role, wanted, owner LEFT JOIN pg_namespace AS space ON space.oid = schema
"""

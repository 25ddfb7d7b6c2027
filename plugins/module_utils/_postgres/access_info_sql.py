# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two queries of omni_pg_access_info. They read catalogs alone, and every login may run them."""

from __future__ import annotations

#: The schemas of the database's users, those of extensions left out.
SCHEMAS = """
SELECT nspname AS name FROM pg_namespace AS n
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend
                  WHERE classid = 'pg_namespace'::regclass AND objid = n.oid AND deptype = 'e')
ORDER BY nspname COLLATE "C"
"""

#: The roles of Postgres that give nothing but sight.
HARMLESS = [
    "pg_monitor",
    "pg_read_all_data",
    "pg_read_all_settings",
    "pg_read_all_stats",
    "pg_stat_scan_tables",
]

#: All the rest, as one row. A role that does not exist has a NULL oid, and holds nothing.
ACCESS = """
WITH RECURSIVE role AS (
    SELECT r.oid, rolsuper, rolcanlogin, rolvaliduntil <= now() AS expired
    FROM (VALUES (0)) AS one LEFT JOIN pg_roles AS r ON rolname = %(role)s),
database AS (SELECT oid, datname, datdba FROM pg_database WHERE datname = current_database()),
space AS MATERIALIZED (
    SELECT n.oid, nspname, nspowner, nspname = ANY (%(schemas)s::text[]) AS modelled,
           nspname = %(upload_schema)s AS for_uploads,
           coalesce(has_schema_privilege(role.oid, n.oid, 'USAGE'), false) AS usage,
           coalesce(has_schema_privilege(role.oid, n.oid, 'CREATE'), false) AS creates
    FROM role, pg_namespace AS n WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
relation AS MATERIALIZED (
    SELECT c.oid, nspname, relname, relkind, relowner, relnamespace, relispartition, relispopulated,
           relrowsecurity, usage,
           space.modelled AND relkind <> 'S' AND extension.objid IS NULL AS modelled,
           coalesce(has_table_privilege(role.oid, c.oid, 'SELECT'), false) AS reads,
           usage AND NOT for_uploads AND CASE relkind
               WHEN 'S' THEN has_sequence_privilege(role.oid, c.oid, 'USAGE, UPDATE')
               ELSE has_table_privilege(role.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') END AS writes
    FROM role, space JOIN pg_class AS c ON relnamespace = space.oid
    LEFT JOIN pg_depend AS extension
        ON classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e'
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')),
-- The relations that a view names in its query, and of which of their columns (0: of the relation as such).
named AS (
    SELECT ev_class AS view, refobjid AS relation, refobjsubid::smallint AS attnum
    FROM pg_rewrite AS rule JOIN pg_depend ON classid = 'pg_rewrite'::regclass AND objid = rule.oid
    WHERE ev_type = '1' AND refclassid = 'pg_class'::regclass AND refobjid <> ev_class AND deptype = 'n'),
-- The views that Postgres opens to answer for a modelled one, itself first.
opened AS (
    SELECT oid AS asked, oid AS view FROM relation WHERE modelled AND usage AND reads AND relkind = 'v'
    UNION
    SELECT asked, named.relation FROM opened JOIN named USING (view)
    JOIN pg_class AS c ON c.oid = named.relation WHERE relkind = 'v'),
-- Whose rights count for each relation: those of the view's owner, or of the role for security_invoker.
part AS (
    SELECT relation.oid AS asked, NULL::oid AS view, relation.oid AS relation, 0::smallint AS attnum, role.oid AS reader
    FROM relation, role WHERE modelled AND usage AND reads AND relrowsecurity
    UNION
    SELECT asked, view, named.relation, named.attnum, CASE WHEN EXISTS (
        SELECT FROM pg_options_to_table(c.reloptions)
        WHERE option_name = 'security_invoker' AND option_value::boolean) THEN role.oid ELSE relowner END
    FROM role, opened JOIN named USING (view) JOIN pg_class AS c ON c.oid = view),
judged AS (
    SELECT asked, view, relation, reader,
           view IS NULL OR has_table_privilege(reader, relation, 'SELECT') OR CASE attnum
               WHEN 0 THEN has_any_column_privilege(reader, relation, 'SELECT')
               ELSE has_column_privilege(reader, relation, attnum, 'SELECT') END AS allowed,
           relrowsecurity AND NOT (rolsuper OR rolbypassrls)
               AND (relforcerowsecurity OR NOT pg_has_role(reader, relowner, 'USAGE')) AS filtered,
           EXISTS (SELECT FROM pg_policy WHERE polrelid = relation AND polpermissive AND polcmd IN ('*', 'r')
                   AND EXISTS (SELECT FROM unnest(polroles) AS target
                               WHERE target = 0 OR pg_has_role(reader, target, 'USAGE'))) AS policy
    FROM part JOIN pg_class AS c ON c.oid = relation JOIN pg_roles AS r ON r.oid = reader
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f')),
broken AS (
    SELECT DISTINCT ON (asked) asked, view, relation, reader, allowed
    FROM judged WHERE NOT allowed OR filtered AND NOT policy ORDER BY asked, allowed, relation),
unreadable AS (
    SELECT relation.nspname AS schema, relation.relname AS name, usage, reads,
           relkind = 'm' AND NOT relispopulated AS empty,
           CASE WHEN relispartition AND NOT (usage AND reads) THEN (
               SELECT parent.nspname || '.' || parent.relname
               FROM pg_partition_ancestors(relation.oid) AS ancestor
               JOIN relation AS parent ON parent.oid = ancestor.relid
               WHERE parent.oid <> relation.oid AND parent.modelled AND parent.usage AND parent.reads LIMIT 1
           ) END AS parent,
           CASE WHEN broken.asked IS NOT NULL THEN json_build_object(
               'relation', (SELECT n.nspname || '.' || c.relname FROM pg_class AS c
                            JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = broken.relation),
               'view', (SELECT n.nspname || '.' || c.relname FROM pg_class AS c
                        JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = broken.view),
               'reader', pg_get_userbyid(reader), 'allowed', allowed) END AS broken
    FROM role, relation LEFT JOIN broken ON asked = relation.oid
    WHERE modelled AND (NOT (usage AND reads) OR broken.asked IS NOT NULL
                        OR relkind = 'm' AND NOT relispopulated)),
-- Who makes tables: the owners of those that are there, and the schema's. Where nobody chose an owner for
-- public, that is the database's owner.
creator AS (
    SELECT relnamespace AS schema, relowner AS owner FROM relation WHERE modelled
    UNION
    SELECT space.oid, CASE WHEN nspname = 'public' AND (
        nspowner = 10 OR pg_get_userbyid(nspowner) = 'pg_database_owner') THEN datdba ELSE nspowner END
    FROM space, database WHERE modelled),
later AS (
    SELECT nspname, rolname, coalesce(
        pg_has_role(role.oid, owner, 'USAGE')
        OR EXISTS (SELECT FROM pg_roles AS everything WHERE everything.rolname = 'pg_read_all_data'
                     AND pg_has_role(role.oid, everything.oid, 'USAGE'))
        OR EXISTS (SELECT FROM pg_default_acl, aclexplode(defaclacl)
                   WHERE defaclrole = owner AND defaclnamespace IN (0, creator.schema) AND defaclobjtype = 'r'
                     AND privilege_type = 'SELECT'
                     AND (grantee = 0 OR pg_has_role(role.oid, grantee, 'USAGE'))), false) AS covered
    FROM role, creator JOIN space ON space.oid = schema JOIN pg_roles AS r ON r.oid = owner
    WHERE rolname !~ '^pg_' AND owner IS DISTINCT FROM role.oid),
-- What holds for the role's logins: a setting of the role, else of the database, else of the server. NULL
-- where the login that asks has one of its own, which hides the server's.
setting AS (
    SELECT s.name, coalesce((
        SELECT substr(config, strpos(config, '=') + 1)
        FROM pg_db_role_setting, unnest(setconfig) AS config
        WHERE setrole IN (0, role.oid) AND setdatabase IN (0, database.oid)
          AND lower(split_part(config, '=', 1)) = lower(s.name)
        ORDER BY setrole <> 0 DESC, setdatabase <> 0 DESC LIMIT 1),
        CASE WHEN source NOT IN ('user', 'database user', 'client') THEN s.setting END) AS value
    FROM role, database, pg_settings AS s WHERE s.name IN ('TimeZone', 'default_transaction_read_only')),
zone AS (SELECT value AS name FROM setting WHERE name = 'TimeZone')
SELECT role.oid IS NOT NULL AS role_exists, coalesce(rolcanlogin, false) AS can_login,
       coalesce(expired, false) AS expired,
       coalesce(has_database_privilege(role.oid, database.oid, 'CONNECT'), false) AS connects,
       (SELECT coalesce(json_agg(json_build_array(nspname, relations) ORDER BY nspname COLLATE "C"), '[]')
        FROM (SELECT space.nspname, count(relation.oid) AS relations
              FROM space LEFT JOIN relation ON relnamespace = space.oid AND relation.modelled
              WHERE space.modelled GROUP BY space.nspname) AS counted) AS schemas,
       (SELECT coalesce(json_agg(unreadable ORDER BY schema COLLATE "C", name COLLATE "C"), '[]')
        FROM unreadable) AS unreadable,
       (SELECT coalesce(json_agg(name ORDER BY name COLLATE "C"), '[]')
        FROM (SELECT DISTINCT nspname || '.' || relname AS name FROM judged
              JOIN relation ON relation.oid = asked WHERE filtered AND policy) AS found) AS filtered,
       (SELECT usage AND creates FROM space WHERE for_uploads) AS uploads,
       (SELECT value = 'on' FROM setting WHERE name = 'default_transaction_read_only') AS read_only,
       (SELECT coalesce(json_agg(json_build_array(what, privileges) ORDER BY rank, what COLLATE "C"), '[]')
        FROM (SELECT 0 AS rank, 'database ' || datname AS what, ARRAY['CREATE'] AS privileges
              WHERE has_database_privilege(role.oid, database.oid, 'CREATE')
              UNION ALL
              SELECT 1, 'schema ' || nspname, ARRAY['CREATE'] FROM space WHERE creates AND NOT for_uploads
              UNION ALL
              SELECT 2, nspname || '.' || relname, CASE relkind
                  WHEN 'S' THEN ARRAY(SELECT p FROM unnest(ARRAY['USAGE', 'UPDATE']) AS p
                                      WHERE has_sequence_privilege(role.oid, relation.oid, p))
                  ELSE ARRAY(SELECT p FROM unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS p
                             WHERE has_table_privilege(role.oid, relation.oid, p)) END
              FROM relation WHERE writes) AS found) AS writes,
       (SELECT coalesce(json_agg(json_build_array(rolname, array_remove(ARRAY[
            CASE WHEN r.rolsuper THEN 'SUPERUSER' END, CASE WHEN rolcreaterole THEN 'CREATEROLE' END,
            CASE WHEN rolcreatedb THEN 'CREATEDB' END, CASE WHEN rolreplication THEN 'REPLICATION' END,
            CASE WHEN rolbypassrls THEN 'BYPASSRLS' END], NULL)) ORDER BY rolname COLLATE "C"), '[]')
        FROM pg_roles AS r
        WHERE (r.oid = role.oid OR NOT role.rolsuper AND pg_has_role(role.oid, r.oid, 'MEMBER'))
          AND (r.rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls
               OR rolname ~ '^pg_' AND NOT rolname = ANY (%(harmless)s))) AS privileged,
       (SELECT coalesce(json_agg(json_build_array(nspname, rolname, covered)
            ORDER BY covered, nspname COLLATE "C", rolname COLLATE "C"), '[]') FROM later) AS later,
       zone.name AS timezone,
       (SELECT bool_or(moment AT TIME ZONE zone.name <> moment AT TIME ZONE %(system_timezone)s::text)
        FROM generate_series(now(), now() + interval '1 year', interval '1 month') AS moment
       ) AS timezone_differs
FROM role, database, zone
"""

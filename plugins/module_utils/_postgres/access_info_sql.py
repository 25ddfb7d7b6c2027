# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two queries of omni_pg_access_info. They read catalogs alone, and every login may run them."""

from __future__ import annotations

from .catalog_sql import CREATORS, OF_USERS
from .readable_relations_sql import FACTS, HINDRANCES, KIND, NO_FACTS, NO_HINDRANCES

#: The schemas of the database's users, those of extensions left out, and whether something may keep a role from a
#: relation in them although it holds SELECT on it.
SCHEMAS = f"""
SELECT nspname AS name, oid IN (SELECT relnamespace FROM pg_class WHERE {KIND}) AS hindering
FROM pg_namespace AS n WHERE {OF_USERS} ORDER BY nspname COLLATE "C"
"""

#: The roles of Postgres that give nothing but sight.
HARMLESS = [
    "pg_monitor",
    "pg_read_all_data",
    "pg_read_all_settings",
    "pg_read_all_stats",
    "pg_stat_scan_tables",
]


def access_query(hindering: bool) -> str:
    """All the rest, as one row. A role that does not exist has a NULL oid, and holds nothing.

    :param hindering: what SCHEMAS tells of the modelled schemas.
    """
    return f"""
WITH RECURSIVE login AS (
    SELECT r.oid, rolsuper, rolcanlogin, rolconnlimit, rolvaliduntil <= now() AS expired
    FROM (VALUES (0)) AS one LEFT JOIN pg_roles AS r ON rolname = %(role)s),
database AS (SELECT oid, datname, datdba, datconnlimit FROM pg_database WHERE datname = current_database()),
-- What holds for the role's logins: a setting of the role, else of the database, else of the server. NULL
-- where the login that asks has one of its own, which hides the server's.
setting AS MATERIALIZED (
    SELECT name, coalesce((
        SELECT substr(config, strpos(config, '=') + 1)
        FROM pg_db_role_setting, unnest(setconfig) AS config
        WHERE setrole IN (0, login.oid) AND setdatabase IN (0, database.oid)
          AND lower(split_part(config, '=', 1)) = lower(name)
        ORDER BY setrole <> 0 DESC, setdatabase <> 0 DESC LIMIT 1),
        CASE WHEN source NOT IN ('user', 'database user', 'client') THEN s.setting END) AS value
    FROM login, database,
         unnest(ARRAY['TimeZone', 'default_transaction_read_only', 'row_security', 'role']) AS name
    LEFT JOIN pg_settings AS s USING (name)),
-- Whose rights the logins have: the role's, or those of another one that a setting makes them.
role AS MATERIALIZED (
    SELECT coalesce(other.oid, login.oid) AS oid FROM login LEFT JOIN pg_roles AS other
    ON rolname = (SELECT value FROM setting WHERE name = 'role') AND (login.rolsuper OR pg_has_role(
        login.oid, other.oid, CASE WHEN current_setting('server_version_num')::int >= 160000
                                   THEN 'SET' ELSE 'MEMBER' END))),
space AS MATERIALIZED (
    SELECT n.oid, nspname, nspowner, nspname = ANY (%(schemas)s::text[]) AS modelled,
           nspname = %(upload_schema)s AS for_uploads,
           coalesce(has_schema_privilege(role.oid, n.oid, 'USAGE'), false) AS usage,
           coalesce(has_schema_privilege(role.oid, n.oid, 'CREATE'), false) AS creates
    FROM role, pg_namespace AS n WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
relation AS MATERIALIZED (
    SELECT c.oid, nspname, relname, relkind, relowner, relnamespace, relispartition, relispopulated,
           relrowsecurity, usage, chosen.modelled, whole, open_columns, column_count,
           whole OR open_columns = column_count AND column_count > 0 AS reads,
           usage AND NOT for_uploads AND CASE relkind
               WHEN 'S' THEN has_sequence_privilege(role.oid, c.oid, 'USAGE, UPDATE')
               ELSE has_table_privilege(role.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') END AS writes
    FROM role CROSS JOIN space JOIN pg_class AS c ON relnamespace = space.oid
    LEFT JOIN pg_depend AS extension
        ON classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e'
           AND refclassid = 'pg_extension'::regclass
    CROSS JOIN LATERAL (
        SELECT space.modelled AND relkind <> 'S' AND extension.objid IS NULL AS modelled,
               coalesce(has_table_privilege(role.oid, c.oid, 'SELECT'), false) AS whole) AS chosen
    CROSS JOIN LATERAL (
        SELECT count(*) AS column_count,
               count(*) FILTER (WHERE has_column_privilege(role.oid, c.oid, attnum, 'SELECT')) AS open_columns
        FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND chosen.modelled
          AND NOT whole AND has_any_column_privilege(role.oid, c.oid, 'SELECT')) AS columns
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')),{HINDRANCES if hindering else NO_HINDRANCES},
suspect AS (
    SELECT oid::bigint, nspname AS schema, relname AS name, usage, reads, column_count AS columns, open_columns,
           CASE WHEN relispartition AND NOT (usage AND reads) THEN (
               SELECT json_agg(json_build_object(
                   'oid', parent.oid::bigint, 'name', parent.nspname || '.' || parent.relname))
               FROM pg_partition_ancestors(relation.oid) AS ancestor JOIN relation AS parent ON parent.oid = relid
               WHERE parent.oid <> relation.oid AND parent.modelled) END AS parents
    FROM relation
    WHERE modelled AND (NOT (usage AND reads) OR oid IN (SELECT relation FROM hindrance WHERE view IS NULL)
                        OR oid IN (SELECT view FROM hindered))),
creator AS ({CREATORS}),
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
zone AS (SELECT value AS name FROM setting WHERE name = 'TimeZone')
SELECT login.oid IS NOT NULL AS role_exists, coalesce(rolcanlogin, false) AS can_login,
       coalesce(expired, false) AS expired,
       coalesce(has_database_privilege(login.oid, database.oid, 'CONNECT'), false) AS connects,
       CASE WHEN login.rolsuper THEN NULL WHEN rolconnlimit = 0 THEN 'role' WHEN datconnlimit = 0 THEN 'database'
           END AS no_connection,
       (SELECT coalesce(json_agg(json_build_array(nspname, relations) ORDER BY nspname COLLATE "C"), '[]')
        FROM (SELECT space.nspname, count(relation.oid) AS relations
              FROM space LEFT JOIN relation ON relnamespace = space.oid AND relation.modelled
              WHERE space.modelled GROUP BY space.nspname) AS counted) AS schemas,
       (SELECT coalesce(json_agg(suspect ORDER BY schema COLLATE "C", name COLLATE "C"), '[]')
        FROM suspect) AS suspects,
       {FACTS if hindering else NO_FACTS},
       (SELECT coalesce(json_agg(nspname || '.' || relname ORDER BY nspname COLLATE "C", relname COLLATE "C"), '[]')
        FROM relation WHERE modelled AND usage AND reads AND NOT whole) AS by_columns,
       (SELECT coalesce(json_agg(json_build_array(nspname, relname)), '[]')
        FROM (SELECT nspname, relname FROM relation WHERE modelled AND oid NOT IN (SELECT oid FROM suspect)
              ORDER BY relkind = 'v' DESC, nspname COLLATE "C", relname COLLATE "C" LIMIT %(others)s) AS unsuspected
       ) AS others,
       (SELECT usage AND creates FROM space WHERE for_uploads) AS uploads,
       (SELECT json_object_agg(name, value) FROM setting) AS settings,
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
        WHERE (r.oid = login.oid OR NOT login.rolsuper AND pg_has_role(login.oid, r.oid, 'MEMBER'))
          AND (r.rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls
               OR rolname ~ '^pg_' AND NOT rolname = ANY (%(harmless)s))) AS privileged,
       (SELECT coalesce(json_agg(json_build_array(nspname, rolname, covered)
            ORDER BY covered, nspname COLLATE "C", rolname COLLATE "C"), '[]') FROM later) AS later,
       zone.name AS timezone,
       (SELECT bool_or(moment AT TIME ZONE zone.name <> moment AT TIME ZONE %(system_timezone)s::text)
        FROM generate_series(now(), now() + interval '1 year', interval '1 month') AS moment
       ) AS timezone_differs
FROM login, role, database, zone
"""

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The part of omni_pg_access_info's query that finds what may keep a role from a relation's rows, although it
holds SELECT on it: CTEs that build on ``role`` and ``relation``, and columns that readable_relations.py reads."""

from __future__ import annotations

from .row_level_security import POLICIES

#: A relation's or a function's name, as people are told.
NAME = "(SELECT nspname FROM pg_namespace WHERE oid = {0}.relnamespace) || '.' || {0}.relname"

#: Whether a relation is of a kind that something may keep a role from. A foreign table may be a child.
KIND = "relkind IN ('v', 'm', 'f') OR relrowsecurity OR relhassubclass"

THEIR_POLICIES = POLICIES.format(reader="judged.reader", relation="relation", caller="role.oid")

HINDRANCES = f"""
-- The relations that a view's query names, and their columns (0: of the relation as such).
named AS MATERIALIZED (
    SELECT ev_class AS view, rule.oid AS rule, refobjid AS relation, c.relkind,
           array_agg(refobjsubid::smallint) AS columns
    FROM pg_rewrite AS rule JOIN pg_depend ON classid = 'pg_rewrite'::regclass AND objid = rule.oid
    JOIN pg_class AS c ON c.oid = refobjid JOIN pg_class AS v ON v.oid = ev_class
    WHERE ev_type = '1' AND v.relkind = 'v' AND refclassid = 'pg_class'::regclass AND refobjid <> ev_class
      AND deptype = 'n'
    GROUP BY 1, 2, 3, 4),
opened (view) AS (
    SELECT oid FROM relation WHERE modelled AND usage AND reads AND relkind = 'v'
    UNION
    SELECT named.relation FROM opened JOIN named USING (view) WHERE relkind = 'v'),
-- The views that Postgres opens to answer for the modelled ones, and whose rights count for what they name:
-- those of the view's owner, or of the role for security_invoker. Functions are called with the role's.
view AS MATERIALIZED (
    SELECT c.oid, rule.oid AS rule, {NAME.format("c")} AS name, CASE WHEN EXISTS (
        SELECT FROM pg_options_to_table(c.reloptions)
        WHERE option_name = 'security_invoker' AND option_value::boolean) THEN role.oid ELSE relowner END AS reader
    FROM role, opened JOIN pg_class AS c ON c.oid = view
    JOIN pg_rewrite AS rule ON ev_class = c.oid AND ev_type = '1'),
-- Postgres' own catalogs and functions that are closed to most, as the pattern that finds them in a view's query:
-- nothing is noted in pg_depend of them.
closed (pattern) AS (
    SELECT format(':relid (?:%%s) |:funcid (?:%%s) ', coalesce((
        SELECT string_agg(c.oid::text, '|') FROM pg_class AS c
        WHERE c.oid < 16384 AND relkind IN ('r', 'v') AND NOT has_table_privilege('public', c.oid, 'SELECT')), '0'),
        coalesce((
        SELECT string_agg(p.oid::text, '|') FROM pg_proc AS p, role
        WHERE p.oid < 16384 AND proacl IS NOT NULL AND NOT has_function_privilege(role.oid, p.oid, 'EXECUTE')), '0'))),
-- OFFSET 0 has the queries of ``view`` alone searched, and not those of the hundred views of Postgres first.
of_postgres AS MATERIALIZED (
    SELECT DISTINCT view, found[1]::oid AS relation, found[2]::oid AS function
    FROM (SELECT view.oid AS view, ev_action::text AS tree
          FROM view JOIN pg_rewrite AS r ON r.oid = rule OFFSET 0) AS stored,
         regexp_matches(tree, replace((SELECT pattern FROM closed), '?:', ''), 'g') AS found
    WHERE tree ~ (SELECT pattern FROM closed)),
-- Foreign tables, and the tables that they are partitions or children of.
far (relation, table_oid) AS (
    SELECT ftrelid, ftrelid FROM pg_foreign_table
    UNION
    SELECT inhparent, table_oid FROM far JOIN pg_inherits ON inhrelid = relation),
-- What is read for each view, and each relation by itself (without a view), with whose rights.
part AS (
    SELECT NULL::oid AS view, relation.oid AS relation, '{{}}'::smallint[] AS columns, role.oid AS reader
    FROM relation, role
    WHERE modelled AND usage AND reads AND relkind <> 'v' AND (
        relrowsecurity OR relkind = 'm' AND NOT relispopulated
        OR relation.oid IN (SELECT far.relation FROM far))
    UNION ALL
    SELECT view.oid, relation, columns, reader FROM view JOIN named ON named.view = view.oid
    UNION ALL
    SELECT view.oid, relation, '{{0}}', reader FROM view JOIN of_postgres ON of_postgres.view = view.oid
    WHERE relation IS NOT NULL),
judged AS MATERIALIZED (
    SELECT part.view, relation, reader, {NAME.format("c")} AS name, relkind,
           NOT has_table_privilege(reader, relation, 'SELECT') AND EXISTS (
               SELECT FROM unnest(columns) AS attnum WHERE NOT CASE attnum
                   WHEN 0 THEN has_any_column_privilege(reader, relation, 'SELECT')
                   ELSE has_column_privilege(reader, relation, attnum, 'SELECT') END) AS lacking,
           relkind = 'm' AND NOT relispopulated AS unpopulated,
           relrowsecurity AND NOT (rolsuper OR rolbypassrls)
               AND (relforcerowsecurity OR NOT pg_has_role(reader, relowner, 'USAGE')) AS policed,
           (SELECT json_agg(json_build_object('table', {NAME.format("t")}, 'itself', t.oid = relation,
                'mapped', fdw.handler <> 'postgres_fdw_handler' OR EXISTS (
                    SELECT FROM pg_user_mappings WHERE srvid = ftserver AND umuser IN (0, reader))))
            FROM far JOIN pg_foreign_table ON ftrelid = table_oid JOIN pg_class AS t ON t.oid = ftrelid
            JOIN pg_foreign_server AS s ON s.oid = ftserver JOIN (
                SELECT w.oid, coalesce(proname, '') AS handler
                FROM pg_foreign_data_wrapper AS w LEFT JOIN pg_proc AS p ON p.oid = fdwhandler
                ) AS fdw ON fdw.oid = srvfdw
            WHERE far.relation = part.relation) AS far
    FROM part JOIN pg_class AS c ON c.oid = relation JOIN pg_roles AS r ON r.oid = reader),
-- Where a view only mentions a relation ('t'::regclass), it needs no right on it, except to count a sequence on.
hindrance AS MATERIALIZED (
    SELECT judged.view::bigint, relation::bigint, pg_get_userbyid(judged.reader) AS reader, judged.name,
           judged.reader = role.oid AS own, lacking AND mentioned AS lacking, NOT mentioned AS counting,
           unpopulated, far,
           CASE WHEN policed THEN {THEIR_POLICIES} END AS policies
    FROM role, judged LEFT JOIN view ON view.oid = judged.view LEFT JOIN pg_rewrite AS r ON r.oid = rule,
         LATERAL (
             SELECT judged.view IS NULL OR strpos(ev_action::text, ':relid ' || relation || ' ') > 0
         ) AS m (mentioned)
    WHERE CASE WHEN mentioned THEN lacking OR unpopulated OR policed OR far IS NOT NULL
               ELSE relkind = 'S' AND NOT has_sequence_privilege(role.oid, relation, 'USAGE') END),
-- The functions of people and extensions that a view calls. In C and IMMUTABLE, it reads no table.
called AS (
    SELECT DISTINCT view.oid AS view, coalesce(oprcode::oid, refobjid) AS function
    FROM view JOIN pg_depend ON classid = 'pg_rewrite'::regclass AND objid = rule
    LEFT JOIN pg_operator AS o ON refclassid = 'pg_operator'::regclass AND o.oid = refobjid
    WHERE refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)
    UNION
    SELECT view, function FROM of_postgres WHERE function IS NOT NULL),
calling AS MATERIALIZED (
    SELECT view::bigint, function::bigint, n.nspname || '.' || proname AS name, callable
    FROM (SELECT view, function, has_function_privilege(role.oid, function, 'EXECUTE') AS callable
          FROM role, called) AS c
    JOIN pg_proc AS p ON p.oid = function JOIN pg_namespace AS n ON n.oid = pronamespace
    WHERE NOT callable OR function >= 16384 AND EXISTS (
        SELECT FROM pg_proc AS body JOIN pg_language AS l ON l.oid = body.prolang
        LEFT JOIN pg_aggregate AS a ON a.aggfnoid = p.oid
        WHERE body.oid IN (coalesce(a.aggtransfn::oid, p.oid), a.aggfinalfn)
          AND NOT (lanname IN ('internal', 'c') AND body.provolatile = 'i'))),
-- The views with a hindrance in them, however deep.
hindered (view) AS (
    SELECT view::oid FROM hindrance WHERE view IS NOT NULL
    UNION
    SELECT view::oid FROM calling
    UNION
    SELECT named.view FROM hindered JOIN named ON named.relation = hindered.view JOIN view ON view.oid = named.view)"""

#: The columns of the answer. ``plain``: the view shows no row where the one relation that it names has none.
FACTS = """
(SELECT coalesce(json_agg(hindrance ORDER BY name COLLATE "C"), '[]') FROM hindrance) AS hindrances,
(SELECT coalesce(json_agg(calling ORDER BY name COLLATE "C"), '[]') FROM calling) AS functions,
(SELECT coalesce(json_agg(json_build_object(
    'oid', view.oid::bigint, 'name', view.name,
    'reads', reads,
    'plain', names = 1 AND ev_action::text !~ ':havingQual \\{|:groupingSets \\(|:rtekind [13-8] |\\{QUERY.*\\{QUERY'
        AND NOT (ev_action::text ~ ':hasAggs true' AND ev_action::text ~ ':groupClause <>'),
    'tree', CASE WHEN strpos(ev_action::text, '{SUBLINK') > 0 OR strpos(ev_action::text, ':cterefcount 0 ') > 0
                   OR EXISTS (SELECT FROM calling WHERE calling.view = view.oid AND NOT callable)
            THEN ev_action::text END)), '[]')
 FROM hindered JOIN view ON view.oid = hindered.view JOIN pg_rewrite AS r ON r.oid = rule
 LEFT JOIN (
    SELECT named.view, count(*) AS names, json_agg(named.relation::bigint) FILTER (
        WHERE inner_one.view IS NOT NULL AND strpos(ev_action::text, ':relid ' || named.relation || ' ') > 0) AS reads
    FROM named JOIN hindered ON hindered.view = named.view LEFT JOIN hindered AS inner_one ON inner_one.view = relation
    JOIN pg_rewrite AS r ON r.oid = rule GROUP BY 1
 ) AS contents ON contents.view = view.oid) AS hindered_views"""

#: Both where no relation is of such a kind. The server would plan the rest for longer than all else takes.
NO_HINDRANCES = """
hindrance (view, relation) AS (SELECT NULL::bigint, NULL::bigint WHERE false),
hindered (view) AS (SELECT NULL::oid WHERE false)"""
NO_FACTS = "'[]'::json AS hindrances, '[]'::json AS functions, '[]'::json AS hindered_views"

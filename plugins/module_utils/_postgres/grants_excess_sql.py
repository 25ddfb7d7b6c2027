# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of omni_pg_grants' queries that find what a role was granted and is to lose. They are left out where
nothing is revoked: they take the server longer to plan than the rest to answer."""

from __future__ import annotations

from .grantor_sql import grantor, left_to, passed_on, revoked_as

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

#: What the role was granted there. Goes on after ``place``.
GRANTED = f""",
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
    WHERE grantee = role.oid AND owner <> role.oid),
listed AS (
    SELECT kind, oid, json_agg(json_build_array(
        privilege_type, is_grantable, pg_get_userbyid(grantor),
        CASE WHEN revoked_as IS NULL OR %(absent)s AND ours <> grantor THEN 'grantor' ELSE '' END,
        CASE WHEN revoked_as <> 0 THEN pg_get_userbyid(revoked_as) END, passed_on, grantor = owner,
        left_to
    ) ORDER BY privilege_type, grantor) AS grants
    FROM granted GROUP BY kind, oid)"""

#: What is too much: what the role holds of each relation and of later ones, but for what it is to hold. Goes on after
#: ``later``.
EXCESS = f""",
-- The ACL of each relation (attname is NULL) and of its columns, where something is to be revoked.
list AS MATERIALIZED (
    SELECT oid, relacl AS acl, NULL::name AS attname FROM relation
    UNION ALL
    SELECT attrelid, attacl, attname FROM pg_attribute JOIN relation ON relation.oid = attrelid
    WHERE attacl IS NOT NULL AND NOT attisdropped),
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
    WHERE grantee = role.oid AND defaclrole <> role.oid
      AND defaclobjtype IN ('r', 'S', 'n') AND (defaclnamespace = 0 OR space.oid IS NOT NULL))"""
EXCESS_COLUMNS = """(SELECT coalesce(json_agg(json_build_array(
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
        WHERE CASE WHEN %(absent)s THEN given ELSE NOT given OR is_grantable END) AS excess_later"""

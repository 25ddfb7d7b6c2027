# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps a role from being dropped: what it owns, what it holds, and what it passed on."""

from __future__ import annotations

#: Which databases hold something of the role. What is of no database (a tablespace, a parameter) counts as
#: the login's: DROP OWNED goes through it in any database. A right on a database is a trace in that one.
#: The last column has what the role owns of the things that every database shares.
TRACES = """
WITH role AS (SELECT (SELECT oid FROM pg_roles WHERE rolname = %(name)s) AS oid),
trace AS (
    SELECT *, coalesce((SELECT datname FROM pg_database
                        WHERE pg_database.oid = CASE WHEN classid = 'pg_database'::regclass THEN objid ELSE dbid END),
                       current_database())::text AS database
    FROM pg_shdepend, role WHERE refclassid = 'pg_authid'::regclass AND refobjid = role.oid)
SELECT role.oid IS NOT NULL AS exists, current_database() AS here,
       EXISTS (SELECT FROM pg_roles WHERE rolname = %(reassign_to)s) AS heir_exists,
       (SELECT coalesce(json_agg(json_build_array(database, owned, others, shared)
            ORDER BY database = current_database(), database COLLATE "C"), '[]')
        FROM (SELECT database, count(*) FILTER (WHERE deptype = 'o') AS owned,
                     count(*) FILTER (WHERE deptype <> 'o') AS others,
                     coalesce(json_agg(coalesce(pg_describe_object(classid, objid, objsubid), 'what just went'))
                         FILTER (WHERE deptype = 'o' AND dbid = 0), '[]') AS shared
              FROM trace GROUP BY database) AS found) AS found
FROM role
"""

#: Where Postgres keeps privileges: the catalog, its columns with the owner and with the list, and what a
#: dependency calls the kind of object, where that is not the catalog.
ACLS = (
    ("pg_class", "relowner", "relacl"),
    ("pg_namespace", "nspowner", "nspacl"),
    ("pg_proc", "proowner", "proacl"),
    ("pg_type", "typowner", "typacl"),
    ("pg_language", "lanowner", "lanacl"),
    ("pg_foreign_data_wrapper", "fdwowner", "fdwacl"),
    ("pg_foreign_server", "srvowner", "srvacl"),
    ("pg_largeobject_metadata", "lomowner", "lomacl", "pg_largeobject"),
    ("pg_database", "datdba", "datacl"),
    ("pg_tablespace", "spcowner", "spcacl"),
)
#: From 15 on. They belong to the first superuser.
PARAMETERS = ("pg_parameter_acl", "10", "paracl")


def holds(version: int) -> str:
    """A query of one row: what the role ``owns`` in this database, and what it ``passed_on`` here.

    Its default privileges and user mappings count as neither: they go by themselves. What it was granted with
    the grant option and gave to others, DROP OWNED takes from them too; from 16 on memberships as well. What it
    gave of its own goes over to the new owner with the object. What is of no database (a tablespace, a parameter, a
    membership) counts where it is asked for (``shared``).
    """
    # MATERIALIZED: up to 13 it is an error to describe what another database has, and the planner moves conditions.
    acls = [*ACLS, *([PARAMETERS] if version >= 150000 else [])]
    lists = [
        f"SELECT '{(*kind, catalog)[0]}'::regclass AS classid, oid AS objid, 0 AS objsubid, {owner}::oid AS owner,"
        f" {acl} AS acl FROM {catalog}"
        for catalog, owner, acl, *kind in acls
    ]
    members = """
        UNION ALL SELECT 'membership in role ' || pg_get_userbyid(roleid) || ' to ' || pg_get_userbyid(member)
        FROM pg_auth_members, me WHERE %(shared)s AND grantor = me.oid AND me.oid NOT IN (member, roleid)"""
    return f"""
WITH me AS (SELECT oid FROM pg_roles WHERE rolname = %(name)s),
here AS (SELECT oid FROM pg_database WHERE datname = current_database()),
dependency AS (
    SELECT classid, objid, objsubid, dbid, deptype FROM pg_shdepend, me
    WHERE refclassid = 'pg_authid'::regclass AND refobjid = me.oid),
acl AS (
    {" UNION ALL ".join(lists)}
    UNION ALL SELECT 'pg_class'::regclass, attrelid, attnum, relowner, attacl
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid),
passed_on AS MATERIALIZED (
    SELECT privilege_type || ' on ' || pg_describe_object(classid, objid, objsubid) || ' to '
           || CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee) END AS what
    FROM dependency JOIN acl USING (classid, objid, objsubid), me, here, aclexplode(acl)
    WHERE deptype = 'a' AND grantor = me.oid AND grantee <> me.oid AND owner <> me.oid
      AND (dbid = here.oid OR %(shared)s AND dbid = 0 AND classid <> 'pg_database'::regclass OR objid = here.oid)
    {members if version >= 160000 else ""}),
owned AS MATERIALIZED (
    SELECT pg_describe_object(classid, objid, objsubid) COLLATE "C" AS what FROM dependency, here
    WHERE deptype = 'o' AND dbid = here.oid
      AND classid NOT IN ('pg_default_acl'::regclass, 'pg_user_mapping'::regclass))
SELECT ARRAY(SELECT what FROM owned WHERE what IS NOT NULL ORDER BY what) AS owns,
       ARRAY(SELECT DISTINCT what COLLATE "C" FROM passed_on WHERE what IS NOT NULL ORDER BY 1) AS passed_on
"""

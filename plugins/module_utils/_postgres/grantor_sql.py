# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who a GRANT or REVOKE comes from, as parts of queries.

Postgres decides that by itself: the object's owner where the login is the owner or a superuser; else the login,
where it holds the grant option; else one of the roles whose rights it has and which could grant. Which of several,
is not said, so then the statement is run as one that is chosen here.
https://www.postgresql.org/docs/current/sql-grant.html has it in its notes.

Each part is about a row of ``role`` (the role that the task is about) and one of ``me`` (the login).
"""

from __future__ import annotations


def can_act(who: str, owner: str, schema: str = "") -> str:
    """Whether the login can run a statement as ``who``, and it comes from ``who`` then: a superuser would grant as
    the owner, and whoever names a relation needs USAGE on its ``schema``."""
    usage = f" AND has_schema_privilege({who}, {schema}, 'USAGE')" if schema else ""
    return (
        f"pg_has_role({who}, 'USAGE') AND pg_has_role(session_user, {who}, %(set)s){usage}"
        f" AND ({who} = {owner} OR NOT (SELECT rolsuper FROM pg_roles WHERE oid = {who}))"
    )


def grantor(acl: str, owner: str, privilege: str, schema: str = "") -> str:
    """Who a grant of the login's comes from (0: not known), and the role that it is run as for that (0: none)."""
    return f"""
    CASE WHEN me.rolsuper OR {owner} = me.oid OR NOT EXISTS (
             SELECT FROM aclexplode({acl})
             WHERE is_grantable AND privilege_type = {privilege} AND grantee <> {owner})
         THEN ARRAY[{owner}, 0::oid]
         ELSE (SELECT CASE WHEN bool_or(holder = me.oid) THEN ARRAY[me.oid, 0::oid]
                           WHEN count(*) = 1 THEN ARRAY[min(holder), 0::oid]
                           ELSE array_fill(coalesce(
                               (array_agg(holder ORDER BY holder <> {owner}, holder)
                                FILTER (WHERE {can_act("holder", owner, schema)}))[1], 0::oid), ARRAY[2]) END
               FROM (SELECT {owner} AS holder UNION
                     SELECT grantee FROM aclexplode({acl}) WHERE is_grantable AND privilege_type = {privilege}
                     ) AS holders
               WHERE pg_has_role(holder, 'USAGE')) END"""


def revoked_as(grantor: str, owner: str, able: str, alone: str, schema: str = "") -> str:
    """The role that a REVOKE of what ``grantor`` granted is run as: 0 for the login itself, where it is sure to come
    from ``grantor``; NULL where the login cannot revoke it. ``able`` is whether ``grantor`` could still grant it:
    no REVOKE comes from who could not. ``alone`` is whether nobody else whose rights the login has could be taken.
    Nothing is run as the role that the task is about."""
    return f"""CASE WHEN {able} THEN coalesce(
    CASE WHEN me.rolsuper OR {owner} = me.oid THEN CASE WHEN {grantor} = {owner} THEN 0::oid END
         WHEN {grantor} = me.oid OR pg_has_role({grantor}, 'USAGE') AND {alone} THEN 0::oid END,
    CASE WHEN {grantor} <> role.oid AND {can_act(grantor, owner, schema)} THEN {grantor} END) END"""


def left_to(grantor: str, lists: str, owner: str, privilege: str, able: str) -> str:
    """What the owner granted to a ``grantor`` that could not grant it any more, as [column (null: the whole), with
    the grant option]. NULL where it still could. ``lists`` has the ACLs, each with its attname."""
    return f"""CASE WHEN NOT ({able}) THEN (
        SELECT coalesce(json_agg(json_build_array(attname, is_grantable) ORDER BY attname NULLS FIRST), '[]')
        FROM {lists}, aclexplode(acl) AS e
        WHERE e.grantor = {owner} AND e.grantee = {grantor} AND e.privilege_type = {privilege}) END"""


def passed_on(entries: str, owner: str, column: str = "NULL", usable: str = "true") -> str:
    """Who may grant a privilege, and who has it from another than the owner, as [grantor, grantee (null: PUBLIC),
    column (null: the whole), whether the grantor may name the object, whether the grantee could grant it because of
    this]."""
    return f"""(SELECT coalesce(json_agg(json_build_array(
        pg_get_userbyid(e.grantor), CASE WHEN e.grantee <> 0 THEN pg_get_userbyid(e.grantee) END, {column}, {usable},
        e.is_grantable AND e.grantee <> {owner})
        ORDER BY e.grantor, e.grantee), '[]') FROM {entries} AND (e.grantor <> {owner} OR e.is_grantable))"""

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a login would have to be given to manage, or to act for, another role; and who can give it."""

from __future__ import annotations

from .session import Session
from .statement import Statement

#: One row, whether there is such a role or not.
RIGHTS = """
SELECT me.rolname AS login, me.rolsuper OR me.rolcreaterole AS creates, role.rolsuper AS super,
       pg_has_role(role.oid, 'MEMBER WITH ADMIN OPTION') AS administers,
       pg_has_role(role.oid, 'USAGE') AS inherits,
       ARRAY(SELECT pg_get_userbyid(member)::text FROM pg_auth_members
             WHERE roleid = role.oid AND admin_option ORDER BY 1) AS administrators
FROM pg_roles AS me LEFT JOIN pg_roles AS role ON role.rolname = %(role)s
WHERE me.rolname = current_user
"""


def lacking(session: Session, role: str, need: str) -> str:
    """What the session's login lacks to have ``need`` on ``role``: the statement that gives it, and who
    can run that; "" where it lacks nothing.

    :param need: ADMIN (to change, grant or drop the role), or INHERIT (to act with its rights, as DROP OWNED
        and ALTER DEFAULT PRIVILEGES FOR ROLE do).
    """
    separate = session.version >= 160000  # before, CREATEROLE was ADMIN, and a member had all the rest
    (row,) = session.rows(RIGHTS, {"role": role})
    login = row["login"]
    if need == "ADMIN":
        if row["super"]:
            return f"Role {role} is a superuser, which only a superuser may change."
        if not row["creates"]:
            statement = session.text(Statement("ALTER ROLE {} CREATEROLE", ((login,),)))
            return f"{login} may not manage roles. A superuser can run: {statement}"
        held = row["administers"] or not separate
    else:
        held = row["inherits"]
    if held or row["super"] is None:
        return ""
    if need == "INHERIT":
        grant = membership(role, login, session.version)
    else:
        grant = Statement(
            f"GRANT {{}} TO {{}} WITH ADMIN {'TRUE' if separate else 'OPTION'}", ((role,), (login,))
        )
    statement = session.text(grant)
    if row["administers"] or (row["creates"] and not separate):
        return f"{login} lacks {need} on role {role}, and can give it to itself: {statement}"
    who = " or ".join(["a superuser", *row["administrators"]])
    return f"{login} lacks {need} on role {role}. To be run by {who}: {statement}"


def membership(group: str, member: str, version: int) -> Statement:
    """What gives ``member`` the rights of ``group``. From 16 on a membership may be without them, and what
    INHERIT says of the member is for memberships that do not say it themselves."""
    inherit = " WITH INHERIT TRUE" if version >= 160000 else ""
    return Statement(f"GRANT {{}} TO {{}}{inherit}", ((group,), (member,)))

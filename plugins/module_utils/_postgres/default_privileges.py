# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Default privileges: what the role may do with objects that other roles make later.

They belong to the role that makes an object, and are for one kind of object each
(https://www.postgresql.org/docs/current/sql-alterdefaultprivileges.html). Which ones lack is read in grants_sql.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from .statement import Names, Statement

#: The kinds of objects, by their letter in pg_default_acl.
KINDS = {"r": "TABLES", "S": "SEQUENCES", "n": "SCHEMAS"}


def wanted(default_privileges_for: Sequence[str], sequences: bool) -> list[str]:
    """The letters of the kinds that the role shall read, as these options of omni_pg_grants have it."""
    if list(default_privileges_for) == ["none"]:
        return []
    return ["r", "S"] if sequences else ["r"]


def statement(
    verb: str, privilege: str, kind: str, creator: str, schemas: Sequence[str], role: str
) -> Statement:
    """What grants (or revokes) ``role`` a privilege on objects that ``creator`` makes later.

    :param kind: one of the words in KINDS.
    :param schemas: those in which the objects are made; none means any.
    """
    to = "TO" if verb == "GRANT" else "FROM"
    change = f"{verb} {privilege} ON {kind} {to} {{}}"
    if not schemas:
        return Statement(f"ALTER DEFAULT PRIVILEGES FOR ROLE {{}} {change}", ((creator,), (role,)))
    names = Names((name,) for name in schemas)
    text = f"ALTER DEFAULT PRIVILEGES FOR ROLE {{}} IN SCHEMA {{}} {change}"
    return Statement(text, ((creator,), names, (role,)))

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is of a schema for table uploads, as read from the catalog."""

from __future__ import annotations

from typing import NamedTuple

#: What the role needs to upload.
UPLOADS = ("USAGE", "CREATE")


class Reader(NamedTuple):
    """A role that shall read the uploads: whether it may use the schema, will read later ones, and which
    present ones (oid and name) it cannot read."""

    name: str
    exists: bool
    usage: bool
    later: bool
    unreadable: tuple[tuple[int, str], ...]


class State(NamedTuple):
    """The schema as it is, and what will hold in it once its owner is the wanted one.

    :param owner: None where there is no schema.
    :param privileges: what the role holds on it.
    :param others: some relations in it that are not the role's own.
    :param oid: the schema's.
    :param moment: tells this reading from any other, between which something was changed.
    :param makes: whether the login may make the schema, or change its owner.
    :param grants: the privileges on the schema that the login can grant; ``grants_both``, in one statement.
    :param acts: whether the login has the role's rights.
    :param objects: all that is in the schema; ``outside``, what depends on it elsewhere.
    """

    role_exists: bool
    owner: str | None
    privileges: frozenset[str]
    others: tuple[str, ...] = ()
    oid: int | None = None
    moment: int = 0
    owner_exists: bool = True
    login: str = ""
    makes: bool = True
    grants: frozenset[str] = frozenset(UPLOADS)
    grants_both: bool = True
    acts: bool = False
    extension: str | None = None
    objects: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    readers: tuple[Reader, ...] = ()

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What omni_pg_grants finds: the rights that a role lacks, and those that it is to lose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from .default_privileges import KINDS as DEFAULT_PRIVILEGES

#: What keeps a login from granting or revoking. NO_OPTION: it is neither the owner nor holds the grant option.
#: NO_USAGE: it may not use the schema, and so not name the relation. GRANTOR: another role granted it. PASSED_ON:
#: the role has granted it further, and that would go with it. CREATOR: the login lacks the rights of the role that
#: makes the tables.
NO_OPTION, NO_USAGE, GRANTOR, PASSED_ON, CREATOR = "option", "schema", "grantor", "passed_on", "creator"


class PassedOn(NamedTuple):
    """A privilege that somebody granted further, on the whole or on a column. No grantee is PUBLIC. ``usable`` is
    whether the grantor may still name the object, and ``grantable`` whether the grantee could grant it because of
    this."""

    grantor: str
    grantee: str | None
    column: str | None
    usable: bool
    grantable: bool


class Right(NamedTuple):
    """A privilege on one thing, which lacks or is too much. A tuple, since there may be tens of thousands.

    :param kind: DATABASE, SCHEMA, TABLE (which views are too) or SEQUENCE. Or TABLES, SEQUENCES or SCHEMAS: what
        ``owner`` makes later in the schema that is ``name``, () for any.
    :param oid: the object's; of default privileges the schema's, 0 for any.
    :param owner: who can change it: the object's owner, who makes the tables, or who granted it.
    :param hindrance: what keeps this login from it, one of the above; "" where nothing does.
    :param as_role: the role that the login has to act as.
    :param option: whether only the right to grant it further is meant.
    :param whole: whether it is on the table itself, and not on ``columns`` alone.
    :param columns: those on which it goes too; those of them that it may grant further are in ``grantable``.
    :param passed_on: what would go with it.
    :param of_owner: whether the object's owner granted it.
    :param grantor_usable: whether who granted it may still name the object.
    :param left_to_grantor: where who granted it could not do so any more, what that role has of the privilege from
        the object's owner: on which column (None: the whole), and whether it may grant that further. Else None.
    """

    kind: str
    name: tuple[str, ...]
    privilege: str
    oid: int
    owner: str
    hindrance: str = ""
    as_role: str | None = None
    option: bool = False
    whole: bool = True
    columns: tuple[str, ...] = ()
    grantable: tuple[str, ...] = ()
    passed_on: tuple[PassedOn, ...] = ()
    of_owner: bool = False
    grantor_usable: bool = True
    left_to_grantor: tuple[tuple[str | None, bool], ...] | None = None

    @property
    def later(self) -> bool:
        return self.kind in DEFAULT_PRIVILEGES.values()

    @property
    def words(self) -> str:
        """The privilege, as a REVOKE names it."""
        return f"GRANT OPTION FOR {self.privilege}" if self.option else self.privilege

    def __str__(self) -> str:
        if self.later:
            where = f"in schema {self.name[0]}" if self.name else "in any schema"
            return f"{self.words} on later {self.kind.lower()} of {self.owner} {where}"
        return f"{self.words} on {self.kind.lower()} {'.'.join(self.name)}"


class State(NamedTuple):
    """What there is, and how it differs from what is wanted.

    ``wanted`` counts the privileges that are wanted. ``of_public`` holds what every role may do in the
    database and the schemas beyond them.
    """

    role_exists: bool
    database: str
    schemas: tuple[str, ...]
    absent_schemas: tuple[str, ...]
    unmatched: tuple[str, ...]
    unknown_creators: tuple[str, ...]
    relations: int
    wanted: int
    missing: tuple[Right, ...]
    excess: tuple[Right, ...]
    of_public: tuple[str, ...]


def lacking_in_place(place: Mapping[str, Any]) -> Right:
    """What lacks on the database or a schema."""
    hindrance = "" if place["able"] else NO_OPTION
    return Right(
        place["kind"],
        (place["name"],),
        place["privilege"],
        place["oid"],
        place["owner"],
        hindrance,
        place["as_role"],
    )


def too_much_in_place(place: Mapping[str, Any], given: bool, role: str, exclusive: bool) -> list[Right]:
    """What the role was granted on the database or a schema, and is to lose.

    :param given: the task gives its privilege, or with ``state: absent`` takes it.
    """
    found = []
    for privilege, grantable, grantor, hindrance, as_role, passed_on, of_owner, left_to in place["grants"]:
        ours = given and privilege == place["privilege"]
        if not grantable if ours and exclusive else not (ours or exclusive):
            continue
        found.append(
            _unless_passed_on(
                Right(
                    place["kind"],
                    (place["name"],),
                    privilege,
                    place["oid"],
                    grantor,
                    hindrance,
                    as_role,
                    option=ours and exclusive,
                    of_owner=of_owner,
                    left_to_grantor=_left(left_to),
                ),
                role,
                passed_on,
            )
        )
    return found


def lacking_in_relations(row: Mapping[str, Any]) -> list[Right]:
    """Tables before sequences, each by their names."""
    columns = ("kind", "schema", "name", "oid", "owner", "hindrance", "as_role")
    rights = [
        Right(kind, (schema, name), "SELECT", oid, owner, hindrance, as_role)
        for kind, schema, name, oid, owner, hindrance, as_role in zip(
            *(row[f"lacking_{column}"] or () for column in columns)
        )
    ]
    rights.sort(key=attrgetter("name"))
    rights.sort(key=attrgetter("kind"), reverse=True)
    return rights


def too_much_in_relations(rows: Sequence[Sequence[Any]], role: str) -> list[Right]:
    return [
        _unless_passed_on(
            Right(
                kind,
                (schema, name),
                privilege,
                oid,
                grantor,
                hindrance,
                as_role,
                option=option,
                whole=grantable if option else whole,
                columns=tuple(grantable_columns if option else columns),
                grantable=tuple(grantable_columns),
                of_owner=of_owner,
                grantor_usable=grantor_usable,
                left_to_grantor=_left(left_to),
            ),
            role,
            passed_on,
        )
        for (
            kind, oid, schema, name, privilege, grantor, hindrance, as_role, option, whole, grantable, columns,
            grantable_columns, passed_on, of_owner, grantor_usable, left_to,
        ) in rows
    ]  # fmt: skip


def later(rows: Sequence[Sequence[Any]]) -> list[Right]:
    """Default privileges, lacking or too much."""
    return [
        Right(
            DEFAULT_PRIVILEGES.get(kind, kind),
            (schema,) if schema is not None else (),
            privilege,
            oid,
            creator,
            "" if able else CREATOR,
            option=option,
        )
        for kind, oid, schema, privilege, creator, able, option in rows
    ]


def _left(entries: Sequence[tuple[str | None, bool]] | None) -> tuple[tuple[str | None, bool], ...] | None:
    return None if entries is None else tuple((column, grantable) for column, grantable in entries)


def _unless_passed_on(right: Right, role: str, entries: Sequence[Sequence[Any]] | None) -> Right:
    """``right``, hindered where ``role`` has granted it further: without CASCADE a REVOKE is refused then,
    whoever runs it.

    What those have granted further in turn comes first, as it has to be taken back first.
    """
    left = [PassedOn(*entry) for entry in entries or ()]
    chain: list[PassedOn] = []
    reached: set[str | None] = {role}
    while reached:
        found = [entry for entry in left if entry.grantor in reached]
        left = [entry for entry in left if entry.grantor not in reached]
        chain = [*found, *chain]
        # Who may grant it because of somebody else too, keeps what was granted further.
        reached = {entry.grantee for entry in found if entry.grantable}
        reached -= {entry.grantee for entry in left if entry.grantable}
    if not chain:
        return right
    return right._replace(hindrance=PASSED_ON, passed_on=tuple(chain))

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The statements that grant and revoke rights, for the login to send, or for somebody else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from .._converge import Change
from . import default_privileges
from .grants_state import CREATOR, GRANTOR, NO_USAGE, PASSED_ON, Right
from .statement import Names, Statement, chunks


class RightsChange(Change):
    """One GRANT or REVOKE, of rights that differ in nothing but the name."""

    def __init__(self, planner: Planner, verb: str, rights: Sequence[Right]) -> None:
        lines = [line for right in rights for line in planner.lines(verb, right)]
        there, gone = dict.fromkeys(lines, "granted"), dict.fromkeys(lines)
        before, after = (gone, there) if verb == "GRANT" else (there, gone)
        effects = frozenset(
            (verb, planner.role, right.kind, right.oid, right.words, right.owner, right.columns)
            for right in rights
        )
        super().__init__(planner.statement(verb, rights), before, after, effects)
        self.planner = planner
        self.verb = verb
        self.rights = tuple(rights)

    def part(self, rights: Sequence[Right]) -> RightsChange:
        """The same of some of its rights."""
        return RightsChange(self.planner, self.verb, rights)


class Planner(NamedTuple):
    """Writes the statements about ``role``.

    :param absent: what somebody granted on columns is given back.
    :param named: the diff says whom it is for.
    """

    role: str
    absent: bool = False
    named: bool = False

    def changes(self, verb: str, rights: Iterable[Right]) -> Iterator[RightsChange]:
        """What the login can do about ``rights``, in as few statements as may be."""
        for group in together(right for right in rights if not right.hindrance):
            yield RightsChange(self, verb, group)

    def lines(self, verb: str, right: Right) -> list[str]:
        """A right as people see it. With a privilege on a table, a REVOKE takes the same one on its columns."""
        whom = f" for {self.role}" if self.named else ""
        lines = [f"{right}{whom}"] if right.whole else []
        if right.columns and not self.absent:
            lines.append(f"{right} ({', '.join(right.columns)}){whom}")
        return lines

    def statement(self, verb: str, rights: Sequence[Right]) -> Statement:
        first, role = rights[0], (self.role,)
        if first.later:
            schemas = [right.name[0] for right in rights if right.name]
            return default_privileges.statement(
                verb, first.words, first.kind, first.owner, schemas, self.role
            )
        names = Names(right.name for right in rights)
        to = "TO" if verb == "GRANT" else "FROM"
        what = f"{verb} {first.words} ON {first.kind}"
        if not first.whole:
            text = f"{verb} {first.words} ({{}}) ON {first.kind} {{}} {to} {{}}"
            return Statement(text, (_columns(first.columns), names, role), as_role=first.as_role)
        text, parts = f"{what} {{}} {to} {{}}", [names, role]
        if self.absent and verb == "REVOKE":
            # What somebody granted on columns goes with the table's, and is given back as it was.
            plain = [column for column in first.columns if column not in first.grantable]
            for columns, end in ((plain, ""), (first.grantable, " WITH GRANT OPTION")):
                if columns:
                    text += f"; GRANT {first.privilege} ({{}}) ON {first.kind} {{}} TO {{}}{end}"
                    parts += [_columns(columns), names, role]
        return Statement(text, tuple(parts), as_role=first.as_role)

    def unmanageable(self, verb: str, rights: Iterable[Right]) -> Iterator[tuple[dict[str, str], Statement]]:
        """What the login can not do about ``rights``, and the statement for somebody who can."""
        for group in together((right for right in rights if right.hindrance), one_by_one=True):
            first = group[0]
            what = self.lines(verb, first)[0]
            if first.later and first.name:
                schemas = ", ".join(right.name[0] for right in group)
                what = f"{first.words} on later {first.kind.lower()} in {schemas}"
            statement = Statement(self.statement(verb, group).text, self.statement(verb, group).parts)
            if first.passed_on:
                statement = self._take_back(first)
            elif verb == "REVOKE" and not first.later and not first.of_owner:
                # A REVOKE takes back what its own role granted, and from a superuser it is the owner's.
                statement = _acting(first, first.owner, first.grantor_usable, statement)
                if first.left_to_grantor is not None:
                    statement = _with_grant_option(first, first.left_to_grantor, statement)
            owner = self.role if first.passed_on else first.owner
            yield {"what": what, "owner": owner, "reason": self._reason(verb, first)}, statement

    def _take_back(self, right: Right) -> Statement:
        """What the role passed on, and what was passed on from there, the last first."""
        texts: list[str] = []
        parts: list[Any] = []
        for entry in right.passed_on:
            on_column = " ({})" if entry.column is not None else ""
            whom = "{}" if entry.grantee is not None else "PUBLIC"
            text = f"REVOKE {right.privilege}{on_column} ON {right.kind} {{}} FROM {whom}"
            names = [(entry.column,)] if entry.column is not None else []
            whose = [(entry.grantee,)] if entry.grantee is not None else []
            one = _acting(right, entry.grantor, entry.usable, Statement(text, (*names, right.name, *whose)))
            texts.append(one.text)
            parts += one.parts
        return Statement("; ".join(texts), tuple(parts))

    def _reason(self, verb: str, right: Right) -> str:
        if right.hindrance == CREATOR:
            return f"this login does not have the rights of role {right.owner}"
        if right.hindrance == NO_USAGE:
            return f"this login lacks USAGE on schema {right.name[0]}, and so cannot name what is in it"
        if right.hindrance == PASSED_ON:
            holders = dict.fromkeys(entry.grantee or "PUBLIC" for entry in right.passed_on)
            return (
                f"{', '.join(holders)} holds it through role {self.role}, which granted it further. Where that "
                "is to stay, somebody else has to grant it; then take this back, and run again"
            )
        if right.left_to_grantor is not None:
            return f"role {right.owner} granted it, and lost the grant option that it takes to take it back"
        if right.hindrance == GRANTOR:
            return f"role {right.owner} granted it, and only that role can take it back"
        return f"it belongs to role {right.owner}, and this login has no grant option on it"


def _columns(columns: Iterable[str]) -> Names:
    return Names((column,) for column in columns)


def _acting(right: Right, role: str, usable: bool, statement: Statement) -> Statement:
    """``statement`` as ``role``, for a person to run. Where that may not name the object any more, it gets the
    USAGE for it meanwhile."""
    text, parts = f"SET ROLE {{}}; {statement.text}; RESET ROLE", ((role,), *statement.parts)
    if not usable:
        names = (right.name[:1], (role,))
        text = f"GRANT USAGE ON SCHEMA {{}} TO {{}}; {text}; REVOKE USAGE ON SCHEMA {{}} FROM {{}}"
        parts = (*names, *parts, *names)
    return Statement(text, parts)


def _with_grant_option(
    right: Right, left: Iterable[tuple[str | None, bool]], statement: Statement
) -> Statement:
    """``statement``, for which who granted ``right`` has the grant option meanwhile: then the owner takes it back,
    and gives again what that role is left with, as the REVOKE takes it along."""
    on = f"ON {right.kind} {{}}"
    columns: tuple[Any, ...] = () if right.whole else (_columns(right.columns),)
    what = right.privilege if right.whole else f"{right.privilege} ({{}})"
    whom = (*columns, right.name, (right.owner,))
    text = f"GRANT {what} {on} TO {{}} WITH GRANT OPTION; {statement.text}; REVOKE {what} {on} FROM {{}}"
    parts = [*whom, *statement.parts, *whom]
    for column, grantable in left:
        if right.whole or column in right.columns:
            on_column = "" if column is None else " ({})"
            end = " WITH GRANT OPTION" if grantable else ""
            text += f"; GRANT {right.privilege}{on_column} {on} TO {{}}{end}"
            parts += [*([] if column is None else [(column,)]), right.name, (right.owner,)]
    return Statement(text, tuple(parts))


def together(rights: Iterable[Right], one_by_one: bool = False) -> Iterator[list[Right]]:
    """The rights statement by statement: what one can change, and at most CHUNK names in each.

    ``one_by_one`` takes apart all but default privileges.
    """
    groups: dict[tuple[Any, ...], list[Right]] = {}
    for right in rights:
        if right.later:
            key: tuple[Any, ...] = (right.kind, right.words, right.owner, bool(right.name))
        else:
            apart = right if right.columns or one_by_one else None
            key = (right.kind, right.words, right.as_role, apart)
        groups.setdefault(key, []).append(right)
    for group in groups.values():
        yield from map(list, chunks(group))

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The schema for table uploads (step 2 of the guide).

The guide: https://docs.omni.co/docs/connections/database/postgres
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

from .. import _schema_patterns as _schemas
from .._converge import Change, shortened
from .._definition import Definition
from .._errors import Conflict, InvalidInput, Refused
from .driver import LIBRARY
from .login_options import OPTIONS
from .names import check_name, check_role, no_role
from .resource import PostgresResource
from .statement import Statement
from .upload_schema_sql import SCHEMA
from .upload_schema_state import UPLOADS, Reader, State


class UploadSchema(PostgresResource):
    """One schema, the Omni role's USAGE and CREATE in it, and who else reads what is uploaded."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        self.name = check_name(params["name"], "name")
        self.role = check_role(params["role"], "role")
        self.owner = params["owner"] and check_role(params["owner"], "owner")
        self.readers = [check_role(name, "readers") for name in params["readers"]]
        _schemas.refuse_system([self.name], "name")
        _schemas.SchemaPatterns(params["modelled_schemas"], "modelled_schemas").refuse_upload_schema(
            self.name
        )
        if self.role in self.readers:
            raise InvalidInput(
                "Reading O(readers)", f"{self.role} owns what it uploads, and reads it", "Take it out."
            )

    def read(self) -> State:
        values = {
            "name": self.name,
            "role": self.role,
            "owner": self.owner,
            "readers": self.readers,
            "absent": self.params["state"] == "absent",
            "set": "SET" if self.session.version >= 160000 else "MEMBER",
        }
        (row,) = self.session.rows(SCHEMA, values)
        own = not row["role_exists"] and self.owner == self.role  # an owner has both
        return State(
            role_exists=row["role_exists"],
            owner=row["owner"],
            privileges=frozenset(UPLOADS if own else row["privileges"]),
            others=tuple(row["others"]),
            oid=row["oid"],
            moment=row["moment"],
            owner_exists=row["owner_exists"] or not self.owner,
            login=row["login"],
            makes=row["makes"],
            grants=frozenset(row["grants"]),
            grants_both=row["grants_both"],
            acts=bool(row["acts"]),
            extension=row["extension"],
            objects=tuple(sorted(row["objects"])),
            outside=tuple(sorted(row["outside"])),
            readers=tuple(
                Reader(name, exists, usage, later, tuple(map(tuple, unreadable)))
                for name, exists, usage, later, unreadable in row["readers"]
            ),
        )

    def plan(self, state: State) -> list[Change]:
        if state.extension:
            raise Conflict(
                f"Using schema {self.name} for table uploads",
                f"it belongs to the extension {state.extension}",
                "Name another one.",
                extension=state.extension,
            )
        return self._absent(state) if self.params["state"] == "absent" else self._present(state)

    def _absent(self, state: State) -> list[Change]:
        if state.owner is None:
            return []
        lost = [*state.objects, *state.outside]
        if lost and not self.params["cascade"]:
            raise Conflict(
                f"Dropping schema {self.name} in {self.session.where}",
                f"{len(lost)} objects would go with it: {', '.join(lost[:5])}{', …' if lost[5:] else ''}",
                "Set O(cascade=true) to drop them too.",
                objects=lost[: self.max_listed or None],
            )
        text = "DROP SCHEMA {} CASCADE" if lost else "DROP SCHEMA {}"
        there = dict.fromkeys((f"schema {self.name}", *lost), "there")
        return [
            Change(
                Statement(text, ((self.name,),)),
                there,
                dict.fromkeys(there),
                frozenset({("DROP", state.oid)}),
            )
        ]

    def _present(self, state: State) -> list[Change]:
        changes = [*self._schema(state), *self._uploads(state)]
        if state.readers:
            from . import upload_schema_readers as readers  # rarely wanted, and of some size

            changes += readers.changes(self, state)
        return changes

    def _schema(self, state: State) -> list[Change]:
        """The schema itself, and its owner."""
        label, name = f"schema {self.name}", (self.name,)
        if state.owner is None:
            statement = Statement("CREATE SCHEMA {}", (name,))
            if self.owner:
                statement = Statement("CREATE SCHEMA {} AUTHORIZATION {}", (name, (self.owner,)))
            lines: tuple[dict[str, Any], dict[str, Any]] = (
                {label: None},
                {label: f"owned by {self.owner or 'the login'}"},
            )
        else:
            # A schema with other people's tables in it is not one for uploads, unless it already was.
            if state.others and "CREATE" not in state.privileges:
                raise Conflict(
                    f"Using schema {self.name} for table uploads",
                    f"it already holds {', '.join(state.others)}, which role {self.role} does not own",
                    "Omni needs a schema of its own for uploads: name another one, or empty this one.",
                    relations=list(state.others),
                )
            if not self.owner or state.owner == self.owner:
                return []
            statement = Statement("ALTER SCHEMA {} OWNER TO {}", (name, (self.owner,)))
            lines = ({f"{label}: owner": state.owner}, {f"{label}: owner": self.owner})
        if not state.makes:
            self.refuse(
                state,
                f"Making schema {self.name} in {self.session.where}",
                f"role {state.login} may not: it takes CREATE on the database, and the rights of the schema's "
                "owner, old and new",
                statement,
            )
        return [Change(statement, *lines, self.effects(state, self.owner or "", "OWNER"))]

    def _uploads(self, state: State) -> list[Change]:
        """What the role lacks for uploading."""
        missing = [privilege for privilege in UPLOADS if privilege not in state.privileges]
        return self.granted(state, missing, self.role, "")

    def granted(self, state: State, missing: Sequence[str], role: str, whom: str) -> list[Change]:
        """GRANTs of ``missing`` on the schema. One statement is granted by one role, with the options of that."""
        at_once = state.grants_both or not state.grants.issuperset(missing)
        groups = [missing] if missing and at_once else [[privilege] for privilege in missing]
        changes = []
        for group in groups:
            statement = Statement(f"GRANT {', '.join(group)} ON SCHEMA {{}} TO {{}}", ((self.name,), (role,)))
            if not state.grants.issuperset(group):
                self.refuse(
                    state,
                    f"Granting on schema {self.name} in {self.session.where}",
                    f"it is not the schema of role {state.login}, which has no grant option for "
                    f"{' and '.join(sorted(set(group) - state.grants))} on it",
                    statement,
                )
            lines = [f"{privilege} on schema {self.name}{whom}" for privilege in group]
            changes.append(granting(statement, self.effects(state, role, *group), *lines))
        return changes

    def effects(self, state: State, role: str, *what: str) -> frozenset[Hashable]:
        """Keys of what is made true in this very schema; in one that is yet to be made, by this plan."""
        schema = f"moment {state.moment}" if state.oid is None else state.oid
        return frozenset((schema, role, one) for one in what)

    def refuse(self, state: State, doing: str, said: str, statement: Statement, otherwise: str = "") -> None:
        """Say what the login may not do, and which statement somebody who may can run."""
        text = self.session.text(statement)
        raise Refused(doing, said, f"Somebody who can should run: {text}{otherwise}.", statement=text)

    def require(self, state: State, changes: Sequence[Change]) -> None:
        if self.params["state"] == "absent":
            return
        roles = [] if state.role_exists or not changes else [self.role]
        roles += [] if state.owner_exists or self.owner is None else [self.owner]
        roles += [reader.name for reader in state.readers if not reader.exists]
        if roles:
            raise no_role(
                f"Granting on schema {self.name} in {self.session.where}",
                list(dict.fromkeys(roles)),
                "Create it with omni_pg_user first, or correct O(role), O(owner) or O(readers).",
            )

    def apply(self, changes: Sequence[Change]) -> Iterator[Change]:
        """The schema and the rights on it are one transaction; each list of tables is one of its own, so
        that none holds many locks."""
        if not self.readers:
            yield from super().apply(changes)
            return
        from . import grants_apply
        from . import upload_schema_readers as readers

        whole, tables = readers.apart(changes)
        if whole:
            yield from super().apply(whole)
        if tables:
            yield from grants_apply.send(self, tables)

    def result(self, state: State, done: Sequence[Change]) -> dict[str, Any]:
        return {"name": self.name, "role": self.role, "owner": state.owner}

    def report(self, done: Sequence[Change]) -> dict[str, Any]:
        if self.params["state"] == "present":
            return {}
        return {"dropped": shortened([what for change in done for what in change.before], self.max_listed)}


def granting(statement: Statement, effects: frozenset[Hashable], *lines: str) -> Change:
    """The change that one GRANT is; ``lines`` are those of its diff."""
    return Change(statement, dict.fromkeys(lines), dict.fromkeys(lines, "granted"), effects)


DEFINITION = Definition(
    build=UploadSchema,
    options={
        **OPTIONS,
        "name": {"type": "str", "required": True, "aliases": ["upload_schema"]},
        "role": {"type": "str", "default": "omni"},
        "owner": {"type": "str"},
        "readers": {"type": "list", "elements": "str", "default": []},
        "modelled_schemas": {"type": "list", "elements": "str", "default": []},
        "cascade": {"type": "bool", "default": False},
        "state": {"type": "str", "default": "present", "choices": ["absent", "present"]},
    },
    library=LIBRARY,
)

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The schema for table uploads (step 2 of the guide)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import _schema_patterns as _schemas
from .._converge import Change, shortened
from .._definition import Definition
from .._errors import Conflict, InvalidInput, Prerequisite, Refused
from .driver import LIBRARY
from .login_options import OPTIONS
from .names import check_name, check_role
from .resource import PostgresResource
from .statement import Names, Statement

#: How many tables one GRANT names. Postgres 18 locks each of them until the commit.
CHUNK = 500

#: One row, whether the schema is there or not. Others' relations are those that the role does not own;
#: its uploads are those that it does. What is outside goes with a table of the schema, too.
SCHEMA = """
WITH role AS (SELECT (SELECT oid FROM pg_roles WHERE rolname = %(role)s) AS oid),
relation AS (
    SELECT c.oid, relname, relnamespace, relowner IS NOT DISTINCT FROM role.oid AND relkind <> 'S' AS upload,
           relowner IS DISTINCT FROM role.oid AS others
    FROM role, pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE nspname = %(name)s AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S'))
SELECT role.oid IS NOT NULL AS role_exists, pg_get_userbyid(nspowner) AS owner,
       nspowner = role.oid AS owned, current_user AS login, pg_has_role(role.oid, 'USAGE') AS acts,
       ARRAY(SELECT privilege_type FROM aclexplode(nspacl) WHERE grantee = role.oid) AS privileges,
       ARRAY(SELECT relname::text FROM relation WHERE others ORDER BY relname COLLATE "C" LIMIT 5) AS others,
       (SELECT extname FROM pg_depend JOIN pg_extension AS e ON e.oid = refobjid
        WHERE classid = 'pg_namespace'::regclass AND objid = space.oid AND deptype = 'e') AS extension,
       ARRAY(SELECT pg_describe_object(classid, objid, 0) FROM pg_depend
             WHERE refclassid = 'pg_namespace'::regclass AND refobjid = space.oid AND deptype = 'n') AS objects,
       ARRAY(SELECT DISTINCT CASE WHEN con.oid IS NULL THEN pg_describe_object('pg_class'::regclass, c.oid, 0)
                                  ELSE pg_describe_object(classid, objid, 0) END
             FROM relation JOIN pg_depend AS d ON refclassid = 'pg_class'::regclass AND refobjid = relation.oid
             LEFT JOIN pg_rewrite AS rule ON d.classid = 'pg_rewrite'::regclass AND rule.oid = objid
             LEFT JOIN pg_constraint AS con ON d.classid = 'pg_constraint'::regclass AND con.oid = objid
             JOIN pg_class AS c ON c.oid IN (ev_class, conrelid)
             WHERE c.relnamespace <> relation.relnamespace) AS outside,
       (SELECT coalesce(json_agg(json_build_array(
            name, reader.oid IS NOT NULL, coalesce(has_schema_privilege(reader.oid, space.oid, 'USAGE'), false),
            EXISTS (SELECT FROM pg_default_acl, aclexplode(defaclacl)
                    WHERE defaclrole = role.oid AND defaclnamespace IN (0, space.oid) AND defaclobjtype = 'r'
                      AND privilege_type = 'SELECT' AND grantee IN (0, reader.oid)),
            ARRAY(SELECT relname FROM relation
                  WHERE upload AND NOT has_table_privilege(reader.oid, relation.oid, 'SELECT')
                  ORDER BY relname COLLATE "C")) ORDER BY name COLLATE "C"), '[]')
        FROM unnest(%(readers)s::text[]) AS name LEFT JOIN pg_roles AS reader ON rolname = name) AS readers
FROM role LEFT JOIN pg_namespace AS space ON nspname = %(name)s
"""


@dataclass(frozen=True)
class Reader:
    """A role that shall read the uploads: whether it may use the schema, will read later ones, and which
    present ones it cannot read."""

    name: str
    exists: bool
    usage: bool
    later: bool
    unreadable: tuple[str, ...]


@dataclass(frozen=True)
class State:
    """The schema as it is: its owner (None: there is no schema), what the role holds in it, and some
    relations in it that are not the role's own. ``acts`` is whether the login has the role's rights;
    ``objects`` are all that is in the schema, and ``outside`` what depends on it elsewhere."""

    role_exists: bool
    owner: str | None
    privileges: frozenset[str]
    others: tuple[str, ...]
    login: str = ""
    acts: bool = False
    extension: str | None = None
    objects: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    readers: tuple[Reader, ...] = ()


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
                "Reading readers", f"{self.role} owns what it uploads, and reads it", "Take it out."
            )

    def read(self) -> State:
        with self.session.transaction():
            (row,) = self.session.rows(
                SCHEMA, {"name": self.name, "role": self.role, "readers": self.readers}
            )
        privileges = {"USAGE", "CREATE"} if row["owned"] else set(row["privileges"])
        return State(
            role_exists=row["role_exists"],
            owner=row["owner"],
            privileges=frozenset(privileges),
            others=tuple(row["others"]),
            login=row["login"],
            acts=bool(row["acts"]),
            extension=row["extension"],
            objects=tuple(sorted(row["objects"])),
            outside=tuple(sorted(row["outside"])),
            readers=tuple(
                Reader(name, exists, usage, later, tuple(names))
                for name, exists, usage, later, names in row["readers"]
            ),
        )

    def plan(self, state: State) -> list[Change]:
        self._refuse_extension(state)
        return self._absent(state) if self.params["state"] == "absent" else self._present(state)

    def _absent(self, state: State) -> list[Change]:
        if state.owner is None:
            return []
        lost = [*state.objects, *state.outside]
        if lost and not self.params["cascade"]:
            raise Conflict(
                f"Dropping schema {self.name} in {self.session.where}",
                f"{len(lost)} objects would go with it: {', '.join(lost[:5])}{', …' if lost[5:] else ''}",
                "Set cascade to true to drop them too.",
                objects=lost[: self.max_listed or None],
            )
        text = "DROP SCHEMA {} CASCADE" if lost else "DROP SCHEMA {}"
        there = dict.fromkeys((f"schema {self.name}", *lost), "there")
        return [Change(Statement(text, ((self.name,),)), there, dict.fromkeys(there))]

    def _present(self, state: State) -> list[Change]:
        label = f"schema {self.name}"
        changes = []
        if state.owner is None:
            text, parts = "CREATE SCHEMA {}", [(self.name,)]
            if self.owner:
                text, parts = text + " AUTHORIZATION {}", [*parts, (self.owner,)]
            owner = f"owned by {self.owner or 'the login'}"
            changes.append(Change(Statement(text, tuple(parts)), {label: None}, {label: owner}))
        else:
            self._refuse_adoption(state)
            if self.owner and state.owner != self.owner:
                alter = Statement("ALTER SCHEMA {} OWNER TO {}", ((self.name,), (self.owner,)))
                label_owner = f"{label}: owner"
                changes.append(Change(alter, {label_owner: state.owner}, {label_owner: self.owner}))
        missing = [privilege for privilege in ("USAGE", "CREATE") if privilege not in state.privileges]
        if missing:
            grant = Statement(
                f"GRANT {', '.join(missing)} ON SCHEMA {{}} TO {{}}", ((self.name,), (self.role,))
            )
            changes.append(_granted(grant, *(f"{privilege} on {label}" for privilege in missing)))
        for reader in state.readers:
            if not reader.exists:
                raise Prerequisite("Reading readers", f"there is no role {reader.name}", role=reader.name)
            if state.role_exists and not state.acts and (reader.unreadable or not reader.later):
                self._refuse_readers(state)
            changes += self._later(reader)
        for reader in state.readers:
            changes += self._now(reader)
        return changes

    def _later(self, reader: Reader) -> list[Change]:
        """What ``reader`` lacks for reading what the role will upload."""
        space, name = (self.name,), (reader.name,)
        changes = []
        if not reader.usage:
            changes.append(
                _granted(
                    Statement("GRANT USAGE ON SCHEMA {} TO {}", (space, name)),
                    f"USAGE on schema {self.name} for {reader.name}",
                )
            )
        if not reader.later:
            changes.append(
                _granted(
                    Statement(
                        "ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA {} GRANT SELECT ON TABLES TO {}",
                        ((self.role,), space, name),
                    ),
                    f"SELECT on later uploads in schema {self.name} for {reader.name}",
                )
            )
        return changes

    def _now(self, reader: Reader) -> list[Change]:
        """What ``reader`` lacks for reading what the role has uploaded."""
        changes = []
        for start in range(0, len(reader.unreadable), CHUNK):
            chunk = reader.unreadable[start : start + CHUNK]
            changes.append(
                _granted(
                    Statement(
                        "GRANT SELECT ON TABLE {} TO {}",
                        (Names((self.name, table) for table in chunk), (reader.name,)),
                    ),
                    *(f"SELECT on table {self.name}.{table} for {reader.name}" for table in chunk),
                )
            )
        return changes

    def _refuse_readers(self, state: State) -> None:
        """Uploads are the role's own: only who has its rights may grant on them."""
        text = "GRANT {} TO {}"
        if self.session.version >= 160000:
            text += " WITH INHERIT TRUE"
        grant = self.session.text(Statement(text, ((self.role,), (state.login,))))
        raise Refused(
            f"Letting others read what role {self.role} uploads",
            f"the uploads are its own, and {state.login} does not have its rights",
            f"Somebody who can should run: {grant}; or leave readers out.",
            statement=grant,
        )

    def _refuse_extension(self, state: State) -> None:
        if state.extension:
            raise Conflict(
                f"Using schema {self.name} for table uploads",
                f"it belongs to the extension {state.extension}",
                "Name another one.",
                extension=state.extension,
            )

    def _refuse_adoption(self, state: State) -> None:
        """A schema with other people's tables in it is not one for uploads, unless it already was."""
        if state.others and "CREATE" not in state.privileges:
            raise Conflict(
                f"Using schema {self.name} for table uploads",
                f"it already holds {', '.join(state.others)}, which role {self.role} does not own",
                "Omni needs a schema of its own for uploads: name another one, or empty this one.",
                relations=list(state.others),
            )

    def require(self, state: State, changes: Sequence[Change]) -> None:
        if changes and self.params["state"] == "present" and not state.role_exists:
            raise Prerequisite(
                f"Granting on schema {self.name} in {self.session.where}",
                f"there is no role {self.role}",
                "Create it with omni_pg_user first.",
                role=self.role,
            )

    def apply(self, changes: Sequence[Change]) -> Iterator[Change]:
        """The schema and the rights on it are one transaction; each list of tables is one of its own, so
        that none holds many locks."""
        lists = [change for change in changes if isinstance(change.payload.parts[0], Names)]
        whole = [change for change in changes if change not in lists]
        for batch in [whole] * bool(whole) + [[change] for change in lists]:
            yield from super().apply(batch)

    def result(self, state: State, done: Sequence[Change]) -> dict[str, Any]:
        result: dict[str, Any] = {"name": self.name, "role": self.role, "owner": state.owner}
        if self.params["state"] == "absent":
            gone = [what for change in done for what in change.before]
            result["dropped"] = shortened(gone, self.max_listed, "names")
        return result


def _granted(statement: Statement, *labels: str) -> Change:
    return Change(statement, dict.fromkeys(labels), dict.fromkeys(labels, "granted"))


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

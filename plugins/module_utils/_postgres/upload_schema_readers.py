# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other roles that read what the Omni role uploads, now and later."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .._converge import Change
from . import default_privileges
from .grants_plan import Planner, RightsChange
from .grants_state import Right
from .login_rights import membership
from .upload_schema import UploadSchema, granting
from .upload_schema_state import Reader, State


def changes(schema: UploadSchema, state: State) -> Iterator[Change]:
    """What the readers lack: in the schema and for later uploads first, then on the tables that are there."""
    for reader in state.readers:
        yield from _later(schema, state, reader)
    for reader in state.readers:
        rights = [
            Right("TABLE", (schema.name, table), "SELECT", oid, schema.role)
            for oid, table in reader.unreadable
        ]
        yield from Planner(reader.name, named=True).changes("GRANT", rights)


def _later(schema: UploadSchema, state: State, reader: Reader) -> list[Change]:
    """What ``reader`` lacks for reading what the role will upload."""
    whom = f" for {reader.name}"
    found = schema.granted(state, [] if reader.usage else ["USAGE"], reader.name, whom)
    if state.role_exists and not state.acts and (reader.unreadable or not reader.later):
        # Uploads are the role's own: only who has its rights may grant on them.
        schema.refuse(
            state,
            f"Letting others read what role {schema.role} uploads",
            f"the uploads are its own, and {state.login} does not have its rights",
            membership(schema.role, state.login, schema.session.version),
            "; or leave O(readers) out",
        )
    if not reader.later:
        statement = default_privileges.statement(
            "GRANT", "SELECT", "TABLES", schema.role, [schema.name], reader.name
        )
        line = f"SELECT on later uploads in schema {schema.name}{whom}"
        found.append(granting(statement, schema.effects(state, reader.name, "LATER"), line))
    return found


def apart(all_changes: Sequence[Change]) -> tuple[list[Change], list[RightsChange]]:
    """The changes of the schema, and those of lists of tables in it."""
    tables = [change for change in all_changes if isinstance(change, RightsChange)]
    return [change for change in all_changes if not isinstance(change, RightsChange)], tables

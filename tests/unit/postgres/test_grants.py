# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What omni_pg_grants plans and says, as tables: no server is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._converge import Change
from ansible_collections.omni_analytics.connect.plugins.module_utils._errors import (
    InvalidInput,
    Prerequisite,
    Refused,
)
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.grants import (
    CHUNK,
    DEFINITION,
    Right,
    State,
)

GRANTED = State(
    role_exists=True,
    database="sales",
    schemas=("public",),
    absent_schemas=(),
    unmatched=(),
    unknown_creators=(),
    relations=3,
    wanted=7,
    missing=(),
    excess=(),
    of_public=(),
)
DATABASE = Right("DATABASE", ("sales",), "CONNECT", "dba", able=True)
PUBLIC = Right("SCHEMA", ("public",), "USAGE", "dba", able=True)
TABLE = Right("TABLE", ("public", "t"), "SELECT", "dba", able=True)
SEQUENCE = Right("SEQUENCE", ("public", "s"), "SELECT", "dba", able=True)
LATER = Right("TABLES", ("a",), "SELECT", "etl", able=True)
OMNI = ("omni",)
FOR_ROLE = "ALTER DEFAULT PRIVILEGES FOR ROLE {}"


def build(monkeypatch: pytest.MonkeyPatch, **options: Any) -> Any:
    """The resource, with the defaults of the options that are not given."""
    params = {name: option.get("default") for name, option in DEFINITION.options.items()}
    resource: Any = DEFINITION.build({**params, "login_db": "sales", **options})
    # Quoting a name takes a connection, and here there is none.
    monkeypatch.setattr(resource.session, "text", lambda statement: statement.text)
    return resource


@pytest.mark.parametrize(
    ("missing", "planned"),
    [
        ([], []),
        ([DATABASE], [("GRANT CONNECT ON DATABASE {} TO {}", (("sales",),), OMNI)]),
        (
            [PUBLIC, replace(PUBLIC, name=("x",))],
            [("GRANT USAGE ON SCHEMA {} TO {}", (("public",), ("x",)), OMNI)],
        ),
        (
            [TABLE, replace(TABLE, name=("x", "u"), owner="etl"), SEQUENCE],
            [
                ("GRANT SELECT ON TABLE {} TO {}", (("public", "t"), ("x", "u")), OMNI),
                ("GRANT SELECT ON SEQUENCE {} TO {}", (("public", "s"),), OMNI),
            ],
        ),
        (
            [LATER, replace(LATER, kind="SEQUENCES"), replace(LATER, name=("b",)), replace(LATER, owner="dba")],
            [
                (f"{FOR_ROLE} IN SCHEMA {{}} GRANT SELECT ON TABLES TO {{}}", ("etl",), (("a",), ("b",)), OMNI),
                (f"{FOR_ROLE} IN SCHEMA {{}} GRANT SELECT ON SEQUENCES TO {{}}", ("etl",), (("a",),), OMNI),
                (f"{FOR_ROLE} IN SCHEMA {{}} GRANT SELECT ON TABLES TO {{}}", ("dba",), (("a",),), OMNI),
            ],
        ),
        (
            [TABLE, replace(TABLE, name=("public", "theirs"), able=False), replace(LATER, able=False)],
            [("GRANT SELECT ON TABLE {} TO {}", (("public", "t"),), OMNI)],
        ),
    ],
)  # fmt: skip
def test_what_is_granted(missing: list[Right], planned: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    changes = build(monkeypatch).plan(replace(GRANTED, missing=tuple(missing)))
    assert [(change.payload.text, *change.payload.parts) for change in changes] == planned


@pytest.mark.parametrize(
    ("state", "excess", "planned", "lost"),
    [
        (
            "present",
            [replace(TABLE, privilege="INSERT"), replace(TABLE, privilege="INSERT", name=("x", "u"))],
            [("REVOKE INSERT ON TABLE {} FROM {}", (("public", "t"), ("x", "u")), OMNI)],
            ["INSERT on table public.t", "INSERT on table x.u"],
        ),
        (
            "present",
            [replace(TABLE, columns=("id", "name"))],
            [("REVOKE SELECT ON TABLE {} FROM {}", (("public", "t"),), OMNI)],
            ["SELECT on table public.t", "SELECT on table public.t (id, name)"],
        ),
        (
            "absent",
            [replace(TABLE, columns=("id", "name")), replace(TABLE, name=("x", "u")), PUBLIC],
            [
                (
                    "REVOKE SELECT ON TABLE {} FROM {}; GRANT SELECT ({}) ON TABLE {} TO {}",
                    (("public", "t"),), OMNI, (("id",), ("name",)), (("public", "t"),), OMNI,
                ),
                ("REVOKE SELECT ON TABLE {} FROM {}", (("x", "u"),), OMNI),
                ("REVOKE USAGE ON SCHEMA {} FROM {}", (("public",),), OMNI),
            ],
            ["SELECT on table public.t", "SELECT on table x.u", "USAGE on schema public"],
        ),
        (
            "present",
            [replace(LATER, name=()), LATER, replace(LATER, kind="SCHEMAS", name=(), privilege="USAGE")],
            [
                (f"{FOR_ROLE} REVOKE SELECT ON TABLES FROM {{}}", ("etl",), OMNI),
                (f"{FOR_ROLE} IN SCHEMA {{}} REVOKE SELECT ON TABLES FROM {{}}", ("etl",), (("a",),), OMNI),
                (f"{FOR_ROLE} REVOKE USAGE ON SCHEMAS FROM {{}}", ("etl",), OMNI),
            ],
            [
                "SELECT on later tables of etl in any schema",
                "SELECT on later tables of etl in schema a",
                "USAGE on later schemas of etl in any schema",
            ],
        ),
        ("present", [replace(TABLE, able=False)], [], []),
    ],
)  # fmt: skip
def test_what_is_revoked(
    state: str, excess: list[Right], planned: list[Any], lost: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = build(monkeypatch, state=state).plan(replace(GRANTED, excess=tuple(excess)))
    assert [(change.payload.text, *change.payload.parts) for change in changes] == planned
    assert [line for change in changes for line in change.before] == lost
    assert all(change.before[line] == "granted" and change.after[line] is None
               for change in changes for line in change.before)  # fmt: skip


UNABLE: dict[str, Any] = {
    "missing": (replace(TABLE, able=False), TABLE, replace(LATER, able=False), replace(LATER, name=("b",), able=False)),
    "excess": (replace(TABLE, privilege="UPDATE", owner="etl", able=False),),
}  # fmt: skip


def test_what_this_login_cannot_manage(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = build(monkeypatch, max_listed=2)
    found = resource._unmanageable(replace(GRANTED, **UNABLE))
    assert (found["count"], found["truncated"]) == (3, True)
    assert found["items"] == [
        {
            "what": "SELECT on table public.t",
            "owner": "dba",
            "reason": "it belongs to role dba, and this login has no grant option on it",
            "statement": "GRANT SELECT ON TABLE {} TO {}",
        },
        {
            "what": "SELECT on later tables in a, b",
            "owner": "etl",
            "reason": "this login does not have the rights of role etl",
            "statement": f"{FOR_ROLE} IN SCHEMA {{}} GRANT SELECT ON TABLES TO {{}}",
        },
    ]
    last = build(monkeypatch, max_listed=0)._unmanageable(replace(GRANTED, **UNABLE))["items"][-1]
    assert last["reason"] == "role etl granted it, and only that role can take it back"
    with pytest.raises(Refused, match=r"this login cannot manage 3 of them, first SELECT on table public\.t"):
        build(monkeypatch, on_unmanageable="fail").plan(replace(GRANTED, **UNABLE))


def test_a_statement_names_so_many_relations_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    rights = tuple(replace(TABLE, name=("public", f"t{number}")) for number in range(2 * CHUNK + 1))
    for state in (replace(GRANTED, missing=rights), replace(GRANTED, excess=rights)):
        changes = build(monkeypatch).plan(state)
        assert [len(change.payload.parts[0]) for change in changes] == [CHUNK, CHUNK, 1]
        assert [name for change in changes for name in change.payload.parts[0]] == [
            item.name for item in rights
        ]


def test_what_was_already_there_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same number in check mode, where nothing was granted yet, and after a run."""
    resource = build(monkeypatch)
    before = replace(GRANTED, missing=(TABLE, SEQUENCE, replace(LATER, able=False)))
    after = replace(GRANTED, missing=(replace(LATER, able=False),))
    done = resource.plan(before)
    for state in (before, after):
        learned = resource.result(state, done)
        assert (learned["already"], learned["granted"]["count"], learned["unmanageable"]["count"]) == (
            4,
            2,
            1,
        )


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        ({"absent_schemas": ("gone", "lost")}, "there is no schema gone, lost. Correct schemas"),
        ({"unknown_creators": ("nobody",)}, "Reading default_privileges_for: there is no role nobody"),
    ],
)
def test_what_is_not_there(lacking: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be granted, and there is nothing of it to revoke."""
    state = replace(GRANTED, **lacking)
    resource = build(monkeypatch)
    with pytest.raises(Prerequisite, match=said):
        resource.plan(state)
    assert build(monkeypatch, state="absent").plan(state) == []


def test_the_role_is_required_by_a_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = build(monkeypatch)
    resource.require(GRANTED, [Change(None)])
    resource.plan(replace(GRANTED, role_exists=False))
    with pytest.raises(Prerequisite, match=r"there is no role omni\. Create it with omni_pg_user first"):
        resource.require(replace(GRANTED, role_exists=False), [Change(None)])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"schemas": []}, "it names no schema"),
        ({"schemas": ["pg_catalog"]}, "pg_catalog belongs to Postgres itself"),
        ({"exclude_schemas": ["a" * 64]}, "Reading exclude_schemas: .* has 64 bytes"),
        ({"default_privileges_for": ["auto", "etl"]}, "auto and none stand alone"),
        ({"default_privileges_for": ["none", "auto"]}, "auto and none stand alone"),
    ],
)
def test_options_that_cannot_be_meant(
    options: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidInput, match=said):
        build(monkeypatch, **options)

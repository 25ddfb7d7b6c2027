# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What omni_pg_grants plans and says, as tables: no server is asked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._converge import Change
from ansible_collections.omni_analytics.connect.plugins.module_utils._errors import (
    InvalidInput,
    Prerequisite,
    Refused,
)
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres import grants_apply
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.grants import DEFINITION
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.grants_apply import PastLocks
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.grants_plan import (
    Planner,
    RightsChange,
)
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.grants_state import (
    CREATOR,
    GRANTOR,
    NO_OPTION,
    Right,
    State,
    too_much_in_relations,
)
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.statement import CHUNK
from tests.helpers.perform import said as plain

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
DATABASE = Right("DATABASE", ("sales",), "CONNECT", 1, "dba")
PUBLIC = Right("SCHEMA", ("public",), "USAGE", 2, "dba")
TABLE = Right("TABLE", ("public", "t"), "SELECT", 3, "dba")
SEQUENCE = Right("SEQUENCE", ("public", "s"), "SELECT", 4, "dba")
LATER = Right("TABLES", ("a",), "SELECT", 2, "etl")
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
            [PUBLIC, PUBLIC._replace(name=("x",))],
            [("GRANT USAGE ON SCHEMA {} TO {}", (("public",), ("x",)), OMNI)],
        ),
        (
            [TABLE, TABLE._replace(name=("x", "u"), owner="etl"), SEQUENCE],
            [
                ("GRANT SELECT ON TABLE {} TO {}", (("public", "t"), ("x", "u")), OMNI),
                ("GRANT SELECT ON SEQUENCE {} TO {}", (("public", "s"),), OMNI),
            ],
        ),
        (
            [LATER, LATER._replace(kind="SEQUENCES"), LATER._replace(name=("b",)), LATER._replace(owner="dba")],
            [
                (f"{FOR_ROLE} IN SCHEMA {{}} GRANT SELECT ON TABLES TO {{}}", ("etl",), (("a",), ("b",)), OMNI),
                (f"{FOR_ROLE} IN SCHEMA {{}} GRANT SELECT ON SEQUENCES TO {{}}", ("etl",), (("a",),), OMNI),
                (f"{FOR_ROLE} IN SCHEMA {{}} GRANT SELECT ON TABLES TO {{}}", ("dba",), (("a",),), OMNI),
            ],
        ),
        (
            [TABLE, TABLE._replace(name=("public", "theirs"), hindrance=NO_OPTION), LATER._replace(hindrance=CREATOR)],
            [("GRANT SELECT ON TABLE {} TO {}", (("public", "t"),), OMNI)],
        ),
    ],
)  # fmt: skip
def test_what_is_granted(missing: list[Right], planned: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    changes = build(monkeypatch).plan(GRANTED._replace(missing=tuple(missing)))
    assert [(change.payload.text, *change.payload.parts) for change in changes] == planned


@pytest.mark.parametrize(
    ("state", "excess", "planned", "lost"),
    [
        (
            "present",
            [TABLE._replace(privilege="INSERT"), TABLE._replace(privilege="INSERT", name=("x", "u"))],
            [("REVOKE INSERT ON TABLE {} FROM {}", (("public", "t"), ("x", "u")), OMNI)],
            ["INSERT on table public.t", "INSERT on table x.u"],
        ),
        (
            "present",
            [TABLE._replace(columns=("id", "name"))],
            [("REVOKE SELECT ON TABLE {} FROM {}", (("public", "t"),), OMNI)],
            ["SELECT on table public.t", "SELECT on table public.t (id, name)"],
        ),
        (
            "absent",
            [TABLE._replace(columns=("id", "name")), TABLE._replace(name=("x", "u")), PUBLIC],
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
            [LATER._replace(name=()), LATER, LATER._replace(kind="SCHEMAS", name=(), privilege="USAGE")],
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
        ("present", [TABLE._replace(hindrance=GRANTOR)], [], []),
        (
            "present",
            [TABLE._replace(privilege="UPDATE", whole=False, columns=("id",))],
            [("REVOKE UPDATE ({}) ON TABLE {} FROM {}", (("id",),), (("public", "t"),), OMNI)],
            ["UPDATE on table public.t (id)"],
        ),
        (
            "present",
            [
                TABLE._replace(option=True, whole=False, columns=("id",)),
                TABLE._replace(name=("x", "u"), option=True, columns=("id",)),
            ],
            [
                ("REVOKE GRANT OPTION FOR SELECT ({}) ON TABLE {} FROM {}", (("id",),), (("public", "t"),), OMNI),
                ("REVOKE GRANT OPTION FOR SELECT ON TABLE {} FROM {}", (("x", "u"),), OMNI),
            ],
            [
                "GRANT OPTION FOR SELECT on table public.t (id)",
                "GRANT OPTION FOR SELECT on table x.u",
                "GRANT OPTION FOR SELECT on table x.u (id)",
            ],
        ),
        (
            "absent",
            [TABLE._replace(columns=("id", "name"), grantable=("name",))],
            [
                (
                    "REVOKE SELECT ON TABLE {} FROM {}; GRANT SELECT ({}) ON TABLE {} TO {}; "
                    "GRANT SELECT ({}) ON TABLE {} TO {} WITH GRANT OPTION",
                    (("public", "t"),), OMNI, (("id",),), (("public", "t"),), OMNI,
                    (("name",),), (("public", "t"),), OMNI,
                ),
            ],
            ["SELECT on table public.t"],
        ),
    ],
)  # fmt: skip
def test_what_is_revoked(
    state: str, excess: list[Right], planned: list[Any], lost: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = build(monkeypatch, state=state).plan(GRANTED._replace(excess=tuple(excess)))
    assert [(change.payload.text, *change.payload.parts) for change in changes] == planned
    assert [line for change in changes for line in change.before] == lost
    assert all(change.before[line] == "granted" and change.after[line] is None
               for change in changes for line in change.before)  # fmt: skip


UNABLE: dict[str, Any] = {
    "missing": (
        TABLE._replace(hindrance=NO_OPTION), TABLE,
        LATER._replace(hindrance=CREATOR), LATER._replace(name=("b",), hindrance=CREATOR),
    ),
    "excess": (TABLE._replace(privilege="UPDATE", owner="etl", hindrance=GRANTOR),),
}  # fmt: skip


def test_what_this_login_cannot_manage(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = build(monkeypatch, max_listed=2)
    found = resource._unmanageable(GRANTED._replace(**UNABLE))
    assert (found["count"], found["truncated"]) == (3, True)
    assert found["list"] == [
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
    last = build(monkeypatch, max_listed=0)._unmanageable(GRANTED._replace(**UNABLE))["list"][-1]
    assert last["reason"] == "role etl granted it, and only that role can take it back"
    with pytest.raises(Refused, match=r"this login cannot manage 3 of them, first SELECT on table public\.t"):
        build(monkeypatch, on_unmanageable="fail").plan(GRANTED._replace(**UNABLE))


def test_a_statement_names_so_many_relations_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    rights = tuple(TABLE._replace(name=("public", f"t{number}")) for number in range(2 * CHUNK + 1))
    for state in (GRANTED._replace(missing=rights), GRANTED._replace(excess=rights)):
        changes = build(monkeypatch).plan(state)
        assert [len(change.payload.parts[0]) for change in changes] == [CHUNK, CHUNK, 1]
        assert [name for change in changes for name in change.payload.parts[0]] == [
            item.name for item in rights
        ]


def test_what_was_already_there_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same number in check mode, where nothing was granted yet, and after a run."""
    resource = build(monkeypatch)
    before = GRANTED._replace(missing=(TABLE, SEQUENCE, LATER._replace(hindrance=CREATOR)))
    after = GRANTED._replace(missing=(LATER._replace(hindrance=CREATOR),))
    done = resource.plan(before)
    for state in (before, after):
        learned = {**resource.report(done), **resource.result(state, done)}
        assert (learned["already"], learned["granted"]["count"], learned["unmanageable"]["count"]) == (
            4,
            2,
            1,
        )


def test_statements_that_differ_in_who_they_are_run_as(monkeypatch: pytest.MonkeyPatch) -> None:
    rights = (
        TABLE,
        TABLE._replace(name=("x", "u"), as_role="etl"),
        TABLE._replace(name=("x", "v"), as_role="etl"),
    )
    for state in (GRANTED._replace(missing=rights), GRANTED._replace(excess=rights)):
        changes = build(monkeypatch).plan(state)
        assert [(change.payload.as_role, len(change.rights)) for change in changes] == [(None, 1), ("etl", 2)]


def test_what_the_role_passed_on_is_taken_back_from_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A REVOKE is refused while somebody holds the privilege through the role."""
    entries = [
        ("omni", "a", None, True, True), ("a", None, "id", True, False),
        # That one has it from the owner too, and so does whom it was granted to.
        ("omni", "b", None, True, True), ("dba", "b", None, True, True), ("b", "c", None, True, False),
    ]  # fmt: skip
    row = (
        "TABLE",
        3,
        "public",
        "t",
        "SELECT",
        "dba",
        "",
        None,
        False,
        True,
        True,
        (),
        (),
        entries,
        True,
        True,
        None,
    )
    excess = too_much_in_relations([row], "omni")
    resource = build(monkeypatch)
    assert resource.plan(GRANTED._replace(excess=tuple(excess))) == []
    (item,) = resource._unmanageable(GRANTED._replace(excess=tuple(excess)))["list"]
    assert (item["what"], item["owner"]) == ("SELECT on table public.t", "omni")
    assert "PUBLIC, a, b holds it through role omni, which granted it further" in item["reason"]
    assert item["statement"] == (
        "SET ROLE {}; REVOKE SELECT ({}) ON TABLE {} FROM PUBLIC; RESET ROLE; "
        "SET ROLE {}; REVOKE SELECT ON TABLE {} FROM {}; RESET ROLE; "
        "SET ROLE {}; REVOKE SELECT ON TABLE {} FROM {}; RESET ROLE"
    )
    alone = too_much_in_relations([(*row[:-4], entries[3:], *row[-3:])], "omni")
    assert [change.payload.text for change in resource.plan(GRANTED._replace(excess=tuple(alone)))] == [
        "REVOKE SELECT ON TABLE {} FROM {}"
    ]


def test_a_grant_is_known_by_its_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that was dropped and made anew has another oid: its grant is another effect."""
    resource = build(monkeypatch)
    first, same, anew = (
        resource.plan(GRANTED._replace(missing=(right,)))[0].effects
        for right in (TABLE, TABLE._replace(name=("public", "renamed")), TABLE._replace(oid=9))
    )
    assert first == same
    assert not first & anew


def past_locks(
    busy: dict[str, int], tables: int, patience: float = 100.0
) -> tuple[list[str], list[str], list[int]]:
    """What is granted, and what is left, where each of ``busy`` is locked for so many tries; and how many names
    each statement had that was tried."""
    planner = Planner("omni")
    tried: list[int] = []

    def send(change: RightsChange, seconds: float) -> None:
        tried.append(len(change.rights))
        names = [right.name[1] for right in change.rights if busy.get(right.name[1], 0) > 0]
        for name in names:
            busy[name] -= 1
        if names:
            raise Refused("", sqlstate="55P03")

    sender = PastLocks(send, patience)
    rights = [TABLE._replace(name=("public", f"t{number}"), oid=number) for number in range(tables)]
    made = list(sender.send(list(planner.changes("GRANT", rights)), locked={7}))
    return (
        [right.name[1] for change in made for right in change.rights],
        [right.name[1] for right in sender.locked],
        tried,
    )


@pytest.mark.parametrize(
    ("busy", "left"),
    [
        ({}, []),
        ({"t3": 10**6, "t900": 10**6}, ["t3", "t900"]),
        # It is free by the time that all the rest is done.
        ({"t3": 9}, []),
    ],
)
def test_a_locked_table_keeps_no_other_waiting(busy: dict[str, int], left: list[str]) -> None:
    granted, locked, tried = past_locks(busy, 1200)
    assert sorted(locked) == left
    assert sorted(granted + locked) == sorted(f"t{number}" for number in range(1200))
    assert len(tried) < 60
    # What was known to be locked is the first that was left for the end.
    assert granted.index("t7") > granted.index("t1199")


def test_people_hear_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each five seconds, and at no other time."""
    now = [0.0]

    def transact(session: Any, changes: Any, lock_timeout: float) -> None:
        now[0] += 3

    @contextlib.contextmanager
    def transaction() -> Iterator[None]:
        yield

    monkeypatch.setattr(grants_apply.time, "monotonic", lambda: now[0])
    resource = build(monkeypatch)
    told: list[str] = []
    resource.progress = told.append
    monkeypatch.setattr(resource, "transact", transact)
    monkeypatch.setattr(resource.session, "transaction", transaction)
    monkeypatch.setattr(resource.session, "rows", lambda query, values: [])
    rights = tuple(TABLE._replace(name=("public", f"t{number}"), oid=number) for number in range(4 * CHUNK))
    list(resource.apply(resource.plan(GRANTED._replace(missing=rights))))
    assert [line.split(" in ")[0] for line in told] == [
        f"{done * CHUNK} of {4 * CHUNK} privileges are set" for done in (2, 4)
    ]


def test_what_is_locked_is_told_apart_when_the_patience_is_over() -> None:
    """By tries that wait for hardly anything."""
    granted, locked, tried = past_locks({"t3": 10**6}, 1200, patience=0)
    assert locked == ["t3"]
    assert len(granted) == 1199
    assert len(tried) < 60


@pytest.mark.parametrize(
    ("lacking", "changes", "said"),
    [
        ({"absent_schemas": ("gone", "lost")}, [], "there is no schema gone, lost. Correct schemas"),
        ({"unknown_creators": ("nobody",)}, [], "there is no role nobody. Create it with omni_pg_user first"),
        ({"role_exists": False}, [Change(None)], "there is no role omni. Create it"),
        (
            {"role_exists": False, "unknown_creators": ("nobody",)},
            [Change(None)],
            "there is no role omni, nobody. Create it",
        ),
    ],
)
def test_what_is_not_there_is_required_by_a_run_alone(
    lacking: dict[str, Any], changes: list[Change], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot be granted, and there is nothing of it to revoke."""
    state = GRANTED._replace(**lacking)
    resource = build(monkeypatch)
    resource.plan(state)
    resource.require(GRANTED, changes)
    with pytest.raises(Prerequisite) as caught:
        resource.require(state, changes)
    assert said in plain(caught.value, DEFINITION)
    absent = build(monkeypatch, state="absent")
    assert absent.plan(state) == []
    absent.require(state, changes)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"schemas": []}, "it names no schema"),
        ({"schemas": ["pg_catalog"]}, "pg_catalog belongs to Postgres itself"),
        ({"exclude_schemas": ["a" * 64]}, r"exclude_schemas.*: .* has 64 bytes"),
        ({"default_privileges_for": ["auto", "etl"]}, "auto and none stand alone"),
        ({"default_privileges_for": ["none", "auto"]}, "auto and none stand alone"),
    ],
)
def test_options_that_cannot_be_meant(
    options: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidInput, match=said):
        build(monkeypatch, **options)

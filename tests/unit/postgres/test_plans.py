# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Postgres resources plan, as tables: no server is asked."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.omni_analytics.connect.plugins.module_utils._converge import Change
from ansible_collections.omni_analytics.connect.plugins.module_utils._definition import Definition
from ansible_collections.omni_analytics.connect.plugins.module_utils._errors import (
    Conflict,
    InvalidInput,
    Prerequisite,
)
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres import (
    grants,
    upload_schema,
    user,
)

NAME_63 = "ä" * 31 + "b"


def build(definition: Definition, **options: Any) -> Any:
    """The resource, with the defaults of the options that are not given."""
    params = {name: option.get("default") for name, option in definition.options.items()}
    return definition.build({**params, "login_db": "sales", **options})


def statements(changes: list[Change]) -> list[tuple[Any, ...]]:
    """Each statement's text and names."""
    return [(change.payload.text, *change.payload.parts) for change in changes]


ROLE = user.State(exists=True, can_login=True, password="fits")
LOGIN, PASSWORD = "ALTER ROLE {} LOGIN", "ALTER ROLE {} PASSWORD {}"


@pytest.mark.parametrize(
    ("state", "update_password", "texts"),
    [
        (user.State(exists=False), "on_create", ["CREATE ROLE {} LOGIN PASSWORD {}"]),
        (ROLE, "always", []),
        (ROLE._replace(password="differs"), "on_create", []),
        (ROLE._replace(password="differs"), "always", [PASSWORD]),
        (ROLE._replace(password="unknown"), "on_create", []),
        (ROLE._replace(password="unknown"), "always", [PASSWORD]),
        (ROLE._replace(password="set"), "always", []),
        (ROLE._replace(password="not_checked"), "always", []),
        (ROLE._replace(can_login=False), "on_create", [LOGIN]),
        (ROLE._replace(can_login=False, password="differs"), "always", [LOGIN, PASSWORD]),
    ],
)
def test_user(state: user.State, update_password: str, texts: list[str]) -> None:
    # In plain text, which is what takes no connection, and what would be worst to show.
    plain = {"password": "secret", "password_encryption": "plaintext"}
    resource = build(user.DEFINITION, update_password=update_password, **plain)
    changes = resource.plan(state)
    assert [change.payload.text for change in changes] == texts
    assert all(change.payload.parts[0] == ("omni",) for change in changes)
    sent = [change.payload.parts[1] for change in changes if len(change.payload.parts) > 1]
    assert sent == ["secret"] * len(sent)
    assert "secret" not in repr(changes)
    assert resource.secrets == set(sent)


def test_a_new_role_needs_a_password() -> None:
    with pytest.raises(InvalidInput, match=r"no password was given\. Set O\(password\)\."):
        build(user.DEFINITION).plan(user.State(exists=False))


OMNI = ("omni",)


SCHEMA = upload_schema.State(
    role_exists=True, owner="dba", privileges=frozenset({"USAGE", "CREATE"}), others=()
)
NO_SCHEMA = SCHEMA._replace(owner=None, privileges=frozenset())
BOTH = ("GRANT USAGE, CREATE ON SCHEMA {} TO {}", ("uploads",), OMNI)


@pytest.mark.parametrize(
    ("state", "owner", "planned"),
    [
        (SCHEMA, None, []),
        (SCHEMA, "dba", []),
        (SCHEMA, "etl", [("ALTER SCHEMA {} OWNER TO {}", ("uploads",), ("etl",))]),
        (NO_SCHEMA, None, [("CREATE SCHEMA {}", ("uploads",)), BOTH]),
        (NO_SCHEMA, "etl", [("CREATE SCHEMA {} AUTHORIZATION {}", ("uploads",), ("etl",)), BOTH]),
        (
            SCHEMA._replace(privileges=frozenset({"USAGE"})),
            None,
            [("GRANT CREATE ON SCHEMA {} TO {}", ("uploads",), OMNI)],
        ),
        # It was for uploads before: what others put into it since is theirs.
        (
            SCHEMA._replace(privileges=frozenset({"CREATE"}), others=("t",)),
            None,
            [("GRANT USAGE ON SCHEMA {} TO {}", ("uploads",), OMNI)],
        ),
    ],
)
def test_upload_schema(state: upload_schema.State, owner: str | None, planned: list[Any]) -> None:
    resource = build(upload_schema.DEFINITION, name="uploads", owner=owner)
    assert statements(resource.plan(state)) == planned


def test_a_schema_that_others_use_is_not_adopted() -> None:
    state = SCHEMA._replace(privileges=frozenset({"USAGE"}), others=("orders", "parts"))
    with pytest.raises(
        Conflict, match=r"already holds orders, parts, which role omni does not own"
    ) as caught:
        build(upload_schema.DEFINITION, name="uploads").plan(state)
    assert caught.value.detail == {"relations": ["orders", "parts"]}


def test_the_role_is_required_by_a_run_alone() -> None:
    resource = build(upload_schema.DEFINITION, name="uploads")
    resource.require(NO_SCHEMA, resource.plan(NO_SCHEMA))
    resource.plan(NO_SCHEMA._replace(role_exists=False))
    with pytest.raises(Prerequisite, match=r"there is no role omni\. Create it with omni_pg_user first"):
        resource.require(NO_SCHEMA._replace(role_exists=False), [Change(None)])


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "it is empty, which is no name"),
        ("a\0b", "it has a NUL, or bytes that are not UTF-8"),
        ("a\udcffb", "it has a NUL, or bytes that are not UTF-8"),
        (NAME_63 + "c", "has 64 bytes, and Postgres cuts names after 63"),
        ("pg_omni", "keeps the role name pg_omni for itself"),
        ("public", "keeps the role name public for itself"),
        ("none", "keeps the role name none for itself"),
    ],
)
def test_role_names_that_no_server_keeps(name: str, said: str) -> None:
    for definition, options in (
        (user.DEFINITION, {"name": name}),
        (grants.DEFINITION, {"role": name}),
        (upload_schema.DEFINITION, {"name": "uploads", "role": name}),
    ):
        with pytest.raises(InvalidInput, match=said):
            build(definition, **options)


@pytest.mark.parametrize("name", [NAME_63, "Public", "pgomni", 'o"m.n%i', " "])
def test_role_names_that_a_server_keeps(name: str) -> None:
    assert build(user.DEFINITION, name=name).name == name

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After each step: exactly what that step is for, and nothing of another's. vars/history.yml is what ran."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import pytest
from filled import RELATIONS, SEQUENCES
from fixtures import history
from outside import look

CREATORS = {
    "public": ["dba", "app_owner", "etl"],
    "orders": ["app_owner", "etl"],
    "stats_daily": ["app_owner", "etl"],
}
GRANTS = [
    "GRANT CONNECT ON DATABASE sales TO omni;",
    *(f"GRANT USAGE ON SCHEMA {schema} TO omni;" for schema in CREATORS),
    *(f"GRANT SELECT ON TABLE {relation} TO omni;" for relation in RELATIONS),
    *(f"GRANT SELECT ON SEQUENCE {sequence} TO omni;" for sequence in SEQUENCES),
    *(
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {creator} IN SCHEMA {schema} GRANT SELECT ON {kind} TO omni;"
        for schema, creators in CREATORS.items()
        for creator in creators
        for kind in ("TABLES", "SEQUENCES")
    ),
]
ONE_GRANT = "GRANT SELECT ON TABLE orders.orders TO omni;"
SETTING = "ALTER ROLE omni SET statement_timeout TO '10min';"
UPLOADS = "GRANT ALL ON SCHEMA omni_uploads TO omni;"
USE_ALONE = "GRANT USAGE ON SCHEMA omni_uploads TO omni;"
RULES = [
    'pg_hba.conf: # BEGIN omni_analytics.connect: role "omni", database "sales"',
    "pg_hba.conf: hostssl sales omni 192.0.2.10/32 scram-sha-256",
    "pg_hba.conf: hostssl sales omni 198.51.100.0/28 scram-sha-256",
    'pg_hba.conf: # END omni_analytics.connect: role "omni", database "sales"',
]
ENVIRONMENT = 'omni environments: ["sales", "sales_emea", ["EMEA"]]'


def connection(name: str = "sales", base_role: str = "NO_ACCESS", attribute: str = "null") -> str:
    return (
        f'omni connections: ["{name}", "sales.db.example.com", "sales", "omni", "public,orders,stats_*",'
        f' "omni_uploads", "{base_role}", {attribute}]'
    )


def model(name: str = "sales") -> str:
    return f'omni models: ["{name}", "SCHEMA", true]'


def schedule(name: str = "sales") -> str:
    return f'omni schedules: ["{name}", "0 2 * * ? *", "Europe/Berlin"]'


class Effect(NamedTuple):
    """The lines of outside.py that are there afterwards and were not before, and those that are gone."""

    added: Sequence[str] = ()
    gone: Sequence[str] = ()
    rc: int = 0


SERVED = connection(attribute='"region"')
MEDDLED = connection(base_role="QUERIER", attribute='"region"')
EFFECTS = {
    "grants": Effect(GRANTS),
    "user": Effect([SETTING]),
    "upload_schema": Effect(
        ["CREATE SCHEMA omni_uploads;", "ALTER SCHEMA omni_uploads OWNER TO postgres;", UPLOADS]
    ),
    "verify": Effect(),
    "preflight": Effect(),
    "connection": Effect([connection()]),
    "allowlist": Effect(RULES),
    "model": Effect([model()]),
    "schedule": Effect([schedule()]),
    "omni_half_of_another_connection": Effect(
        [connection("sales_emea"), model("sales_emea"), schedule("sales_emea")]
    ),
    "environments": Effect([ENVIRONMENT, SERVED], [connection()]),
    "meanwhile": Effect(
        [USE_ALONE, MEDDLED], [ONE_GRANT, SETTING, UPLOADS, *RULES, schedule(), ENVIRONMENT, SERVED]
    ),
    "preflight_again": Effect(),
    "verify_fails": Effect(rc=2),
    "environments_again": Effect([ENVIRONMENT]),
    "schedule_again": Effect([schedule()]),
    "model_again": Effect(),
    "connection_again": Effect([SERVED], [MEDDLED]),
    "allowlist_again": Effect(RULES),
    "upload_schema_again": Effect([UPLOADS], [USE_ALONE]),
    "user_again": Effect([SETTING]),
    "grants_again": Effect([ONE_GRANT]),
    "verify_again": Effect(),
    "everything": Effect(),
}
LAST = list(EFFECTS)[-1]


def compare(before: list[str], after: list[str]) -> tuple[list[str], list[str]]:
    """The lines that were added, and those that are gone."""
    old, new = Counter(before), Counter(after)
    return sorted((new - old).elements()), sorted((old - new).elements())


@pytest.mark.parametrize(("before", "step"), pairwise(["before", *EFFECTS]))
def test_a_step_does_what_it_is_for_and_nothing_else(before, step):
    effect, record = EFFECTS[step], history(step)
    assert record.rc == effect.rc, record.said
    added, gone = compare(history(before).outside, record.outside)
    assert added == sorted(effect.added)
    assert gone == sorted(effect.gone)


@pytest.mark.parametrize("step", EFFECTS)
def test_it_says_that_it_changed_something_where_it_did(step):
    effect, changed = EFFECTS[step], history(step).recap("changed")
    if step == "meanwhile":
        assert changed == {}  # no Ansible
    else:
        assert (changed["sales"] > 0) == bool(effect.added or effect.gone)


def test_the_proof_alone_says_what_others_took_away():
    said = history("verify_fails").said
    assert "Role omni can read 10 of 11 relations" in said
    assert "first orders.orders (it lacks SELECT)" in said
    assert "it cannot upload: it lacks USAGE or CREATE on schema omni_uploads" in said


def test_nothing_was_undone_since():
    assert compare(history(LAST).outside, look()) == ([], [])


def test_the_role_is_still_the_one_that_was_made_by_hand():
    """A new role, or another password, would have another line in the dump."""
    lines = {line for line in history("before").outside if "ROLE omni" in line}
    assert lines
    assert lines <= set(look())

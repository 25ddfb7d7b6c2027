# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Step grants: Omni reads what is modelled, now and later, and nothing else."""

from __future__ import annotations

import psycopg2
import pytest
from filled import RELATIONS, SEQUENCES


def test_the_lists_are_complete(psql):
    found = psql(
        "SELECT format('%I.%I', nspname, relname) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
        " WHERE nspname IN ('public', 'orders', 'stats_daily') AND relkind IN ('r', 'p', 'v', 'm', 'S')"
    )
    assert sorted(found) == sorted(RELATIONS + SEQUENCES)


@pytest.mark.parametrize("relation", RELATIONS)
def test_it_reads_every_relation(omni, relation):
    omni.execute(f"SELECT * FROM {relation} LIMIT 1")


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_it_reads_every_sequence(omni, sequence):
    omni.execute(f"SELECT last_value FROM {sequence}")


def test_it_sees_every_row(omni):
    omni.execute("SELECT (SELECT count(*) FROM public.customers), (SELECT count(*) FROM orders.orders)")
    assert omni.fetchone() == (100, 500)


@pytest.mark.parametrize("owner", ["app_owner", "etl"])
@pytest.mark.parametrize("schema", ["public", "orders", "stats_daily"])
def test_it_reads_what_is_made_afterwards(psql, omni, schema, owner):
    new = f"{schema}.made_later_by_{owner}"
    psql(
        f"CREATE TABLE {new} (id serial); CREATE VIEW {new}_view AS SELECT id FROM {new};"
        f" INSERT INTO {new} DEFAULT VALUES",
        role=owner,
    )
    try:
        for source in (new, f"{new}_view"):
            omni.execute(f"SELECT id FROM {source}")
            assert omni.fetchall() == [(1,)]
        omni.execute(f"SELECT last_value FROM {new}_id_seq")
    finally:
        omni.connection.rollback()
        psql(f"DROP TABLE {new} CASCADE", role=owner)


def test_a_schema_that_is_not_modelled_stays_closed(omni):
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        omni.execute("SELECT * FROM internal.salaries")

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Step upload_schema: Omni writes there, and nowhere else."""

from __future__ import annotations

import psycopg2
import pytest

UPLOADS = "omni_uploads"


def test_it_keeps_an_upload_there(omni):
    omni.execute(f"CREATE TABLE {UPLOADS}.budget (day date, amount numeric)")
    omni.execute(f"INSERT INTO {UPLOADS}.budget VALUES ('2026-01-01', 1)")
    omni.connection.commit()
    omni.execute(f"SELECT amount FROM {UPLOADS}.budget")
    assert omni.fetchall() == [(1,)]
    omni.execute(f"DROP TABLE {UPLOADS}.budget")
    omni.connection.commit()


def test_it_cannot_drop_the_schema(omni):
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        omni.execute(f"DROP SCHEMA {UPLOADS}")


def test_it_makes_no_schema(omni):
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        omni.execute("CREATE SCHEMA another")


@pytest.mark.parametrize("schema", ["public", "orders", "stats_daily", "internal"])
def test_it_makes_nothing_in_another_schema(omni, schema):
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        omni.execute(f"CREATE TABLE {schema}.made_by_omni (id integer)")


@pytest.mark.parametrize(
    "write",
    [
        "INSERT INTO public.customers (name) VALUES ('x')",
        "UPDATE public.customers SET name = 'x'",
        "DELETE FROM public.customers",
        "TRUNCATE public.customers",
        "DROP TABLE public.customers",
        "INSERT INTO orders.orders (customer, day, amount) VALUES (1, '2026-01-01', 1)",
        "REFRESH MATERIALIZED VIEW orders.by_day",
        "SELECT nextval('orders.invoice_number')",
        "SELECT setval('orders.invoice_number', 7)",
    ],
)
def test_it_changes_no_data_elsewhere(omni, write):
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        omni.execute(write)


def test_no_relation_elsewhere_can_be_written(psql):
    """The same for every relation, asked of the catalog."""
    assert (
        psql(
            "SELECT oid::regclass FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"
            " AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)'"
            f" AND relnamespace <> '{UPLOADS}'::regnamespace"
            " AND CASE relkind WHEN 'S' THEN has_sequence_privilege('omni', oid, 'USAGE, UPDATE')"
            " ELSE has_table_privilege('omni', oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') END"
        )
        == []
    )

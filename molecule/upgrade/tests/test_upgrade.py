# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was made by hand is kept, and what it lacked is there. files/by_hand.sql is what was made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

BY_HAND = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "by_hand"


def test_the_connection_is_the_one_that_was_there(fake, instance):
    (connection,) = fake.connections("sales")
    assert connection["id"] == BY_HAND.read_text()
    assert fake.password_matches(connection["id"], instance["omni_password"]) is True


def test_the_role_is_the_one_that_was_there(psql):
    sql = "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = 'omni'"
    assert psql(sql) == ["for the BI tool, ask Kim"]


def test_last_years_upload_is_there(omni):
    omni.execute("SELECT amount FROM omni_uploads.budget")
    assert omni.fetchall() == [(1,)]


@pytest.mark.parametrize(
    "relation",
    [
        *("public.customers", "public.customers_id_seq", "orders.orders", "orders.returns", "orders.by_day"),
        *("orders.invoice_number", "stats_daily.targets", 'stats_daily."Visits per Day (%)"'),
    ],
)
def test_it_reads_what_is_modelled(omni, relation):
    omni.execute(f"SELECT FROM {relation} LIMIT 1")


def test_it_uploads(omni):
    omni.execute("CREATE TABLE omni_uploads.forecast (day date, amount numeric)")


@pytest.mark.parametrize("owner", ["app_owner", "etl"])
@pytest.mark.parametrize("schema", ["public", "orders", "stats_daily"])
def test_it_reads_what_others_make_afterwards(psql, omni, schema, owner):
    """By hand, the default privileges were for the login alone."""
    psql(f"CREATE TABLE {schema}.made_later (id serial)", role=owner)
    try:
        omni.execute(f"SELECT FROM {schema}.made_later")
        omni.execute(f"SELECT last_value FROM {schema}.made_later_id_seq")
    finally:
        omni.connection.rollback()
        psql(f"DROP TABLE {schema}.made_later", role=owner)

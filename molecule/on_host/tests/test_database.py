# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that ran on the host, as the user postgres, over the socket."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    "relation", ["public.customers", "orders.orders", 'stats_daily."Visits per Day (%)"']
)
def test_it_reads_what_is_modelled(as_omni, relation):
    assert as_omni(f"SELECT count(*) FROM {relation}").rc == 0


def test_a_schema_that_is_not_modelled_stays_closed(as_omni):
    assert "permission denied" in as_omni("SELECT FROM internal.salaries").stderr


def test_it_uploads(as_omni):
    assert as_omni("BEGIN; CREATE TABLE omni_uploads.budget (amount numeric); ROLLBACK").rc == 0


def test_the_superuser_has_no_password(as_postgres):
    """So the socket was the only way in for the steps."""
    found = as_postgres("SELECT rolpassword IS NULL FROM pg_authid WHERE rolname = 'postgres'")
    assert found.stdout.strip() == "t"


def test_the_socket_lets_in_nobody_but_the_system_user_of_that_name(as_postgres):
    """So the password was proved over TCP."""
    assert "Peer authentication failed" in as_postgres("SELECT 1", "--username=omni", "sales").stderr


def test_omni_has_one_connection_with_the_password_that_logs_in(fake, instance):
    (connection,) = fake.connections("sales")
    assert (connection["host"], connection["port"]) == ("sales.db.example.com", 5432)
    assert fake.password_matches(connection["id"], instance["omni_password"]) is True

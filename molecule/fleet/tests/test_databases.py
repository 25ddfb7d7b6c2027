# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Omni has of each database: a login that reads, and a connection to the server that it is on."""

from __future__ import annotations

import contextlib

import pytest
from fixtures import ask
from outside import DATABASES

HOSTS = [(server, database) for server, databases in DATABASES.items() for database in databases]


def test_the_servers_are_of_three_versions(instance):
    sql = "SELECT current_setting('server_version_num')::integer / 10000"
    oldest, usual, newest = (int(ask(instance, sql, server=server)[0]) for server in DATABASES)
    assert oldest < usual < newest


@pytest.mark.parametrize(("server", "database"), HOSTS)
def test_it_reads_and_uploads(instance, log_in, server, database):
    with (
        contextlib.closing(log_in(dbname=database, port=instance["servers"][server]["port"])) as connection,
        connection.cursor() as omni,
    ):
        omni.execute(
            "SELECT (SELECT count(*) FROM public.customers), (SELECT count(*) FROM orders.orders),"
            " (SELECT count(*) FROM orders.by_day), (SELECT count(*) FROM orders.by_customer),"
            " (SELECT count(*) FROM orders.returns), (SELECT count(*) FROM stats_daily.busy_days)"
        )
        assert omni.fetchall() == [(100, 500, 500, 100, 0, 0)]
        omni.execute("CREATE TABLE omni_uploads.budget (day date, amount numeric)")


@pytest.mark.parametrize(("server", "database"), HOSTS)
def test_it_has_one_connection_to_its_own_server(instance, fake, server, database):
    (connection,) = fake.connections(database)
    assert (connection["host"], connection["database"]) == (f"{server}.db.example.com", database)
    assert (connection["includeSchemas"], connection["scratchSchema"]) == (
        "public,orders,stats_*",
        "omni_uploads",
    )
    assert fake.password_matches(connection["id"], instance["omni_password"]) is True

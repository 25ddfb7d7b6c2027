# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Step connection: Omni has one connection to the database, with the right settings."""

from __future__ import annotations


def test_there_is_one_with_the_right_settings(fake):
    (connection,) = fake.connections("sales")
    wanted = {
        "dialect": "postgres",
        "host": "sales.db.example.com",
        "port": 5432,
        "database": "sales",
        "username": "omni",
        "defaultSchema": "public",
        "includeSchemas": "public,orders,stats_*",
        "scratchSchema": "omni_uploads",
        "systemTimezone": "UTC",
        "queryTimezone": "NONE",
    }
    assert {name: connection.get(name) for name in wanted} == wanted


def test_its_password_is_the_one_that_logs_in(fake, instance, log_in):
    (connection,) = fake.connections("sales")
    password = instance["omni_password"]
    # Kept out of the assertion, which would print its arguments.
    matches = [fake.password_matches(connection["id"], each) for each in (password, password + "x")]
    assert matches == [True, False]
    log_in().close()

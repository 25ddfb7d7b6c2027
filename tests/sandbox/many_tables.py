# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases with very many tables."""

from __future__ import annotations

import contextlib

from psycopg2.sql import SQL, Identifier

from .postgres import PostgresServer

#: How many tables are made in one transaction, each of which takes a lock or two.
TOGETHER = 200
MAKE = """
DO $$ BEGIN
    FOR n IN {} .. {} LOOP
        EXECUTE format('CREATE TABLE t%s ()', n);
    END LOOP;
END $$
"""


def many_tables(server: PostgresServer, name: str, tables: int) -> None:
    """Makes a database of that name with so many empty tables, t0 and on, in its schema public."""
    server.execute("postgres", SQL("CREATE DATABASE {}").format(Identifier(name)))
    with contextlib.closing(server.connect(name)) as connection, connection.cursor() as cursor:
        for start in range(0, tables, TOGETHER):
            cursor.execute(MAKE.format(start, min(start + TOGETHER, tables) - 1))

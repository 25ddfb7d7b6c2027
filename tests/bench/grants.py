# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""omni_pg_grants beside `GRANT … ON ALL TABLES`.

`PYTHONPATH=.build/collections python -m tests.bench.grants [TABLES …]` prints, for each number of tables, what a first
run costs, what runs with nothing to do cost, and what check mode costs: seconds with the login, rows written to
catalogs, and statements sent. The two take turns. The environment variable TEST_POSTGRES chooses a version.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.grants import DEFINITION
from tests.helpers.postgres_modules import Watch, perform
from tests.sandbox.many_tables import many_tables
from tests.sandbox.postgres import PostgresServer

SIZES = [10, 10_000, 50_000]
REPEATS = 5
# What a module does that grants without a look first: its check mode does the same, and rolls back.
BY_HAND = """
BEGIN;
GRANT CONNECT ON DATABASE {0} TO by_hand;
GRANT USAGE ON SCHEMA public TO by_hand;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO by_hand;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO by_hand;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO by_hand;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON SEQUENCES TO by_hand;
{1}
"""


def main(sizes: list[int]) -> None:
    with PostgresServer() as server:
        print(f"Postgres {server.version}")
        print(
            f"{'tables':>7}  {'run':12} {'who':16} {'seconds':>8} {'ratio':>6} {'rows':>7} {'statements':>10}"
        )
        server.execute("postgres", "CREATE ROLE by_hand; CREATE ROLE by_module")
        for size in sizes:
            _compare(server, size)


def _compare(server: PostgresServer, size: int) -> None:
    name = f"tables_{size}"
    many_tables(server, name, size)
    login = {
        "login_host": server.host,
        "login_port": server.port,
        "login_user": server.admin_user,
        "login_password": server.admin_password,
        "login_db": name,
        "role": "by_module",
        "statement_timeout": 600,
    }

    def by_hand(end: str) -> None:
        with (
            contextlib.closing(server.connect(name, server.admin_user, server.admin_password)) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(BY_HAND.format(name, end))

    def by_module(check: bool, options: Mapping[str, Any]) -> None:
        result = perform(DEFINITION, {**login, **options}, check=check)
        assert not result["failed"], result

    runs: list[tuple[str, int, Callable[[], None], Callable[[], None]]] = [
        ("check, first", 1, lambda: by_hand("ROLLBACK"), lambda: by_module(True, {})),
        ("first", 1, lambda: by_hand("COMMIT"), lambda: by_module(False, {})),
        ("again", REPEATS, lambda: by_hand("COMMIT"), lambda: by_module(False, {})),
        ("check, again", REPEATS, lambda: by_hand("ROLLBACK"), lambda: by_module(True, {})),
        ("exclusive", REPEATS, lambda: by_hand("COMMIT"), lambda: by_module(False, {"exclusive": True})),
    ]
    for what, repeats, theirs, ours in runs:
        taken: dict[str, list[float]] = {"ON ALL TABLES": [], "omni_pg_grants": []}
        rows, sent = dict.fromkeys(taken, 0), dict.fromkeys(taken, 0)
        for dummy in range(repeats):
            for who, call in (("ON ALL TABLES", theirs), ("omni_pg_grants", ours)):
                before, watch = _written(server, name), Watch(server, name)
                begun = time.perf_counter()
                call()
                taken[who].append(time.perf_counter() - begun)
                rows[who] = _written(server, name) - before
                sent[who] = len(watch.everything) or BY_HAND.count(";") + 1
        base = statistics.median(taken["ON ALL TABLES"])
        for who, seconds in taken.items():
            median = statistics.median(seconds)
            print(
                f"{size:7}  {what:12} {who:16} {median:8.3f} {median / base:6.2f} {rows[who]:7} {sent[who]:10}",
                flush=True,
            )


def _written(server: PostgresServer, name: str) -> int:
    return sum(server.catalog_writes(name).values())


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or SIZES)

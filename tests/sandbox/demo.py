# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make demo`: the playbook `connect`, for real, on databases that Omni knows nothing of.

Two Postgres servers and a fake Omni are started; everything else is what a user would do: an inventory, the
playbook, the playbook again. What changed is read from the databases and from Omni, not from Ansible.
"""

from __future__ import annotations

import argparse
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import requests
from psycopg2.sql import SQL, Identifier

from .fake_omni import FakeOmni
from .postgres import PostgresServer, fill

ROOT = Path(__file__).parents[2]
PLAYBOOK = "omni_analytics.connect.connect"
UPLOADS = "omni_uploads"

INVENTORY = """\
---
all:
  vars:
    ansible_connection: local
    omni_postgres_login_user: dba
    omni_postgres_login_password: "{{{{ lookup('ansible.builtin.env', 'DBA_PASSWORD_' ~ server) }}}}"
    omni_postgres_password: "{{{{ lookup('ansible.builtin.env', 'OMNI_ROLE_PASSWORD') }}}}"
    omni_postgres_upload_schema: {uploads}
    omni_postgres_api_url: {api_url}
    omni_postgres_api_token: "{{{{ lookup('ansible.builtin.env', 'OMNI_API_TOKEN') }}}}"
    omni_postgres_ca_path: {ca_file}
    omni_postgres_login_host: 127.0.0.1
    omni_postgres_ssl_mode: disable  # the embedded server has no TLS; the default is require
  children:
    first_server:
      vars: {{server: FIRST, omni_postgres_login_port: {first_port}, omni_postgres_host: db1.example.com}}
      hosts:
        sales:
          omni_postgres_database: sales
          omni_postgres_schemas: [public, 'sales_*', 'stats_*']
        support:
          omni_postgres_database: support
          omni_postgres_schemas: ['*']
    second_server:
      vars: {{server: SECOND, omni_postgres_login_port: {second_port}, omni_postgres_host: db2.example.com}}
      hosts:
        finance:
          omni_postgres_database: finance
          omni_postgres_schemas: ['*']
          omni_postgres_query_timezone: Europe/Berlin
"""


class Database(NamedTuple):
    """One database of the demo, and what makes a new table in it: the owner and a schema of the owner's."""

    name: str
    server: PostgresServer
    owner: str
    schema: str


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the sandbox up until it is interrupted")
    parser.add_argument(
        "--collections-path",
        default=str(ROOT / ".build" / "collections"),
        help="where the collection is installed (default: this checkout)",
    )
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with ExitStack() as stack:
        heading("Starting the sandbox: two Postgres servers, and a fake Omni")
        first, second = (stack.enter_context(PostgresServer()) for dummy in range(2))
        omni = stack.enter_context(FakeOmni())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="omni-demo-")))
        databases = [
            Database("sales", first, "etl", "stats_daily"),
            Database("support", first, "app_owner", "public"),
            Database("finance", second, "app_owner", "public"),
        ]
        for database in databases:
            fill(database.server, database.name)
        password = secrets.token_urlsafe(18)
        settings = {
            "ANSIBLE_COLLECTIONS_PATH": options.collections_path,
            "ANSIBLE_HOME": str(folder / "ansible"),
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "DBA_PASSWORD_FIRST": first.dba_password,
            "DBA_PASSWORD_SECOND": second.dba_password,
            "OMNI_ROLE_PASSWORD": password,
            "OMNI_API_TOKEN": omni.token,
        }
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "OMNI_", "PG"))}
        environment = {**inherited, **settings}
        if sys.stdout.isatty():
            environment["ANSIBLE_FORCE_COLOR"] = "1"
        inventory = folder / "inventory.yml"
        inventory.write_text(
            INVENTORY.format(
                uploads=UPLOADS,
                api_url=omni.url,
                ca_file=omni.ca_file,
                first_port=first.port,
                second_port=second.port,
            )
        )
        print(inventory.read_text())

        before = [facts(database, omni) for database in databases]
        heading(f"ansible-playbook -i inventory.yml {PLAYBOOK}")
        run_playbook(inventory, environment)
        heading("What changed, as the databases and Omni tell it")
        print_table(databases, before, [facts(database, omni) for database in databases])

        heading("The same again: nothing to do")
        recap = run_playbook(inventory, environment)
        changed = [line for line in recap if not re.search(r"\bchanged=0\b", line)]
        if changed:
            raise SystemExit("The second run changed something:\n" + "\n".join(changed))

        heading("Tables made after the run, read with a login as the Omni role")
        for database in databases:
            read_later_table(database, password)

        if options.keep:
            (folder / "environment").write_text("".join(f"export {k}='{v}'\n" for k, v in settings.items()))
            keep(databases, omni, password, folder)
    heading("Everything that was started is stopped")
    return 0


def heading(text: str) -> None:
    print(f"\n=== {text}", flush=True)


def run_playbook(inventory: Path, environment: dict[str, str]) -> list[str]:
    """Run the playbook with its own output, and return the lines of its recap."""
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory), PLAYBOOK]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    recap = []
    for line in process.stdout:
        print(line, end="", flush=True)
        if re.search(r"\bok=\d+.*\bchanged=\d+", line):
            recap.append(re.sub(r"\x1b\[[0-9;]*m", "", line).strip())
    if process.wait() != 0:
        raise SystemExit(f"The playbook failed: exit {process.returncode}")
    return recap


def facts(database: Database, omni: FakeOmni) -> list[str]:
    """What one row of the table compares: the role's readable relations and rights, and the connection."""
    ((readable, total, uploads),) = database.server.execute(
        database.name,
        """
        SELECT count(*) FILTER (WHERE has_schema_privilege(r.oid, n.oid, 'USAGE')
                                  AND has_table_privilege(r.oid, c.oid, 'SELECT')),
               count(*),
               coalesce((SELECT has_schema_privilege(r.oid, oid, 'CREATE')
                         FROM pg_namespace WHERE nspname = %s AND r.oid IS NOT NULL), false)
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
        LEFT JOIN pg_roles AS r ON rolname = 'omni'
        WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND relkind IN ('r', 'p', 'v', 'm', 'f')
        GROUP BY r.oid
        """,
        (UPLOADS,),
    )
    ((role,),) = database.server.execute(
        database.name, "SELECT count(*) FROM pg_roles WHERE rolname = 'omni' AND rolcanlogin"
    )
    answer = requests.get(
        f"{omni.url}/api/v1/connections",
        headers={"Authorization": f"Bearer {omni.token}"},
        verify=omni.ca_file,
        timeout=30,
    )
    ids = [c["id"] for c in answer.json()["connections"] if c["name"] == database.name]
    return [
        "omni" if role else "none",
        f"{readable} of {total}",
        UPLOADS if uploads else "none",
        ids[0] if ids else "none",
    ]


def print_table(
    databases: Sequence[Database], before: Sequence[list[str]], after: Sequence[list[str]]
) -> None:
    head = ["database", "login role", "relations with SELECT", "uploads into", "connection in Omni"]
    rows = [
        [database.name, *(old if old == new else f"{old} -> {new}" for old, new in zip(*pair, strict=True))]
        for database, *pair in zip(databases, before, after, strict=True)
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]

    def show(cells: Iterable[str]) -> None:
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())

    show(head)
    show("-" * width for width in widths)
    for row in rows:
        show(row)


def read_later_table(database: Database, password: str) -> None:
    """Make a table as its owner would, and read it as Omni would."""
    table = SQL("{}.made_later").format(Identifier(database.schema))
    with closing(database.server.connect(database.name)) as connection, connection.cursor() as cursor:
        cursor.execute(SQL("SET ROLE {}").format(Identifier(database.owner)))
        cursor.execute(SQL("CREATE TABLE {} AS SELECT 42 AS answer").format(table))
    with (
        closing(database.server.connect(database.name, "omni", password)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(SQL("SELECT answer FROM {}").format(table))
        rows = cursor.fetchall()
    if rows != [(42,)]:
        raise SystemExit(f"omni read {rows} from {database.name}")
    print(
        f"{database.name}: {database.owner} made {database.schema}.made_later, and omni reads {rows[0][0]} there"
    )


def keep(databases: Sequence[Database], omni: FakeOmni, password: str, folder: Path) -> None:
    """Leave the sandbox up until somebody interrupts this process."""
    heading("The sandbox stays up")
    for database in databases:
        address = f"{database.server.host}:{database.server.port}/{database.name}"
        print(f"{database.name}: postgresql://omni:{password}@{address}")
        print(f"{' ' * len(database.name)}  postgresql://dba:{database.server.dba_password}@{address}")
    print(f"Omni: {omni.url}  CA: {omni.ca_file}  token: {omni.token}")
    playbook = Path(sys.executable).with_name("ansible-playbook")
    print(
        f"Playbooks: (. {folder}/environment; {playbook} -i {folder}/inventory.yml {PLAYBOOK} --check --diff)"
    )
    print(f"Stop it with Ctrl-C here, or with: kill {os.getpid()}", flush=True)
    signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    sys.exit(main())

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of databases and a fake Omni, and what a run of a playbook on them costs."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, Self

import psutil
import yaml
from psycopg2.sql import SQL, Identifier

from tests.helpers import harness
from tests.sandbox.fake_omni import FakeOmni
from tests.sandbox.postgres import PostgresServer
from tests.sandbox.way import Way

HERE = Path(__file__).parent
#: Both sides run with this Ansible: the package `ansible`, which brings the other side's modules.
ANSIBLE = harness.ROOT / ".build" / "bench" / "bin" / "ansible-playbook"
PASSWORD = "the password of the role"
TEMPLATE = "template_of_the_fleet"
#: Two schemas of 50 tables each, of two owners; every second table has a sequence.
FILL = """
CREATE SCHEMA sales AUTHORIZATION app_owner;
CREATE SCHEMA stats AUTHORIZATION etl;
DO $$
DECLARE
    space record;
BEGIN
    FOR space IN SELECT * FROM (VALUES ('sales', 'app_owner'), ('stats', 'etl')) AS of (name, owner) LOOP
        EXECUTE format('SET ROLE %I', space.owner);
        FOR n IN 1 .. 50 LOOP
            EXECUTE format('CREATE TABLE %I.t%s (id %s, note text)', space.name, n,
                CASE n % 2 WHEN 0 THEN 'serial' ELSE 'integer' END);
        END LOOP;
        RESET ROLE;
    END LOOP;
END $$
"""
#: Who may do what, and what the role is.
RIGHTS = """
SELECT 'database', '', acl::text FROM pg_database, unnest(datacl) AS acl WHERE datname = current_database()
UNION ALL SELECT 'schema', nspname, acl::text FROM pg_namespace, unnest(nspacl) AS acl
UNION ALL SELECT 'relation', oid::regclass::text, acl::text FROM pg_class, unnest(relacl) AS acl
UNION ALL SELECT 'default', concat_ws(' ', defaclrole::regrole, defaclnamespace::regnamespace, defaclobjtype), acl::text
    FROM pg_default_acl, unnest(defaclacl) AS acl
UNION ALL SELECT 'role', rolname, concat_ws(' ', rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication,
    rolbypassrls, rolinherit, rolconnlimit, rolvaliduntil, rolconfig) FROM pg_roles WHERE rolname = 'omni'
ORDER BY 1, 2, 3
"""
#: What Omni gives a connection of its own accord.
OMNIS_OWN = ("id", "createdAt", "updatedAt")


class Cost(NamedTuple):
    """What a run cost: wall and CPU in seconds, the controller's peak memory in MB."""

    wall: float
    controller: float
    workers: float
    server: float
    memory: float

    @property
    def cpu(self) -> float:
        """Of Ansible: the controller and its workers."""
        return self.controller + self.workers


class Count(NamedTuple):
    """What a run sent, and what it wrote in the server."""

    statements: int
    connections: int
    round_trips: int
    rows: int
    wal: int
    requests: int


class Fleet:
    """A server with equal databases, and a fake Omni. A context manager.

    :param server: a running one.
    :param delay: seconds to the server and back.
    :param databases: how many there are at most; with more hosts, several name the same.
    """

    def __init__(
        self, server: PostgresServer, hosts: int, forks: int, delay: float = 0.0, databases: int = 200
    ) -> None:
        self.hosts = [f"db{number:04}" for number in range(hosts)]
        self.databases = self.hosts[:databases]
        self._server, self._forks, self._delay = server, forks, delay
        self._stack = ExitStack()
        server.execute(
            "postgres",
            "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'etl') THEN"
            " CREATE ROLE app_owner; CREATE ROLE etl; END IF; END $$",
        )
        server.drop_database(TEMPLATE)
        server.execute("postgres", SQL("CREATE DATABASE {}").format(Identifier(TEMPLATE)))
        server.execute(TEMPLATE, FILL)

    def __enter__(self) -> Self:
        self._omni = self._stack.enter_context(FakeOmni())
        self._way = self._stack.enter_context(Way(self._server.port, self._delay))
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="omni-bench-")))
        return self

    def __exit__(self, *_exception: object) -> None:
        for name in self.databases:
            self._server.drop_database(name)
        self._server.drop_role("omni")
        self._stack.close()

    def reset(self) -> None:
        """Databases and an Omni that nobody touched yet."""
        for name in self.databases:
            self._server.drop_database(name)
        self._server.drop_role("omni")
        for name in self.databases:
            self._server.execute(
                "postgres",
                SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(TEMPLATE)),
            )
        self._server.execute("postgres", "CHECKPOINT")
        self._omni.reset()

    def connect(self, playbook: Path, tags: Sequence[str] = ()) -> None:
        """Have a playbook leave nothing to do. A host that shares its database gets a copy of what the first with
        that database has in Omni, as a first run of its own would leave it in many times the time."""
        self._run(playbook, tags, True, self._server.port, self.databases)
        omni = self._omni.instance
        of_name = {str(one["name"]): one for one in omni.connections.values()}
        of_connection = {str(model["connectionId"]): model for model in omni.models.values()}
        for name in self.hosts[len(self.databases) :]:
            first = of_name.get(self._database(name))
            if first is not None:
                id = str(uuid.uuid4())
                omni.connections[id] = {**first, "id": id, "name": name}
                omni.models[id] = {**of_connection[str(first["id"])], "id": id, "connectionId": id}

    def _database(self, host: str) -> str:
        return self.databases[self.hosts.index(host) % len(self.databases)]

    def state(self) -> tuple[Any, ...]:
        """What a run leaves behind in the databases and in Omni."""
        own = [
            {name: value for name, value in one.items() if name not in OMNIS_OWN}
            for one in self._omni.connections
        ]
        models = sorted(request["path"] for request in self._omni.requests if "refresh" in request["path"])
        return (
            {name: self._server.execute(name, RIGHTS) for name in self.databases},
            sorted(own, key=lambda one: str(one["name"])),
            len(models),
        )

    def cost(self, playbook: Path, tags: Sequence[str] = (), changes: bool = True) -> Cost:
        """Run a playbook; see Cost.

        :param changes: whether it has something to change; it is an error where it has not, or has.
        """
        self._server.configure(log_statement="none")
        port = self._way.port if self._delay else self._server.port
        return self._run(playbook, tags, changes, port, self.hosts)

    def count(self, playbook: Path, tags: Sequence[str] = (), changes: bool = True) -> Count:
        """Run a playbook; see Count."""
        self._server.configure(log_statement="all")
        rows, mark, asked = self._rows(), self._server.log.stat().st_size, len(self._omni.requests)
        wal = self._wal()
        self._way.reset()
        self._run(playbook, tags, changes, self._way.port, self.hosts)
        log = self._server.log_text(mark).splitlines()
        wal = self._wal() - wal
        return Count(
            sum(any(f"LOG:  {kind}" in line for kind in ("statement: ", "execute ")) for line in log)
            - sum("sandbox LOG:  " in line for line in log),
            self._way.connections,
            self._way.round_trips,
            self._rows() - rows,
            wal,
            len(self._omni.requests) - asked,
        )

    def _run(
        self, playbook: Path, tags: Sequence[str], changes: bool, port: int, hosts: Sequence[str]
    ) -> Cost:
        of_each = {name: {"database_of_host": self._database(name)} for name in hosts}
        inventory = {"all": {"vars": self._variables(port), "hosts": of_each}}
        (self._folder / "inventory.yml").write_text(yaml.safe_dump(inventory))
        environment = {
            **{name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ},
            "LC_ALL": "C.UTF-8",
            "HOME": str(self._folder),
            "ANSIBLE_HOME": str(self._folder / "ansible"),
            "ANSIBLE_COLLECTIONS_PATH": str(harness.link_collection()),
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "usage",
            "ANSIBLE_PIPELINING": "true",
            "BENCH_USAGE": str(self._folder / "usage.json"),
        }
        command: list[str | Path] = [
            ANSIBLE,
            "-i",
            self._folder / "inventory.yml",
            "--forks",
            str(self._forks),
        ]
        command += ["--tags", ",".join(tags)] if tags else []
        server = self._server_cpu()
        begun = time.perf_counter()
        with (self._folder / "output").open("wb") as output:
            process = subprocess.Popen(
                [*command, playbook], env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
            _pid, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        usage = json.loads((self._folder / "usage.json").read_text())
        if process.returncode or usage["failed"] or bool(usage["changed"]) != changes:
            raise SystemExit((self._folder / "output").read_text() + f"{playbook}: {usage}")
        workers = used.ru_utime + used.ru_stime - usage["cpu"]
        return Cost(wall, usage["cpu"], workers, self._server_cpu() - server, usage["memory"])

    def _variables(self, port: int) -> Mapping[str, Any]:
        theirs = {
            "login_host": "127.0.0.1",
            "login_port": port,
            "login_user": self._server.admin_user,
            "login_password": self._server.admin_password,
            "ssl_mode": "disable",
            "database": "{{ database_of_host }}",
            "password": PASSWORD,
            "api_url": self._omni.url,
            "api_token": self._omni.token,
            "ca_path": self._omni.ca_file,
        }
        role = {
            **{f"omni_postgres_{name}": value for name, value in theirs.items()},
            "omni_postgres_schemas": ["sales", "stats"],
            "omni_postgres_default_schema": "sales",
            "omni_postgres_upload_schema": "omni_uploads",
            "omni_postgres_host": "db.example.com",
            "omni_postgres_port": 5432,
            # Neither side waits for Omni: not for its next minute, nor for the end of a refresh.
            "omni_postgres_requests_per_minute": 1_000_000,
            "omni_postgres_model_wait": False,
        }
        connection = {
            "dialect": "postgres",
            "name": "{{ inventory_hostname }}",
            "host": "db.example.com",
            "port": 5432,
            "database": "{{ database_of_host }}",
            "username": "omni",
            "passwordUnencrypted": PASSWORD,
            "defaultSchema": "sales",
            "includeSchemas": "sales,stats",
            "scratchSchema": "omni_uploads",
            "systemTimezone": "UTC",
            "queryTimezone": "NONE",
            "allowsUserSpecificTimezones": False,
        }
        return {"ansible_connection": "local", **theirs, **role, "omni_connection": connection}

    def _server_cpu(self) -> float:
        """Of all processes of the server, those that ended included."""
        pid = int((self._server.socket_dir / "data" / "postmaster.pid").read_text().split()[0])
        main = psutil.Process(pid)
        running = 0.0
        for child in main.children():
            with contextlib.suppress(psutil.NoSuchProcess):  # it counts as ended from now on
                running += sum(child.cpu_times()[:2])
        return float(sum(main.cpu_times()[:4]) + running)

    def _wal(self) -> int:
        (((written,),)) = self._server.execute(
            "postgres", "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"
        )
        return int(written)

    def _rows(self) -> int:
        """Rows of catalogs that were written so far."""
        return sum(self._written())

    def _written(self) -> Iterator[int]:
        shared = {
            name
            for (name,) in self._server.execute("postgres", "SELECT relname FROM pg_class WHERE relisshared")
        }
        for number, database in enumerate(self.databases):
            for name, rows in self._server.catalog_writes(database).items():
                if name not in shared or number == 0:
                    yield rows

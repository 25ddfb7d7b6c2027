# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's Postgres and the harness: what every other integration test stands on."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import psycopg2
import pytest
import requests
from psycopg2.sql import SQL, Identifier

from tests.helpers import harness
from tests.sandbox import postgres
from tests.sandbox.postgres import DATABASES, PostgresServer, SandboxError, fill

if TYPE_CHECKING:
    from tests.sandbox.fake_omni import FakeOmni


def test_passwords_are_checked(server: PostgresServer) -> None:
    with contextlib.closing(server.connect("sales", server.dba_user, server.dba_password)) as connection:
        assert connection.info.used_password
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        server.connect("sales", server.dba_user, "wrong")
    with pytest.raises(psycopg2.OperationalError, match="no password supplied"):
        server.connect("sales", "etl")


def test_the_log_shows_statements_and_no_password(server: PostgresServer) -> None:
    mark = server.log.stat().st_size
    server.execute("sales", "SELECT 'seen in the log'")
    assert "seen in the log" in server.log_text(mark)
    assert server.dba_password not in server.log_text()
    assert server.admin_password not in server.log_text()


def test_settings_hold_at_once_and_can_be_put_back(server: PostgresServer) -> None:
    def work_mem() -> str:
        return server.execute("postgres", "SHOW work_mem")[0][0]

    before = work_mem()
    server.configure(work_mem="7MB")
    assert work_mem() == "7MB"
    server.configure(work_mem=None)
    assert work_mem() == before


def test_hba_lines_hold_while_inside(server: PostgresServer) -> None:
    def dba_enters() -> bool:
        try:
            server.connect("sales", server.dba_user, server.dba_password).close()
        except psycopg2.OperationalError as error:
            if "pg_hba.conf rejects" in str(error):
                return False
            raise
        return True

    with server.hba(f"host sales {server.dba_user} 127.0.0.1/32 reject"):
        assert not dba_enters()
    assert dba_enters()
    with pytest.raises(SandboxError, match=r"bad pg_hba\.conf"), server.hba("host sales nonsense"):
        pass
    assert dba_enters()


@pytest.mark.parametrize(
    ("statements", "catalogs"),
    [
        (["SELECT count(*) FROM customers", "SELECT count(*) FROM pg_class"], set()),
        (["GRANT SELECT ON customers TO etl"], {"pg_class"}),
        (["BEGIN", "CREATE SCHEMA gone", "ROLLBACK"], {"pg_namespace"}),
        (["ALTER ROLE etl CONNECTION LIMIT 7", "ALTER ROLE etl CONNECTION LIMIT -1"], {"pg_authid"}),
        (["ALTER DEFAULT PRIVILEGES FOR ROLE etl GRANT SELECT ON TABLES TO dba"], {"pg_default_acl"}),
    ],
)
def test_no_catalog_write_escapes(
    server: PostgresServer, database: str, statements: list[str], catalogs: set[str]
) -> None:
    before = server.catalog_writes(database)
    with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    after = server.catalog_writes(database)
    written = {catalog for catalog in after if after[catalog] != before[catalog]}
    assert written >= catalogs
    assert bool(written) == bool(catalogs)


def test_an_open_session_is_no_proof(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "PATIENCE", 0.1)
    with contextlib.closing(server.connect("postgres")), pytest.raises(SandboxError, match="sandbox"):
        server.catalog_writes("postgres")


def test_databases_are_varied_and_the_dba_may_grant_on_all_of_them() -> None:
    with PostgresServer() as server:
        for name in DATABASES:
            fill(server, name)
        kinds, owners, names = set(), set(), []
        for name in DATABASES:
            with (
                contextlib.closing(server.connect(name, server.dba_user, server.dba_password)) as connection,
                connection.cursor() as cursor,
            ):
                cursor.execute(
                    "SELECT relkind, pg_get_userbyid(relowner), relname, pg_has_role(relowner, 'USAGE')"
                    " FROM pg_class WHERE relkind NOT IN ('i', 'I') AND relnamespace NOT IN"
                    " (SELECT unnest('{pg_catalog,pg_toast,information_schema}'::regnamespace[]))"
                )
                for kind, owner, relation, grantable in cursor.fetchall():
                    assert grantable, f"{name}: {relation} of {owner}"
                    kinds.add(kind)
                    owners.add(owner)
                    names.append(relation)
                cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
                assert cursor.fetchone() == (False,)
        assert kinds == set("rvmpSf")
        assert owners == {"app_owner", "etl", "analyst_team"}
        assert {char for char in ' ."%ä' if any(char in relation for relation in names)} == set(' ."%ä')
        assert server.execute("sales", "SELECT count(*) FROM orders") == [(600,)]


def test_fixtures_leave_nothing_behind(server: PostgresServer, database: str, role_name: str) -> None:
    role = Identifier(role_name)
    server.execute(database, SQL("CREATE ROLE {}").format(role))
    server.execute(database, SQL("GRANT SELECT ON customers TO {}").format(role))
    server.execute("sales", SQL("CREATE SCHEMA AUTHORIZATION {}").format(role))
    server.execute("postgres", SQL("GRANT CONNECT ON DATABASE sales TO {}").format(role))
    server.drop_role(role_name)
    assert not server.execute("postgres", "SELECT FROM pg_roles WHERE rolname = %s", (role_name,))
    with contextlib.closing(server.connect(database)):
        server.drop_database(database)
    assert not server.execute("postgres", "SELECT FROM pg_database WHERE datname = %s", (database,))


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_the_server_ends_with_its_owner(end: signal.Signals) -> None:
    code = (
        # A shell starts what runs in the background deaf to Ctrl-C; these tests may be such.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import time; from tests.sandbox.postgres import PostgresServer\n"
        "with PostgresServer() as server: print(server.socket_dir, server.port, flush=True); time.sleep(60)"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=harness.ROOT,
    )
    assert owner.stdout is not None
    folder, port = owner.stdout.readline().split()
    pid = int((Path(folder) / "data" / "postmaster.pid").read_text().split()[0])
    owner.send_signal(end)
    owner.communicate(timeout=10)
    deadline = time.monotonic() + 10
    while Path(folder).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(folder).exists()
    assert not psutil.pid_exists(pid)
    with pytest.raises(psycopg2.OperationalError, match="refused"):
        psycopg2.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres")


def test_a_server_that_does_not_start_says_why() -> None:
    with pytest.raises(SandboxError, match="work_mem"), PostgresServer(settings={"work_mem": "lots"}):
        pass


@pytest.mark.parametrize("number", [1, 2])
def test_the_fake_omni_starts_empty_every_time(omni: FakeOmni, api: dict[str, Any], number: int) -> None:
    assert omni.requests == []
    answer = requests.get(
        f"{api['api_url']}/api/v1/connections",
        headers={"Authorization": f"Bearer {api['api_token']}"},
        verify=api["ca_path"],
        timeout=10,
    )
    assert answer.status_code == 200
    assert len(omni.requests) == 1


def test_results_of_every_kind(door: harness.Door, tmp_path: Path) -> None:
    ssh = tmp_path / "ssh"  # there may be no real one, and this is how one says that it found nobody
    ssh.write_text("#!/bin/sh\nexit 255\n")
    ssh.chmod(0o755)
    run = harness.play(
        [
            {"name": "ok", "ansible.builtin.ping": {}},
            {"name": "changed", "ansible.builtin.command": {"argv": ["true"]}},
            {"name": "skipped", "ansible.builtin.ping": {}, "when": "inventory_hostname != 'b'"},
            {"name": "ignored", "ansible.builtin.fail": {"msg": "{{ word }}"}, "ignore_errors": True},
            {"name": "unreachable", "ansible.builtin.ping": {}, "when": "inventory_hostname == 'a'"}
            | {"vars": {"ansible_connection": "ssh", "ansible_ssh_executable": str(ssh)}},
            {"name": "failed", "ansible.builtin.fail": {"msg": "on purpose"}},
        ],
        door=door,
        hosts={"a": {"word": "one"}, "b": {"word": "two"}},
    )
    assert run.rc != 0
    assert run.result("ok", "a").status == "ok"
    assert run.result("ok", "a").result["ping"] == "pong"
    assert run.result("changed", "b").status == "changed"
    assert run.result("skipped", "b").status == "skipped"
    assert (run.result("ignored", "b").ignored, run.result("ignored", "b").result["msg"]) == (True, "two")
    assert run.result("unreachable", "a").status == "unreachable"
    assert run.result("failed", "b").status == "failed"
    assert run.recap["b"] == {
        "ok": 3, "changed": 1, "failed": 1, "unreachable": 0, "skipped": 2, "rescued": 0, "ignored": 1
    }  # fmt: skip
    assert run.recap["a"]["unreachable"] == 1
    assert "on purpose" in run.text
    with pytest.raises(harness.HarnessError, match="2 results of task 'ok'"):
        run.result("ok")


def test_the_callers_environment_stays_out(door: harness.Door, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGHOST", "OMNI_API_KEY", "ANSIBLE_FORKS", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "7")
    result = harness.module("ansible.builtin.command", {"argv": ["env"]}, door=door, env={"GIVEN": "yes"})
    names = {line.partition("=")[0] for line in result["stdout_lines"]}
    assert "GIVEN" in names
    assert not names & {"PGHOST", "OMNI_API_KEY", "ANSIBLE_FORKS", "HTTPS_PROXY"}


def test_the_door_reaches_the_hosts(door: harness.Door) -> None:
    answers = harness.modules(
        [
            ("ansible.builtin.debug", {"var": "omni_connect_in_process"}),
            ("ansible.builtin.debug", {"msg": "{{ ansible_python_interpreter | default('discovered') }}"}),
            ("ansible.builtin.debug", {"msg": "{{ word }}"}, {"vars": {"word": "given"}}),
        ],
        door=door,
    )
    assert answers[0]["omni_connect_in_process"] is (door == "in_process")
    assert answers[1]["msg"] == (sys.executable if door == "module" else "discovered")
    assert answers[2]["msg"] == "given"


def test_the_collection_is_found() -> None:
    """Its action group is known, and a plugin that it lacks is said to be missing from it."""
    run = harness.play([{"omni_analytics.connect.no_such_module": {}}], door="module")
    assert run.rc != 0
    assert "omni_analytics.connect.no_such_module" in run.text


def test_role_tasks_go_by_their_own_name(tmp_path: Path) -> None:
    tasks = tmp_path / "roles" / "thing" / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "main.yml").write_text("- {name: Do it, ansible.builtin.debug: {msg: done}, tags: [x]}\n")
    run = harness.play(
        [],
        door="module",
        play_keywords={"roles": ["thing"]},
        tags=["x"],
        env={"ANSIBLE_ROLES_PATH": str(tmp_path / "roles")},
    )
    assert run.result("Do it").result["msg"] == run.result("thing : Do it").result["msg"] == "done"


@pytest.mark.parametrize("stop", ["interrupt", "timeout"])
def test_a_run_can_be_stopped_and_leaves_no_process(door: harness.Door, stop: str, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    play = harness.plays([{"ansible.builtin.shell": {"cmd": f"touch {begun} && sleep 60"}}])
    with harness.started(play, door=door) as playing:
        deadline = time.monotonic() + 20
        while not begun.exists():
            assert time.monotonic() < deadline, playing.output()
            time.sleep(0.1)
        if stop == "interrupt":
            playing.interrupt()
            assert playing.finish(timeout=20).rc != 0
        else:
            with pytest.raises(harness.HarnessError, match=r"still running after 0\.2 s"):
                playing.finish(timeout=0.2)
    assert playing.processes() == []

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Omni's addresses in the server's pg_hba.conf. What the rules then do is asked of the server, by logins from there."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import pwd
import random
import shutil
import stat
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from psycopg2.sql import SQL, Identifier

from ansible_collections.omni_analytics.connect.plugins.module_utils._errors import Refused
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres import (
    allowlist,
    allowlist_file,
)
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.allowlist import DEFINITION
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.allowlist_block import Wanted
from tests.helpers import harness
from tests.helpers.hba_oracle import ask
from tests.helpers.postgres_modules import perform
from tests.sandbox.postgres import SYSTEM_USER, PostgresServer

Login = dict[str, Any]
OMNI, STRANGER = IPv4Address("127.0.7.7"), IPv4Address("127.0.7.8")
CLONE_NEWNS = 0x00020000
BAD = b"host all all all radius radiusservers=10.0.0.1 radiussecrets=x s3cret\n"
BASE = b"local all postgres trust\nhost all postgres,dba 127.0.0.1/32 scram-sha-256\n"
STATEMENTS = ["-- Replace pg_hba.conf", "SELECT pg_reload_conf()"]


class Hba:
    """The server's pg_hba.conf."""

    def __init__(self, server: PostgresServer) -> None:
        self.server, self.path = server, Path(server.execute("postgres", "SHOW hba_file")[0][0])

    def write(self, data: bytes) -> None:
        """Gives it other lines behind those that the tests need, and has them loaded."""
        self.path.write_bytes(BASE + data)
        self.server._reload()

    @property
    def data(self) -> bytes:
        return self.path.read_bytes()

    def answer(self, source: IPv4Address, role: str, database: str) -> str:
        """What a login without TLS from there is asked for."""
        return ask(self.server.port, source, role.encode(), database.encode(), False)


@pytest.fixture
def hba(server: PostgresServer) -> Iterator[Hba]:
    found = Hba(server)
    before, status = found.data, found.path.stat()
    found.write(b"")
    yield found
    for left in found.path.parent.glob("pg_hba.conf?*"):
        left.unlink()
    found.path.unlink()
    found.path.write_bytes(before)
    os.chown(found.path, status.st_uid, status.st_gid)
    found.path.chmod(stat.S_IMODE(status.st_mode))
    server._reload()


@pytest.fixture
def arguments(hba: Hba, server: PostgresServer, database: str) -> Login:
    """Over the socket, for logins without TLS, which every build of the server has."""
    return {
        "login_unix_socket": str(server.socket_dir),
        "login_port": server.port,
        "login_user": "postgres",
        "login_db": database,
        "addresses": [str(OMNI)],
        "connection_type": "host",
    }


@contextlib.contextmanager
def untouched(hba: Hba) -> Iterator[None]:
    """The file stays as it is, its inode and its time too, and nothing is loaded or left beside it."""

    def look() -> tuple[Any, ...]:
        status = hba.path.stat()
        loaded = hba.server.execute("postgres", "SELECT pg_conf_load_time()")
        return hba.data, status.st_ino, status.st_mtime_ns, loaded, sorted(os.listdir(hba.path.parent))

    before = look()
    yield
    assert look() == before


def as_found(hba: Hba, before: bytes, names: list[str]) -> None:
    """What was replaced and taken back: every byte, and no file beside it."""
    assert (hba.data, sorted(os.listdir(hba.path.parent))) == (before, names)


def test_lifecycle(hba: Hba, arguments: Login, door: harness.Door) -> None:
    database = arguments["login_db"]
    check = {"check_mode": True, "diff": True}
    name = "omni_pg_allowlist"
    with untouched(hba):
        wrong, planned = harness.modules(
            [(name, {**arguments, "addresses": ["all"]}), (name, arguments, check)], door=door
        )
    assert wrong["failed"]
    assert hba.answer(OMNI, "omni", database) == "none"
    before = hba.data
    made, again = harness.modules([(name, arguments), (name, arguments)], door=door, diff=True)
    assert (made["changed"], made["diff"], made["statements"]) == (
        True,
        planned["diff"],
        STATEMENTS,
    )
    assert made["decided_by"] == planned["decided_by"]
    assert (again["failed"], again["changed"], again["statements"]) == (False, False, [])
    assert hba.answer(OMNI, "omni", database) == "scram-sha-256"
    for source, role, where in ((STRANGER, "omni", database), (OMNI, "x", database), (OMNI, "omni", "sales")):
        assert hba.answer(source, role, where) == "none"
    hba.path.write_bytes(hba.data.replace(str(OMNI).encode(), str(STRANGER).encode()))
    repaired, gone, no_more = harness.modules(
        [
            (name, arguments),
            (name, {**arguments, "state": "absent"}),
            (name, {**arguments, "state": "absent"}),
        ],
        door=door,
    )
    assert (repaired["changed"], gone["changed"], no_more["changed"]) == (True, True, False)
    assert hba.data == before
    assert hba.answer(OMNI, "omni", database) == "none"


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_two_hundred_lines_by_hand_keep_every_byte(hba: Hba, arguments: Login, end: bytes) -> None:
    rule = b'host\tdb%d  user%d,\t"User %d"  10.0.%d.0/24   radius radiusservers=10.0.0.1 radiussecrets="hush" # x'
    lines = [
        b"# caf\xe9 \x85 \x1c \xff",
        *(rule % (n, n, n, n) if n % 3 else b"#  section %d" % n for n in range(175)),
        b"",
        b"# everybody",
        b"host all all 127.0.7.0/24 md5",
        *(b"host all all 10.1.%d.0/24 reject" % n for n in range(20)),
    ]
    hba.write(end.join(lines) + end)
    before = hba.data
    assert before.count(b"\n") > 200
    made = perform(DEFINITION, arguments)
    assert made["changed"], made
    assert "radius" not in str(made)
    assert end.join(line for line in hba.data.split(end) if b"omni" not in line) == before
    assert hba.data.index(b"# END omni") < hba.data.index(b"# everybody") < hba.data.index(b"127.0.7.0/24")
    assert perform(DEFINITION, arguments)["changed"] is False
    assert perform(DEFINITION, {**arguments, "state": "absent"})["changed"]
    assert hba.data == before


@pytest.mark.parametrize(
    "role", ['o"mni', "back\\", "a # b", "+omni", "@omni", "/omni", "all", "Ümlaut", "a,b"]
)
def test_names_of_any_kind(hba: Hba, arguments: Login, role: str) -> None:
    """In the rule they mean that role, and nobody else."""
    made = perform(DEFINITION, {**arguments, "role": role})
    assert made["changed"], made
    database = arguments["login_db"]
    assert hba.answer(OMNI, role, database) == "scram-sha-256"
    assert hba.answer(OMNI, "omni", database) == "none"
    assert made["decided_by"]["list"][-1]["line"]
    assert perform(DEFINITION, {**arguments, "role": role})["changed"] is False


def test_a_reject_is_somebodys_decision(hba: Hba, arguments: Login) -> None:
    hba.write(b"host all all 127.0.0.0/8 reject\n")
    with untouched(hba):
        refused = perform(DEFINITION, arguments)
        assert perform(DEFINITION, arguments, check=True)["msg"] == refused["msg"]
    assert refused["error"] == {"kind": "conflict", "lines": [3]}
    assert (
        f"line 3 of {hba.path} rejects {OMNI}/32. That is somebody's decision, and stays." in refused["msg"]
    )


def test_what_is_reported(hba: Hba, arguments: Login) -> None:
    database = arguments["login_db"]
    hba.write(b"host all all 127.0.0.0/8 trust\n")
    made = perform(DEFINITION, arguments)
    where = f"line 6 of {hba.path} (trust) let role omni into database {database} without a password from {OMNI}/32"
    assert any(warning.startswith(where) for warning in made["warnings"]), made["warnings"]
    # A rule for TLS leaves the way without it open, and on a server without TLS it is of no use.
    made = perform(
        DEFINITION, {**arguments, "connection_type": "hostssl", "addresses": [str(OMNI), "203.0.113.7"]}
    )
    said = "\n".join(made["warnings"])
    assert (
        f"(trust) lets role omni into database {database} without a password from {OMNI}/32 without TLS"
        in said
    )
    assert "The server has no TLS (ssl is off)" in said
    assert "set connection_type: host" in said
    assert "The server listens on 127.0.0.1 (listen_addresses)" in said
    hba.write(b"host all all samenet md5\n")
    made = perform(DEFINITION, {**arguments, "connection_type": "hostssl"})
    assert f"What line 6 of {hba.path} decides for {OMNI}/32 cannot be judged" in "\n".join(made["warnings"])
    assert next(one["unsure"] for one in made["decided_by"]["list"]).startswith("the address is samenet")


def test_a_file_that_is_not_the_servers(hba: Hba, arguments: Login, tmp_path: Path) -> None:
    other = tmp_path / "pg_hba.conf"
    other.write_bytes(hba.data + b"# of another server\n")
    with untouched(hba):
        refused = perform(DEFINITION, {**arguments, "path": str(other)})
        assert f"it differs from the file that the server of {'database'}" in refused["msg"]
        # Another server's file may have the same bytes: the server is asked whether it sees the new ones.
        other.write_bytes(hba.data)
        times = other.stat().st_mtime_ns
        refused = perform(DEFINITION, {**arguments, "path": str(other)})
        assert "the server still sees the old file" in refused["msg"]
        assert (other.read_bytes(), other.stat().st_mtime_ns) == (hba.data, times)
        assert os.listdir(tmp_path) == ["pg_hba.conf"]
        missing = perform(DEFINITION, {**arguments, "path": str(tmp_path / "nothing")})
        assert "there is no such file here. Run the task on the database's own host" in missing["msg"]


def test_one_that_was_broken_before(hba: Hba, arguments: Login) -> None:
    hba.path.write_bytes(BASE + b"host all all all hush\nhost all all all md5\n" + 4 * b"\n" + BAD)
    before = hba.data
    refused = perform(DEFINITION, arguments)
    assert refused["error"] == {"kind": "conflict", "lines": [3, 9]}
    assert "it was broken before this task came" in refused["msg"]
    assert 'line 3: invalid authentication method "hush"' in refused["msg"]
    assert "line 9: authentication option not in name=value format (cut short" in refused["msg"]
    assert "s3cret" not in str(refused)
    assert hba.data == before


def test_what_the_server_does_not_take_is_taken_back(
    hba: Hba, arguments: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, names, times = hba.data, sorted(os.listdir(hba.path.parent)), hba.path.stat().st_mtime_ns
    right = Wanted.rules
    for change, said in (
        (
            lambda rule: rule.replace(b"/32", b"/33"),
            "the server does not take them: line 4: invalid CIDR mask",
        ),
        (lambda rule: rule.replace(b"scram-sha-256", b"md5"), "the server reads other rules than were meant"),
    ):
        monkeypatch.setattr(
            Wanted,
            "rules",
            lambda self, version, change=change: [change(rule) for rule in right(self, version)],
        )
        refused = perform(DEFINITION, {**arguments, "backup": False})
        assert refused["error"]["kind"] == "conflict"
        assert said in refused["msg"]
        assert refused["changed"] is False
        as_found(hba, before, names)
        assert hba.path.stat().st_mtime_ns == times
    assert hba.answer(OMNI, "omni", arguments["login_db"]) == "none"


@pytest.mark.parametrize("moment", ["before it is replaced", "before it is judged"])
def test_somebody_else_saves_the_file_at_the_same_time(
    hba: Hba, arguments: Login, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Puppet and editors know no lock. Theirs stays, and gets the block."""
    theirs = BASE + b"host all all 127.0.7.9/32 md5\n"

    early = moment == "before it is replaced"
    plugin, name = (allowlist_file, "_liken") if early else (allowlist.Server, "facts")
    right = getattr(plugin, name)

    def save(*found: Any) -> Any:
        if theirs not in hba.data and (early or b"omni" in hba.data):
            hba.path.write_bytes(theirs)
        return right(*found)

    monkeypatch.setattr(plugin, name, save)
    made = perform(DEFINITION, arguments)
    assert (made["failed"], made["changed"], made["statements"]) == (False, True, STATEMENTS), made
    assert hba.data.startswith(theirs)
    assert hba.answer(OMNI, "omni", arguments["login_db"]) == "scram-sha-256"


def test_ident_is_peer_on_a_socket(hba: Hba, arguments: Login) -> None:
    hba.write(b'local all x ident\nlocal all y "ident" map=m\nhost all x 127.0.0.1/32 ident\n')
    assert perform(DEFINITION, arguments)["changed"]


def test_a_run_that_was_cut_off_before_the_reload_is_finished(hba: Hba, arguments: Login) -> None:
    perform(DEFINITION, arguments)
    data = hba.data
    perform(DEFINITION, {**arguments, "state": "absent"})
    hba.path.write_bytes(data)  # and nobody has it loaded
    assert hba.answer(OMNI, "omni", arguments["login_db"]) == "none"
    assert perform(DEFINITION, arguments, check=True)["statements"] == ["SELECT pg_reload_conf()"]
    assert perform(DEFINITION, arguments)["changed"] is True
    assert hba.answer(OMNI, "omni", arguments["login_db"]) == "scram-sha-256"
    assert perform(DEFINITION, arguments)["changed"] is False


def test_the_file_stays_what_it_is(hba: Hba, arguments: Login, tmp_path: Path) -> None:
    """Mode, owner, extended attributes; through a symbolic link; and the old one is kept where that is wanted."""
    os.chmod(hba.path, 0o640)
    with contextlib.suppress(OSError):
        os.setxattr(hba.path, "user.kept", b"\x00yes")
    status, before = hba.path.stat(), hba.data
    link = tmp_path / "link.conf"
    link.symlink_to(hba.path)
    made = perform(DEFINITION, {**arguments, "path": str(link), "backup": True})
    assert (made["path"], link.is_symlink()) == (str(hba.path), True)
    kept = Path(made["backup_file"])
    assert kept.read_bytes() == before
    for path in (hba.path, kept):
        found = path.stat()
        assert (found.st_mode, found.st_uid, found.st_gid) == (status.st_mode, status.st_uid, status.st_gid)
        assert os.listxattr(path) == os.listxattr(kept)
    if "user.kept" in os.listxattr(kept):
        assert os.getxattr(hba.path, "user.kept") == b"\x00yes"
    assert [*hba.path.parent.glob(".omni*")] == []
    assert "backup_file" not in perform(DEFINITION, {**arguments, "backup": True})


def test_left_over_files_are_cleared_away(hba: Hba, arguments: Login) -> None:
    (hba.path.parent / f"{allowlist_file.UNFINISHED}pg_hba.conf.x").write_bytes(b"secret")
    perform(DEFINITION, arguments)
    assert [*hba.path.parent.glob(".omni*")] == []


def test_a_file_that_patroni_writes(hba: Hba, arguments: Login) -> None:
    """It is left alone: an error as long as its rules do not let the addresses in as they shall."""
    database = arguments["login_db"]
    for rules, content in (
        ("", False),
        (f"host {database} nobody {OMNI}/32 scram-sha-256\n", False),
        (f"host {database} omni {OMNI}/32 md5\n", False),
        (f"host {database} omni {OMNI}/32 reject\n", False),
        (f"host {database} omni {OMNI}/32 scram-sha-256\n", True),
    ):
        header = b"# Do not edit this file manually!\n# It will be overwritten by Patroni!\n"
        hba.path.write_bytes(header + rules.encode() + BASE)
        hba.server._reload()
        with untouched(hba):
            told = perform(DEFINITION, arguments)
        if content:
            assert (told["failed"], told["changed"]) == (False, False), told
            assert {(one["line"], one["method"]) for one in told["decided_by"]["list"]} == {
                (3, "scram-sha-256")
            }
        elif "reject" not in rules:
            assert told["error"] == {"kind": "conflict", "manager": "Patroni"}
            assert "Add the rules there: postgresql.pg_hba in its configuration" in told["msg"]
        else:
            assert told["error"]["kind"] == "conflict"


def test_the_last_rule_stays(hba: Hba, arguments: Login) -> None:
    """Postgres loads no file without a rule, and says so in its log alone."""
    perform(DEFINITION, arguments)
    hba.path.write_bytes(hba.data.replace(BASE, b"# nothing\n"))
    with untouched(hba):
        refused = perform(DEFINITION, {**arguments, "state": "absent"})
    assert refused["error"]["kind"] == "conflict"
    assert "there is no other rule in it" in refused["msg"]
    hba.path.write_bytes(BASE)


def test_rights_that_are_missing(hba: Hba, arguments: Login, login: Login, role_name: str) -> None:
    with untouched(hba):
        refused = perform(DEFINITION, {**login, "addresses": [str(OMNI)]})
    assert refused["error"] == {"kind": "refused", "sqlstate": "42501"}
    assert "In practice this takes a superuser; else a member of pg_read_all_settings" in refused["msg"]
    # And these are all that it takes.
    server, database = hba.server, arguments["login_db"]
    who = Identifier(role_name)
    server.execute(
        "postgres", SQL("CREATE ROLE {} LOGIN IN ROLE pg_read_all_settings, pg_read_server_files").format(who)
    )
    server.execute(
        database,
        SQL(
            "GRANT SELECT ON pg_hba_file_rules TO {0};"
            "GRANT EXECUTE ON FUNCTION pg_hba_file_rules(), pg_reload_conf(), pg_read_binary_file(text),"
            " pg_read_binary_file(text, bigint, bigint, boolean) TO {0}"
        ).format(who),
    )
    hba.write(b"local all all trust\n")
    assert perform(DEFINITION, {**arguments, "login_user": role_name})["changed"]
    assert hba.answer(OMNI, "omni", database) == "scram-sha-256"


def _add(arguments: Login, name: str, results: Any) -> None:
    results.put(perform(DEFINITION, {**arguments, "role": name}))


def test_several_at_once(hba: Hba, arguments: Login) -> None:
    """Each finds the others' blocks, and none is lost."""
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    roles = [f"omni{number}" for number in range(6)]
    tasks = [context.Process(target=_add, args=(arguments, role, results)) for role in roles]
    for task in tasks:
        task.start()
    outcomes = [results.get(timeout=60) for dummy in tasks]
    for task in tasks:
        task.join()
    assert [outcome["failed"] for outcome in outcomes] == [False] * len(roles), outcomes
    for role in roles:
        assert hba.answer(OMNI, role, arguments["login_db"]) == "scram-sha-256"
        assert perform(DEFINITION, {**arguments, "role": role})["changed"] is False
    assert [*hba.path.parent.glob(".omni*")] == []


def test_killed_at_any_moment(hba: Hba, arguments: Login) -> None:
    """The file is the old one or the new one, whole, and the next run finishes what the killed one began.

    ALLOWLIST_KILLS=500 kills as often, ALLOWLIST_SEED draws other moments; `-s` shows what they met.
    """
    lot = random.Random(int(os.environ.get("ALLOWLIST_SEED", "1")))
    met: Counter[str] = Counter()
    hba.write(b"# so long that it takes a while to write\n" * 1500)
    perform(DEFINITION, arguments)
    status = hba.path.stat()
    begun = time.monotonic()
    perform(DEFINITION, {**arguments, "addresses": ["127.0.8.1"]})
    usual = time.monotonic() - begun
    for number in range(int(os.environ.get("ALLOWLIST_KILLS", "8"))):
        address = IPv4Address("127.0.9.0") + number % 200
        wanted = {**arguments, "addresses": [str(OMNI), str(address)]}
        before = hba.data
        run = multiprocessing.get_context("fork").Process(target=perform, args=(DEFINITION, wanted))
        run.start()
        if number % 2:  # as soon as it begins to write
            while run.is_alive() and not [*hba.path.parent.glob(".omni*")]:
                pass
            time.sleep(lot.uniform(0, 0.003))
        else:
            time.sleep(lot.uniform(0, usual * 1.3))
        run.kill()
        run.join()
        found, unfinished = hba.data, [*hba.path.parent.glob(".omni*")]
        finished = perform(DEFINITION, wanted)
        assert not finished["failed"], finished
        assert found in (before, hba.data)
        assert hba.answer(address, "omni", arguments["login_db"]) == "scram-sha-256"
        assert perform(DEFINITION, wanted, check=True)["changed"] is False
        assert [*hba.path.parent.glob(".omni*")] == []
        now = hba.path.stat()
        assert (now.st_mode, now.st_uid, now.st_gid) == (status.st_mode, status.st_uid, status.st_gid)
        loaded = "" if finished["changed"] else ", and loaded"
        met[
            "an unfinished file"
            if unfinished
            else "the old one"
            if found == before
            else f"the new one{loaded}"
        ] += 1
    print(dict(met))


def in_a_thread(prepare: Callable[[], object], call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The result of `call` in a thread with file systems and a user of its own, as `prepare` makes them."""
    outcome: list[Any] = []

    def work() -> None:
        try:
            prepare()
            outcome.append(call())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return dict(outcome[0])


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts and other users need root")
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("the file alone", ("Device or resource busy", "The file alone is mounted there, as containers do")),
        (
            "read-only",
            ("Read-only file system", "as a ConfigMap is: change the rules where the file comes from"),
        ),
        ("a folder of root's", ("Permission denied", "Run as the user that the folder belongs to")),
    ],
)
def test_a_file_that_cannot_be_replaced(hba: Hba, arguments: Login, kind: str, said: tuple[str, str]) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    folder, path = str(hba.path.parent), str(hba.path)
    user = pwd.getpwnam(SYSTEM_USER)

    def prepare() -> None:
        if kind == "a folder of root's":
            # The system call: the C library's function would change every thread.
            assert library.syscall(119, -1, user.pw_gid, -1) == 0  # setresgid
            assert library.syscall(117, -1, user.pw_uid, -1) == 0  # setresuid
            return
        assert library.unshare(CLONE_NEWNS) == 0
        mount = [["mount", "--make-rprivate", "/"]]
        if kind == "the file alone":
            mount.append(["mount", "--bind", path, path])
        else:
            mount += [["mount", "--bind", folder, folder], ["mount", "-o", "remount,ro,bind", folder]]
        for command in mount:
            subprocess.run(command, check=True)

    before, names = hba.data, sorted(os.listdir(folder))
    if kind == "a folder of root's":
        shutil.chown(folder, "root", user.pw_gid)
        os.chmod(folder, 0o750)
    try:
        refused = in_a_thread(prepare, lambda: perform(DEFINITION, arguments))
    finally:
        shutil.chown(folder, SYSTEM_USER)
        os.chmod(folder, 0o700)
    assert refused["error"]["kind"] == "refused", refused
    assert all(words in refused["msg"] for words in said), refused["msg"]
    as_found(hba, before, names)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"addresses": []}, "Reading addresses: it names no address."),
        ({"addresses": ["0.0.0.0/1", "128.0.0.0/1"]}, "set allow_any_address: true"),
        ({"path": ""}, "Reading path: it is empty, which is no file."),
        ({"path": "/a\0b"}, "Reading path: it has a NUL"),
        ({"path": "/\ud800"}, "Reading path: it has a NUL, or bytes that are not UTF-8"),
        ({"addresses": ["\udcff"]}, "is no address"),
        ({"role": "a\nb"}, "has more than one line"),
        ({"role": "public"}, "Postgres keeps the role name public for itself"),
        ({"role": ""}, "Reading role: it is empty, which is no name."),
    ],
)
def test_bad_input(hba: Hba, arguments: Login, options: Login, said: str) -> None:
    with untouched(hba):
        refused = perform(DEFINITION, {**arguments, **options})
    assert refused["error"]["kind"] == "invalid_input"
    assert said in refused["msg"]


def test_a_server_that_does_not_load(hba: Hba, arguments: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allowlist, "PATIENCE", 0.2)
    monkeypatch.setattr(allowlist.Server, "reload", lambda self: None)
    refused = perform(DEFINITION, arguments)
    assert refused["error"]["kind"] == "unreachable"
    assert "a new session still has the old configuration. The rules are in the file" in refused["msg"]
    assert (refused["changed"], refused["statements"]) == (True, STATEMENTS)


def test_a_failure_after_the_file_was_replaced_tells_of_it(
    hba: Hba, arguments: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: object) -> float:
        raise Refused("Connecting", "no pg_hba.conf entry")

    with monkeypatch.context() as patch:
        patch.setattr(allowlist.Allowlist, "_loaded", refuse)
        refused = perform(DEFINITION, {**arguments, "backup": True})
    assert (refused["failed"], refused["changed"]) == (True, True)
    assert refused["statements"] == STATEMENTS[:1]
    assert Path(refused["backup_file"]).exists()
    assert hba.answer(OMNI, "omni", arguments["login_db"]) == "none"
    assert perform(DEFINITION, arguments)["statements"] == STATEMENTS[1:]
    assert hba.answer(OMNI, "omni", arguments["login_db"]) == "scram-sha-256"


def test_the_step_of_the_role(hba: Hba, arguments: Login) -> None:
    """On the host, over the socket; with a provider's firewall it is skipped."""
    variables = {
        **{
            f"omni_postgres_{name}": arguments[name]
            for name in ("login_unix_socket", "login_port", "login_user")
        },
        "omni_postgres_database": arguments["login_db"],
        "omni_postgres_ssl_mode": "prefer",
        "omni_postgres_allowlist": ["127.0.7.7", "::1"],
        "omni_postgres_allowlist_connection_type": "host",
    }
    hosts = {"here": variables, "there": {**variables, "omni_postgres_allowlist_by": "provider"}}
    role = {"roles": ["omni_analytics.connect.omni_postgres"]}
    run = harness.play([], door="in_process", hosts=hosts, play_keywords=role, tags=["omni_allowlist"])
    assert [run.result("Let Omni's addresses in", host).status for host in hosts] == ["changed", "skipped"], (
        run.text
    )
    said = run.result("Let Omni's addresses in", "there").result["skip_reason"]
    assert "the provider's own firewall has to let Omni's addresses in" in said
    assert f"there: {said}" in run.text
    assert hba.answer(OMNI, "omni", arguments["login_db"]) == "scram-sha-256"

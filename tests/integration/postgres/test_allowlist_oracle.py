# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module says of a login is what a real server does with it, over files and logins drawn by lot.

HBA_FILES=2000 tries that many files (default: a few), HBA_SEED=7 another row of them.
"""

from __future__ import annotations

import collections
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import trustme
from psycopg2.sql import SQL, Identifier

from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.allowlist import DEFINITION
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.allowlist_server import Server
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.pg_hba import Net, rules
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.pg_hba_judgement import (
    Attempt,
    decide,
)
from ansible_collections.omni_analytics.connect.plugins.module_utils._postgres.session import Session
from tests.helpers import hba_oracle
from tests.helpers.postgres_modules import perform
from tests.sandbox.postgres import PostgresServer

pytestmark = pytest.mark.postgres
FILES = int(os.environ.get("HBA_FILES", "5"))
SEED = int(os.environ.get("HBA_SEED", "1"))
LOGINS = 40
DATABASES = ("sales", "omni", "a b", "/sales", "all")

#: How the server asks for a password where the rule says md5 and no secret is stored as MD5.
ANSWERS = {"md5": "scram-sha-256"}


class Oracle:
    """A server of its own, whose rules are drawn anew for each file."""

    def __init__(self, server: PostgresServer, everywhere: bool, tls: bool) -> None:
        self.server, self.everywhere, self.tls = server, everywhere, tls
        self.hba = Path(server.execute("postgres", "SHOW hba_file")[0][0])
        self.first = b"local all postgres trust\n"
        self.tally: collections.Counter[str] = collections.Counter()
        self.wrong: list[str] = []
        server.execute(
            "postgres",
            'CREATE ROLE readers; CREATE ROLE omni LOGIN; CREATE ROLE sales LOGIN; CREATE ROLE "Omni" LOGIN;'
            "CREATE ROLE inner_readers IN ROLE readers; GRANT inner_readers TO omni; CREATE ROLE boss SUPERUSER LOGIN",
        )
        for name in DATABASES:
            server.execute("postgres", SQL("CREATE DATABASE {}").format(Identifier(name)))
        options: dict[str, Any] = dict.fromkeys(
            ("login_host", "login_password", "session_role", "ca_cert", "ssl_cert", "ssl_key")
        )
        self.login = {
            "login_unix_socket": str(server.socket_dir),
            "login_port": server.port,
            "login_user": server.admin_user,
            "login_db": "postgres",
        }
        self.options = {
            **{n: o.get("default") for n, o in DEFINITION.options.items()},
            **options,
            **self.login,
        }

    def draw(self, seed: int) -> hba_oracle.Lot | None:
        """A file that the server takes, loaded; None where it takes none of that seed."""
        lot = hba_oracle.Lot(seed, self.server.version, self.everywhere)
        data = self.first + lot.lines(lot.random.randint(1, 20))
        for name, text in lot.includes.items():
            (self.hba.parent / name).write_bytes(text)
        self.hba.write_bytes(data)
        bad = self.server.execute(
            "postgres",
            "SELECT line_number, error FROM pg_hba_file_rules WHERE error IS NOT NULL AND type IS NULL",
        )
        if bad:
            self.tally["files that the server does not take"] += 1
            return None
        self.server._reload()
        self.tally["files"] += 1
        return lot

    def judge(self, seed: int, lot: hba_oracle.Lot) -> None:
        """Each of some logins, as we judge it and as the server answers it."""
        dice = lot.random
        with Session(self.options) as session:
            server = Server(session)
            groups = {
                role: server.facts(role.decode()).groups
                for role in (b"omni", b"sales", b"readers", b"nobody")
            }
            found = rules(self.hba.read_bytes(), str(self.hba), session.version, server.files)
            version = session.version
        for dummy in range(LOGINS):
            address, tls = lot.address(), self.tls and dice.random() < 0.5
            role, database = (
                dice.choice(list(groups)),
                dice.choice([b"sales", b"omni", lot.name(), b"readers"]),
            )
            bits = 32 if address.version == 4 else 128
            net = Net(bits, int(address), (1 << bits) - 1)
            decisions = decide(found, net, Attempt(role, database, groups[role], tls, version))
            said = hba_oracle.ask(self.server.port, address, role, database, tls)
            ours = [self._kind(d.rule.method.decode() if d.rule else "none") for d in decisions]
            self.tally[f"said: {said}"] += 1
            if decisions[0].unsure:
                self.tally["cannot be judged: " + " ".join(decisions[0].unsure.split()[:3])] += 1
                fits = said in ours
            else:
                fits = said == ours[0]
            self.tally["logins"] += 1
            if not fits:
                self.wrong.append(
                    f"seed {seed}: {role!r} {database!r} {address} tls={tls}: {said}, not {ours}"
                )

    def run(self, seed: int, lot: hba_oracle.Lot) -> None:
        """The module, on this file: what it says of its addresses is what the server does; nothing else changes;
        nothing is left when the block goes."""
        dice = lot.random
        addresses = {lot.address() for dummy in range(dice.randint(1, 3))}
        wanted: dict[str, Any] = {
            **self.login,
            "login_db": dice.choice(DATABASES),
            "role": dice.choice(["omni", "sales", "nobody"]),
            "addresses": sorted(map(str, addresses)),
            "connection_type": dice.choice(["host", "hostssl"]),
        }
        before = self.hba.read_bytes()
        planned = perform(DEFINITION, wanted, check=True)
        made = perform(DEFINITION, wanted)
        if made.get("failed"):
            self.tally["runs that a reject stops"] += 1
            same = planned["msg"] == made["msg"] and self.hba.read_bytes() == before
            if made["error"]["kind"] != "conflict" or "somebody's decision" not in made["msg"] or not same:
                self.wrong.append(f"seed {seed}: run {made['msg']}")
            return
        self.tally["runs"] += 1
        again = perform(DEFINITION, wanted)
        if planned["diff"] != made["diff"] or again["changed"] or again["decided_by"] != made["decided_by"]:
            self.wrong.append(f"seed {seed}: check mode, or a second run, differs")
        for one in made["decided_by"]["list"]:
            if one["tls"] and not self.tls:
                continue
            source = hba_oracle.ip_address(one["address"].partition("/")[0])
            said = hba_oracle.ask(
                self.server.port, source, wanted["role"].encode(), wanted["login_db"].encode(), one["tls"]
            )
            self.tally["predictions"] += 1
            if not one["unsure"] and said != self._kind(one["method"]) and not self._unsure_before(made, one):
                self.wrong.append(f"seed {seed}: after the run {one}: {said}")
            meant = one["tls"] == (wanted["connection_type"] == "hostssl")
            if meant and said in ("none", "reject") and not self._unsure_before(made, one):
                self.wrong.append(f"seed {seed}: not let in: {one}")
        gone = perform(DEFINITION, {**wanted, "state": "absent"})
        if gone.get("failed") or self.hba.read_bytes() != before:
            self.wrong.append(f"seed {seed}: absent: {gone.get('msg')}")

    @staticmethod
    def _unsure_before(made: dict[str, Any], one: dict[str, Any]) -> bool:
        return any(
            other["unsure"] and (other["address"], other["tls"]) == (one["address"], one["tls"])
            for other in made["decided_by"]["list"]
        )

    @staticmethod
    def _kind(method: str) -> str:
        return ANSWERS.get(method, method)


def consult(everywhere: bool) -> Oracle:
    listens = "*" if everywhere else "127.0.0.1"
    with PostgresServer(settings={"listen_addresses": listens, "log_statement": "none"}) as server:
        oracle = Oracle(server, everywhere, _with_tls(server))
        for seed in range(SEED * 1_000_000, SEED * 1_000_000 + FILES):
            lot = oracle.draw(seed)
            if lot is None:
                continue
            oracle.judge(seed, lot)
            oracle.run(seed, lot)
        return oracle


def _with_tls(server: PostgresServer) -> bool:
    """Gives the server TLS, where it was built with it."""
    certificate = trustme.CA().issue_cert("127.0.0.1")
    files = {"ssl_cert_file": server.socket_dir / "tls.crt", "ssl_key_file": server.socket_dir / "tls.key"}
    certificate.cert_chain_pems[0].write_to_path(files["ssl_cert_file"])
    certificate.private_key_pem.write_to_path(files["ssl_key_file"])
    for path in files.values():
        path.chmod(0o600)
        shutil.chown(path, server.socket_dir.owner(), server.socket_dir.group())
    try:
        server.configure(ssl="on", **{name: str(path) for name, path in files.items()})
    except psycopg2.Error:
        return False
    return True


def hold(oracle: Oracle) -> None:
    print(f"\nPostgres {oracle.server.version}, TLS {oracle.tls}: {dict(sorted(oracle.tally.items()))}")
    assert oracle.wrong == []
    unsure = sum(count for what, count in oracle.tally.items() if what.startswith("cannot be judged"))
    assert oracle.tally["logins"] > 0
    assert unsure <= 0.05 * oracle.tally["logins"] or FILES < 100


def test_from_all_of_loopback() -> None:
    hold(consult(everywhere=False))


def test_from_anywhere_over_both_families() -> None:
    if not hba_oracle.may_make_a_network():
        pytest.skip("IPv6 and foreign addresses need root, and the program ip: NOT TRIED")
    hold(_in_a_network_of_its_own(lambda: consult(everywhere=True)))


def _in_a_network_of_its_own(call: Callable[[], Oracle]) -> Oracle:
    """A thread has its own network, and gives it to the processes that it starts."""
    outcome: list[Oracle | BaseException] = []

    def work() -> None:
        try:
            hba_oracle.private_network()
            outcome.append(call())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]

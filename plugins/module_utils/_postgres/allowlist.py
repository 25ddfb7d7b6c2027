# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The addresses from which Omni may log in (step 3 of the guide): a block in the server's pg_hba.conf.

The guide: https://docs.omni.co/docs/connections/database/postgres
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .._converge import Change, shortened
from .._definition import Definition
from .._errors import Conflict, InvalidInput, Moved, Unreachable
from . import allowlist_agreement, allowlist_file, allowlist_managers, allowlist_report
from .allowlist_addresses import networks
from .allowlist_block import File, Wanted, place
from .allowlist_server import Facts, Server
from .driver import LIBRARY
from .login_options import OPTIONS
from .names import check_name, check_role, check_text
from .pg_hba import Net
from .pg_hba_judgement import Attempt, decide, spelled
from .resource import PostgresResource
from .session import Session
from .statement import Statement

#: How long a server may take to load its configuration, in seconds.
PATIENCE = 15
#: How often the file may change while it is read.
READS = 6


class State(NamedTuple):
    """What the server says of itself, and its file. ``path`` is the file on this host, all links followed, and
    ``modified`` when it was last changed, in seconds since 1970."""

    facts: Facts
    path: str
    modified: float
    file: File


class Allowlist(PostgresResource):
    """The rules of one role and database in one server's pg_hba.conf."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        self.absent = params["state"] == "absent"
        role, database = check_role(params["role"], "role"), check_name(params["login_db"], "login_db")
        for name, option in ((role, "role"), (database, "login_db")):
            if "\n" in name or "\r" in name:
                raise InvalidInput(
                    f"Reading O({option})",
                    f"{name!r} has more than one line",
                    "A rule of pg_hba.conf has one.",
                )
        check_text(params["path"] or "", "path")
        if params["path"] == "":
            raise InvalidInput(
                "Reading O(path)", "it is empty, which is no file", "Name one, or leave it out."
            )
        nets: tuple[Net, ...] = ()
        if params["addresses"] or not self.absent:
            nets = networks(params["addresses"], params["allow_any_address"])
        self.wanted = Wanted(role, database, nets, params["connection_type"], params["method"])
        self.server = Server(self.session)
        self.backup_file = ""

    def read(self) -> State:
        """The file as the server has it, and as it is here.

        :raises Conflict: these are two files, or the server does not take it.
        """
        path = os.path.realpath(self.params["path"] or self.server.path())
        for attempt in range(READS):
            before = _stamp(path)
            facts = self.server.facts(self.wanted.role)
            if allowlist_file.read(path) == facts.data and _stamp(path) == before:
                break
            time.sleep(0.05 * attempt)  # somebody may just have replaced it
        else:
            raise Conflict(
                f"Reading {path}",
                f"it differs from the file that the server of {self.session.where} reads ({facts.path})",
                "Run the task on that server's own host; where the file has another name there, set O(path).",
            )
        file = File(facts.data, facts.path, self.session.version, self.server.files)
        allowlist_agreement.check_before(path, facts, file)
        return State(facts, path, before[1] / 1e9, file)

    def plan(self, state: State) -> list[Change]:
        data = self._data(state)
        if data == state.file.data:
            if not state.facts.loaded < state.modified <= time.time():
                return []
            # A run that was cut off, or somebody else, changed it and did not have it loaded.
            what, effect = f"{state.path} loaded", ("loaded", state.modified)
            return [Change(None, {what: "before its last change"}, {what: "now"}, frozenset([effect]))]
        allowlist_managers.refuse(state.path, state.file.data, state.facts.cnpg)
        after = self._file(state, data)
        if not after.rules:
            raise Conflict(
                f"Removing the rules of role {self.wanted.role} from {state.path}",
                "there is no other rule in it, and Postgres loads no file without one",
                "Add the rules that shall stay first.",
            )
        return [
            Change(data, self._shown(state.file), self._shown(after), frozenset([("file", data)])),
            Change(None, effects=frozenset([("loaded", data)])),
        ]

    def _file(self, state: State, data: bytes) -> File:
        return File(data, state.file.path, state.file.version, state.file.files)

    def _data(self, state: State) -> bytes:
        """The file as it shall be. One that somebody else writes is so once its rules let the addresses in."""
        block = state.file.find(self.wanted)
        rest = state.file.without(block)
        if self.absent:
            return rest.data
        managed = allowlist_managers.manager(state.file.data, state.facts.cnpg)
        if managed and not block and self._let_in(state):
            return state.file.data
        at = place(state.file, block, self.wanted, self._attempts(state))
        held = block and state.file.held(block)
        if block and at == block.begin and held == self.wanted.text(state.file.version):
            return state.file.data
        return rest.with_block(self.wanted, at)

    def _let_in(self, state: State) -> bool:
        """Whether rules of the file let in every address, by the wanted method, for sure."""
        method = self.wanted.method.encode()
        return all(
            decision.rule and decision.rule.method == method and not decision.unsure
            for net in self.wanted.nets
            for attempt in self._attempts(state)
            for decision in decide(state.file.rules, net, attempt)
        )

    def _attempts(self, state: State, every: bool = False) -> list[Attempt]:
        """The ways in which Omni may come that the rules are about; ``every``: all that the server knows."""
        ways = [True, False] if state.facts.tls else [False]
        if self.wanted.kind == "hostssl" and not every:
            ways = [True]
        role, database = self.wanted.role.encode(), self.wanted.database.encode()
        return [Attempt(role, database, state.facts.groups, tls, state.file.version) for tls in ways]

    def _shown(self, file: File) -> dict[str, Any]:
        """The block for a diff, and nothing else: other lines may hold secrets."""
        block = file.find(self.wanted)
        if block is None:
            return {}
        lines = [line.decode(errors="replace") for line in file.held(block)]
        return {f"line {number}": line for number, line in enumerate(lines, block.begin + 1)}

    def apply(self, changes: Sequence[Change]) -> Iterator[Change]:
        """Under the lock the change is planned anew: somebody else may have changed the file since, such as
        another task of the same run."""
        path = os.path.realpath(self.params["path"] or self.server.path())
        with allowlist_file.locked(path):
            state = self.read()
            for change in self.plan(state):
                if change.payload is not None:
                    self._replace(state, change.payload)
                    yield change
                else:
                    before = self._reload()
                    yield change
                    self._wait(before)

    def _replace(self, state: State, data: bytes) -> None:
        """Replace the file, ask the server what it makes of it, and take back what it does not like.

        :raises Moved: somebody else changed the file before or after, and theirs stays.
        """
        self.before_write()
        if self.params["backup"]:
            self.backup_file = allowlist_file.back_up(state.path, state.file.data)
        modified = os.stat(state.path).st_mtime_ns
        allowlist_file.replace(state.path, state.file.data, data)
        try:
            facts = self.server.facts(self.wanted.role)
            before, after = (state.facts, state.file), (facts, self._file(state, data))
            allowlist_agreement.check_after(state.path, self.wanted, self.absent, before, after)
        except BaseException as error:  # also where the task is ended: nobody looked at the file yet
            try:
                allowlist_file.replace(state.path, data, state.file.data, modified)
            except Moved:
                if isinstance(error, Conflict):  # it was about their file
                    raise
            raise

    def _reload(self) -> float:
        """Have the server load the file; return when it had done so before."""
        before = self._loaded()  # of a new session, too: an old one may not have heard of the last time yet
        self.before_write()
        self.server.reload()
        return before

    def _wait(self, before: float) -> None:
        """Prove that the server loaded the file: a new session has a later time of loading than ``before``, and
        the file is still one that it takes."""
        doing = f"Having {self.session.where} load its pg_hba.conf"
        give_up = time.monotonic() + PATIENCE
        while self._loaded() <= before:
            if time.monotonic() > give_up:
                raise Unreachable(
                    doing,
                    f"{PATIENCE} s later a new session still has the old configuration",
                    "The rules are in the file, and hold once it is loaded: see the server's log, and run again.",
                )
            time.sleep(0.02)
        allowlist_agreement.check_loaded(doing, self.server.facts(self.wanted.role))

    def _loaded(self) -> float:
        """When the server loaded its configuration, by a new session."""
        with Session(self.params) as session:
            return Server(session).loaded()

    def show(self, change: Change) -> str:
        if change.payload is not None:
            return "-- Replace pg_hba.conf"
        return self.session.text(Statement("SELECT pg_reload_conf()"))

    def report(self, done: Sequence[Change]) -> dict[str, Any]:
        return {"backup_file": self.backup_file} if self.backup_file else {}

    def result(self, state: State, done: Sequence[Change]) -> dict[str, Any]:
        nets, attempts = self.wanted.nets, self._attempts(state, every=True)
        file = self._file(state, self._data(state))
        told = allowlist_report.decisions(file.path, file.rules, nets, attempts)
        result: dict[str, Any] = {
            "path": state.path,
            "role": self.wanted.role,
            "database": self.wanted.database,
            "addresses": [spelled(net) for net in nets],
            "decided_by": shortened(told, self.max_listed),
        }
        if not self.absent:
            others = file.others(file.find(self.wanted))
            earlier = allowlist_report.decisions(file.path, others, nets, attempts)
            result["warnings"] = allowlist_report.warnings(
                state.facts, self.wanted, earlier, told, bool(done)
            )
        return result


def _stamp(path: str) -> tuple[int, int]:
    """What changes when a file is replaced or written."""
    try:
        status = os.stat(path)
    except OSError:  # reading it will say why
        return 0, 0
    return status.st_ino, status.st_mtime_ns


DEFINITION = Definition(
    build=Allowlist,
    options={
        **OPTIONS,
        "addresses": {"type": "list", "elements": "str", "default": []},
        "role": {"type": "str", "default": "omni"},
        "method": {
            "type": "str",
            "default": "scram-sha-256",
            "choices": ["scram-sha-256", "md5", "password"],
        },
        "connection_type": {"type": "str", "default": "hostssl", "choices": ["hostssl", "host"]},
        "path": {"type": "path"},
        "backup": {"type": "bool", "default": False},
        "allow_any_address": {"type": "bool", "default": False},
        "state": {"type": "str", "default": "present", "choices": ["absent", "present"]},
    },
    library=LIBRARY,
)

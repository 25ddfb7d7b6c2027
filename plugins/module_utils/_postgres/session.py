# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A login to one database, open: its transactions, and the statements in them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from .._errors import InvalidInput, Prerequisite, Refused, Skipped, Unreachable
from .connect import connect, deadline
from .driver import extensions, psycopg2, sql
from .login import GRACE, Login
from .sqlstates import explained
from .statement import Statement, set_role

#: The key of the advisory lock that runs of this collection hold while they change a database.
LOCK = 0x6F6D6E69
#: The setting that has the server look, while it works, whether its client is still there.
LOOKS_FOR_CLIENTS = "client_connection_check_interval"
#: With these a server refuses a role to act as: there is none, or the login is no member of it.
ROLE_REFUSED = ("22023", "42501")
#: How long one run waits for others to end their changes, and when it says that it waits, in seconds.
LOCK_PATIENCE = 300
LOCK_SILENCE = 5
#: Whether it is this run's turn to change the database, and whether it can be changed at all.
TURN = "SELECT pg_is_in_recovery(), pg_try_advisory_xact_lock(%(key)s)"
#: A lock that is named by one number: its upper half is the class.
HOLDER = """
SELECT pid FROM pg_locks
WHERE locktype = 'advisory' AND classid = 0 AND objid = %(key)s AND objsubid = 1 AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Session:
    """One login, opened by ``with`` and closed with it. Every transaction has its own limits.

    :param params: the module's options; see login_options.
    :param login: another login than theirs.
    :raises InvalidInput: the options are none that a login could use.
    """

    def __init__(self, params: Mapping[str, Any], login: Login | None = None) -> None:
        self._params = params
        self.login = login or Login.of(params)
        self.connection: Any = None
        #: whether the server looks after its clients while it works: from 14 on, and not on every system
        self._looks_for_clients = True
        #: asked right before each statement of a plan; see Resource
        self.before_write: Callable[[], None] = lambda: None
        #: shows people a line while something takes long; see Resource
        self.progress: Callable[[str], None] = lambda line: None

    @property
    def where(self) -> str:
        """The database and its server, for messages."""
        return str(self.login)

    @property
    def asked_for_password(self) -> bool:
        """Whether the server wanted a password for this login; where it did not, any would have done."""
        return bool(self.connection.info.used_password)

    @property
    def notices(self) -> list[str]:
        """What the server remarked since the last time somebody asked."""
        said = [" ".join(notice.split()) for notice in self.connection.notices]
        self.connection.notices = []
        return said

    @property
    def version(self) -> int:
        """The server's version as a number: 150004 is 15.4."""
        return self.connection.server_version

    def __enter__(self) -> Session:
        self.connection = connect(self.login)
        return self

    def __exit__(self, *error: object) -> None:
        if self.connection is not None:
            self.connection.close()

    def rows(self, query: Any, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rows of a query, which is a transaction of its own unless one is open, in one round trip.

        Statements that are sent together are one transaction, which ends with the last of them. It is READ ONLY:
        whatever is sent in it, nothing can be changed.
        """
        what = "reading the catalog"
        if self.connection.info.transaction_status:
            cursor = self._send(query, values, what)
        else:
            cursor = self._send_limited("SET TRANSACTION READ ONLY", query, values, what)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row)) for row in cursor]

    @contextmanager
    def transaction(self, keep: bool = True, lock_timeout: float | None = None) -> Iterator[None]:
        """A transaction that changes something, with the session's limits, while no other run does.

        :param keep: whether it is committed at its end, and not rolled back.
        :param lock_timeout: how many seconds to wait for a lock, where that is not what the options say.
        """
        try:
            self._begin(lock_timeout)
            yield
            if keep:
                self._commit()
        finally:
            self._roll_back()

    def _commit(self) -> None:
        try:
            self._send(sql.SQL("COMMIT"), (), "committing")
        except Unreachable as lost:
            todo = "Whether the changes before it were made is not known: run again, which finds that out."
            raise Unreachable(lost.doing, lost.said, todo, **lost.detail) from None

    def _begin(self, lock_timeout: float | None) -> None:
        begin, told = time.monotonic(), False
        while True:
            standby, locked = self._send_limited(
                "BEGIN", TURN, {"key": LOCK}, "beginning a transaction", lock_timeout
            ).fetchone()
            if standby:
                self._refuse_standby()
            if locked:
                return
            # Nothing is held while waiting: no snapshot, no connection of a pooler.
            self._roll_back()
            waited = time.monotonic() - begin
            if waited > LOCK_PATIENCE:
                self._refuse_locked()
            if waited > LOCK_SILENCE and not told:
                told = True
                self.progress(f"waiting for another run that changes {self.where}, up to {LOCK_PATIENCE} s")
            time.sleep(random.uniform(0.05, 0.5))
            self.before_write()

    def _send_limited(
        self, first: str, last: Any, values: Any, what: str, lock_timeout: float | None = None
    ) -> Any:
        """Send ``last`` with the limits of its transaction, which ``first`` begins; PgBouncer in transaction mode
        keeps them, since none of them outlives it."""
        while True:
            try:
                return self._send(last, values, what, limits=self._limits(first, lock_timeout))
            except Refused as refused:
                if self.login.role and refused.detail["sqlstate"] in ROLE_REFUSED:
                    self._act_as(self.login.role)
                if not (self._looks_for_clients and LOOKS_FOR_CLIENTS in refused.said):
                    raise
            # Not every system tells a server that a client is gone, and there it refuses to be asked to look.
            self._looks_for_clients = False
            self._roll_back()

    def _act_as(self, role: str) -> None:
        """See whether it is ``session_role`` that the server refuses: alone, since what it says is in its language."""
        self._roll_back()
        try:
            self._send(set_role(role), (), f"acting as {role}")
        except Refused as refused:
            raise Prerequisite(
                f"Acting as O(session_role) in {self.where}",
                refused.said,
                "Name a role that is there, and that the login is a member of.",
                **refused.detail,
            ) from None

    def _limits(self, first: str, lock_timeout: float | None) -> Any:
        params = self._params
        patience = params["lock_timeout"] if lock_timeout is None else lock_timeout
        settings = [
            ("lock_timeout", f"{max(1, round(patience * 1000))}ms"),
            ("statement_timeout", f"{params['statement_timeout']}s"),
            ("jit", "off"),
            ("search_path", "pg_catalog"),
        ]
        if self.version >= 140000 and self._looks_for_clients:
            settings.append((LOOKS_FOR_CLIENTS, "1s"))
        limits: list[Any] = [sql.SQL(first)]
        limits += [
            sql.SQL("SET LOCAL {} = {}").format(sql.Identifier(k), sql.Literal(v)) for k, v in settings
        ]
        if self.login.role:
            limits.append(set_role(self.login.role))
        return sql.SQL("; ").join(limits)

    def _roll_back(self) -> None:
        if not self.connection.closed and self.connection.info.transaction_status:
            with suppress(psycopg2.Error, TimeoutError), deadline(GRACE):
                self.connection.cursor().execute("ROLLBACK")

    def _refuse_locked(self) -> None:
        pids = [row["pid"] for row in self.rows(HOLDER, {"key": LOCK})]
        holders = ", ".join(map(str, pids)) or "one that just ended"
        raise Refused(
            f"Changing {self.where}",
            f"another run of this collection has been changing it for {LOCK_PATIENCE} s (server process {holders})",
            "Run again when it is done. pg_stat_activity shows what it does, and pg_terminate_backend ends it.",
            pids=pids,
        )

    def _refuse_standby(self) -> None:
        refusal = Skipped if self._params["on_standby"] == "skip" else Refused
        raise refusal(
            f"Changing {self.where}",
            "it is a standby, which only reads",
            "Log in to the primary; several hosts in O(login_host), and target_session_attrs in O(connect_params), "
            "find it.",
        )

    def execute(self, statement: Statement) -> None:
        """Send one statement of a plan.

        :raises Moved: somebody changed the same objects at the same time.
        :raises Refused: the server does not allow it.
        """
        self.before_write()
        sent = statement.compose()
        if statement.as_role:
            back = set_role(self.login.role or "none")
            sent = sql.SQL("; ").join([set_role(statement.as_role), sent, back])
        self._send(sent, (), self.text(statement, 5), plan=True)

    def verifier(self, role: str, password: str) -> str:
        """``password`` as Postgres stores it, made here: neither the server nor its log sees the password."""
        try:
            return str(extensions.encrypt_password(password, role, self.connection, "scram-sha-256"))
        except psycopg2.Error as error:
            raise InvalidInput(
                f"Making the SCRAM verifier of role {role}", str(error), "Choose another password."
            ) from None

    def text(self, statement: Statement, max_listed: int = 0) -> str:
        """The statement as people see it; see :meth:`Statement.masked`."""
        return statement.masked(max_listed).as_string(self.connection)

    def _send(self, query: Any, values: Any, what: str, plan: bool = False, limits: Any = None) -> Any:
        cursor = self.connection.cursor()
        doing = f"In {self.where}, {what}"
        try:
            text = cursor.mogrify(query, values or None)
            with deadline(self.login.silence):
                cursor.execute(text if limits is None else cursor.mogrify(limits) + b"; " + text)
        except TimeoutError:
            raise Unreachable(doing, "the server stopped answering", "Check it, then run again.") from None
        except psycopg2.Error as error:
            raise explained(doing, error, plan) from None
        except ValueError:  # of psycopg2, before anything is sent
            raise InvalidInput(
                doing,
                "a value of an option has a NUL, or bytes that are not UTF-8, and Postgres keeps neither",
                "Take them out.",
            ) from None
        return cursor

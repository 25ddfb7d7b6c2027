# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A login to one database: connecting, transactions, statements, and what their errors mean."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

try:
    import psycopg2
    from psycopg2 import extensions, extras, sql
except ImportError as error:
    PSYCOPG2_ERROR: ImportError | None = error
else:
    PSYCOPG2_ERROR = None

from .._converge import MASK
from .._definition import Library
from .._errors import InvalidInput, Moved, Refused, Skipped, Unreachable

LIBRARY = Library("psycopg2", "psycopg2-binary", PSYCOPG2_ERROR)

OPTIONS: dict[str, Any] = {
    "login_db": {"type": "str", "aliases": ["database"], "required": True},
    "login_host": {"type": "str"},
    "login_port": {"type": "int", "default": 5432},
    "login_user": {"type": "str"},
    "login_password": {"type": "str", "no_log": True},
    "login_unix_socket": {"type": "path"},
    "ssl_mode": {
        "type": "str",
        "default": "prefer",
        "choices": ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
    },
    "ca_cert": {"type": "path"},
    "ssl_cert": {"type": "path"},
    "ssl_key": {"type": "path"},
    "session_role": {"type": "str"},
    "connect_params": {"type": "dict", "default": {}},
    "connect_timeout": {"type": "int", "default": 10},
    "lock_timeout": {"type": "int", "default": 5},
    "statement_timeout": {"type": "int", "default": 30},
    "on_standby": {"type": "str", "default": "fail", "choices": ["fail", "skip"]},
    "max_listed": {"type": "int", "default": 50},
}

#: The longest identifier that Postgres keeps, in bytes; anything longer it cuts without an error.
NAME_BYTES = 63
OLDEST = 120000
#: How long past its statement_timeout a server may stay silent, in seconds.
GRACE = 5
#: The key of the advisory lock that runs of this collection hold while they change a database.
LOCK = 0x6F6D6E69

#: What a concurrent change of the same objects looks like: a fresh read settles it.
MOVED = {
    "23505": "unique_violation",
    "3F000": "invalid_schema_name",
    "40001": "serialization_failure",
    "40P01": "deadlock_detected",
    "42710": "duplicate_object",
    "42P06": "duplicate_schema",
    "42P01": "undefined_table",
}


class Names(tuple):  # type: ignore[type-arg]  # tuple[…] is no base class in Python 3.8
    """Several identifiers, each a tuple of its parts."""


class Secret(str):
    """A literal that is sent as it is and shown as asterisks."""


@dataclass(frozen=True)
class Statement:
    """One SQL statement as data: its text, and for each {} an identifier or a literal.

    A tuple is an identifier of one or more parts, Names are several of them, a string is a literal.
    """

    text: str
    parts: tuple[Any, ...] = ()

    def compose(self) -> Any:
        """What is sent."""
        return sql.SQL(self.text).format(*(_composed(part) for part in self.parts))

    def masked(self, most: int = 0) -> Any:
        """What is shown: no secrets, and no more than ``most`` names of a list (0: all)."""
        return sql.SQL(self.text).format(*(_composed(part, most, mask=True) for part in self.parts))


def _composed(part: Any, most: int = 0, mask: bool = False) -> Any:
    if isinstance(part, Names):
        shown = part[:most] if most else part
        listed = sql.SQL(", ").join(sql.Identifier(*name) for name in shown)
        rest = len(part) - len(shown)
        return listed + sql.SQL(f", … ({rest} more)") if rest else listed
    if isinstance(part, tuple):
        return sql.Identifier(*part)
    return sql.Literal(MASK if mask and isinstance(part, Secret) else str(part))


def check_name(name: str, option: str) -> str:
    """``name`` if Postgres can keep it as an identifier, whatever characters it has.

    :raises InvalidInput: it is empty, or Postgres would cut it.
    """
    size = len(name.encode())
    if not name or "\0" in name:
        raise InvalidInput(
            f"Reading {option}", f"{name!r} is no name that Postgres can keep", "Choose another one."
        )
    if size > NAME_BYTES:
        raise InvalidInput(
            f"Reading {option}",
            f"{name} has {size} bytes, and Postgres cuts names after {NAME_BYTES}",
            "Choose a shorter name.",
        )
    return name


def check_role(name: str, option: str) -> str:
    """As :func:`check_name`, and no name that Postgres keeps for itself."""
    check_name(name, option)
    if name.startswith("pg_") or name in ("public", "none"):
        raise InvalidInput(
            f"Reading {option}", f"Postgres keeps the role name {name} for itself", "Choose another one."
        )
    return name


class Session:
    """One login, opened by ``with`` and closed with it. Every transaction has its own limits.

    :param params: the module's options; see OPTIONS. ``user`` and ``password`` replace its login.
    """

    def __init__(
        self, params: Mapping[str, Any], user: str | None = None, password: str | None = None
    ) -> None:
        self._params = params
        self._user = params["login_user"] if user is None else user
        self._password = params["login_password"] if user is None else password
        self._role = params["session_role"] if user is None else None
        self.connection: Any = None
        #: asked right before each statement of a plan; see Resource
        self.before_write: Callable[[], None] = lambda: None

    @property
    def where(self) -> str:
        """The database and its server, for messages."""
        params = self._params
        server = params["login_host"] or params["login_unix_socket"] or "the local socket"
        port = params["connect_params"].get("port", params["login_port"])
        return f"database {params['login_db']} on {server}:{port}"

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
        doing = f"Logging in to {self.where}" + (f" as {self._user}" if self._user else "")
        params = self._params
        if not 1 <= params["login_port"] <= 65535:
            raise InvalidInput(
                "Reading login_port", f"{params['login_port']} is out of range", "Choose one from 1 to 65535."
            )
        for option in ("connect_timeout", "lock_timeout", "statement_timeout"):
            if params[option] < 1:
                raise InvalidInput(
                    f"Reading {option}", f"{params[option]} is out of range", "Choose 1 second or more."
                )
        if params["max_listed"] < 0:
            raise InvalidInput(
                "Reading max_listed", f"{params['max_listed']} is out of range", "0 lists all."
            )
        keywords = {
            "host": params["login_host"] or params["login_unix_socket"],
            "port": params["login_port"],
            "dbname": params["login_db"],
            "user": self._user,
            "password": self._password,
            "sslmode": params["ssl_mode"],
            "sslrootcert": params["ca_cert"],
            "sslcert": params["ssl_cert"],
            "sslkey": params["ssl_key"],
            "application_name": "omni_analytics.connect",
            "client_encoding": "utf8",
            "keepalives_idle": 30,
            "connect_timeout": params["connect_timeout"],
            # Where a host was named, a stray PGHOSTADDR must not lead to another.
            "hostaddr": "" if params["login_host"] or params["login_unix_socket"] else None,
            **params["connect_params"],
        }
        extensions.set_wait_callback(_wait)
        try:
            with _deadline(params["connect_timeout"] * _hosts(keywords["host"])):
                self.connection = psycopg2.connect(
                    **{name: value for name, value in keywords.items() if value is not None}
                )
        except TimeoutError:
            raise Unreachable(
                doing,
                f"no answer within {params['connect_timeout']} s",
                "Check the address, the port and the firewall on the way, or raise connect_timeout.",
            ) from None
        except psycopg2.Error as error:
            raise Unreachable(doing, str(error), _advice(str(error))) from None
        self.connection.autocommit = True
        if self.version < OLDEST:
            self.connection.close()
            raise Refused(
                doing, f"the server's version is {self.version}", "Postgres 12 is the oldest that works."
            )
        return self

    def __exit__(self, *error: object) -> None:
        if self.connection is not None:
            self.connection.close()

    @contextmanager
    def transaction(self, writing: bool = False, keep: bool = True) -> Iterator[None]:
        """A transaction with the session's limits, which PgBouncer in transaction mode keeps too.

        Unless ``writing``, it is READ ONLY: whatever is sent in it, nothing can be changed. Unless
        ``keep``, it is rolled back at its end.
        """
        params = self._params
        settings = [
            ("lock_timeout", f"{params['lock_timeout']}s"),
            ("statement_timeout", f"{params['statement_timeout']}s"),
            ("jit", "off"),
            ("search_path", "pg_catalog"),
        ]
        if self.version >= 140000:
            settings.append(("client_connection_check_interval", "1s"))
        begin: list[Any] = [sql.SQL("BEGIN" if writing else "BEGIN READ ONLY")]
        begin += [sql.SQL("SET LOCAL {} = {}").format(sql.Identifier(k), sql.Literal(v)) for k, v in settings]
        if self._role:
            begin.append(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(self._role)))
        if writing:
            begin.append(
                sql.SQL("SELECT pg_is_in_recovery() AS standby, pg_advisory_xact_lock({})").format(
                    sql.Literal(LOCK)
                )
            )
        try:
            cursor = self._send(sql.SQL("; ").join(begin), (), "beginning a transaction")
            if writing and cursor.fetchone()["standby"]:
                self._refuse_standby()
            yield
            if keep:
                self._send(sql.SQL("COMMIT"), (), "committing")
        finally:
            if not self.connection.closed and self.connection.info.transaction_status:
                with suppress(psycopg2.Error, TimeoutError), _deadline(GRACE):
                    self.connection.cursor().execute("ROLLBACK")

    def _refuse_standby(self) -> None:
        refusal = Skipped if self._params["on_standby"] == "skip" else Refused
        raise refusal(
            f"Changing {self.where}",
            "it is a standby, which only reads",
            "Log in to the primary; several hosts in login_host and target_session_attrs in connect_params find it.",
        )

    def rows(self, query: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rows of a query of the catalog."""
        cursor = self._send(query, values, "reading the catalog")
        return [dict(row) for row in cursor.fetchall()]

    def execute(self, statement: Statement) -> None:
        """Send one statement of a plan.

        :raises Moved: somebody changed the same objects at the same time.
        :raises Refused: the server does not allow it.
        """
        self.before_write()
        self._send(statement.compose(), (), self.text(statement, 5), plan=True)

    def verifier(self, role: str, password: str) -> str:
        """``password`` as Postgres stores it, made here: neither the server nor its log sees the password."""
        return str(extensions.encrypt_password(password, role, self.connection, "scram-sha-256"))

    def text(self, statement: Statement, most: int = 0) -> str:
        """The statement as people see it; see :meth:`Statement.masked`."""
        return statement.masked(most).as_string(self.connection)

    def _send(self, query: Any, values: Any, what: str, plan: bool = False) -> Any:
        doing = f"In {self.where}, {what}"
        cursor = self.connection.cursor(cursor_factory=extras.RealDictCursor)
        try:
            with _deadline(self._params["statement_timeout"] + GRACE):
                cursor.execute(query, values or None)
        except TimeoutError:
            raise Unreachable(doing, "the server stopped answering", "Check it, then run again.") from None
        except psycopg2.Error as error:
            raise _refusal(doing, error, plan) from None
        return cursor


def _refusal(doing: str, error: Any, plan: bool) -> Exception:
    """The error of a statement as one of the family."""
    code = error.pgcode
    said = " ".join((error.diag.message_primary or str(error)).split())
    if code == "2BP01":  # dependent_objects_still_exist: which ones, is in the detail alone
        said = f"{said} ({'; '.join((error.diag.message_detail or '').splitlines()[:5])})"
    concurrent = code in MOVED or (code == "XX000" and "concurrently" in said)
    if plan and concurrent:
        return Moved(doing, said, "Somebody else changes the same objects; run again.", sqlstate=code)
    if code is None:
        return Unreachable(doing, said, "The connection broke; check the server, then run again.")
    advice = {
        "2BP01": "The login may not remove these: have their owner do it, or log in as a role that may.",
        "42501": "Log in as a role that may do this, or have such a role run the statement.",
        "55P03": "Somebody holds a lock on it; run again later, or raise lock_timeout.",
        "57014": "It took too long; run again later, or raise statement_timeout.",
        "25006": "This server only reads (a standby, or default_transaction_read_only); log in to the primary.",
    }
    return Refused(doing, said, advice.get(code, ""), sqlstate=code)


def wrong_password(said: str) -> bool:
    """Whether a login failed for its password: in Postgres' words, or in PgBouncer's."""
    return "password authentication failed" in said or "SASL authentication failed" in said


def _advice(said: str) -> str:
    """What to do about a login that failed: libpq tells the reason in words only."""
    for words, advice in (
        ("authentication failed", "Check login_user and login_password."),
        ("no password supplied", "Set login_password."),
        ("pg_hba.conf", "The server's pg_hba.conf does not allow this login from here."),
        ("does not support SSL", "The server has no TLS: set ssl_mode to what it offers."),
        ("certificate", "Check ca_cert and ssl_mode: the server's certificate must name login_host."),
        ("could not translate host name", "Check login_host."),
        ('database "', "Check login_db: it is the database that Omni will read."),
        ("Connection refused", "Check login_host and login_port, and that the server runs."),
    ):
        if words in said:
            return advice
    return "Check the login options."


def _hosts(host: str | None) -> int:
    return host.count(",") + 1 if host and not os.path.isabs(host) else 1


#: When the running call gives up, on the monotonic clock. A wait callback serves the whole process.
_give_up_at = [float("inf")]


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    _give_up_at[0] = time.monotonic() + seconds
    try:
        yield
    finally:
        _give_up_at[0] = float("inf")


def _wait(connection: Any) -> None:
    """Wait for the server in Python, not in libpq: there neither a signal nor a deadline gets through."""
    while True:
        state = connection.poll()
        if state == extensions.POLL_OK:
            return
        left = _give_up_at[0] - time.monotonic()
        if left <= 0:
            raise TimeoutError
        poller = select.poll()
        poller.register(
            connection.fileno(), select.POLLIN if state == extensions.POLL_READ else select.POLLOUT
        )
        poller.poll(min(left, 1) * 1000)

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who logs in to which database, where and how: one object, made from the options once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from . import login_options
from .driver import extensions
from .names import check_text

#: How long past its statement_timeout a server may stay silent, in seconds.
GRACE = 5


class Login(NamedTuple):
    """A login that nothing given elsewhere can override.

    ``role`` is what each transaction runs as, where that is not ``user``. ``silence`` is after how many seconds
    an answer is given up. ``more`` are libpq's keywords that have no option of their own.
    """

    database: str
    host: str | None
    port: int
    user: str | None
    password: str | None
    role: str | None
    timeout: int
    silence: int
    tls: Mapping[str, str | None]
    more: Mapping[str, Any]

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Login:
        """The login of a module's options.

        :raises InvalidInput: an option has a value that no login could use.
        """
        login_options.check(params)
        return cls(
            database=params["login_db"],
            host=params["login_host"] or params["login_unix_socket"],
            port=params["login_port"],
            user=params["login_user"],
            password=params["login_password"],
            role=params["session_role"],
            timeout=params["connect_timeout"],
            silence=params["statement_timeout"] + GRACE,
            tls={
                "sslmode": params["ssl_mode"],
                "sslrootcert": params["ca_cert"],
                "sslcert": params["ssl_cert"],
                "sslkey": params["ssl_key"],
                "sslpassword": params["ssl_key_password"],
            },
            more={name: value for name, value in params["connect_params"].items() if value is not None},
        )

    def as_user(self, user: str, password: str) -> Login:
        """A login of somebody else to the same database, in the same way.

        :raises InvalidInput: the password is none that could be sent.
        """
        return self._replace(user=user, password=check_text(password, "password"), role=None)

    def in_database(self, database: str) -> Login:
        """The same login to another database of the same server."""
        return self._replace(database=database)

    @property
    def by_socket(self) -> bool:
        """Whether it goes by a Unix socket, as far as the options say."""
        return bool(self.host) and str(self.host).startswith(("/", "@"))

    def __str__(self) -> str:
        """The database and its server, for messages."""
        return f"database {self.database} on {self.host or 'the local socket'}:{self.port}"

    def keywords(self) -> dict[str, Any]:
        """What libpq is given, but for the password; see password_file."""
        keywords = {
            "application_name": "omni_analytics.connect",
            "keepalives_idle": 30,
            # A server that takes no more bytes is noticed by the kernel: libpq itself would wait for it.
            "tcp_user_timeout": self.silence * 1000 if extensions.libpq_version() >= 120000 else None,
            # Where a host was named, a stray PGHOSTADDR must not lead to another.
            "hostaddr": "" if self.host else None,
            **self.more,
            "host": self.host,
            "port": self.port,
            "dbname": self.database,
            "user": self.user,
            "client_encoding": "utf8",
            "connect_timeout": self.timeout,
            **self.tls,
        }
        return {name: value for name, value in keywords.items() if value is not None}

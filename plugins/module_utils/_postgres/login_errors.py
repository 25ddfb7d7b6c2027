# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What it means that a login failed. libpq tells the reason in words only, without a SQLSTATE."""

from __future__ import annotations

from .._errors import Unreachable

#: What to do where the server refused the password.
WRONG_PASSWORD = "Check O(login_user) and O(login_password)."
#: What to do where the socket lets in nobody but the system user of the name that logs in.
PEER = (
    "By the socket the server lets in only the system user of that name (peer). Run the task as that user: "
    "O(become=true), and O(become_user)."
)
#: What the server or libpq says, and what to do about it. The first one that fits counts. libpq's own words are
#: English, see connect.py; a server may speak another language, and then the last line below is all there is.
ADVICE = (
    ("Peer authentication failed", PEER),
    ("authentication failed", WRONG_PASSWORD),
    ("no password supplied", "Set O(login_password)."),
    ("pg_hba.conf", "The server's pg_hba.conf does not allow this login from here."),
    ("does not support SSL", "The server has no TLS: set O(ssl_mode) to what it offers."),
    ("certificate", "Check O(ca_cert) and O(ssl_mode): the server's certificate must name O(login_host)."),
    ("could not translate host name", "Check O(login_host)."),
    ("too many c", "All the connections that the server or the role may have are in use: run again later."),
    ("remaining connection slots", "All connections of the server are in use: run again later."),
    ("permission denied for database", "Grant CONNECT on the database to the role that logs in."),
    ('database "', "Check O(login_db): it is the database that Omni will read."),
    (
        "does not exist",
        "Check O(login_user). Where it is not set, the name is that of the system user who runs the task; "
        "O(become=true) and O(become_user) make it another.",
    ),
    # What libpq says of a host that target_session_attrs does not want; another one may be down at the same time.
    (
        "session is read-only",
        "None of the hosts is a primary just now. Run again when one is; or name the primary's host, too.",
    ),
    ("hot standby mode", "No host is of the kind that target_session_attrs wants. See O(connect_params)."),
    ("the database system is", "Run again when the server is up."),
    (
        "terminating connection",
        "The server ended the login, as it does when it stops. Run again when it is up.",
    ),
    (
        "closed the connection unexpectedly",
        "The server ended the login, as it does when it stops. Run again when it is up; or see its log.",
    ),
    (
        "Is the server running locally",
        "Check O(login_unix_socket), the folder of the socket on the host where the task runs, and O(login_port); and "
        "that the server runs there.",
    ),
    ("Connection refused", "Check O(login_host) and O(login_port), and that the server runs."),
    (
        "timeout expired",
        "Check the address, the port and the firewall on the way, or raise O(connect_timeout).",
    ),
)
OTHERWISE = "Check the login options."
#: The same where the login went by a socket: it may be a peer's, in another language.
OTHERWISE_BY_SOCKET = (
    "Check the login options. By the socket a server mostly lets in only the system user of the name that logs in: "
    "O(become=true), and O(become_user)."
)

#: What a server says only to a login whose password was right, or that it did not ask for one.
PAST_THE_PASSWORD = (
    "too many connections for",
    "permission denied for database",
    "remaining connection slots",
)


class LoginRefused(Unreachable):
    """The server, or libpq before it, let nobody in.

    :param said: libpq's message.
    :param password_path: the file that it read the password from ("": none); see password_file.
    :param by_socket: whether the login went by a Unix socket.
    """

    def __init__(self, doing: str, said: str, password_path: str = "", by_socket: bool = False) -> None:
        lines = said.splitlines()
        named = [line for line in lines if password_path and f'"{password_path}"' in line]
        text = " ".join(line.strip() for line in lines if line not in named)
        #: the server was given a password, and said that it is not the one
        self.wrong_password = bool(named) or _says_wrong_password(text)
        #: what was said comes after the check of a password, if there was one
        self.past_the_password = any(words in text for words in PAST_THE_PASSWORD)
        super().__init__(doing, text, WRONG_PASSWORD if self.wrong_password else _advice(text, by_socket))


def _says_wrong_password(said: str) -> bool:
    """Whether it failed for its password, in Postgres' English words, or in those of PgBouncer, whose older
    versions answer with another SQLSTATE."""
    return "password authentication failed" in said or "SASL authentication failed" in said


def _advice(said: str, by_socket: bool) -> str:
    otherwise = OTHERWISE_BY_SOCKET if by_socket else OTHERWISE
    return next((todo for words, todo in ADVICE if words in said), otherwise)

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connecting, and waiting for a server: never longer than a deadline, and never deaf to Ctrl-C."""

from __future__ import annotations

import locale
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from .._deadline import call_within
from .._errors import Refused, Unreachable
from .driver import extensions, psycopg2
from .login import Login
from .login_errors import LoginRefused
from .password_file import password_keywords

#: The oldest version that works, as the server tells it: 12.0.
OLDEST = 120000


def connect(login: Login) -> Any:
    """A connection in autocommit mode.

    libpq tries every host, and every address of a host's name, for up to ``login.timeout`` each. It does so only
    where it waits by itself, which is why it has a thread here and no wait callback. Name servers have no
    timeout in libpq: that all of it ends is the deadline's to see to.

    :raises LoginRefused: somebody answered, and it was no.
    :raises Unreachable: nobody answered in time.
    """
    doing = f"Logging in to {login}" + (f" as {login.user}" if login.user else "")
    with password_keywords(login.password) as (password, path), _english():
        keywords = {**login.keywords(), **password}
        extensions.set_wait_callback(None)
        try:
            connection = call_within(
                login.timeout + 1,
                lambda: psycopg2.connect(**keywords),
                discard=lambda late: late.close(),
                more=lambda: login.timeout * (_addresses(login) - 1),
            )
        except TimeoutError:
            raise Unreachable(
                doing,
                f"no answer within {login.timeout} s",
                "Check the address, the name server and the firewall on the way, or raise O(connect_timeout).",
            ) from None
        except psycopg2.Error as error:
            raise LoginRefused(doing, str(error), path, login.by_socket) from None
        finally:
            extensions.set_wait_callback(_wait)
    connection.autocommit = True
    if connection.server_version < OLDEST:
        connection.close()
        raise Refused(
            doing,
            f"the server's version is {connection.server_version}",
            "Postgres 12 is the oldest that works.",
        )
    return connection


def _addresses(login: Login) -> int:
    """How many addresses libpq tries in turn."""
    hosts = str(login.more.get("hostaddr") or login.host or "").split(",")
    return sum(_addresses_of(host, login) for host in hosts)


def _addresses_of(host: str, login: Login) -> int:
    if not host or host.startswith(("/", "@")):
        return 1
    with suppress(OSError, UnicodeError, TimeoutError):
        found = call_within(
            login.timeout, lambda: socket.getaddrinfo(host, login.port, type=socket.SOCK_STREAM)
        )
        return len(found)
    return 1


@contextmanager
def _english() -> Iterator[None]:
    """libpq's own words, and the system's, in English: they are looked into for what to do next."""
    before = locale.setlocale(locale.LC_MESSAGES)
    locale.setlocale(locale.LC_MESSAGES, "C")
    try:
        yield
    finally:
        locale.setlocale(locale.LC_MESSAGES, before)


#: When the running call gives up, on the monotonic clock. A wait callback serves the whole process.
_give_up_at = [float("inf")]


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """What is sent inside raises TimeoutError where its answer takes longer than that."""
    _give_up_at[0] = time.monotonic() + seconds
    try:
        yield
    finally:
        _give_up_at[0] = float("inf")


def _wait(connection: Any) -> None:
    """Wait for an answer in Python, not in libpq: there neither a signal nor a deadline gets through."""
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

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connecting, and waiting for a server: never longer than a deadline, and never deaf to Ctrl-C."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .._errors import Refused, Unreachable
from . import login_errors
from .driver import extensions, psycopg2
from .login import Login

#: The oldest version that works, as the server tells it: 12.0.
OLDEST = 120000


def connect(login: Login) -> Any:
    """A connection in autocommit mode.

    :raises Unreachable: nobody answered in time, or the login was refused.
    """
    doing = f"Logging in to {login}" + (f" as {login.user}" if login.user else "")
    extensions.set_wait_callback(_wait)
    try:
        with deadline(login.timeout * _hosts(login.host)):
            connection = psycopg2.connect(**login.keywords())
    except TimeoutError:
        raise Unreachable(
            doing,
            f"no answer within {login.timeout} s",
            "Check the address, the port and the firewall on the way, or raise connect_timeout.",
        ) from None
    except psycopg2.Error as error:
        raise Unreachable(doing, str(error), login_errors.advice(str(error))) from None
    connection.autocommit = True
    if connection.server_version < OLDEST:
        connection.close()
        raise Refused(
            doing,
            f"the server's version is {connection.server_version}",
            "Postgres 12 is the oldest that works.",
        )
    return connection


def _hosts(host: str | None) -> int:
    return host.count(",") + 1 if host and not os.path.isabs(host) else 1


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

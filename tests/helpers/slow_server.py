# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TLS server that takes its time: it answers bit by bit, or more than anybody wants."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import trustme


class SlowServer(threading.Thread):
    """Answers each request as `answer` yields it, 50 ms between two parts, until its `with` block ends.

    Longer would cost: where a later test lets no time pass, an answer that never ends would never pause either.
    """

    def __init__(self, tmp_path: Path, answer: Callable[[], Iterator[bytes]]) -> None:
        super().__init__(daemon=True)
        ca = trustme.CA()
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ca.issue_cert("127.0.0.1").configure_cert(self._context)
        self.ca_file = str(tmp_path / "slow.pem")
        ca.cert_pem.write_to_path(self.ca_file)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self._answer = answer
        self._end = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._end.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def run(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client = self._listener.accept()[0]
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), self._context.wrap_socket(client, server_side=True) as secured:
            secured.recv(65536)
            for part in self._answer():
                secured.sendall(part)
                if self._end.wait(0.05):
                    return


def head(*more: str) -> bytes:
    """Returns the head of an answer, with those header lines."""
    return "\r\n".join(["HTTP/1.1 200 OK", "Content-Type: application/json", *more, "\r\n"]).encode()


def drip(first: bytes) -> Iterator[bytes]:
    """Yields an answer that never ends."""
    yield first
    while True:
        yield b" "

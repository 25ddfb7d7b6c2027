# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers on the wire: one that refuses every login in its own words, and a proxy that changes what is said."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from collections.abc import Callable
from typing import Self

Rewrite = Callable[[bytes], bytes]


class _Listener(threading.Thread):
    """Serves each connection to `port` in a thread of its own, as long as it is entered."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(daemon=True)
        self._listener = socket.create_server(
            (address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET
        )
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self.join()
        self._listener.close()

    def run(self) -> None:
        with contextlib.suppress(OSError):  # the listener was shut down
            while True:
                client, dummy = self._listener.accept()
                threading.Thread(target=self._serve_quietly, args=(client,), daemon=True).start()

    def _serve_quietly(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            self.serve(client)

    def serve(self, client: socket.socket) -> None:
        raise NotImplementedError


class Silent(_Listener):
    """Accepts, and never says a word."""

    def serve(self, client: socket.socket) -> None:
        while client.recv(65536):
            pass


class Refusing(_Listener):
    """Asks for a password, if `asks`, and refuses it with a SQLSTATE and a text."""

    def __init__(
        self, sqlstate: str, text: str, asks: bool = True, address: str = "127.0.0.1", port: int = 0
    ) -> None:
        super().__init__(address, port)
        self._error = f"SFATAL\0VFATAL\0C{sqlstate}\0M{text}\0\0".encode()
        self._asks = asks
        #: the passwords that it was given
        self.given: list[str] = []

    def serve(self, client: socket.socket) -> None:
        (length,) = struct.unpack("!I", client.recv(4))
        client.recv(length - 4)
        if self._asks:
            client.sendall(b"R" + struct.pack("!II", 8, 3))  # in clear, please
            answer = client.recv(65536)
            if not answer:
                return
            self.given.append(answer[5:-1].decode())
        client.sendall(b"E" + struct.pack("!I", len(self._error) + 4) + self._error)


class Proxy(_Listener):
    """Passes everything on to a server, changed by two functions. They must keep the length: the protocol
    counts bytes."""

    def __init__(
        self,
        port: int,
        to_server: Rewrite = lambda data: data,
        to_client: Rewrite = lambda data: data,
        address: str = "127.0.0.1",
        at: int = 0,
    ) -> None:
        super().__init__(address, at)
        self._server_port, self._to_server, self._to_client = port, to_server, to_client

    def serve(self, client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", self._server_port)) as server:
            while True:
                for source in select.select([client, server], [], [])[0]:
                    data = source.recv(65536)
                    if not data:
                        return
                    if source is client:
                        server.sendall(self._to_server(data))
                    else:
                        client.sendall(self._to_client(data))

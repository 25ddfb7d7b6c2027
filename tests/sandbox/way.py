# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A way to a server that counts who passes, and that may be long.

with Way(server.port) as way:
    ...  # connect to 127.0.0.1 and way.port
way.connections, way.round_trips
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from typing import Self


class Way:
    """A TCP proxy on 127.0.0.1, at a free port, to another port of 127.0.0.1. A context manager.

    A round trip is a question of the client that the server answered: a farewell is none. Logging in with SCRAM and
    without TLS takes three, and one more where the client asks for TLS first.

    :param delay: seconds that a question and its answer are on the way.
    """

    def __init__(self, port: int, delay: float = 0.0) -> None:
        self._target, self._delay = port, delay
        self._lock = threading.Lock()
        self.connections = self.round_trips = 0

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        # Closing alone does not end an accept() that waits in another thread.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def reset(self) -> None:
        """Begin to count anew."""
        with self._lock:
            self.connections = self.round_trips = 0

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with self._lock:
            self.connections += 1
        with (
            contextlib.suppress(OSError),
            client,
            socket.create_connection(("127.0.0.1", self._target)) as server,
            selectors.DefaultSelector() as both,
        ):
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            both.register(client, selectors.EVENT_READ, server)
            both.register(server, selectors.EVENT_READ, client)
            asked = False
            while True:
                for key, _events in both.select():
                    assert isinstance(key.fileobj, socket.socket)
                    data = key.fileobj.recv(65536)
                    if not data:
                        return
                    if key.fileobj is client:
                        asked = True
                    elif asked:
                        asked = False
                        with self._lock:
                            self.round_trips += 1
                        time.sleep(self._delay)
                    key.data.sendall(data)

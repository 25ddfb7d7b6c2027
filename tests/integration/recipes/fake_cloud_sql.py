# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the recipe for Cloud SQL asks of Google's API, on loopback: an instance read and patched, an operation read.

It follows what Google documents and answers: a PATCH merges objects and replaces lists; it has to carry the version of
the settings that it was made from, else 412; while an operation is going on, 409; and it is in effect when the
operation that it answers with is DONE.
"""

from __future__ import annotations

import ipaddress
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

JSON = dict[str, Any]
TOKEN = "ya29.an-access-token"


class Refused(Exception):
    """An answer other than 200: its status and its message."""


def merge(old: Any, new: Any) -> Any:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    return {**old, **{key: merge(old.get(key), value) for key, value in new.items()}}


class FakeCloudSql:
    """The instances of the project `example-project`."""

    def __init__(self, names: list[str]) -> None:
        self.instances = {
            name: {
                "name": name,
                "databaseVersion": "POSTGRES_17",
                "settings": {
                    "settingsVersion": "7",
                    "tier": "db-custom-2-7680",
                    "ipConfiguration": {"ipv4Enabled": True, "sslMode": "ENCRYPTED_ONLY"},
                },
            }
            for name in names
        }
        self.writes = 0
        #: How often an operation is asked for before it is done.
        self.patience = 2
        #: With what an operation ends, in place of the change.
        self.operation_error: str | None = None
        #: Runs right before a PATCH is looked at: somebody else's change.
        self.before_patch = lambda: None
        self._operations: dict[str, tuple[str, JSON, int]] = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FakeCloudSql:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def networks(self, name: str) -> list[JSON]:
        return self.instances[name]["settings"]["ipConfiguration"].get("authorizedNetworks", [])  # type: ignore[index]

    def change(self, name: str, settings: JSON) -> None:
        """Somebody's change, at once."""
        found: JSON = self.instances[name]["settings"]  # type: ignore[assignment]
        version = str(int(found["settingsVersion"]) + 1)
        self.instances[name]["settings"] = {**merge(found, settings), "settingsVersion": version}

    def answer(self, method: str, path: list[str], token: str | None, body: JSON) -> JSON:
        if token != f"Bearer {TOKEN}":
            raise Refused(401, "Request had invalid authentication credentials.")
        match method, path:
            case _, ["projects", "example-project", "instances", name] if name not in self.instances:
                raise Refused(404, "The Cloud SQL instance does not exist.")
            case "GET", ["projects", "example-project", "instances", name]:
                return self.instances[name]
            case "PATCH", ["projects", "example-project", "instances", name]:
                return self._patch(name, body)
            case "GET", ["projects", "example-project", "operations", operation] if (
                operation in self._operations
            ):
                return self._operation(operation)
        raise Refused(404, "Not Found")

    def _patch(self, name: str, body: JSON) -> JSON:
        self.before_patch()
        settings = body["settings"]
        if any(instance == name for instance, _settings, left in self._operations.values() if left):
            raise Refused(409, "Operation failed because another operation was already in progress.")
        if str(settings["settingsVersion"]) != self.instances[name]["settings"]["settingsVersion"]:  # type: ignore[index]
            raise Refused(412, "Condition does not match.")
        for network in settings["ipConfiguration"]["authorizedNetworks"]:
            ipaddress.IPv4Network(network["value"])
        self.writes += 1
        operation = f"operation-{self.writes}"
        self._operations[operation] = (name, settings, self.patience)
        return {"kind": "sql#operation", "name": operation, "status": "PENDING"}

    def _operation(self, operation: str) -> JSON:
        name, settings, left = self._operations[operation]
        if left:
            self._operations[operation] = (name, settings, left - 1)
            if left > 1:
                return {"kind": "sql#operation", "name": operation, "status": "RUNNING"}
            if not self.operation_error:
                self.change(name, settings)
        answer: JSON = {"kind": "sql#operation", "name": operation, "status": "DONE"}
        if self.operation_error:
            answer["error"] = {"errors": [{"code": "INTERNAL", "message": self.operation_error}]}
        return answer

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def _reply(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length) or b"{}")
                try:
                    with fake._lock:
                        answer = fake.answer(
                            self.command, self.path.split("/")[1:], self.headers.get("Authorization"), body
                        )
                    status = 200
                except Refused as refused:
                    status, message = refused.args
                    answer = {"error": {"code": status, "message": message}}
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json; charset=UTF-8")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PATCH = _reply

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler

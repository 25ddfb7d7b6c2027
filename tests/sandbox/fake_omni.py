# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fake Omni over TLS: it keeps connections, models, schedules and environments as Omni does.

    with FakeOmni() as omni:
        requests.get(f"{omni.url}/api/v1/whoami", headers=…, verify=omni.ca_file)

By hand, serving until it is interrupted: `python -m tests.sandbox.fake_omni`.

It watches both sides. What a client sends and Omni would not know, and what the fake itself answers and
Omni would not, is in `violations`; such an answer goes out as status 599.
"""

from __future__ import annotations

import argparse
import hmac
import json
import os
import re
import secrets
import signal
import socket
import ssl
import sys
import tempfile
import threading
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import ceil
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import trustme

from tests.sandbox import omni_api

from .fake_omni_faults import Fault, Reply, Serve, with_fault
from .fake_omni_instance import Answer, Call, OmniInstance, Record, Refusal
from .fake_omni_quirks import ERROR_STYLES, Quirks

MASK = "********"
MISSING_HEADER = "Bad Request: Missing or malformed Authorization header"
# A create whose answer is lost, for each value of the quirk fail_after_commit.
LOST: dict[int | str, str] = {502: "status_after 502", "drop": "drop_after"}
CONNECTIONS = "/api/v1/connections"


class FakeOmni:
    """An Omni instance on `host`, at a free port unless one is given. A context manager.

    Its CA, and for other processes `fake_omni.json` (url, ca_file, token, member_token, pid), are in
    `state_dir`, which has to exist; by default in a temporary folder. All methods may be called from any
    thread, and what they return are copies.
    """

    url: str
    ca_file: str

    def __init__(self, host: str = "127.0.0.1", port: int = 0, state_dir: Path | None = None) -> None:
        self._address = (host, port)
        self._state_dir = state_dir
        self._lock = threading.RLock()
        self.token = "omni_osk_" + secrets.token_urlsafe(24)
        self.member_token = "omni_osk_" + secrets.token_urlsafe(24)
        self.reset()

    def reset(self) -> None:
        """Forget everything but the address, the CA and the tokens."""
        with self._lock:
            self.instance = OmniInstance()
            self.violations: list[str] = []
            self._requests: list[Record] = []
            self._next: list[Reply] = []
            self._always: Reply | None = None
            self._faults: list[Fault] = []
            self._served: defaultdict[str | None, deque[float]] = defaultdict(deque)

    @property
    def quirks(self) -> Quirks:
        """The switches of this instance; setting one holds from the next request on, until reset()."""
        return self.instance.quirks

    @property
    def reachable(self) -> bool | Callable[[Record], bool]:
        """Whether Omni reaches a database: True (so after a reset), False, or a question to ask with the
        connection as it is stored.
        """
        return self.instance.reachable

    @reachable.setter
    def reachable(self, value: bool | Callable[[Record], bool]) -> None:
        self.instance.reachable = value

    # What tests look at

    @property
    def connections(self) -> list[Record]:
        """All that Omni has stored, archived ones and write-only settings included, but no password."""
        with self._lock:
            self.instance.seed()
            return deepcopy(list(self.instance.connections.values()))

    @property
    def requests(self) -> list[Record]:
        """What clients sent: method, path, query, body (secrets masked), user_agent; the status of the
        answer, None if it did not go out; and the kind of the fault that it met, or None.
        """
        with self._lock:
            return deepcopy(self._requests)

    def writes(self) -> list[Record]:
        return [request for request in self.requests if request["method"] != "GET"]

    def password_of(self, connection_id: str) -> str | None:
        """The stored password; None when there is no such connection or it was archived."""
        with self._lock:
            return self.instance.passwords.get(connection_id)

    # What tests prepare

    def add_connection(self, name: str, password: str | None = None, **fields: Any) -> str:
        """Store a connection as if somebody had made it before (fields as in the API); return its id."""
        with self._lock:
            return self.instance.add_connection(name, password, **fields)

    def respond_next(
        self,
        status: int,
        body: str = "",
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer the next request like this, without doing it. Several wait in line."""
        with self._lock:
            self._next.append(Reply(status, body, content_type, headers))

    def always(
        self,
        status: int,
        body: str = "",
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer every request like this, until reset()."""
        with self._lock:
            self._always = Reply(status, body, content_type, headers)

    def fault(self, method: str, path_pattern: str, nth: int = 1, times: int = 1, *, kind: str) -> None:
        """Let requests fail, counted from now on: the nth of those that match, and so `times` in a row.

        `method` and `path_pattern` may have "*" for anything; the kinds are those of with_fault(). Where
        several faults meet, the first arranged is the one. ValueError if there is no such kind.
        """
        with self._lock:
            self._faults.append(Fault(method, path_pattern, nth - 1, times, kind))

    def fault_at(self, n: int, kind: str) -> None:
        """Let the nth request from now on fail, whatever it is."""
        self.fault("*", "*", nth=n, kind=kind)

    def clear_faults(self) -> None:
        with self._lock:
            self._faults.clear()

    # The server

    def __enter__(self) -> FakeOmni:
        if self._state_dir is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="fake_omni_")
        folder = self._state_dir or Path(self._scratch.name)
        host = self._address[0]
        ca = trustme.CA()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ca.issue_cert(*dict.fromkeys((host, "127.0.0.1", "localhost"))).configure_cert(context)
        self.ca_file = str(folder / "ca.pem")
        _write_private(Path(self.ca_file), ca.cert_pem.bytes())
        self._server = _Server(self._address, self, context)
        self.url = f"https://{host}:{self._server.server_address[1]}"
        # The default would make stopping wait half a second.
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        if self._state_dir:
            found = {key: getattr(self, key) for key in ("url", "ca_file", "token", "member_token")}
            _write_private(
                self._state_dir / "fake_omni.json", json.dumps(found | {"pid": os.getpid()}).encode()
            )
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._state_dir:
            (self._state_dir / "fake_omni.json").unlink(missing_ok=True)
        self._server.stop()
        self._thread.join()
        if self._state_dir is None:
            self._scratch.cleanup()

    def answer(self, method: str, target: str, headers: Message, raw: bytes) -> Reply:
        """The answer to one request; `target` is its path and query."""
        parts = urlsplit(target)
        path, query = unquote(parts.path), dict(parse_qsl(parts.query, keep_blank_values=True))
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = raw.decode(errors="replace")
        with self._lock:
            self.instance.seed()
            if path.startswith("/_fake/"):
                return _json_reply(*_answered(lambda: self._control(method, path, headers, body)))
            misfit = self._watch_request(method, path, query, body)

            def serve() -> Reply:
                if canned := self._next.pop(0) if self._next else self._always:
                    return canned
                if wait := self._over_limit(headers.get("Authorization")):
                    limited = self._rendered(429, Refusal(429, "Too many requests").body)
                    seconds = {"Retry-After": str(ceil(wait))} if self.quirks.retry_after else None
                    return limited._replace(headers=seconds)
                status, answer = _answered(lambda: self._serve(method, path, query, body, headers, misfit))
                return self._rendered(*self._watch_answer(method, path, status, answer))

            reply, kind = self._with_faults(method, path, serve)
            self._requests.append({
                "method": method,
                "path": path,
                "query": query,
                "body": _masked(body),
                "status": None if reply.cut == "before it" else reply.status,
                "user_agent": headers.get("User-Agent"),
                "fault": kind,
            })  # fmt: skip
            return reply

    def _with_faults(self, method: str, path: str, serve: Serve) -> tuple[Reply, str | None]:
        """The reply to a request, and the kind of fault that it met, if it met one."""
        # All of them count the request, also those that come too late for it.
        kinds = [fault.kind for fault in self._faults if fault.meets(method, path)]
        if kinds:
            return with_fault(kinds[0], serve), kinds[0]
        reply = serve()
        lost = LOST.get(self.quirks.fail_after_commit)
        if lost and (method, path, reply.status) == ("POST", CONNECTIONS, 201):
            return with_fault(lost, lambda: reply), lost
        return reply, None

    def _watch_request(
        self, method: str, path: str, query: dict[str, str], body: Any
    ) -> omni_api.ShapeError | None:
        try:
            omni_api.validate_request(method, path, query, body)
        except omni_api.ShapeError as error:
            self.violations.append(f"request: {error}")
            return error
        return None

    def _watch_answer(self, method: str, path: str, status: int, answer: Any) -> Answer:
        if self._absent(method, path):
            return status, answer  # a refusal: there is nothing at that path
        wrong = None
        try:
            omni_api.validate_response(method, path, status, answer)
        except omni_api.ShapeError as error:
            wrong = str(error)
        leaked = omni_api.WRITE_ONLY.intersection(_keys(answer))
        if leaked:
            wrong = f"{method} {path}: write-only {sorted(leaked)} in the answer"
        # A short password could be any part of a word.
        known = [secret for secret in self.instance.passwords.values() if len(secret) >= 8]
        sent = json.dumps(answer, ensure_ascii=False)
        if any(secret in sent for secret in [*known, self.token, self.member_token]):
            wrong = f"{method} {path}: a secret in the answer"
        if wrong is None:
            return status, answer
        self.violations.append(f"answer: {wrong}")
        return 599, {"detail": f"the fake Omni gave a wrong answer: {wrong}", "status": 599}

    def _rendered(self, status: int, answer: Any) -> Reply:
        style = self.quirks.error_style
        if style == "detail" or not 400 <= status < 599:
            return _json_reply(status, answer)
        body = ERROR_STYLES[style](status, answer.get("detail", ""))
        return Reply(status, body, "text/html" if style == "html" else "application/json")

    # Who may do what

    def _over_limit(self, key: str | None) -> float:
        """For how many seconds this key has no requests left; 0 if it has, and then one is used."""
        limit, window, served = self.quirks.rate_limit, self.quirks.rate_window, self._served[key]
        now = time.monotonic()
        while served and served[0] <= now - window:
            served.popleft()
        if limit and len(served) >= limit:
            return served[0] + window - now
        served.append(now)
        return 0

    def _absent(self, method: str, path: str) -> int:
        """0 if there is such a route, or the status that says that there is none."""
        try:
            route, _variables = omni_api.find_route(method, path)
        except omni_api.ShapeError:
            return 400 if any(route.pattern.fullmatch(path) for route in omni_api.ROUTES) else 404
        return self.quirks.absent.get(route.name, 0)

    def _role(self, headers: Message) -> str:
        scheme, _space, token = (headers.get("Authorization") or "").partition(" ")
        missing = scheme != "Bearer" or not token
        for known, role in ((self.token, "ORG_ADMIN"), (self.member_token, "MEMBER")):
            if not missing and hmac.compare_digest(token.encode(), known.encode()):
                return role
        if self.quirks.auth_style == "spec":
            raise Refusal(401, "Authentication required")
        raise Refusal(400, MISSING_HEADER) if missing else Refusal(403, "Invalid bearer token")

    def _control(self, method: str, path: str, headers: Message, body: Any) -> Answer:
        """Routes that Omni has not: they show its state to a program in another process."""
        if self._role(headers) != "ORG_ADMIN":
            raise Refusal(403, "Permission denied")
        omni = self.instance
        if (method, path) == ("GET", "/_fake/state"):
            return 200, {
                "connections": [
                    record | {"has_password": id in omni.passwords} for id, record in omni.connections.items()
                ],
                "models": list(omni.models.values()),
                "schedules": list(omni.schedules.values()),
                "environments": list(omni.environments.values()),
                "requests": self._requests,
                "violations": self.violations,
            }
        if (method, path) == ("POST", "/_fake/password_matches"):
            match body:
                case {"connection_id": str(id), "password": str(password)}:
                    return 200, {"matches": omni.passwords.get(id) == password}
            raise Refusal(400, "Bad Request: connection_id and password are needed, as text")
        raise Refusal(404, "Not found")

    def _serve(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        body: Any,
        headers: Message,
        misfit: omni_api.ShapeError | None,
    ) -> Answer:
        role = self._role(headers)
        if self.quirks.org_role == "MEMBER":
            role = "MEMBER"
        if status := self._absent(method, path):
            raise Refusal(status, "Not found" if status == 404 else "Invalid method")
        route, variables = omni_api.find_route(method, path)
        if route.name == "whoami":
            return 200, _whoami(role)
        if role != "ORG_ADMIN":
            raise Refusal(403, "Forbidden" if route.name.startswith("models_") else "Permission denied")
        if misfit:
            body = _without_unknown(misfit, body, route, strict=self.quirks.strict_body)
        operation: Callable[[Call], Answer] = getattr(self.instance, route.name)
        return operation(Call(variables, query, body))


def _whoami(role: str) -> Record:
    return {
        "keyScope": "organization" if role == "ORG_ADMIN" else "user",
        "orgRole": role,
        "user": {"id": str(uuid.UUID(int=1)), "membershipId": str(uuid.UUID(int=2))},
        "rolesByModel": {},
    }


def _answered(serve: Callable[[], Answer]) -> Answer:
    try:
        return serve()
    except Refusal as refusal:
        return refusal.status, refusal.body


def _without_unknown(misfit: omni_api.ShapeError, body: Any, route: omni_api.Route, strict: bool) -> Any:
    """Refuse a misfit as Omni does. But nobody knows what Omni does with a field in a body that it does
    not know: unless `strict`, such fields are left out of the body that is returned.
    """
    for error in misfit.errors:
        where = list(error.absolute_path)
        unknown_field = error.validator == "additionalProperties"
        if unknown_field and where[0] == "body" and not strict:
            continue
        if where == ["body"] and isinstance(body, str):
            raise Refusal(400, "Bad Request: Invalid JSON")
        field, message = omni_api.explain(error)
        if unknown_field:
            field = "formErrors"
        schema: Any = error.schema
        usual = ": ".join(filter(None, ("Bad Request", field, message)))
        raise Refusal(400, schema.get("x-detail", usual))
    assert route.body is not None
    return {key: value for key, value in body.items() if key in route.body["properties"]}


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _keys(item)


def _masked(body: Any) -> Any:
    """A body for the log. What is no object is not shown: it could be anything."""
    if body is None:
        return None
    if not isinstance(body, dict):
        return MASK
    secret = re.compile("password|secret|privatekey|token", re.IGNORECASE)
    return {key: MASK if secret.search(key) else value for key, value in body.items()}


def _json_reply(status: int, answer: Any) -> Reply:
    return Reply(status, json.dumps(answer))


def _write_private(path: Path, content: bytes) -> None:
    """Write a file that nobody else may read, and that nobody sees half-written."""
    draft = path.with_name(path.name + ".new")
    draft.touch(mode=0o600)
    draft.write_bytes(content)
    draft.replace(path)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _handle(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        reply = self.server.omni.answer(self.command, self.path, self.headers, raw)
        time.sleep(reply.delay)
        self.close_connection |= bool(reply.cut)
        if reply.cut == "before it":
            return
        self.send_response(reply.status)
        body = reply.body.encode()
        for name, value in (reply.headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if reply.cut else body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024  # a fleet's worth of clients may come at once

    def __init__(self, address: tuple[str, int], omni: FakeOmni, context: ssl.SSLContext) -> None:
        super().__init__(address, _Handler)
        self.omni = omni
        self._open: set[socket.socket] = set()
        # The handshake is left to the thread of the request: a silent client must not hold up the others.
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that hangs up or does not trust the certificate is no error of the server.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        """Stop serving, connections that clients keep open included."""
        self.shutdown()
        self.server_close()
        for request in list(self._open):
            with suppress(OSError):  # the client was faster
                socket.socket.shutdown(request, socket.SHUT_RDWR)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.sandbox.fake_omni", description="Serve a fake Omni until interrupted."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: a free one)")
    parser.add_argument(
        "--state-dir", type=Path, help="write the CA and fake_omni.json (with the tokens) to this folder"
    )
    parser.add_argument(
        "--quirk",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="set a switch (see omni_quirks.py); may be repeated",
    )
    options = parser.parse_args()

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if options.state_dir:
        options.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        options.state_dir = options.state_dir.resolve()
    with FakeOmni(options.host, options.port, options.state_dir) as omni:
        for assignment in options.quirk:
            omni.quirks.set(assignment)
        print(f"url: {omni.url}", f"ca_file: {omni.ca_file}", f"token: {omni.token}", sep="\n", flush=True)
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())

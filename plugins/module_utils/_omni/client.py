# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Omni's REST API: one request, what its answer means, and which trouble is worth another try."""

from __future__ import annotations

import json
import os
import random
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from html import unescape
from time import monotonic
from typing import Any
from urllib.parse import urljoin, urlsplit

try:
    import requests
except ImportError as error:
    REQUESTS_ERROR: ImportError | None = error
else:
    REQUESTS_ERROR = None

from .._converge import MASK
from .._definition import Library, from_environment
from .._errors import ConnectError, InvalidInput, Moved, Refused, Unreachable
from .._version import VERSION
from .list_cache import ListCache
from .rate_limiter import RateLimiter
from .run_files import RunFiles
from .time_budget import TimeBudget

LIBRARY = Library("requests", "requests", REQUESTS_ERROR)

OPTIONS: dict[str, Any] = {
    "api_url": {"type": "str", "required": True, "fallback": from_environment("OMNI_BASE_URL")},
    "api_token": {
        "type": "str",
        "required": True,
        "no_log": True,
        "fallback": from_environment("OMNI_API_TOKEN", "OMNI_API_KEY"),
    },
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "timeout": {"type": "int", "default": 30},
    "total_timeout": {"type": "int", "default": 900},
    "requests_per_minute": {"type": "int", "default": 60},
}

#: An instance's address, as it is, with /api as the documentation has it, or with /api/v1.
URL = re.compile(
    r"(https://[^\s/?#@\\:\[\]]+|https://\[[\da-f:.]+\])(:\d{1,5})?(/api(/v1)?)?/*", re.IGNORECASE
)

WHOAMI = "/api/v1/whoami"

#: What to do about a key that whoami says is no admin's.
NO_ADMIN = "Creating connections needs an Organization Admin's API key: give one as api_token."

#: How long to wait before each further try, in seconds; then it is over. An answer of 429 does not say
#: when the key has requests left again.
SOON = (0.5, 1.0, 2.0)
ONCE = (0.5,)
LATER = (5.0, 10.0, 20.0, 40.0)
#: The field that no one may see.
PASSWORD = "passwordUnencrypted"

#: The longest Retry-After that is waited for, in seconds.
LONGEST = 120.0


@dataclass(frozen=True)
class Request:
    """One write as data, with the secrets in it; as a string, without them."""

    method: str
    path: str
    body: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        body = {key: MASK if key == PASSWORD else value for key, value in self.body.items()}
        return " ".join([self.method, self.path, *([json.dumps(body, ensure_ascii=False)] if body else [])])


class _Passing(Exception):
    """Trouble that another try may not meet.

    :param error: what to say when it does not pass.
    :param pauses: see SOON.
    :param least: what the server wants to be left alone for, in seconds.
    """

    def __init__(self, error: ConnectError, pauses: tuple[float, ...], least: float = 0) -> None:
        super().__init__()
        self.error = error
        self.pauses = pauses
        self.least = least

    def pause(self, tried: int) -> float | None:
        """How long to wait for the next try, in seconds; None where there is to be none."""
        if tried >= len(self.pauses) or self.least > LONGEST:
            return None
        return max(self.pauses[tried], self.least) * random.uniform(1, 1.25)


class Client:
    """One task's way to Omni, opened by ``with`` and closed with it.

    :param params: the module's options; see OPTIONS.
    :raises InvalidInput: the address, the token or another option cannot be meant.
    """

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.root = root(params["api_url"])
        self._token = params["api_token"]
        if not re.fullmatch("[!-~]+", self._token):
            raise InvalidInput(
                "Reading api_token",
                "it is empty, or has a character that no token has, such as a blank or a line's end",
                "Check api_token, or the variable OMNI_API_TOKEN or OMNI_API_KEY where it comes from.",
            )
        for option in ("timeout", "total_timeout", "requests_per_minute"):
            if params[option] < 1:
                raise InvalidInput(
                    f"Reading {option}", f"{params[option]} is out of range", "Give 1 or more."
                )
        self.budget = TimeBudget(params["total_timeout"], params["timeout"])
        self._per_minute = params["requests_per_minute"]
        self._verify = params["validate_certs"]
        if self._verify and params["ca_path"]:
            self._verify = params["ca_path"]
            if not os.path.exists(self._verify):
                raise InvalidInput("Reading ca_path", f"there is no {self._verify} where the module runs")
        self._hidden = [secret for secret in (self._token, params.get("password")) if secret]
        self._unsettled = 0
        self._session: Any = None
        self._before_write: Callable[[], None] = lambda: None
        self.join_run(None)

    def join_run(self, folder: str | None, before_write: Callable[[], None] | None = None) -> None:
        """Share with the other tasks of the run what is known of this key, in that folder of the run.

        :param before_write: raises Abandoned where nobody waits for this task any more. It is called after each
            wait, and right before each write.
        """
        self._files = RunFiles(folder, (self.root, self._token))
        self._limiter = RateLimiter(self._files, self._per_minute)
        self.lists = ListCache(self._files, self.budget, LIBRARY.shipped(folder) if folder else None)
        if before_write:
            self._before_write = self.budget.after_sleep = before_write

    @contextmanager
    def only_task(self, label: str) -> Iterator[None]:
        """Keep the other tasks of the run from working on the same thing meanwhile.

        :raises Unreachable: another one does, for longer than this task has time.
        """
        with ExitStack() as entered:
            try:
                entered.enter_context(self._files.exclusively(label, self.budget))
            except TimeoutError:
                raise Unreachable(
                    f"Waiting for another task of this run that works on {label}",
                    f"the {self.budget.total:.0f} s of total_timeout are over",
                    "Run again when that one has ended, or raise total_timeout.",
                ) from None
            yield

    def __enter__(self) -> Client:
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"omni_analytics.connect/{VERSION}"
        # Were it a header of the session, a ~/.netrc that names the host would replace it.
        self._session.auth = self._authorize
        return self

    def __exit__(self, *error: object) -> None:
        self._session.close()

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The JSON object that ``path`` answers; trouble that may pass is given some tries.

        :raises Unreachable: nobody answers there, or somebody who is not Omni, or the token is rejected.
        :raises Refused: Omni said no; ``status`` is in its detail.
        """
        tried = 0
        while True:
            try:
                return self._ask("GET", path, query, None)
            except _Passing as passing:
                if not self._pause(passing, tried):
                    raise passing.error from None
            tried += 1

    def write(self, request: Request) -> dict[str, Any]:
        """Send a change, once, and return the JSON object that is answered.

        :raises Moved: whether it was done is unknown, or it was too early for it. Read before repeating.
        :raises Unreachable: as :meth:`get`.
        :raises Refused: as :meth:`get`.
        """
        try:
            with self.lists.write_under_way(request.path, request.body):
                return self._ask(request.method, request.path, None, request.body or None)
        except _Passing as passing:
            if not self._pause(passing, self._unsettled):
                raise passing.error from None
            self._unsettled += 1
            raise Moved(str(passing.error), **passing.error.detail) from None

    def require_admin(self, doing: str) -> None:
        """Refuse, before anything is sent, what only an Organization Admin's key may do.

        :raises Refused: the key is a member's.
        """
        if self._role() == "MEMBER":
            raise Refused(doing, "this key belongs to a member", NO_ADMIN)

    def _role(self) -> str | None:
        """What the key's holder is in Omni, ORG_ADMIN or MEMBER; None where this instance does not tell."""
        with self._files.opened("whoami") as (state, _save):
            if "role" in state:
                return state["role"]
        with self._files.asking("whoami", self.budget):
            with self._files.opened("whoami") as (state, _save):
                if "role" in state:
                    return state["role"]
            role = self._whoami()
            with self._files.opened("whoami") as (state, save):
                state["role"] = role
                save()
        return role

    def _whoami(self) -> str | None:
        try:
            return self._ask("GET", WHOAMI, None, None).get("orgRole")
        except (_Passing, ConnectError):
            return None

    def _pause(self, passing: _Passing, tried: int) -> bool:
        """Wait for the next try, and say whether there is to be one."""
        pause = passing.pause(tried)
        if pause is None or pause > self.budget.left:
            return False
        if passing.error.detail.get("status") == 429:
            self._limiter.hold(pause)  # everybody's next turn is after that
        else:
            self.budget.sleep(pause)
        return True

    def _take_turn(self, doing: str) -> None:
        """Wait until the key has a request for this."""
        while True:
            turn = self._limiter.take_turn(self.budget.left)
            if turn is None:
                raise Unreachable(
                    doing,
                    f"the {self.budget.total:.0f} s of total_timeout are over, or end before this key has a "
                    "request left",
                    "Use fewer forks or raise total_timeout; and where Omni allows this key more than "
                    f"{self._per_minute} requests a minute, say so in requests_per_minute.",
                )
            wait = turn.moment - monotonic()
            if wait <= 0:
                return
            self.budget.sleep(wait)
            if not self._limiter.is_void(turn):
                return

    def _authorize(self, request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def _ask(
        self, method: str, path: str, query: Mapping[str, str] | None, body: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        doing = f"{method} {self.root}{path}"
        self._take_turn(doing)
        if method != "GET":
            self._before_write()
        began = monotonic()
        try:
            with self._files.request_under_way(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of validate_certs: false, which was somebody's choice
                answer = self._session.request(
                    method,
                    self.root + path,
                    params=query,
                    json=body,
                    timeout=max(min(self.budget.request, self.budget.left), 0.1),
                    verify=self._verify,
                    allow_redirects=False,
                )
        except requests.exceptions.RequestException as error:
            raise self._silence(doing, error) from None
        finally:
            self.budget.left -= monotonic() - began
        return self._understand(doing, answer)

    def _silence(self, doing: str, error: Exception) -> Exception:
        """The error of a request without an answer. requests' own texts may quote a proxy's password."""
        if isinstance(error, requests.exceptions.Timeout):
            said = f"no answer within {self.budget.request:g} s"
            todo = "Check api_url and the way there (firewall, HTTPS_PROXY), or raise timeout."
            return _Passing(Unreachable(doing, said, todo), ONCE)
        cause: BaseException = error
        while cause.__cause__ or cause.__context__:
            cause = cause.__cause__ or cause.__context__ or cause
        said = type(cause).__name__
        if isinstance(cause, OSError) and not isinstance(cause, requests.exceptions.RequestException):
            said = getattr(cause, "verify_message", None) or cause.strerror or str(cause) or said
        if isinstance(error, requests.exceptions.SSLError):
            todo = "Set ca_path to the authority that signed the server's certificate, or correct api_url."
            return Unreachable(doing, f"no trusted TLS connection: {said}", todo)
        if isinstance(error, requests.exceptions.ProxyError):
            said = f"the proxy failed: {said}"
        elif not isinstance(
            error, (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError)
        ):
            return Unreachable(doing, said, "Check api_url.")
        return _Passing(Unreachable(doing, said, "Check api_url and the way there (DNS, HTTPS_PROXY)."), SOON)

    def _understand(self, doing: str, answer: Any) -> dict[str, Any]:
        status = answer.status_code
        if 300 <= status < 400:
            target = urlsplit(urljoin(answer.url, answer.headers.get("Location", "")))
            raise Unreachable(
                doing,
                f"it redirects ({status}) to {target.scheme}://{target.netloc.rpartition('@')[2]}",
                "If that is your Omni instance, set api_url to it: the token is not sent along a redirect.",
                status=status,
            )
        try:
            body = answer.json()
        except ValueError:
            body = None
        if 200 <= status < 300:
            # Omni says no more than "success" of most writes; they are read back anyway.
            if isinstance(body, dict) or not answer.content:
                return body or {}
            error = Unreachable(
                doing,
                f"it answered {status} with {self._described(answer)}, not Omni's JSON",
                "Check that api_url is the address of your Omni instance.",
                status=status,
            )
            # What says that it is JSON and is none broke on its way.
            broken = body is None and "json" in answer.headers.get("Content-Type", "").lower()
            raise _Passing(error, ONCE) if broken else error
        raise self._refusal(doing, answer, self._text(body) or self._described(answer))

    def _refusal(self, doing: str, answer: Any, said: str) -> Exception:
        status = answer.status_code
        words = f"{status}, {said}"
        if status == 401 or (status == 403 and "bearer token" in said.lower()):
            todo = (
                "Check api_token (or OMNI_API_TOKEN, OMNI_API_KEY): Omni rejects it. Is it this instance's?"
            )
            return Unreachable(doing, words, todo, status=status)
        if status == 400 and "authorization" in said.lower():
            todo = "The token did not arrive as it was sent: check api_token, and proxies on the way."
            return Unreachable(doing, words, todo, status=status)
        advice = {
            403: "The token is valid and may not do this: it needs an Organization Admin's API key.",
            404: "Check api_url, and that what is asked for is still there.",
            429: "The key has no requests left, or others use it too: run again in a minute.",
        }
        todo = advice.get(status, "The trouble is Omni's: run again later." if status >= 500 else "")
        if status == 403 and not doing.endswith(WHOAMI) and self._role() == "MEMBER":
            words, todo = f"{words}; this key belongs to a member", NO_ADMIN
        error = Refused(doing, words, todo, status=status)
        if status == 429:
            return _Passing(error, LATER, _seconds(answer.headers.get("Retry-After")))
        if status >= 500:
            return _Passing(error, SOON, _seconds(answer.headers.get("Retry-After")))
        return error

    def _text(self, body: Any) -> str:
        """What an error's body says, whichever of its known forms it has."""
        said = body
        if isinstance(body, dict):
            said = next(
                (body[key] for key in ("detail", "message", "error", "errors") if body.get(key)), None
            )
        return self._masked(str(said)[:400]) if said else ""

    def _described(self, answer: Any) -> str:
        """A body that is not Omni's, without its text, which may be anything."""
        if not answer.content:
            return "an empty answer"
        title = re.search(r"<title[^>]*>([^<]*)", answer.text, re.IGNORECASE)
        if title:
            return f"an HTML page titled {self._masked(' '.join(unescape(title[1]).split())[:80])!r}"
        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        return self._masked(kind) or "something without a type"

    def _masked(self, text: str) -> str:
        for secret in self._hidden:
            text = text.replace(secret, MASK)
        return text


def root(url: str) -> str:
    """The address that the paths of the API start from, of an ``api_url`` as people write it.

    :raises InvalidInput: it is no address that a token may be sent to. A wrong one is not quoted: it
        may have a password in it.
    """
    found = URL.fullmatch(url)
    if found and int((found[2] or ":443")[1:]) in range(1, 65536):
        return found[1] + (found[2] or "")
    if url.lower().startswith("http://"):
        raise InvalidInput(
            "Reading api_url",
            "http:// would send the token unencrypted",
            "Use https://; with a certificate of your own, set ca_path.",
        )
    raise InvalidInput(
        "Reading api_url",
        "it is not the address of an Omni instance",
        "Give it like https://example.omniapp.co, without user, query or another path.",
    )


def _seconds(retry_after: str | None) -> float:
    """A Retry-After in seconds. The other form, a date, would need both clocks to agree."""
    return float(retry_after) if retry_after and re.fullmatch(r"\d{1,6}", retry_after) else 0.0

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Omni's REST API: one request, and another try where that may help."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from time import monotonic
from typing import Any, NamedTuple

try:
    import requests
except ImportError as error:
    REQUESTS_ERROR: ImportError | None = error
else:
    REQUESTS_ERROR = None

from .._converge import MASK
from .._deadline import call_within
from .._definition import Library
from .._errors import ConnectError, Moved, Refused, Unreachable
from .._version import VERSION
from .api_options import check, root
from .http_errors import NO_ADMIN, Answer, TooLarge, of_members_key, silence, understood
from .list_cache import ListCache
from .masking import Masking
from .rate_limiter import RateLimiter, Turn
from .retry_after import Transient
from .run_files import RunFiles
from .time_budget import TimeBudget

LIBRARY = Library("requests", "requests", REQUESTS_ERROR)

WHOAMI = "/api/v1/whoami"

#: The field that no one may see.
PASSWORD = "passwordUnencrypted"

#: How large an answer may be, in MiB, unpacked. A thousand connections are less than one.
LARGEST = 32

#: People are told of a wait for the rate limit that is longer than this, in seconds.
TOLD = 5.0


class Request(NamedTuple):
    """One write as data, with the secrets in it; as a string, without them."""

    method: str
    path: str
    body: Mapping[str, Any] = {}

    def __str__(self) -> str:
        body = {key: MASK if key == PASSWORD else value for key, value in self.body.items()}
        return " ".join([self.method, self.path, *([json.dumps(body, ensure_ascii=False)] if body else [])])


class Client:
    """One task's way to Omni, opened by ``with`` and closed with it.

    :param params: the module's options; see api_options.
    :raises InvalidInput: the address, the token or another option cannot be meant.
    """

    def __init__(self, params: Mapping[str, Any]) -> None:
        check(params)
        self.root = root(params["api_url"])
        self.budget = TimeBudget(params["total_timeout"], params["timeout"])
        self._token: str = params["api_token"]
        self._masking = Masking(filter(None, (self._token, params.get("password"))))
        self._per_minute: int = params["requests_per_minute"]
        self._verify = params["validate_certs"] and (params["ca_path"] or True)
        self._unsettled = 0
        self._session: Any = None
        self._before_write: Callable[[], None] = lambda: None
        self._progress: Callable[[str], None] = lambda line: None
        self.join_run(None)

    def join_run(
        self,
        folder: str | None,
        before_write: Callable[[], None] | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        """Share with the other tasks of the run what is known of this key, in that folder of the run.

        :param before_write: raises Abandoned where nobody waits for this task any more. It is called after each
            wait, and right before each write.
        :param progress: shows people a line.
        """
        self._files = RunFiles(folder, (self.root, self._token))
        self._limiter = RateLimiter(self._files, self._per_minute)
        self.lists = ListCache(self._files, self.budget, LIBRARY.shipped(folder) if folder else None)
        if before_write:
            self._before_write = self.budget.after_sleep = before_write
        if progress:
            self._progress = progress

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
                    f"the {self.budget.total:.0f} s of O(total_timeout) are over",
                    "Run again when that one has ended, or raise O(total_timeout).",
                ) from None
            yield

    def __enter__(self) -> Client:
        self._session = self._new_session()
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
            except Transient as trouble:
                if not self._pause(trouble, tried):
                    raise trouble.error from None
            tried += 1

    def write(self, request: Request) -> dict[str, Any]:
        """Send a change, once, and return the JSON object that is answered.

        :raises Moved: whether it was done is unknown, or it was too early for it. Read before repeating.
        :raises Unreachable: as :meth:`get`.
        :raises Refused: as :meth:`get`.
        :raises Abandoned: nobody waits for this task any more; nothing was sent.
        """
        try:
            with self.lists.write_under_way(request.path, request.body):
                return self._ask(request.method, request.path, None, request.body or None)
        except Transient as trouble:
            if not self._pause(trouble, self._unsettled):
                raise trouble.error from None
            self._unsettled += 1
            raise Moved(str(trouble.error), **trouble.error.detail) from None

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
        except (Transient, ConnectError):
            return None

    def _pause(self, trouble: Transient, tried: int) -> bool:
        """Wait for the next try, and say whether there is to be one."""
        pause = trouble.pause(tried)
        if pause is None or pause > self.budget.left:
            return False
        if trouble.error.detail.get("status") == 429:
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
                    f"the {self.budget.total:.0f} s of O(total_timeout) are over, or end before this key has a "
                    "request left",
                    "Use fewer forks or raise O(total_timeout); and where Omni allows this key more than "
                    f"{self._per_minute} requests a minute, say so in O(requests_per_minute).",
                )
            wait = turn.moment - monotonic()
            if wait <= 0:
                return
            self._tell(turn, wait)
            self.budget.sleep(wait)
            if not self._limiter.is_void(turn):
                return

    def _tell(self, turn: Turn, wait: float) -> None:
        if wait > TOLD and self._limiter.is_news(turn):
            self._progress(
                f"Waiting {wait:.0f} s for Omni's rate limit ({self._per_minute} requests a minute for this key); "
                f"requests before this one: {turn.ahead}"
            )

    def _new_session(self) -> Any:
        session = requests.Session()
        session.headers["User-Agent"] = f"omni_analytics.connect/{VERSION}"
        # Were it a header of the session, a ~/.netrc that names the host would replace it.
        session.auth = self._authorize
        return session

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
        answer = self._exchange(doing, method, self.root + path, {"params": query, "json": body})
        try:
            return understood(doing, answer, self._masking)
        except Refused as refused:
            if refused.detail["status"] == 403 and path != WHOAMI and self._role() == "MEMBER":
                raise of_members_key(refused) from None
            raise

    def _exchange(self, doing: str, method: str, url: str, what: Mapping[str, Any]) -> Answer:
        """The answer to a request, whole and within its time, whatever takes that: the look-up of the name, the
        TLS handshake, or an answer that comes byte by byte.

        :raises Transient, Unreachable: there is none.
        """
        seconds = max(min(self.budget.request, self.budget.left), 0.1)
        session = self._session

        def exchange() -> Answer:
            more = {"timeout": seconds, "verify": self._verify, "allow_redirects": False, "stream": True}
            with session.request(method, url, **what, **more) as response:
                return Answer(response.status_code, response.headers, _content(response), response.url)

        began = monotonic()
        try:
            with self._files.request_under_way(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of validate_certs: false, which was somebody's choice
                return call_within(seconds, exchange)
        except Exception as error:  # of three libraries, which do not keep to one family
            if isinstance(error, TimeoutError):
                self._session = self._new_session()  # the other one is still busy
            raise silence(doing, error, seconds) from None
        finally:
            self.budget.left -= monotonic() - began


def _content(response: Any) -> bytes:
    """The body of an answer, unpacked, if it is not too large."""
    parts, size = [], 0
    for part in response.iter_content(16384):
        parts.append(part)
        size += len(part)
        if size > LARGEST * 2**20:
            raise TooLarge(f"its answer has more than {LARGEST} MiB")
    return b"".join(parts)

# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an answer of Omni means, or the lack of one: which error it is, what it says, and what to do about it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from html import unescape
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

with suppress(ImportError):  # the module says so, before a request is made
    import requests

from .._errors import Refused, Unreachable
from .masking import Masking
from .retry_after import LATER, ONCE, SOON, Transient, retry_after

#: How much of an error's text is shown, in characters.
SHOWN = 400

#: What to do about a key that whoami says is no admin's.
NO_ADMIN = "Creating connections needs an Organization Admin's API key: give one as O(api_token)."

#: What to do about an error, by its HTTP status.
ADVICE = {
    403: "The token is valid and may not do this: it needs an Organization Admin's API key.",
    404: "Check O(api_url), and that what is asked for is still there.",
    429: "The key has no requests left, or others use it too: run again in a minute.",
}


class TooLarge(Exception):
    """The answer is larger than any that Omni gives."""


class Answer(NamedTuple):
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    url: str


def understood(doing: str, answer: Answer, masking: Masking) -> dict[str, Any]:
    """The JSON object of an answer that says yes.

    :param doing: the request, for people.
    :raises Unreachable: somebody who is not Omni answered, or the token is rejected.
    :raises Refused: Omni said no.
    :raises Transient: either, where another try may help.
    """
    status = answer.status
    if 300 <= status < 400:
        raise _redirect(doing, answer)
    try:
        body = json.loads(answer.content)
    except ValueError:
        body = None
    if not 200 <= status < 300:
        said = _text(body, masking, "detail", "message", "error", "errors")
        raise _refusal(doing, answer, said or _described(answer, masking))
    if isinstance(body, dict) and body.get("success") is False:
        said = _text(body, masking, "error", "detail", "message", "errors") or "it gives no reason"
        raise Refused(doing, f"{status}, but success is false: {said}", status=status)
    if isinstance(body, dict) or not answer.content:
        # Most writes are answered by no more than "success", some not even by that; they are read back anyway.
        return body or {}
    error = Unreachable(
        doing,
        f"it answered {status} with {_described(answer, masking)}, not Omni's JSON",
        "Check that O(api_url) is the address of your Omni instance.",
        status=status,
    )
    # What says that it is JSON and is none broke on its way.
    broken = body is None and "json" in answer.headers.get("Content-Type", "").lower()
    raise Transient(error, ONCE) if broken else error


def _redirect(doing: str, answer: Answer) -> Unreachable:
    try:
        target = urlsplit(urljoin(answer.url, answer.headers.get("Location", "")))
        where = f"{target.scheme}://{target.netloc.rpartition('@')[2]}"
    except ValueError:
        where = "an address that is none"
    return Unreachable(
        doing,
        f"it redirects ({answer.status}) to {where}",
        "If that is your Omni instance, set O(api_url) to it: the token is not sent along a redirect.",
        status=answer.status,
    )


def _refusal(doing: str, answer: Answer, said: str) -> Exception:
    status = answer.status
    words = f"{status}, {said}"
    if status == 401 or (status == 403 and "bearer token" in said.lower()):
        todo = "Check O(api_token) (or OMNI_API_TOKEN, OMNI_API_KEY): Omni rejects it. Is it this instance's?"
        return Unreachable(doing, words, todo, status=status)
    if status == 400 and "authorization" in said.lower():
        todo = "The token did not arrive as it was sent: check O(api_token), and proxies on the way."
        return Unreachable(doing, words, todo, status=status)
    todo = ADVICE.get(status, "The trouble is Omni's: run again later." if status >= 500 else "")
    error = Refused(doing, words, todo, status=status)
    if status == 429:
        return Transient(error, LATER, retry_after(answer.headers))
    if status >= 500:
        return Transient(error, SOON, retry_after(answer.headers))
    return error


def of_members_key(refused: Refused) -> Refused:
    """A refusal with status 403, where the key is known to be a member's."""
    return Refused(refused.doing, f"{refused.said}; this key belongs to a member", NO_ADMIN, **refused.detail)


def silence(doing: str, error: Exception, seconds: float) -> Exception:
    """The error of a request that got no answer within ``seconds``, or none at all.

    Names of types are shown rather than texts: those of requests may quote a proxy's password.
    """
    if isinstance(error, (TimeoutError, requests.exceptions.Timeout)):
        return Transient(
            Unreachable(
                doing,
                f"no answer within {round(seconds, 1):g} s",
                "Check O(api_url) and the way there (DNS, firewall, HTTPS_PROXY), or raise O(timeout).",
            ),
            ONCE,
        )
    if isinstance(error, TooLarge):
        todo = "Check that O(api_url) is the address of your Omni instance."
        return Unreachable(doing, str(error), todo)
    said = _cause(error)
    if isinstance(error, requests.exceptions.SSLError):
        todo = "Set O(ca_path) to the authority that signed the server's certificate, or correct O(api_url)."
        return Unreachable(doing, f"no trusted TLS connection: {said}", todo)
    if isinstance(error, requests.exceptions.InvalidSchema):  # of a proxy, since the address is checked
        return Unreachable(
            doing,
            "HTTPS_PROXY names a proxy of a kind that requests cannot use as it is installed",
            "For a SOCKS proxy, install PySocks (pip install 'requests[socks]') where the module runs; else "
            "correct HTTPS_PROXY.",
        )
    if isinstance(error, requests.exceptions.ProxyError):
        said = f"the proxy failed: {said}"
    elif not _broke_on_its_way(error):
        todo = "Check O(api_url), O(ca_path), and in the environment HTTPS_PROXY and REQUESTS_CA_BUNDLE."
        return Unreachable(doing, said, todo)
    return Transient(Unreachable(doing, said, "Check O(api_url) and the way there (DNS, HTTPS_PROXY)."), SOON)


def _broke_on_its_way(error: Exception) -> bool:
    kinds = requests.exceptions
    return isinstance(error, (kinds.ConnectionError, kinds.ChunkedEncodingError, kinds.ContentDecodingError))


def _cause(error: Exception) -> str:
    """What is at the root of an error of requests."""
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__ or cause
    if isinstance(cause, OSError) and not isinstance(cause, requests.exceptions.RequestException):
        said = getattr(cause, "verify_message", None) or cause.strerror or str(cause)
        return str(said or type(cause).__name__)
    return type(cause).__name__


def _text(body: Any, masking: Masking, *keys: str) -> str:
    """What an error's body says, whichever of its known forms it has."""
    said = body
    if isinstance(body, dict):
        said = next((body[key] for key in keys if body.get(key)), None)
    if not said:
        return ""
    said = masking.value(said)
    text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def _described(answer: Answer, masking: Masking) -> str:
    """A body that is not Omni's, without its text, which may be anything."""
    if not answer.content:
        return "an empty answer"
    page = answer.content[:65536].decode(errors="replace")
    title = re.search(r"<title[^>]*>([^<]*)", page, re.IGNORECASE)
    if title:
        text = " ".join(masking.text(unescape(masking.text(title[1]))).split())
        return f"an HTML page titled {text[:80]!r}"
    kind = masking.text(answer.headers.get("Content-Type", "")).partition(";")[0].strip()
    return kind or "something without a type"

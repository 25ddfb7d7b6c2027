# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client against a real TLS server: what it sends, what it makes of answers, what it tries again."""

from __future__ import annotations

import gzip
import itertools
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from ansible_collections.omni_analytics.connect.plugins.module_utils._errors import (
    Abandoned,
    ConnectError,
    InvalidInput,
    Moved,
    Refused,
    Unreachable,
)
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni import time_budget
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni.client import Client, Request
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni.connection_info import DEFINITION
from ansible_collections.omni_analytics.connect.plugins.module_utils._omni.find_connection import (
    find_all,
    list_connections,
)
from ansible_collections.omni_analytics.connect.plugins.module_utils._version import VERSION
from tests.helpers.perform import said
from tests.helpers.slow_server import SlowServer, drip, head
from tests.sandbox.fake_omni import FakeOmni

CONNECTIONS = "/api/v1/connections"
PASSWORD = "a password nobody may see"
CREATE = Request(
    "POST", CONNECTIONS, {"dialect": "postgres", "name": "sales", "passwordUnencrypted": PASSWORD}
)


@pytest.fixture
def omni(running: FakeOmni, monkeypatch: pytest.MonkeyPatch) -> FakeOmni:
    running.reset()
    for name in (
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
    ):
        monkeypatch.delenv(name, raising=False)
    return running


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the client would have waited."""
    found: list[float] = []
    monkeypatch.setattr(time_budget, "time", SimpleNamespace(sleep=found.append))
    return found


def params(omni: FakeOmni, **changed: Any) -> dict[str, Any]:
    usual = {
        "api_url": omni.url,
        "api_token": omni.token,
        "validate_certs": True,
        "ca_path": omni.ca_file,
        "timeout": 10,
        "total_timeout": 900,
        "requests_per_minute": 60,
        "password": PASSWORD,
    }
    return {**usual, **changed}


def get(omni: FakeOmni, **changed: Any) -> dict[str, Any]:
    with Client(params(omni, **changed)) as client:
        return client.get(CONNECTIONS)


def error_of(omni: FakeOmni, **changed: Any) -> ConnectError:
    with pytest.raises(ConnectError) as caught:
        get(omni, **changed)
    return caught.value


def words_of(error: ConnectError) -> str:
    """What people read of it."""
    return said(error, DEFINITION)


def test_the_version_is_the_collections() -> None:
    galaxy = yaml.safe_load((Path(__file__).parents[3] / "galaxy.yml").read_text())
    assert galaxy["version"] == VERSION


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"api_token": ""}, "Reading api_token: it is empty"),
        ({"api_token": "secret\n"}, "Reading api_token"),
        ({"api_token": "secret token"}, "Reading api_token"),
        ({"api_token": "secrét"}, "Reading api_token"),
        ({"timeout": 0}, "Reading timeout: 0 is out of range"),
        ({"total_timeout": 0}, "Reading total_timeout: 0 is out of range"),
        ({"requests_per_minute": -1}, "Reading requests_per_minute: -1 is out of range"),
        ({"ca_path": "/nowhere/ca.pem"}, "Reading ca_path: there is no /nowhere/ca.pem"),
    ],
)
def test_options_that_cannot_be_meant_are_refused_before_anything_is_sent(omni, changed, words):
    error = error_of(omni, **changed)
    assert isinstance(error, InvalidInput)
    assert words in words_of(error)
    assert "secr" not in str(error)
    assert omni.requests == []


@pytest.mark.parametrize(
    ("status", "body", "kind", "said", "todo"),
    [
        (
            401,
            {"detail": "Authentication required"},
            Unreachable,
            "401, Authentication required",
            "Check api_token",
        ),
        (
            403,
            {"detail": "Invalid bearer token"},
            Unreachable,
            "403, Invalid bearer token",
            "Check api_token",
        ),
        (
            400,
            {"detail": "Bad Request: Missing or malformed Authorization header"},
            Unreachable,
            "malformed Authorization",
            "The token did not arrive",
        ),
        (403, {"detail": "Permission denied"}, Refused, "403, Permission denied", "Organization Admin"),
        (404, {"detail": "Not found"}, Refused, "404, Not found", "Check api_url"),
        (400, {"detail": "Bad Request: name: Required"}, Refused, "400, Bad Request: name: Required", ""),
        (422, {"message": "older form"}, Refused, "422, older form", ""),
        (422, {"error": "oldest form", "message": ""}, Refused, "422, oldest form", ""),
        (422, {"errors": ["one", "two"]}, Refused, '422, ["one", "two"]', ""),
        (418, "a string", Refused, "418, a string", ""),
        (409, None, Refused, "409, an empty answer", ""),
    ],
)
def test_a_refusal_says_what_omni_said_and_what_to_do(omni, status, body, kind, said, todo):
    omni.respond_next(status, "" if body is None else json.dumps(body))
    error = error_of(omni)
    assert error.kind == kind.kind
    assert str(error).startswith(f"GET {omni.url}{CONNECTIONS}: ")
    assert said in str(error)
    assert todo in words_of(error)
    assert error.detail["status"] == status
    asked = [request["path"] for request in omni.requests]
    assert asked == [CONNECTIONS, *(["/api/v1/whoami"] if "Organization Admin" in todo else [])]


@pytest.mark.parametrize(
    ("status", "body", "content_type", "words"),
    [
        (
            200,
            "<html><title> Sign\n in &amp; up </title></html>",
            "text/html",
            "an HTML page titled 'Sign in & up'",
        ),
        (200, "<html>", "text/html; charset=utf-8", "answered 200 with text/html, not Omni's JSON"),
        (200, "[]", "application/json", "not Omni's JSON"),
        (404, "<title>No page</title>", "text/html", "404, an HTML page titled 'No page'"),
        (403, "<title>Blocked</title>", "text/html", "403, an HTML page titled 'Blocked'"),
    ],
)
def test_an_answer_that_is_not_omnis_is_described(omni, status, body, content_type, words):
    omni.respond_next(status, body, content_type)
    assert words in str(error_of(omni))


def test_no_secret_that_a_server_echoes_gets_into_an_error(omni):
    for body, content_type in (
        (json.dumps({"detail": f"{omni.token} and {PASSWORD}"}), "application/json"),
        (json.dumps({"errors": [{"token": omni.token, "password": PASSWORD}]}), "application/json"),
        (f"<title>{omni.token} {PASSWORD}</title>", "text/html"),
        (f"{omni.token} {PASSWORD}", "text/plain"),
        ("", f"{omni.token}/{PASSWORD}"),
    ):
        omni.respond_next(400, body, content_type)
        error = error_of(omni)
        assert omni.token not in str(error.result())
        assert PASSWORD not in str(error.result())


def test_a_redirect_is_an_error_and_is_not_followed(omni):
    with FakeOmni() as elsewhere:
        host = elsewhere.url.replace("https://", "")
        omni.respond_next(302, headers={"Location": f"https://user:secret@{host}/login?secret"})
        error = error_of(omni)
        assert elsewhere.requests == []
    assert isinstance(error, Unreachable)
    assert f"redirects (302) to https://{host}." in str(error)
    assert "set api_url to it" in words_of(error)
    assert "secret" not in str(error)


def test_every_request_says_who_sends_it(omni):
    get(omni)
    assert [request["user_agent"] for request in omni.requests] == [f"omni_analytics.connect/{VERSION}"]


def test_a_netrc_does_not_replace_the_token(omni, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert get(omni) == {"connections": []}


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        ("http://user:secret@127.0.0.1:1", "the proxy failed: Connection refused"),
        ("http://user:secret@[", "Check api_url"),
        ("http://user:secret@127.0.0.1:port", "Check api_url"),
        (f"http://user:secret@{'a' * 64}.example", "Check api_url"),
        ("socks5://user:secret@127.0.0.1:1", "install PySocks"),
        ("ftp://user:secret@127.0.0.1:1", "HTTPS_PROXY"),
    ],
)
def test_a_proxy_of_the_environment_is_used_and_its_password_not_shown(omni, naps, monkeypatch, proxy, words):
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    error = error_of(omni)
    assert words in words_of(error)
    assert "secret" not in str(error)
    assert omni.requests == []


def test_a_certificate_that_does_not_verify_ends_it_at_once(omni, naps, tmp_path):
    with FakeOmni() as other:
        error = error_of(omni, ca_path=other.ca_file)
    assert isinstance(error, Unreachable)
    assert "no trusted TLS connection" in str(error)
    assert "ca_path" in str(error)
    assert (naps, omni.requests) == ([], [])


def test_validate_certs_false_trusts_anybody(omni, monkeypatch, recwarn):
    with FakeOmni() as other:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", other.ca_file)
        assert get(omni, validate_certs=False, ca_path=None) == {"connections": []}
    assert not recwarn.list


def test_a_server_that_is_not_there(omni, naps):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    error = error_of(omni, api_url=f"https://127.0.0.1:{port}")
    assert isinstance(error, Unreachable)
    assert "Connection refused" in str(error)
    assert len(naps) == 3
    assert sum(naps) < 5


def test_a_server_that_is_silent(omni, naps):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"https://127.0.0.1:{silent.getsockname()[1]}"
        with Client(params(omni, api_url=address)) as client:
            client.budget.request = 0.2
            with pytest.raises(Unreachable, match=r"no answer within 0\.2 s"):
                client.get(CONNECTIONS)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_read_is_tried_again_where_that_may_help(omni, naps, status):
    omni.respond_next(status)
    omni.respond_next(status, "<title>Bad gateway</title>", "text/html")
    assert get(omni) == {"connections": []}
    assert len(omni.requests) == 3
    assert naps == sorted(naps)
    assert naps[0] >= (5 if status == 429 else 0.5)


def test_a_read_is_not_tried_for_ever(omni, naps):
    omni.always(503)
    error = error_of(omni)
    assert isinstance(error, Refused)
    assert "503, an empty answer. The trouble is Omni's: run again later." in str(error)
    assert len(omni.requests) == 4
    omni.reset()
    naps.clear()
    omni.always(429)
    assert "no requests left" in str(error_of(omni))
    assert len(omni.requests) == 5
    assert 75 <= sum(naps) < 95


def test_retry_after_is_honoured_up_to_a_limit(omni, naps):
    omni.respond_next(429, headers={"Retry-After": "33"})
    get(omni)
    assert 33 <= naps[0] < 42
    omni.respond_next(429, headers={"Retry-After": "3600"})
    error_of(omni)
    assert len(naps) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_write_is_sent_once_and_left_to_a_fresh_read(omni, naps, status):
    omni.respond_next(status)
    with Client(params(omni)) as client:
        with pytest.raises(Moved, match=f"POST .*: {status}"):
            client.write(CREATE)
        assert len(omni.requests) == 1
        client.get(CONNECTIONS)
    assert naps[0] >= (5 if status == 429 else 0.5)


@pytest.mark.parametrize(
    ("trouble", "requests"),
    [
        ({"status": 503}, 3),  # after 0.5 and 1 s there is no time left for 2 more
        ({"status": 429}, 1),
        ({"status": 429, "headers": {"Retry-After": "3"}}, 1),
    ],
)
def test_the_total_time_is_bounded(omni, naps, trouble, requests):
    omni.always(**trouble)
    assert isinstance(error_of(omni, total_timeout=3), Refused)
    assert len(omni.requests) == requests
    assert sum(naps) <= 3


def test_a_task_that_spent_its_time_sends_nothing_more(omni, naps):
    with Client(params(omni, total_timeout=3)) as client:
        omni.always(503)
        with pytest.raises(Moved):
            client.write(CREATE)
        with pytest.raises(Moved):
            client.write(CREATE)
        with pytest.raises(Refused, match="503"):
            client.write(CREATE)
        omni.reset()
        client.get(CONNECTIONS)
        client.budget.left = 0
        with pytest.raises(
            Unreachable, match=r"the 3 s of O\(total_timeout\) are over.* say so in O\(requests_per_minute\)"
        ):
            client.get(CONNECTIONS)
    assert len(omni.requests) == 1


def test_json_that_broke_on_its_way_is_read_again(omni, naps):
    omni.fault_at(1, "garbage")
    assert get(omni) == {"connections": []}
    omni.fault_at(1, "garbage")
    with Client(params(omni)) as client, pytest.raises(Moved, match="not Omni's JSON"):
        client.write(CREATE)


@pytest.mark.parametrize(
    ("quirks", "words"),
    [
        (
            {"org_role": "MEMBER"},
            "403, Permission denied; this key belongs to a member. Creating connections needs",
        ),
        (
            {"org_role": "MEMBER", "whoami": 404},
            "403, Permission denied. The token is valid and may not do this",
        ),
    ],
)
def test_a_key_that_may_not_is_told_whose_it_is(omni, quirks, words):
    for name, value in quirks.items():
        setattr(omni.quirks, name, value)
    assert words in str(error_of(omni))


def test_a_members_key_is_refused_before_the_first_write(omni):
    with Client(params(omni)) as client:
        client.require_admin("Creating sales")
    for answer in ('{"orgRole": "NEW_ROLE"}', "[]", '{"detail": "Not found"}'):
        omni.respond_next(404 if "detail" in answer else 200, answer)
        with Client(params(omni)) as client:
            client.require_admin("Creating sales")
    omni.quirks.org_role = "MEMBER"
    with (
        Client(params(omni)) as client,
        pytest.raises(Refused, match="Creating sales: this key belongs to a member"),
    ):
        client.require_admin("Creating sales")
    assert omni.writes() == []


def test_a_write_whose_connection_broke_is_left_to_a_fresh_read(omni, naps, monkeypatch):
    def hang_up(*_request: Any) -> Any:
        raise ConnectionResetError

    monkeypatch.setattr(omni, "answer", hang_up)
    with Client(params(omni)) as client, pytest.raises(Moved):
        client.write(CREATE)


def test_writes_are_not_put_off_for_ever(omni, naps):
    omni.always(503)
    with Client(params(omni)) as client:
        for _attempt in range(3):
            with pytest.raises(Moved):
                client.write(CREATE)
        with pytest.raises(Refused):
            client.write(CREATE)


def test_a_write_that_is_refused_is_over(omni, naps):
    omni.respond_next(400, '{"detail": "Invalid connection dialect"}')
    with Client(params(omni)) as client, pytest.raises(Refused, match="Invalid connection dialect"):
        client.write(CREATE)
    assert naps == []


def test_a_write_may_be_answered_by_nothing(omni):
    omni.respond_next(204)
    with Client(params(omni)) as client:
        assert client.write(CREATE) == {}


def test_a_request_shows_no_password():
    assert PASSWORD not in str(CREATE)
    assert str(Request("PATCH", "/x", {"passwordUnencrypted": "p", "baseRole": "é"})) == (
        'PATCH /x {"passwordUnencrypted": "********", "baseRole": "é"}'
    )
    assert str(Request("DELETE", "/x")) == "DELETE /x"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"success": False, "error": "taken", "message": "x"}, "200, but success is false: taken"),
        ({"success": False, "detail": "taken"}, "200, but success is false: taken"),
        ({"success": False, "message": {"why": "taken"}}, '200, but success is false: {"why": "taken"}'),
        ({"success": False}, "200, but success is false: it gives no reason"),
    ],
)
def test_success_false_is_a_refusal_whatever_the_status_says(omni, body, words):
    omni.respond_next(200, json.dumps(body))
    with Client(params(omni)) as client, pytest.raises(Refused) as refused:
        client.write(CREATE)
    assert words in str(refused.value)
    assert refused.value.detail == {"status": 200}
    for fine in ({}, {"success": None}, {"success": True}):
        omni.respond_next(201, json.dumps(fine))
        with Client(params(omni)) as client:
            assert client.write(CREATE) == fine


def test_a_secret_is_masked_before_its_text_is_cut_and_however_it_is_escaped(omni):
    password = 'quoted "twice" \\ and it\'s long'
    for detail in (
        "x" * 390 + password,
        {"received": {"passwordUnencrypted": password}},
        json.dumps({"passwordUnencrypted": password}),
        repr({"passwordUnencrypted": password}),
    ):
        omni.respond_next(400, json.dumps({"detail": detail}))
        text = str(error_of(omni, password=password))
        assert "quoted" not in text
        assert "long" not in text


@pytest.mark.parametrize(
    "answer",
    [
        lambda: drip(head("Content-Length: 1000000")),
        lambda: drip(b"HTTP/1.1 200 OK\r\nX-Header: "),
        lambda: itertools.chain([head("Transfer-Encoding: chunked")], itertools.repeat(b"1\r\n \r\n")),
    ],
    ids=["body", "header", "chunks"],
)
def test_an_answer_that_drips_ends_with_the_requests_time(omni, tmp_path, answer):
    with (
        SlowServer(tmp_path, answer) as slow,
        Client(params(omni, api_url=slow.url, ca_path=slow.ca_file)) as client,
    ):
        client.budget.request = 0.3
        with pytest.raises(Moved, match=r"no answer within 0\.3 s"):
            client.write(CREATE)
        client.budget.left, client.budget.request = 0.3, 30
        with pytest.raises(Unreachable):
            client.get(CONNECTIONS)


def test_a_name_server_that_is_silent_ends_with_the_requests_time(omni, monkeypatch):
    end = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_how, **_more: end.wait(20))
    with Client(params(omni, api_url="https://silent.example")) as client:
        client.budget.request = 0.2
        with pytest.raises(Unreachable, match=r"no answer within 0\.2 s"):
            client.get(CONNECTIONS)
    end.set()


def test_an_answer_that_grows_too_large_is_not_read_to_its_end(omni, tmp_path):
    def bomb() -> Iterator[bytes]:
        zipped = gzip.compress(b" " * 33 * 2**20)
        yield head("Content-Encoding: gzip", f"Content-Length: {len(zipped)}") + zipped

    with SlowServer(tmp_path, bomb) as slow:
        error = error_of(omni, api_url=slow.url, ca_path=slow.ca_file)
    assert isinstance(error, Unreachable)
    assert "its answer has more than 32 MiB" in str(error)


def test_a_write_that_waited_for_its_turn_looks_again_whether_anybody_waits_for_it(omni, naps, tmp_path):
    gone: list[bool] = []

    def look() -> None:
        if gone:
            raise Abandoned("Looking", "gone")

    with Client(params(omni, requests_per_minute=1)) as client:
        client.join_run(str(tmp_path), look)
        client.get(CONNECTIONS)
        gone.append(True)
        with pytest.raises(Abandoned):
            client.write(CREATE)
    assert omni.writes() == []
    with Client(params(omni)) as client:
        client.join_run(None, look)
        with pytest.raises(Abandoned):
            client.write(CREATE)
    assert omni.writes() == []


def test_a_wait_for_the_rate_limit_is_told_once(omni, naps, tmp_path):
    lines: list[str] = []
    for _task in range(4):
        with Client(params(omni, requests_per_minute=1)) as client:
            client.join_run(str(tmp_path), progress=lines.append)
            client.get(CONNECTIONS)
    (line,) = lines
    assert line.startswith("Waiting 6")
    assert line.endswith("requests before this one: 0")
    with Client(params(omni, api_token=omni.member_token, requests_per_minute=1)) as client:
        client.join_run(str(tmp_path), progress=lines.append)
        client.get("/api/v1/whoami")
    assert len(lines) == 1


def test_a_ca_file_that_is_none_is_no_bug(omni, tmp_path, monkeypatch):
    (tmp_path / "ca.pem").write_text("nothing")
    assert isinstance(error_of(omni, ca_path=str(tmp_path / "ca.pem")), Unreachable)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    assert "REQUESTS_CA_BUNDLE" in str(error_of(omni, ca_path=None))


def test_nobody_waits_for_a_neighbours_request_longer_than_for_his_own(omni, tmp_path):
    """The one that asks for the list gets an answer that drips, and has more patience than the others."""
    run, asked, dripping, end = tmp_path / "run", itertools.count(), threading.Event(), threading.Event()
    run.mkdir()
    nothing = b'{"connections": []}'

    def answer() -> Iterator[bytes]:
        if next(asked):
            yield head(f"Content-Length: {len(nothing)}") + nothing
            return
        for part in drip(head("Content-Length: 1000000")):
            dripping.set()
            yield part
            if end.is_set():
                return

    with SlowServer(tmp_path, answer) as slow:

        def find(patience: float) -> list[Any]:
            with Client(params(omni, api_url=slow.url, ca_path=slow.ca_file)) as client:
                client.join_run(str(run))
                client.budget.request = patience
                return find_all(client, "name", "sales")

        patient = threading.Thread(target=find, args=(30,), daemon=True)
        patient.start()
        dripping.wait(10)
        assert [find(0.3), find(0.3)] == [[], []]
        assert patient.is_alive()
        end.set()
        patient.join(20)
        assert not patient.is_alive()
        assert find(0.3) == []
        assert next(asked) == 4  # once each, and once more by the patient one


def test_a_connection_that_is_listed_twice_is_one_and_one_without_a_name_is_none(omni):
    one = {"id": "id of sales", "name": "sales"}
    answer = json.dumps({"connections": [one, one, {"id": "another", "name": None}]})
    omni.respond_next(200, answer)
    with Client(params(omni)) as client:
        assert [found["id"] for found in list_connections(client)] == ["id of sales"]

"""What can happen to one response on the wire. No broken one is taken for a good one.

Faults and the time within a request are real, so these clients get a fraction of a second instead of a minute. TLS is
tested in `test_tls`, and waiting between attempts in `test_client`.
"""

import contextlib
import http.client
import json
import logging
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcopilot_goals.asana.bounds import CONNECT_SECONDS
from perfcopilot_goals.asana.http import BODY_BYTES
from perfcopilot_goals.asana.listing import fetch_goals
from perfcopilot_goals.asana.pacing import Stopped
from perfcopilot_goals.errors import AsanaContractError, AsanaUnavailableError, GoalsError
from perfcopilot_goals.sandbox import Fault, Raw, Request, Response
from perfcopilot_goals_tests import scripted_faults as faults
from perfcopilot_goals_tests.asana.canaries import BODY, GOAL_NAME, TOKEN, assert_tells_nothing, raises
from perfcopilot_goals_tests.asana.conftest import Connect
from perfcopilot_goals_tests.asana.worlds import WORKSPACE, flat_world, parse_goals, serve
from perfcopilot_goals_tests.clock import FakeClock
from perfcopilot_goals_tests.core.examples import usual
from perfcopilot_goals_tests.scripted_faults import Script

# The fault, and whether it ends only with the request's time.
BROKEN = [
    pytest.param(faults.cut_body(), False, id="A1 body shorter than its length"),
    pytest.param(faults.cut_body(0), False, id="A1 body missing"),
    pytest.param(faults.reset(), False, id="A2 reset in the body"),
    pytest.param(faults.reset(0), False, id="A2 reset after the head"),
    pytest.param(faults.chunked_without_end(), False, id="A3 last chunk missing"),
    pytest.param(faults.cut_gzip(), False, id="A5 gzip cut in half"),
    pytest.param(faults.cut_gzip(60), False, id="A5 gzip cut early"),
    pytest.param(faults.drip(0.03), True, id="A7 body drips"),
    pytest.param(faults.drip(0.03, head_too=True), True, id="A7 headers drip"),
    pytest.param(faults.head_only(), True, id="A8 headers and no body"),
    pytest.param(faults.silence(), True, id="A9 no answer"),
    pytest.param(faults.hang_up(), False, id="A30 connection closed without an answer"),
]


def raw(*steps: bytes | float, status: int = 200) -> Fault:
    """A response of these bytes and pauses to any request."""
    return lambda _request, _regular: Raw(status, steps)


@pytest.mark.parametrize(("fault", "is_slow"), BROKEN)
def test_a_broken_response_is_asked_for_again(fault: Fault, is_slow: bool, connect: Connect) -> None:
    script = Script().on(fault, path="/goals", times=1)
    with serve(flat_world(3), faults=script) as asana:
        client = connect(asana, request_seconds=1.0 if is_slow else 10)
        assert parse_goals(client) == ["1001", "1002", "1003"]
        assert asana.count() == client.stats.requests == 2


@pytest.mark.parametrize(("fault", "is_slow"), BROKEN)
def test_a_response_that_breaks_each_time_fails_after_four_attempts(
    fault: Fault, is_slow: bool, connect: Connect, clock: FakeClock
) -> None:
    with serve(flat_world(3), faults=fault) as asana:
        client = connect(asana, request_seconds=0.4 if is_slow else 10)
        before = time.monotonic()
        with raises(AsanaUnavailableError, "GET /goals", "after 4 attempts", "no block was changed", "later"):
            parse_goals(client)
        assert time.monotonic() - before < 10
        assert asana.count() == client.stats.requests == 4
        assert [wait for wait in clock.waits if wait > 0.1] == [0.75, 1.5, 3.0]


@pytest.mark.parametrize("page", [1, 2, 3])
def test_a1_a_page_that_was_cut_is_read_again_as_a_whole_and_no_other(page: int, connect: Connect) -> None:
    script = Script().on(faults.cut_body(), path="/goals", first=page, times=1)
    with serve(flat_world(250), faults=script) as asana:
        assert parse_goals(connect(asana)) == list(asana.world.goals)
        assert asana.count() == 4


def test_a7_a_server_that_drips_for_ever_is_given_up_at_the_request_s_deadline(connect: Connect) -> None:
    """Each byte restarts the read timeout of `requests`, so a limit of one minute could last for hours."""

    def forever() -> Iterator[bytes | float]:
        yield b"HTTP/1.1 200 OK\r\n"
        while True:
            yield b"X-Slow: 1\r\n"
            yield 0.05

    with serve(flat_world(1), faults=lambda _, __: Raw(200, forever())) as asana:
        before = time.monotonic()
        with raises(AsanaUnavailableError, "in time"):
            parse_goals(connect(asana, request_seconds=0.2))
        assert time.monotonic() - before < 30


@pytest.mark.parametrize(
    "fault",
    [
        faults.silence(),
        faults.head_only(),
        faults.drip(0.02),
        faults.drip(0.02, head_too=True),
    ],
    ids=["no answer", "headers and no body", "body drips", "headers drip"],
)
def test_f3_a_request_that_hangs_ends_when_the_client_is_closed(fault: Fault, connect: Connect) -> None:
    with serve(flat_world(100), faults=fault) as asana:
        client = connect(asana)
        threading.Timer(0.1, client.close).start()
        before = time.monotonic()
        with pytest.raises(Stopped) as caught:
            parse_goals(client)
        assert time.monotonic() - before < 30
        assert_tells_nothing(caught.value)


@pytest.mark.parametrize(
    ("fault", "requests"),
    [
        pytest.param(faults.reply(200, b""), 4, id="empty body"),
        pytest.param(faults.reply(200, b"  \n"), 4, id="blanks"),
        pytest.param(faults.reply(204), 1, id="204"),
        pytest.param(faults.reply(200, b"null"), 1, id="null"),
        pytest.param(faults.reply(200, b"[]"), 1, id="list"),
        pytest.param(faults.reply(200, b"{}"), 1, id="empty object"),
        pytest.param(faults.reply(200, b'"x"'), 1, id="text"),
        pytest.param(faults.reply(200, b"true"), 1, id="true"),
        pytest.param(faults.reply(200, b"17"), 1, id="number"),
        pytest.param(faults.reply(200, b'{"data":null,"next_page":null}'), 1, id="data is null"),
        pytest.param(faults.reply(200, b'{"data":{},"next_page":null}'), 1, id="data is an object"),
        pytest.param(faults.reply(200, b'{"data":[null],"next_page":null}'), 1, id="data holds null"),
        pytest.param(faults.reply(200, f'{{"data":["{BODY}"],"next_page":null}}'.encode()), 1, id="data holds text"),
        pytest.param(faults.reply(200, f'{{"errors":[{{"message":"{BODY}"}}]}}'.encode()), 1, id="errors in a 200"),
        pytest.param(faults.reply(206, b'{"data":[],"next_page":null}'), 1, id="206"),
        pytest.param(faults.reply(418, BODY.encode()), 1, id="418"),
    ],
)
def test_a20_a_response_without_a_list_is_not_taken_for_an_empty_list(
    fault: Fault, requests: int, connect: Connect
) -> None:
    with serve(flat_world(3), faults=fault) as asana:
        with raises(AsanaContractError, "GET /goals"):
            parse_goals(connect(asana))
        assert asana.count() == requests


@pytest.mark.parametrize(
    "body",
    [f'{{"data":[{{"name":"{BODY}'.encode(), b"\xff\xfe" + BODY.encode(), b'{"data":' + b"9" * 5_000 + b"}"],
    ids=["cut", "not UTF-8", "a number of 5,000 digits"],
)
def test_cut_json_is_asked_for_again_and_then_breaks_the_contract(body: bytes, connect: Connect) -> None:
    with serve(flat_world(3), faults=faults.reply(200, body)) as asana:
        with raises(AsanaContractError, f"{len(body)} bytes that are not whole JSON", "after 4 attempts"):
            parse_goals(connect(asana))
        assert asana.count() == 4


@pytest.mark.parametrize("depth", [100_000, 3_000_000], ids=str)
def test_a22_json_that_is_too_deep_breaks_the_contract(depth: int, connect: Connect) -> None:
    with serve(flat_world(3), faults=faults.deep_json(depth)) as asana:
        with raises(AsanaContractError, "nested too deep"):
            parse_goals(connect(asana))
        assert asana.count() == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["data", "next_page", "gid"]), inner),
)
ENVELOPES = st.fixed_dictionaries({}, optional={"data": JSON, "next_page": JSON, "errors": JSON})


@pytest.mark.hypothesis
def test_any_json_is_a_list_of_objects_or_one_of_our_errors(connect: Connect) -> None:
    with serve(flat_world(0)) as asana:
        client = connect(asana)

        @usual
        @given(status=st.sampled_from([200, 200, 200, 400, 404]), body=JSON | ENVELOPES)
        def ask(status: int, body: Any) -> None:
            asana.faults = Script().on(faults.reply(status, json.dumps(body).encode()), times=1)
            asana.faults.on(faults.reply(200, b'{"data":[],"next_page":null}'))
            try:
                assert all(isinstance(goal, dict) for goal in fetch_goals(client, WORKSPACE, ["name"]))
            except GoalsError as error:
                assert_tells_nothing(error)

        ask()


@pytest.mark.parametrize(
    ("location", "status"),
    [
        ("{other}/goals", 302),
        ("{other}/goals", 307),
        ("{other}/goals", 308),
        ("/login", 302),
        ("", 301),
        ("{own}", 303),
    ],
    ids=["A18 other host", "A18 307", "A18 308", "A19 login", "no target", "A19 same place"],
)
@pytest.mark.fault("A18")
def test_a_redirect_is_not_followed(location: str, status: int, connect: Connect) -> None:
    with serve(flat_world(3)) as other, serve(flat_world(3)) as asana:
        target = location.format(other=other.base_url, own=asana.base_url + "/goals")
        asana.faults = faults.reply(status, BODY.encode(), content_type="text/html", Location=target)
        with raises(AsanaContractError, f"status {status} is a redirect, which is not followed"):
            parse_goals(connect(asana))
        assert (asana.count(), other.count()) == (1, 0)


@pytest.mark.parametrize("target", ["http://[", "http://[::1", "\\\\evil", "http://a b/", "http://" + "a" * 300, "%zz"])
def test_a18_a_redirect_to_nowhere_is_one_of_our_errors_too(target: str, connect: Connect) -> None:
    """Some libraries parse the target even if told not to follow it, and fail on one that is no URL."""
    with serve(flat_world(3), faults=faults.reply(302, Location=target)) as asana, raises(AsanaContractError):
        parse_goals(connect(asana))


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "TEXT/HTML", "text/plain", "application/xml"])
def test_a19_a_page_for_people_breaks_the_contract_by_its_content_type(content_type: str, connect: Connect) -> None:
    page = f"<!DOCTYPE html><h1>{BODY}</h1>".encode()
    with serve(flat_world(3), faults=faults.reply(200, page, content_type=content_type)) as asana:
        with raises(AsanaContractError, f"content-type {content_type.partition(';')[0].lower()!r}"):
            parse_goals(connect(asana))
        assert asana.count() == 1


def test_a_response_without_a_content_type_may_be_json(connect: Connect) -> None:
    with serve(flat_world(3), faults=lambda _, response: Response(200, response.body, {})) as asana:
        assert len(parse_goals(connect(asana))) == 3


@pytest.mark.parametrize("status", [200, 302, 503], ids=str)
def test_a21_a_bomb_is_not_unpacked(status: int, connect: Connect) -> None:
    """Nor is that of a redirect, whose body `requests` would read whole before it looks where to go."""
    bomb = faults.gzip_bomb(64 * 2**20)
    regular = bomb(Request(1, "GET", "/goals", Message()), Response(200))
    assert isinstance(regular, Response)
    response = Response(status, regular.body, {**regular.headers, "Location": "/login"})
    with serve(flat_world(3), faults=lambda _, __: response) as asana:
        client = connect(asana)
        tracemalloc.start()
        try:
            with raises(AsanaContractError, "more than 8 MiB"):
                parse_goals(client)
            assert tracemalloc.get_traced_memory()[1] < 50 * 2**20
        finally:
            tracemalloc.stop()
        assert asana.count() == 1


@pytest.mark.parametrize("kind", ["plain", "after the end of a gzip stream", "a chunk of negative size"])
def test_a21_an_endless_body_is_not_read_to_its_end(kind: str, connect: Connect) -> None:
    """Bytes after a gzip stream inflate to nothing, and http.client reads a negative chunk until the server stops."""
    sent = []

    def endless(_: Request, response: Response) -> Raw:
        def steps() -> Iterator[bytes]:
            if kind == "a chunk of negative size":
                yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n"
            else:
                good = faults.gzipped(response) if "gzip" in kind else response
                yield good.head("Connection: close") + (good.body if "gzip" in kind else b'{"data":[')
            while True:
                sent.append(2**16)
                yield b" " * 2**16

        return Raw(200, steps())

    with serve(flat_world(3), faults=endless) as asana:
        with raises(AsanaContractError, "more than 8 MiB"):
            parse_goals(connect(asana))
        assert sum(sent) < BODY_BYTES + 16 * 2**20  # what fits into the sockets' buffers was sent as well


def test_bytes_after_a_response_are_not_the_next_response(connect: Connect) -> None:
    forged = b'HTTP/1.1 200 OK\r\nContent-Length: 28\r\n\r\n{"data":[],"next_page":null}'

    def add(_: Request, response: Response) -> Raw:
        return Raw(200, [response.head("Connection: keep-alive") + response.body + forged])

    with serve(flat_world(250), faults=Script().on(add, times=1)) as asana:
        assert parse_goals(connect(asana)) == list(asana.world.goals)


@pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize(("over", "fits"), [(0, True), (1, False)], ids=["at the limit", "one byte over"])
def test_a_body_may_have_eight_mebibytes(is_packed: bool, over: int, fits: bool, connect: Connect) -> None:
    body = b'{"data":[],"next_page":null}'.ljust(BODY_BYTES + over)
    reply = faults.reply(200, body)
    with serve(flat_world(3), faults=faults.in_turn(reply, faults.compressed()) if is_packed else reply) as asana:
        client = connect(asana)
        if fits:
            assert parse_goals(client) == []
        else:
            with raises(AsanaContractError, "more than 8 MiB"):
                parse_goals(client)


@pytest.mark.parametrize(
    "damage",
    [lambda body: b"\x00" + body[1:], lambda body: body[:30] + b"\xff\xff" + body[32:], lambda body: b"not gzip"],
    ids=["head", "middle", "not gzip at all"],
)
def test_a5_a_damaged_gzip_stream_is_asked_for_again(damage: Any, connect: Connect) -> None:
    def fault(_: Request, response: Response) -> Response:
        packed = faults.gzipped(response)
        return Response(200, damage(packed.body), packed.headers)

    with serve(flat_world(50), faults=Script().on(fault, times=1)) as asana:
        assert len(parse_goals(connect(asana))) == 50
        assert asana.count() == 2


def test_compressed_responses_are_asked_for_and_read(connect: Connect) -> None:
    with serve(flat_world(250), faults=faults.compressed()) as asana:
        assert parse_goals(connect(asana)) == list(asana.world.goals)


@pytest.mark.parametrize("name", ["iso-8859-1", "utf-16", "no-such-charset", "utf-8"])
def test_a26_json_is_utf8_whatever_the_label_says(name: str, connect: Connect) -> None:
    world = flat_world(1)
    world.rename("1001", "Größer ウェブ 🚀")
    with serve(world, faults=faults.charset(name)) as asana:
        response = connect(asana).get("/goals/1001", {"opt_fields": "name"})
    assert response["data"]["name"] == "Größer ウェブ 🚀"


def test_a26_a_byte_order_mark_is_no_part_of_the_json(connect: Connect) -> None:
    with serve(flat_world(3), faults=lambda _, r: Response(200, b"\xef\xbb\xbf" + r.body, r.headers)) as asana:
        assert len(parse_goals(connect(asana))) == 3


def test_a28_a_refused_port_is_unavailable_after_four_attempts(connect: Connect, clock: FakeClock) -> None:
    with serve(flat_world(1)) as asana:
        base_url = asana.base_url
    with raises(AsanaUnavailableError, "a connection that was refused", "after 4 attempts"):
        parse_goals(connect(base_url))
    assert len([wait for wait in clock.waits if wait > 0.1]) == 3


@pytest.mark.fault("A47", "F3")
def test_an_unanswered_connection_attempt_delays_the_end_by_at_most_its_five_seconds(
    connect: Connect,
) -> None:
    """This is the only wait for a server that is not interrupted."""
    with contextlib.ExitStack() as opened:
        listener = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):  # Linux queues one more than it was told to, and ignores the others
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        client = connect(f"http://127.0.0.1:{listener.getsockname()[1]}")
        threading.Timer(0.2, client.close).start()
        before = time.monotonic()
        with pytest.raises(Stopped) as caught:
            parse_goals(client)
        assert 1 < time.monotonic() - before < 2 * CONNECT_SECONDS
        assert_tells_nothing(caught.value)


@pytest.mark.parametrize(
    "bytes_sent",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 7\r\n\r\nabcde",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nabcde",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nabcde",
        b"HTTP/1.1 200 OK\r\nContent-Length: all\r\n\r\nabcde",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nabcde",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 200 + b"\r\n",
    ],
    ids=[
        "another protocol",
        "TLS",
        "no status",
        "two lengths",
        "two lengths apart",
        "one length twice",
        "a length in words",
        "a negative length",
        "no chunk size",
        "a chunk of negative size",
        "long header",
        "200 headers",
    ],
)
def test_what_is_not_http_is_one_of_our_errors(bytes_sent: bytes, connect: Connect) -> None:
    with serve(flat_world(1), faults=raw(bytes_sent + BODY.encode())) as asana:
        with raises(AsanaUnavailableError, "GET /goals"):
            parse_goals(connect(asana, request_seconds=1))
        assert asana.count() == 4


def test_a29_proxy_netrc_and_bundle_of_the_environment_are_ignored(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An http proxy would see the token, and a .netrc entry would replace it."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    (tmp_path / ".netrc").chmod(0o600)
    seen: list[str | None] = []

    def see(request: Request, response: Response) -> Response:
        seen.append(request.headers["Authorization"])
        return response

    with serve(flat_world(3)) as proxy, serve(flat_world(3), faults=see) as asana:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing.pem"))
        monkeypatch.setenv("CURL_CA_BUNDLE", str(tmp_path / "missing.pem"))
        assert len(parse_goals(connect(asana))) == 3
        assert proxy.count() == 0
    assert seen == [f"Bearer {TOKEN}"]


def test_a30_a_connection_that_closed_between_two_pages_costs_no_page(connect: Connect) -> None:
    with serve(flat_world(250), faults=faults.close_after()) as asana:
        assert parse_goals(connect(asana)) == list(asana.world.goals)
        assert asana.count() <= 4


def test_a30_a_kept_connection_that_closes_under_a_request_costs_one_more(connect: Connect) -> None:
    with serve(flat_world(250), faults=Script().on(faults.hang_up(), first=2, times=1)) as asana:
        assert parse_goals(connect(asana)) == list(asana.world.goals)
        assert asana.count() == 4


def test_h9_wire_debugging_prints_no_token(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    with serve(flat_world(3)) as asana:
        assert parse_goals(connect(asana)) == ["1001", "1002", "1003"]
    printed = capfd.readouterr()
    assert TOKEN not in printed.out + printed.err


def test_h9_debug_logs_of_the_library_hold_neither_token_nor_query(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    # Other libraries set the level of this logger too: a client for Kubernetes, as soon as it is made.
    caplog.set_level(logging.DEBUG, "urllib3")
    with serve(flat_world(101), faults=Script().on(faults.hang_up(), times=1)) as asana:
        assert len(parse_goals(connect(asana))) == 101
    logged = [record.getMessage() for record in caplog.records if record.name.startswith("urllib3")]
    assert len([line for line in logged if '"GET /api/1.0/goals[not logged] HTTP/1.1" 200' in line]) == 2
    for secret in (TOKEN, "workspace", "offset", "opt_fields"):
        assert not [line for line in logged if secret in line]


def test_h9_the_content_of_an_odd_response_is_not_logged(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    """urllib3 logs headers that it cannot parse, with the URL and a traceback, at a level that everybody sees."""
    odd = b"HTTP/1.1 200 OK\r\nContent-Length: 28\r\nno header: but\r\n" + BODY.encode() + b"\r\nX: 1\r\n\r\n"
    with serve(flat_world(1), faults=raw(odd + b'{"data":[],"next_page":null}')) as asana:
        assert parse_goals(connect(asana)) == []
    (record,) = [record for record in caplog.records if record.name.startswith("urllib3")]
    assert "Failed to parse headers" in record.getMessage()
    assert BODY not in caplog.text
    assert "workspace" not in caplog.text


def test_pages_come_over_one_kept_connection(connect: Connect) -> None:
    ports = set()

    def see(request: Request, response: Response) -> Response:
        ports.add(threading.get_ident())  # the sandbox has one thread a connection
        return response

    with serve(flat_world(450), faults=see) as asana:
        parse_goals(connect(asana))
    assert len(ports) == 1


def test_cookies_are_not_kept(connect: Connect) -> None:
    sent: list[str | None] = []

    def see(request: Request, response: Response) -> Response:
        sent.append(request.headers["Cookie"])
        return response.with_header("Set-Cookie", "session=1")

    with serve(flat_world(250), faults=see) as asana:
        parse_goals(connect(asana))
    assert sent == [None, None, None]


def test_only_the_fields_that_are_used_are_asked_for(connect: Connect) -> None:
    with serve(flat_world(101)) as asana:
        parse_goals(connect(asana))
        first, second = asana.requests
    assert first.query == {"workspace": WORKSPACE, "limit": "100", "opt_fields": "name,owner,workspace"}
    assert second.query.items() - first.query.items() == {("offset", second.query["offset"])}


def test_what_was_read_is_what_was_sent(connect: Connect) -> None:
    with serve(flat_world(1)) as asana:
        assert connect(asana).get("/goals/1001", {"opt_fields": "name"})["data"]["name"] == f"{GOAL_NAME} 1"

"""A company's proxy between us and Asana: it opens a tunnel and learns nothing. Its refusals are reported as such.

The proxy and the server behind it are real. Only the proxy can resolve the server's name.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from perfcopilot_goals.asana.pacing import Stopped
from perfcopilot_goals.errors import AsanaUnavailableError, GoalsConfigError
from perfcopilot_goals_tests.asana.canaries import BODY, SECRETS, TOKEN, assert_tells_nothing, raises
from perfcopilot_goals_tests.asana.certificates import EMPTY_LIST, TLSServer, make_certificate, tls_server
from perfcopilot_goals_tests.asana.conftest import Connect
from perfcopilot_goals_tests.asana.connect_proxy import ConnectProxy, serving
from perfcopilot_goals_tests.asana.worlds import flat_world, parse_goals, serve
from perfcopilot_goals_tests.clock import FakeClock

HOST = "asana.example"
# Every kind of character that a URL has to encode, and two that are not of Latin-1.
PASSWORD = "p@ss:/w?o#r d%41€ü"
CREDENTIALS = f"DOMAIN\\somebody:{PASSWORD}"
NAMED = "the proxy that PERFCOPILOT_ASANA_PROXY names"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("certificate"), f"DNS:{HOST}")


@pytest.fixture(autouse=True)
def _trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


@pytest.fixture
def server(certificate: Path) -> Iterator[TLSServer]:
    with tls_server(certificate, EMPTY_LIST) as server:
        yield server


@contextmanager
def proxy_to(server: TLSServer, **behaviour: Any) -> Iterator[ConnectProxy]:
    with serving(ConnectProxy(server.port, **behaviour)) as proxy:
        yield proxy


def url_with(credentials: str, proxy: ConnectProxy) -> str:
    """The proxy's URL as an operator writes it, with `user:password` percent-encoded."""
    user, _, password = credentials.partition(":")
    return proxy.url.replace("http://", f"http://{quote(user, safe='')}:{quote(password, safe='')}@")


def through(connect: Connect, server: TLSServer, proxy: str, **options: Any) -> Any:
    base_url = f"https://{HOST}:{server.port}/api/1.0"
    return connect(base_url, proxy=proxy, allowed_hosts={HOST}, **options)


@pytest.mark.fault("A40")
def test_a_proxy_opens_one_tunnel_for_all_requests_and_reads_nothing_of_them(
    server: TLSServer, connect: Connect
) -> None:
    with proxy_to(server) as proxy:
        client = through(connect, server, proxy.url)
        assert parse_goals(client) == []
        assert parse_goals(client) == []
    assert (server.connections, server.requests, len(proxy.heads)) == (1, 2, 1)
    assert proxy.heads[0].startswith(f"CONNECT {HOST}:{server.port} HTTP/1.")
    assert f"Authorization: Bearer {TOKEN}".encode() in server.received
    assert TOKEN not in proxy.seen
    assert "authorization" not in proxy.seen.lower()


@pytest.mark.parametrize(
    "credentials", ["somebody:secret", CREDENTIALS, "somebody:"], ids=["plain", "all kinds", "none"]
)
@pytest.mark.fault("A40")
def test_a_proxy_gets_its_user_and_password_and_asana_does_not(
    credentials: str, server: TLSServer, connect: Connect
) -> None:
    with proxy_to(server, credentials=credentials) as proxy:
        assert parse_goals(through(connect, server, url_with(credentials, proxy))) == []
    assert server.requests == 1
    assert b"proxy" not in server.received.lower()


@pytest.mark.fault("A40", "A30")
def test_a_tunnel_that_was_closed_is_opened_again_with_the_credentials(certificate: Path, connect: Connect) -> None:
    response = EMPTY_LIST.replace(b"Content-Type", b"Connection: close\r\nContent-Type")
    with tls_server(certificate, response) as server, proxy_to(server, credentials=CREDENTIALS) as proxy:
        client = through(connect, server, url_with(CREDENTIALS, proxy))
        assert parse_goals(client) == []
        assert parse_goals(client) == []
        assert client.stats.requests == 2
    assert len(proxy.heads) == 2


@pytest.mark.fault("A40", "A29")
def test_a_proxy_of_the_environment_does_not_replace_the_one_in_the_settings(
    server: TLSServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy_to(server) as proxy, proxy_to(server) as ambient:
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, ambient.url)
        monkeypatch.setenv("NO_PROXY", HOST)
        monkeypatch.setenv("no_proxy", HOST)
        assert parse_goals(through(connect, server, proxy.url)) == []
    assert (len(proxy.heads), len(ambient.heads)) == (1, 0)


@pytest.mark.fault("A40")
def test_plain_http_on_this_machine_does_not_go_through_the_proxy(connect: Connect) -> None:
    """Otherwise the proxy would see the token in clear text."""
    with serve(flat_world(3)) as asana, serving(ConnectProxy(asana.port)) as proxy:
        assert len(parse_goals(connect(asana, proxy=proxy.url))) == 3
    assert proxy.heads == []


REFUSALS = [
    pytest.param(407, ["asks for a user and password", "http://user:password@host:port"], id="A41 407"),
    pytest.param(403, [f"does not let this machine connect to {HOST}", "Ask the proxy's administrator"], id="A41 403"),
    pytest.param(400, ["does not let", "status 400"], id="A41 400"),
    pytest.param(405, ["does not let", "status 405"], id="A41 405, a web server"),
]


@pytest.mark.parametrize(("status", "words"), REFUSALS)
def test_a_proxy_that_refuses_is_a_setting_to_correct_and_is_asked_once(
    status: int, words: list[str], server: TLSServer, connect: Connect, clock: FakeClock
) -> None:
    reply = f"HTTP/1.1 {status} {BODY}\r\nContent-Type: text/html\r\n\r\n{BODY}".encode()
    with proxy_to(server, reply=reply) as proxy:
        client = through(connect, server, proxy.url)
        with raises(GoalsConfigError, "GET /goals", NAMED, str(status), "the token was not sent", *words):
            parse_goals(client)
    assert (len(proxy.heads), server.connections, client.stats.requests) == (1, 0, 1)
    assert sum(clock.waits) < 0.1


@pytest.mark.parametrize("credentials", [None, "somebody:else"], ids=["none given", "wrong ones"])
@pytest.mark.fault("A41")
def test_credentials_that_the_proxy_rejects_are_not_repeated(
    credentials: str | None, server: TLSServer, connect: Connect
) -> None:
    with proxy_to(server, credentials=CREDENTIALS) as proxy:
        url = url_with(credentials, proxy) if credentials else proxy.url
        with raises(GoalsConfigError, "407", "Only Basic") as caught:
            parse_goals(through(connect, server, url))
    assert_tells_nothing(caught.value, ("somebody", "c29tZWJvZHk6ZWxzZQ=="))


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.fault("A42")
def test_a_proxy_that_cannot_reach_asana_just_now_is_asked_again(
    status: int, server: TLSServer, connect: Connect
) -> None:
    words = (f"status {status} from {NAMED}", "after 4 attempts", "later")
    reply = f"HTTP/1.1 {status} {BODY}\r\n\r\n".encode()
    with proxy_to(server, reply=reply) as proxy, raises(AsanaUnavailableError, *words):
        parse_goals(through(connect, server, proxy.url))
    assert len(proxy.heads) == 4


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("127.0.0.1:1", "a connection that was refused"),
        ("proxy.invalid:3128", "a host name that does not resolve"),
    ],
    ids=["A42 refused port", "A42 no such host"],
)
@pytest.mark.parametrize("user", ["", "somebody:secret-of-the-proxy@"], ids=["without password", "with password"])
def test_a_proxy_that_is_not_there_is_told_apart_from_asana(
    place: str, reason: str, user: str, server: TLSServer, connect: Connect, clock: FakeClock
) -> None:
    words = ("after 4 attempts", f"{reason}, on the way to {NAMED}", "Check the host and port in that setting")
    with raises(AsanaUnavailableError, *words) as caught:
        parse_goals(through(connect, server, f"http://{user}{place}"))
    assert_tells_nothing(caught.value, (*SECRETS, "secret-of-the-proxy"))
    assert len([wait for wait in clock.waits if wait > 0.1]) == 3
    assert server.connections == 0


@pytest.mark.parametrize(
    "reply",
    [b"", b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000, b"HTTP/1.1 200 " + b"a" * 70_000],
    ids=["A42 nothing", "A42 another protocol", "A42 long header", "A42 long status"],
)
def test_a_proxy_that_does_not_speak_http_is_named(reply: bytes, server: TLSServer, connect: Connect) -> None:
    with proxy_to(server, reply=reply) as proxy, raises(AsanaUnavailableError, f"through {NAMED}", "after 4 attempts"):
        parse_goals(through(connect, server, proxy.url, request_seconds=2))
    assert server.requests == 0


@pytest.mark.parametrize(
    "pauses",
    [{"reply_pause_seconds": 0.05}, {"tunnel_pause_seconds": 0.01}],
    ids=["A42 its reply drips", "A45 the handshake drips"],
)
def test_a_tunnel_that_takes_for_ever_is_given_up_at_the_requests_deadline(
    pauses: dict[str, float], server: TLSServer, connect: Connect
) -> None:
    """A timeout for each read would not end it while a byte comes now and then."""
    with proxy_to(server, **pauses) as proxy:
        before = time.monotonic()
        with raises(AsanaUnavailableError, f"through {NAMED}", "after 4 attempts"):
            parse_goals(through(connect, server, proxy.url, request_seconds=0.3))
        # The time for connecting alone would be five seconds an attempt.
        assert time.monotonic() - before < 15
    assert server.requests == 0


@pytest.mark.parametrize(
    "pauses",
    [{"reply_pause_seconds": 30.0}, {"tunnel_pause_seconds": 30.0}, {"tunnel_pause_seconds": 0.05}],
    ids=["silent proxy", "silent server", "dripping handshake"],
)
@pytest.mark.fault("F3", "A45")
def test_a_tunnel_that_is_being_opened_is_given_up_when_the_client_is_closed(
    pauses: dict[str, float], server: TLSServer, connect: Connect
) -> None:
    with proxy_to(server, **pauses) as proxy:
        client = through(connect, server, proxy.url)
        threading.Timer(0.2, client.close).start()
        before = time.monotonic()
        with pytest.raises(Stopped) as caught:
            parse_goals(client)
        # The time for connecting alone would be five seconds.
        assert time.monotonic() - before < 4
        assert_tells_nothing(caught.value)


@pytest.mark.fault("A43")
def test_a_proxy_that_inspects_traffic_under_an_issuer_of_its_own_gets_no_token(
    server: TLSServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    words = ("an issuer that this machine does not know", "SSL_CERT_FILE", "was not sent")
    with proxy_to(server) as proxy, raises(GoalsConfigError, *words):
        parse_goals(through(connect, server, proxy.url))
    assert (len(proxy.heads), server.requests) == (1, 0)
    assert TOKEN not in proxy.seen


@pytest.mark.fault("A42")
def test_an_error_suggests_a_proxy_when_asana_is_out_of_reach(connect: Connect) -> None:
    direct = connect("https://asana.invalid/api/1.0", allowed_hosts={"asana.invalid"})
    with raises(AsanaUnavailableError, "does not resolve", "only through a proxy, name it in PERFCOPILOT_ASANA_PROXY"):
        parse_goals(direct)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.fault("A42")
def test_no_proxy_is_suggested_for_a_server_on_this_machine(scheme: str, connect: Connect) -> None:
    with raises(AsanaUnavailableError, "a connection that was refused") as caught:
        parse_goals(connect(f"{scheme}://127.0.0.1:1/api/1.0"))
    assert "PROXY" not in str(caught.value)

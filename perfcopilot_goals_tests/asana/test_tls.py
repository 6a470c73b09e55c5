"""Encrypted connections: a server that is not who it should be gets nothing, a good one no more time than others."""

import threading
import time
from pathlib import Path

import pytest

from perfcopilot_goals.asana.pacing import Stopped
from perfcopilot_goals.errors import AsanaUnavailableError
from perfcopilot_goals_tests.asana.canaries import assert_tells_nothing, raises
from perfcopilot_goals_tests.asana.certificates import make_certificate, tls_server
from perfcopilot_goals_tests.asana.conftest import Connect
from perfcopilot_goals_tests.asana.worlds import flat_world, parse_goals, serve
from perfcopilot_goals_tests.clock import FakeClock

EMPTY_LIST = (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 28\r\n\r\n{"data":[],"next_page":null}'
)
UNTRUSTED = "certificate is not valid for its name, so the token was not sent"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("good"), "IP:127.0.0.1")


def test_a28_a_self_signed_server_gets_neither_the_token_nor_a_second_try(
    good: Path, connect: Connect, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The bundle variables of requests would have it trusted, were they looked at (A29).
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(good))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(good))
    with tls_server(good, EMPTY_LIST) as server:
        client = connect(server.base_url)
        with raises(AsanaUnavailableError, "GET /goals", UNTRUSTED):
            parse_goals(client)
    assert (server.connections, server.requests) == (1, 0)
    assert client.figures.requests == 1
    assert clock.waits == []


@pytest.mark.parametrize(
    ("name", "first_day", "last_day"),
    [
        ("DNS:app.asana.com", "20200101", "20490101"),
        ("IP:127.0.0.2", "20200101", "20490101"),
        ("IP:127.0.0.1", "20200101", "20200201"),
        ("IP:127.0.0.1", "20480101", "20490101"),
    ],
    ids=["another host's name", "another address", "expired", "not valid yet"],
)
def test_a28_a_certificate_of_a_known_issuer_has_to_be_right_as_well(
    name: str, first_day: str, last_day: str, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate(tmp_path, name, first_day, last_day)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with tls_server(certificate, EMPTY_LIST) as server, raises(AsanaUnavailableError, UNTRUSTED):
        parse_goals(connect(server.base_url))
    assert (server.connections, server.requests) == (1, 0)


def test_a_server_with_a_good_certificate_is_asked(
    good: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What OpenSSL itself is told to trust, an operator's own issuer among it, is trusted.
    monkeypatch.setenv("SSL_CERT_FILE", str(good))
    with tls_server(good, EMPTY_LIST) as server:
        client = connect(server.base_url)
        assert parse_goals(client) == []
        assert parse_goals(client) == []
    assert (server.connections, server.requests) == (1, 2)


def test_a7_dripping_over_tls_ends_with_the_request_s_own_time(
    good: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(good))
    with tls_server(good, EMPTY_LIST, pause_seconds=0.05) as server:
        before = time.monotonic()
        with raises(AsanaUnavailableError, "in time", "after 4 attempts"):
            parse_goals(connect(server.base_url, request_seconds=0.3))
        assert time.monotonic() - before < 4
    assert server.requests == 4


def test_f3_a_hanging_read_over_tls_ends_when_the_client_is_closed(
    good: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(good))
    with tls_server(good, EMPTY_LIST, pause_seconds=30) as server:
        client = connect(server.base_url)
        threading.Timer(0.2, client.close).start()
        before = time.monotonic()
        with pytest.raises(Stopped) as caught:
            parse_goals(client)
        assert time.monotonic() - before < 1.5
        assert_tells_nothing(caught.value)


def test_a_server_without_tls_behind_https_is_unavailable(connect: Connect) -> None:
    with serve(flat_world(1)) as asana:
        with raises(AsanaUnavailableError, "the encrypted connection failed"):
            parse_goals(connect(asana.base_url.replace("http:", "https:")))
        assert asana.count() == 0

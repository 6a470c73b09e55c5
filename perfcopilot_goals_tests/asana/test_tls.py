"""Encrypted connections: a wrong server gets nothing, and a slow one gets no more time than without TLS."""

import socket
import threading
import time
from pathlib import Path

import pytest

from perfcopilot_goals.asana.http import _tls_context
from perfcopilot_goals.asana.pacing import Stopped
from perfcopilot_goals.errors import AsanaUnavailableError, GoalsConfigError
from perfcopilot_goals_tests.asana.canaries import assert_tells_nothing, raises
from perfcopilot_goals_tests.asana.certificates import EMPTY_LIST, make_certificate, tls_server
from perfcopilot_goals_tests.asana.conftest import Connect
from perfcopilot_goals_tests.asana.worlds import flat_world, parse_goals, serve
from perfcopilot_goals_tests.clock import FakeClock

NOT_SENT = "so the token was not sent; no block was changed"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("good"), "IP:127.0.0.1")


@pytest.mark.fault("A43")
def test_a28_a_server_of_an_unknown_issuer_gets_neither_the_token_nor_a_second_try(
    good: Path, connect: Connect, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was once reported as a certificate for the wrong name, and as something that may pass."""
    # If the bundle variables of `requests` counted, they would make it trusted (A29).
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(good))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(good))
    with tls_server(good, EMPTY_LIST) as server:
        client = connect(server.base_url)
        with raises(GoalsConfigError, "GET /goals", "an issuer that this machine does not know", NOT_SENT) as caught:
            parse_goals(client)
    assert "name that file in SSL_CERT_FILE" in str(caught.value)
    assert (server.connections, server.requests) == (1, 0)
    assert client.stats.requests == 1
    assert sum(clock.waits) < 0.1


@pytest.mark.parametrize(
    ("name", "first_day", "last_day", "words"),
    [
        ("DNS:app.asana.com", "20200101", "20490101", ["is for another name", "Check the connection's base URL"]),
        ("IP:127.0.0.2", "20200101", "20490101", ["is for another name", "Check the connection's base URL"]),
        ("IP:127.0.0.1", "20200101", "20200201", ["has expired", "Check this machine's clock"]),
        ("IP:127.0.0.1", "20480101", "20490101", ["is not valid yet", "Check this machine's clock"]),
    ],
    ids=["A43 another host's name", "A43 another address", "A43 expired", "A43 not valid yet"],
)
@pytest.mark.fault("A28")
def test_a_certificate_of_a_known_issuer_has_to_be_right_as_well(
    name: str,
    first_day: str,
    last_day: str,
    words: list[str],
    connect: Connect,
    clock: FakeClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    certificate = make_certificate(tmp_path, name, first_day, last_day)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with tls_server(certificate, EMPTY_LIST) as server, raises(GoalsConfigError, NOT_SENT, *words) as caught:
        parse_goals(connect(server.base_url))
    assert "SSL_CERT_FILE" not in str(caught.value)
    assert (server.connections, server.requests) == (1, 0)
    assert sum(clock.waits) < 0.1


@pytest.mark.fault("A43")
def test_a_certificate_that_is_refused_for_another_reason_is_reported_in_openssls_words(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = make_certificate(tmp_path, "IP:127.0.0.1", purpose="clientAuth")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with tls_server(certificate, EMPTY_LIST) as server, raises(GoalsConfigError, "is refused (", "purpose", NOT_SENT):
        parse_goals(connect(server.base_url))
    assert server.requests == 0


@pytest.mark.fault("A43")
def test_a_private_issuer_is_unknown_until_ssl_cert_file_names_it(
    connect: Connect, clock: FakeClock, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = make_certificate(tmp_path_factory.mktemp("issuer"), "DNS:issuer.example")
    certificate = make_certificate(tmp_path_factory.mktemp("server"), "IP:127.0.0.1", issuer=issuer)
    with tls_server(certificate, EMPTY_LIST) as server:
        with raises(GoalsConfigError, "an issuer that this machine does not know", "SSL_CERT_FILE", NOT_SENT):
            parse_goals(connect(server.base_url))
        assert (server.connections, server.requests) == (1, 0)
        assert sum(clock.waits) < 0.1
        monkeypatch.setenv("SSL_CERT_FILE", str(issuer))
        assert parse_goals(connect(server.base_url)) == []
        assert server.requests == 1


def test_naming_a_private_issuer_leaves_the_usual_ones_trusted(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(good))
    issuers = str(_tls_context().get_ca_certs())
    for name in ("stand-in of good", "DigiCert Global Root G2", "Amazon Root CA 1"):
        assert name in issuers


def test_a_server_with_a_good_certificate_is_asked(
    good: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Issuers that OpenSSL itself is told to trust, such as an operator's own, are trusted.
    monkeypatch.setenv("SSL_CERT_FILE", str(good))
    with tls_server(good, EMPTY_LIST) as server:
        client = connect(server.base_url)
        assert parse_goals(client) == []
        assert parse_goals(client) == []
    assert (server.connections, server.requests) == (1, 2)


@pytest.mark.parametrize("kind", ["missing", "folder", "text", "key", "DER"])
@pytest.mark.fault("A44")
def test_a_file_of_issuers_that_holds_none_is_named_before_anything_is_sent(
    kind: str, good: Path, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL ignores such a file silently, and then the server's issuer is unknown."""
    file = tmp_path / "issuers.pem"
    if kind == "folder":
        file.mkdir()
    elif kind != "missing":
        key = good.read_text().partition("-----BEGIN PRIVATE KEY")[2]
        file.write_bytes(
            {"text": b"not a certificate", "key": f"-----BEGIN PRIVATE KEY{key}".encode(), "DER": b"\x30\x82\x01"}[kind]
        )
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with tls_server(good, EMPTY_LIST) as server:
        words = ("SSL_CERT_FILE", str(file), "cannot be read as certificates", "no request was sent")
        with raises(GoalsConfigError, *words) as caught:
            connect(server.base_url)
    assert_tells_nothing(caught.value, ("PRIVATE KEY",))
    assert server.connections == 0


def test_a7_dripping_over_tls_ends_at_the_request_s_deadline(
    good: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(good))
    with tls_server(good, EMPTY_LIST, pause_seconds=0.05) as server:
        before = time.monotonic()
        with raises(AsanaUnavailableError, "in time", "after 4 attempts"):
            parse_goals(connect(server.base_url, request_seconds=0.8))
        assert time.monotonic() - before < 15
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
        assert time.monotonic() - before < 20
        assert_tells_nothing(caught.value)


@pytest.mark.fault("A45")
def test_an_unanswered_handshake_ends_after_the_time_for_connecting(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = connect(f"https://127.0.0.1:{listener.getsockname()[1]}", request_seconds=0.3)
        before = time.monotonic()
        with raises(AsanaUnavailableError, "no connection within", "after 4 attempts"):
            parse_goals(client)
        assert time.monotonic() - before < 10


def test_a_server_without_tls_behind_https_is_unavailable(connect: Connect) -> None:
    with serve(flat_world(1)) as asana:
        with raises(AsanaUnavailableError, "the encrypted connection failed"):
            parse_goals(connect(asana.base_url.replace("http:", "https:")))
        assert asana.count() == 0

"""The configured proxy: every client goes through it, and its password appears nowhere."""

import base64
import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from perfcopilot_goals.asana.listing import fetch_goals
from perfcopilot_goals.errors import AsanaUnavailableError, GoalsConfigError
from perfcopilot_goals.services.sync_access import open_client
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals_tests.asana.canaries import raises
from perfcopilot_goals_tests.asana.certificates import EMPTY_LIST, TLSServer, make_certificate, tls_server
from perfcopilot_goals_tests.asana.connect_proxy import ConnectProxy, serving
from perfcopilot_goals_tests.clock import FakeClock
from perfcopilot_goals_tests.storage.examples import connection

HOST = "asana.example"
USER, PASSWORD = "somebody", "p@ss of the proxy"
ENCODED = quote(PASSWORD)
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
FORMS = (PASSWORD, ENCODED, BASIC)


@pytest.fixture
def asana(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TLSServer]:
    certificate = make_certificate(tmp_path, f"DNS:{HOST}")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("ASANA_ACCESS_TOKEN", "the-token")
    with tls_server(certificate, EMPTY_LIST) as asana:
        yield asana


def fetch(database: Database, port: int, proxy_port: int) -> list[object]:
    """The goals of a connection to the server, fetched with these settings."""
    proxy = f"http://{USER}:{ENCODED}@127.0.0.1:{proxy_port}"
    settings = load_settings({"PERFCOPILOT_ASANA_PROXY": proxy, "PERFCOPILOT_ASANA_HOSTS": HOST})
    row = connection(base_url=f"https://{HOST}:{port}/api/1.0")
    with open_client(database, row, settings, clock=FakeClock()) as client:
        return list(fetch_goals(client, "77", ["name"]))


@pytest.mark.fault("A40", "A46")
def test_a_client_goes_through_the_proxy_and_no_log_holds_its_password(
    asana: TLSServer, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(ConnectProxy(asana.port, credentials=f"{USER}:{PASSWORD}")) as proxy:
        assert fetch(database, asana.port, proxy.port) == []
        assert (asana.requests, len(proxy.heads)) == (1, 1)
        for form in FORMS:
            logging.getLogger("some.library").debug("connecting by way of http://%s", f"{USER}:{form}@proxy")
    assert caplog.text.count("connecting by way of http://somebody:[redacted]@proxy") == len(FORMS)
    assert not [form for form in FORMS if form in caplog.text]


@pytest.mark.parametrize("status", [407, 403, 502])
@pytest.mark.fault("A41", "A46")
def test_a_proxy_that_refuses_is_told_without_its_password(
    status: int, asana: TLSServer, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    reply = f"HTTP/1.1 {status} {PASSWORD} {BASIC}\r\n\r\n".encode()
    kind = AsanaUnavailableError if status == 502 else GoalsConfigError
    with serving(ConnectProxy(asana.port, reply=reply)) as proxy:
        with raises(kind, "PERFCOPILOT_ASANA_PROXY", str(status)) as caught:
            fetch(database, asana.port, proxy.port)
        assert BASIC in proxy.heads[0]
    told = f"{caught.value!r} {caught.value.text} {caplog.text}"
    assert not [form for form in FORMS if form in told]
    assert asana.connections == 0


@pytest.mark.fault("A46", "H26")
def test_the_settings_do_not_show_the_proxy() -> None:
    settings = load_settings({"PERFCOPILOT_ASANA_PROXY": f"http://{USER}:{ENCODED}@proxy.example:3128"})
    assert not [form for form in (*FORMS, USER) if form in f"{settings!r} {settings}"]

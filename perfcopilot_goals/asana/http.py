"""One GET with `requests`: send it where a token may be sent, and read all of its body within bounds.

Nothing is retried or followed here. A response that arrived whole is returned, whatever its status; if none did,
`responses` says why. `bounds` limits how long a server is waited for, and how much is read.
"""

import http.client
import logging
import os
import re
import ssl
import threading
import zlib
from collections.abc import Collection, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import certifi
import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, ProxyManager
from urllib3.exceptions import HTTPError

from perfcopilot_goals.asana.bounds import CONNECT_SECONDS, POOLS, OutOfTime, TLSContext, TooLong, begin_request
from perfcopilot_goals.asana.pacing import Stopped
from perfcopilot_goals.asana.responses import BAD_LENGTH, Response, Retryable, explain
from perfcopilot_goals.domain.web_address import basic_credentials, is_loopback, parse_web_address
from perfcopilot_goals.errors import AsanaContractError, GoalsConfigError

ASANA_HOST = "app.asana.com"
DEFAULT_BASE_URL = f"https://{ASANA_HOST}/api/1.0"
REQUEST_SECONDS = 60.0
BODY_BYTES = 8 * 1024 * 1024
# Headers come on top of the body; http.client takes a hundred of them.
_HEAD_BYTES = 1024 * 1024
# Asana allows 50 GETs in flight per token.
IN_FLIGHT = 50
_CHUNK = 64 * 1024


def check_base_url(base_url: str, allowed_hosts: Collection[str] = ()) -> str:
    """The URL without a trailing slash, or `GoalsConfigError` if the token may not be sent there.

    It may be sent to Asana, to a loopback address, and to a host that the operator allowed by name. Otherwise anybody
    who can edit a connection could have it sent to a host of their own. A URL with a user, a query or a fragment is
    refused. So is one that two libraries read differently, such as `https://app.asana.com\\@evil`.
    """
    try:
        address = parse_web_address(base_url)
    except ValueError as error:
        raise _refused(str(error)) from None
    if address.query is not None or address.fragment is not None or "@" in base_url:
        raise _refused("has a query, a fragment or an @, which an API's address does not have")
    if not is_loopback(address.host):
        if address.host != ASANA_HOST and address.host not in allowed_hosts:
            raise _refused(
                f"has a host that is not {ASANA_HOST}, and the token is sent nowhere else",
                ". If the host is right, name it in PERFCOPILOT_ASANA_HOSTS",
            )
        if address.scheme != "https":
            raise _refused("is not https; off this machine the token travels encrypted only")
    return base_url.rstrip("/")


def _refused(reason: str, or_else: str = "") -> GoalsConfigError:
    return GoalsConfigError(
        f"the base URL {reason}; no request was sent", action=f"Asana's is {DEFAULT_BASE_URL}{or_else}"
    )


class Transport:
    """Requests to one API with one token. Safe to share between threads.

    `proxy` is a URL that `settings` has checked. Only https goes through it; plain http stays on this machine.
    """

    def __init__(
        self, base_url: str, token: str, request_seconds: float, stop: threading.Event, proxy: str | None = None
    ) -> None:
        self.request_seconds = request_seconds
        self.stop = stop
        self._base_url = base_url
        self._address = parse_web_address(base_url)
        self._is_proxied = proxy is not None and self._address.scheme == "https"
        self._session = _session(self._address.scheme, token, proxy)

    def get(self, path: str, params: Mapping[str, str]) -> Response:
        """The response to one GET, with its whole body. Redirects are not followed."""
        has_begun = False
        begin_request(self.request_seconds, _HEAD_BYTES + BODY_BYTES, self.stop)
        try:
            with self._session.get(
                f"{self._base_url}{path}", params=params, timeout=CONNECT_SECONDS, allow_redirects=False, stream=True
            ) as response:
                has_begun = True
                return Response(response.status_code, response.raw.headers, _read_body(response.raw))
        except TooLong:
            raise _too_long() from None
        # ValueError: http.client tries to read a chunk whose size is negative.
        except (HTTPError, http.client.HTTPException, OSError, ValueError, OutOfTime) as error:
            if self.stop.is_set():
                raise Stopped from None
            failure = explain(error, self._address.host, is_proxied=self._is_proxied, has_begun=has_begun)
        # Raised outside the except block: the library's error may quote the request, and would be kept as the context.
        raise failure

    def close(self) -> None:
        """Close the kept-alive connections."""
        self._session.close()


def _read_body(response: BaseHTTPResponse) -> bytes:
    """The decompressed body, at most `BODY_BYTES` long."""
    if not all(re.fullmatch("[0-9]+", length) for length in response.headers.getlist("Content-Length")):
        raise Retryable(BAD_LENGTH)
    gzipped = response.headers.get("Content-Encoding", "").strip().lower() == "gzip"
    inflate = zlib.decompressobj(16 + zlib.MAX_WBITS) if gzipped else None
    body = bytearray()
    while chunk := response.read(_CHUNK, decode_content=False):
        try:
            body += chunk if inflate is None else inflate.decompress(chunk, BODY_BYTES + 1 - len(body))
        except zlib.error:
            raise Retryable("a compressed body that is damaged") from None
        if len(body) > BODY_BYTES:
            raise _too_long()
    # urllib3 notices a body that ends before its length, but not a gzip stream that ends too soon.
    if inflate is not None and not inflate.eof:
        raise Retryable("a compressed body that was cut")
    return bytes(body)


def _too_long() -> AsanaContractError:
    return AsanaContractError(f"a response of more than {BODY_BYTES // 1024 // 1024} MiB came; the rest was not read")


def _session(scheme: str, token: str, proxy: str | None) -> requests.Session:
    session = _Session()
    # Otherwise the environment's proxies, certificates and .netrc decide which token is sent, and where.
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
        "User-Agent": "perfcopilot-goals",
    }
    credentials, _, place = urlsplit(proxy or "").netloc.rpartition("@")
    if proxy:
        session.proxies = {"https": f"http://{place}"}
    session.mount(f"{scheme}://", _Adapter(_tls_context() if scheme == "https" else None, credentials))
    return session


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """No redirect has a target. Even if told not to follow it, `requests` reads it whole and parses its target."""


class _Adapter(HTTPAdapter):
    """The connections to one server, directly or through a proxy."""

    def __init__(self, context: ssl.SSLContext | None, proxy_credentials: str) -> None:
        self._context = context
        self._proxy_credentials = proxy_credentials
        super().__init__(pool_connections=1, pool_maxsize=IN_FLIGHT, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> ProxyManager:
        manager: ProxyManager = super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)
        manager.pool_classes_by_scheme = POOLS
        return manager

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing: the context has all issuers. In `requests` this loads them anew for each connection."""

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        """User and password for the proxy. They never go to Asana."""
        credentials = self._proxy_credentials
        return {"Proxy-Authorization": f"Basic {basic_credentials(credentials)}"} if credentials else {}


def _tls_context() -> ssl.SSLContext:
    """A context that trusts the usual issuers and those in SSL_CERT_FILE.

    The usual ones come from certifi too, for machines that have no list of their own.
    """
    context = TLSContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_default_certs()
    context.load_verify_locations(certifi.where())
    # OpenSSL reads this file by itself, but says nothing if it cannot.
    if file := os.environ.get("SSL_CERT_FILE"):
        try:
            context.load_verify_locations(file)
        except OSError as error:
            raise GoalsConfigError(
                f"SSL_CERT_FILE names {file!r}, which cannot be read as certificates ({type(error).__name__}); no "
                "request was sent",
                action="Name a PEM file with the certificate of the private issuer, or unset the variable",
            ) from None
    return context


def _hide_query(record: logging.LogRecord) -> bool:
    """Cut queries and parts of responses from urllib3's log messages. The rest of each record is logged."""
    record.msg = re.sub(r"\?[^\s\"')]*|unparsed data: .*", "[not logged]", record.getMessage(), flags=re.DOTALL)
    record.args, record.exc_info = (), None
    return True


for _name in ("urllib3.connection", "urllib3.connectionpool", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(_hide_query)

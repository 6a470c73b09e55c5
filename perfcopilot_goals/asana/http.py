"""One GET with `requests`: send it, read all of its body within bounds, decode the JSON.

Nothing is retried here. `BrokenResponse` is a failure on the way, which a retry may mend. `GoalsConfigError` is one
that no retry mends: a certificate that is not trusted, or a proxy that refuses. A response that arrived whole is
returned, whatever its status.

The timeouts of `requests` apply to each read. A server that sends a byte now and then could hold a request for ever: in
body or headers, in the TLS handshake, in a proxy's reply. So every wait for the server runs in `_within_bounds`,
which knows the request's own deadline and whether the sync is being given up. Two waits are not interrupted: resolving
a name, and opening a TCP connection, which has five seconds.
"""

import http.client
import io
import json
import logging
import os
import re
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar
from urllib.parse import urlsplit

import certifi
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import ConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, InvalidHeader, NameResolutionError, NewConnectionError

from perfcopilot_goals.asana.pacing import Stopped
from perfcopilot_goals.domain.web_address import basic_credentials, parse_web_address
from perfcopilot_goals.errors import AsanaContractError, GoalsConfigError

CONNECT_SECONDS = 5.0
REQUEST_SECONDS = 60.0
# How often a blocked read checks for cancellation.
CHECK_SECONDS = 0.25
BODY_BYTES = 8 * 1024 * 1024
# Headers come on top of the body; http.client takes a hundred of them.
_HEAD_BYTES = 1024 * 1024
# Asana allows 50 GETs in flight per token.
IN_FLIGHT = 50
_CHUNK = 64 * 1024

_PROXY = "the proxy that PERFCOPILOT_ASANA_PROXY names"
_NAME_A_PROXY = "If this machine reaches the internet only through a proxy, name it in PERFCOPILOT_ASANA_PROXY"
_BAD_LENGTH = "a body whose length is not one number"
_NOT_SENT = "so the token was not sent; nothing was written"

Returned = TypeVar("Returned")


class BrokenResponse(Exception):
    """No whole response came. Both texts are safe to show; `action` is None if only time may help.

    `is_contract` means that a whole body came which was not JSON.
    """

    def __init__(self, what: str, *, is_contract: bool = False, action: str | None = None) -> None:
        super().__init__(what)
        self.is_contract = is_contract
        self.action = action


class _OutOfTime(Exception):
    """The request's time is up. Not a TimeoutError: urllib3 would take that for a timeout of a single read."""


class _TooLong(Exception):
    """More came than any response has."""


@dataclass(frozen=True)
class Response:
    """A whole response: its status, its headers by lower-case name, and its body, decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def decode(self) -> Any:
        """The body as JSON. Raises `BrokenResponse` if it looks cut, `AsanaContractError` if it is something else."""
        content_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type and not content_type.endswith("json"):
            raise AsanaContractError(f"a response of content-type {content_type[:40]!r} came where JSON was agreed")
        try:
            # JSON is UTF-8 whatever a charset header claims.
            return json.loads(self.body.decode("utf-8-sig"))
        except RecursionError:
            raise AsanaContractError("JSON nested too deep to be Asana's") from None
        except ValueError:
            raise BrokenResponse(f"{len(self.body)} bytes that are not whole JSON", is_contract=True) from None


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
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": "perfcopilot-goals",
        }
        self._session = _session(self._address.scheme, headers, proxy)

    def get(self, path: str, params: Mapping[str, str]) -> Response:
        """The response to one GET, with its whole body. Redirects are not followed."""
        try:
            with (
                _bounds.for_request(self.request_seconds, _HEAD_BYTES + BODY_BYTES, self.stop),
                self._session.get(
                    f"{self._base_url}{path}",
                    params=params,
                    timeout=CONNECT_SECONDS,
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                return Response(response.status_code, _headers_of(response.raw), _read_body(response.raw))
        except _TooLong:
            raise _too_long() from None
        # ValueError: http.client tries to read a chunk whose size is negative.
        except (
            requests.RequestException,
            HTTPError,
            http.client.HTTPException,
            OSError,
            ValueError,
            _OutOfTime,
        ) as error:
            if self.stop.is_set():
                raise Stopped from None
            raise self._explain(list(_chain(error))) from None

    def close(self) -> None:
        """Close the kept-alive connections."""
        self._session.close()

    def _explain(self, chain: Sequence[BaseException]) -> BrokenResponse | GoalsConfigError:
        """What happened, without the text of any error: that may quote the request."""
        for one in chain:
            if isinstance(one, ssl.SSLCertVerificationError):
                return _untrusted(one)
        reason = _reason(chain)
        if not self._is_proxied:
            return BrokenResponse(reason, action=_NAME_A_PROXY if self._is_out_of_reach(chain) else None)
        if not any(isinstance(one, requests.exceptions.ProxyError) for one in chain):
            return BrokenResponse(f"{reason}, through {_PROXY}")
        return _refused_by_proxy(chain, self._address.host) or BrokenResponse(
            f"{reason}, on the way to {_PROXY}", action="Check the host and port in that setting"
        )

    def _is_out_of_reach(self, chain: Sequence[BaseException]) -> bool:
        """Whether the server is elsewhere and sent nothing. `requests` wraps an error before the headers; one in the
        body is urllib3's own."""
        has_begun = not isinstance(chain[0], requests.RequestException)
        return not (has_begun or self._address.is_loopback) and any(isinstance(one, _UNREACHABLE) for one in chain)


def _headers_of(response: HTTPResponse) -> dict[str, str]:
    """The headers by lower-case name. One that comes several times is joined with commas, as HTTP allows."""
    return {name.lower(): value for name, value in response.headers.itermerged()}


def _read_body(response: HTTPResponse) -> bytes:
    """The decompressed body, at most `BODY_BYTES` long."""
    if not all(re.fullmatch("[0-9]+", length) for length in response.headers.getlist("Content-Length")):
        raise BrokenResponse(_BAD_LENGTH)
    gzipped = response.headers.get("Content-Encoding", "").strip().lower() == "gzip"
    inflate = zlib.decompressobj(16 + zlib.MAX_WBITS) if gzipped else None
    body = bytearray()
    while chunk := response.read(_CHUNK, decode_content=False):
        try:
            body += chunk if inflate is None else inflate.decompress(chunk, BODY_BYTES + 1 - len(body))
        except zlib.error:
            raise BrokenResponse("a compressed body that is damaged") from None
        if len(body) > BODY_BYTES:
            raise _too_long()
    # urllib3 notices a body that ends before its length, but not a gzip stream that ends too soon.
    if inflate is not None and not inflate.eof:
        raise BrokenResponse("a compressed body that was cut")
    return bytes(body)


def _too_long() -> AsanaContractError:
    return AsanaContractError(f"a response of more than {BODY_BYTES // 1024 // 1024} MiB came; the rest was not read")


# The first kind that is found in an error's chain decides.
_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (NameResolutionError, "a host name that does not resolve"),
    (ConnectionRefusedError, "a connection that was refused"),
    (ConnectTimeoutError, f"no connection within {CONNECT_SECONDS:.0f} s"),
    (_OutOfTime, "no whole response in time"),
    (TimeoutError, "no whole response in time"),
    (InvalidHeader, _BAD_LENGTH),
    (ssl.SSLError, "the encrypted connection failed"),
    (http.client.IncompleteRead, "a body that was cut"),
    (ConnectionError, "a connection that was closed"),
)
_UNREACHABLE = (NewConnectionError, ConnectTimeoutError, ssl.SSLError, ConnectionError)
# OpenSSL's numbers, X509_V_ERR_….
_EXPIRED, _NOT_YET_VALID = 10, 9
_UNKNOWN_ISSUER = (2, 18, 19, 20, 21)
_WRONG_NAME = (62, 64)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and its causes: `requests` wraps what urllib3 wraps."""
    while error is not None:
        yield error
        error = error.__context__


def _reason(chain: Sequence[BaseException]) -> str:
    for kind, reason in _REASONS:
        if any(isinstance(one, kind) for one in chain):
            return reason
    return "a connection that failed"


def _untrusted(error: ssl.SSLCertVerificationError) -> GoalsConfigError:
    """The error for a certificate that is not trusted. What to do depends on the cause; waiting never helps."""
    if error.verify_code in _UNKNOWN_ISSUER:
        what = "is from an issuer that this machine does not know"
        action = (
            "If the issuer is your company's own (some proxies inspect traffic), put the issuer's certificate into a "
            "PEM file and name that file in SSL_CERT_FILE"
        )
    elif error.verify_code in _WRONG_NAME:
        what = "is for another name than the base URL's"
        action = "Check the connection's base URL; if that is right, another server answers in its place"
    elif error.verify_code in (_EXPIRED, _NOT_YET_VALID):
        what = "has expired" if error.verify_code == _EXPIRED else "is not valid yet"
        action = "Check this machine's clock. If it is right, ask the server's owner to renew the certificate"
    else:
        # One of OpenSSL's fixed sentences. Only those about names quote anything, and they are handled above.
        what = f"is refused ({error.verify_message})"
        action = "Ask the server's owner to replace it"
    return GoalsConfigError(f"the server's certificate {what}, {_NOT_SENT}", action=action)


def _refused_by_proxy(chain: Sequence[BaseException], host: str) -> GoalsConfigError | BrokenResponse | None:
    """What the proxy's status means when it opened no tunnel; None if it sent no status."""
    # http.client has the status only in the error's text. The words after it are the proxy's and are not shown.
    refusals = [re.match("Tunnel connection failed: ([0-9]{3}) ", f"{one} ") for one in chain if type(one) is OSError]
    status = next((int(refusal[1]) for refusal in refusals if refusal), None)
    if status is None:
        return None
    if status == 407:
        return GoalsConfigError(
            f"{_PROXY} asks for a user and password, or refuses those it got (status 407), {_NOT_SENT}",
            action="Set it to http://user:password@host:port, with characters such as @ : / % percent-encoded. Only "
            "Basic authentication is supported",
        )
    if 400 <= status < 500 and status not in (408, 429):
        return GoalsConfigError(
            f"{_PROXY} does not let this machine connect to {host} (status {status}), {_NOT_SENT}",
            action="Ask the proxy's administrator to allow it, or name another proxy",
        )
    return BrokenResponse(f"status {status} from {_PROXY}")


class _Bounds(threading.local):
    """The time and bytes that the request of this thread has left."""

    deadline: float = float("inf")
    bytes_left: float = float("inf")
    stop: threading.Event | None = None

    @contextmanager
    def for_request(self, seconds: float, size: int, stop: threading.Event) -> Iterator[None]:
        """Limit the request to `seconds` in all and `size` bytes. Once `stop` is set, it ends with `Stopped`."""
        self.deadline, self.bytes_left, self.stop = time.monotonic() + seconds, size, stop
        try:
            yield
        finally:
            self.deadline, self.bytes_left, self.stop = float("inf"), float("inf"), None


_bounds = _Bounds()


def _within_bounds(sock: socket.socket, wait: Callable[[], Returned], seconds: float = float("inf")) -> Returned:
    """Call `wait`, which blocks on this socket, with a short timeout until it returns.

    Between tries it raises if the sync is given up or the time is up.
    """
    timeout = sock.gettimeout()
    deadline = min(_bounds.deadline, time.monotonic() + seconds)
    try:
        while True:
            if _bounds.stop is not None and _bounds.stop.is_set():
                raise Stopped
            left = deadline - time.monotonic()
            if left <= 0:
                raise _OutOfTime
            sock.settimeout(min(left, CHECK_SECONDS))
            try:
                return wait()
            except TimeoutError:
                continue
    finally:
        sock.settimeout(timeout)


class _BoundedReader(io.RawIOBase):
    """Reads what the server sends. `reader` is the socket's own; the socket stays open until that is closed."""

    def __init__(self, sock: socket.socket, reader: io.IOBase) -> None:
        self._sock = sock
        self._reader = reader

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if _bounds.bytes_left <= 0:
            raise _TooLong
        received = _within_bounds(self._sock, lambda: self._sock.recv_into(buffer))
        _bounds.bytes_left -= received
        return received

    def close(self) -> None:
        super().close()
        self._reader.close()


class _BoundedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_BoundedReader(sock, self.fp))


class _Connection(HTTPConnection):
    response_class = _BoundedResponse
    # Otherwise turning on http.client's debugging would print the token with every request.
    debuglevel = 0


class _TLSConnection(HTTPSConnection):
    response_class = _BoundedResponse
    debuglevel = 0


class _TLSContext(ssl.SSLContext):
    def wrap_socket(self, sock: socket.socket, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        encrypted = super().wrap_socket(sock, *args, **{**kwargs, "do_handshake_on_connect": False})
        try:
            _within_bounds(encrypted, encrypted.do_handshake, CONNECT_SECONDS)
        except BaseException as error:
            encrypted.close()
            if isinstance(error, _OutOfTime):
                raise ConnectTimeoutError from None
            raise
        return encrypted


def _session(scheme: str, headers: Mapping[str, str], proxy: str | None) -> requests.Session:
    session = _Session()
    # Otherwise the environment's proxies, certificates and .netrc decide which token is sent, and where.
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.clear()
    session.headers.update(headers)
    address, credentials = _split_credentials(proxy) if proxy else (None, {})
    if address:
        session.proxies = {"https": address}
    session.mount(f"{scheme}://", _Adapter(_tls_context() if scheme == "https" else None, credentials))
    return session


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """No redirect has a target. Even if told not to follow it, `requests` reads it whole and parses its target."""


class _Adapter(HTTPAdapter):
    """The pool of connections to one server, directly or through a proxy."""

    def __init__(self, context: ssl.SSLContext | None, proxy_credentials: Mapping[str, str]) -> None:
        self._context = context
        self._proxy_credentials = proxy_credentials
        super().__init__(pool_connections=1, pool_maxsize=IN_FLIGHT, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> ConnectionPool:
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        assert isinstance(pool, HTTPConnectionPool)
        pool.ConnectionCls = _TLSConnection if pool.scheme == "https" else _Connection
        return pool

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """Does nothing: the context has all issuers. In `requests` this loads them anew for each connection."""

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        return dict(self._proxy_credentials)


def _split_credentials(proxy: str) -> tuple[str, dict[str, str]]:
    """The proxy's address, and the header that carries user and password to the proxy, never to Asana."""
    credentials, _, place = urlsplit(proxy).netloc.rpartition("@")
    if not credentials:
        return f"http://{place}", {}
    return f"http://{place}", {"Proxy-Authorization": f"Basic {basic_credentials(credentials)}"}


def _tls_context() -> ssl.SSLContext:
    """A context that trusts the usual issuers and those in SSL_CERT_FILE.

    The usual ones come from certifi too, for machines that have no list of their own.
    """
    context = _TLSContext(ssl.PROTOCOL_TLS_CLIENT)
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

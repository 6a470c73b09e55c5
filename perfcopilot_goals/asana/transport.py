"""One request: send it, read all of its body within bounds, decode the JSON.

Nothing is retried here. What went wrong on the way is `BrokenAnswer`, which a retry may mend; an answer that arrived
whole is returned with its status, whatever that is.
"""

import json
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.util.ssl_ import create_urllib3_context

from perfcopilot_goals.errors import AsanaContractError

CONNECT_SECONDS = 5.0
REQUEST_SECONDS = 60.0
BODY_BYTES = 8 * 1024 * 1024
# Asana allows 50 GETs in flight per token.
IN_FLIGHT = 50
_CHUNK = 64 * 1024


class BrokenAnswer(Exception):
    """No whole answer came. The message is safe to show."""


class UntrustedServer(Exception):
    """The server's certificate is not valid for its name; no retry will change that."""


@dataclass(frozen=True)
class Answer:
    """A whole answer: status, headers and the raw body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def decode(self) -> Any:
        """The body as JSON; `BrokenAnswer` if it looks cut, `AsanaContractError` if it is something else altogether."""
        content_type = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if content_type and not content_type.endswith("json"):
            raise AsanaContractError(f"an answer of content-type {content_type[:40]!r} came where JSON was agreed")
        try:
            # JSON is UTF-8 whatever a charset header claims.
            return json.loads(self.body.decode("utf-8-sig"))
        except RecursionError:
            raise AsanaContractError("JSON nested too deep to be an answer of Asana") from None
        except ValueError:
            raise BrokenAnswer(f"{len(self.body)} bytes that are not whole JSON") from None


class _Deadline(threading.local):
    """The moment by which this thread's request must be done, by the monotonic clock."""

    at: float = float("inf")


_deadline = _Deadline()


def _seconds_left() -> float:
    left = _deadline.at - time.monotonic()
    if left <= 0:
        raise TimeoutError("the request's own clock ran out")
    return left


class _TimedSocket(socket.socket):
    """A socket whose reads end at the request's deadline.

    requests' timeout is per read: a server that drips a byte now and then holds a request for ever, in the body and in
    the headers alike. Only the socket sees every read.
    """

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(_seconds_left())
        return super().recv_into(*args, **kwargs)


class _TimedTLSSocket(ssl.SSLSocket):
    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(_seconds_left())
        return super().recv_into(*args, **kwargs)


class _TimedConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        plain = super()._new_conn()
        return _TimedSocket(plain.family, plain.type, plain.proto, fileno=plain.detach())


class _TimedPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _TimedConnection


class _Adapter(HTTPAdapter):
    """Keep-alive connections for all workers, every read of which is timed."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        context = create_urllib3_context()
        context.load_default_certs()
        context.sslsocket_class = _TimedTLSSocket
        super().init_poolmanager(*args, **kwargs, ssl_context=context)
        self.poolmanager.pool_classes_by_scheme = {"http": _TimedPool, "https": urllib3.HTTPSConnectionPool}


class Transport:
    """The connections to one API with one token. Safe to share between threads."""

    def __init__(self, base_url: str, token: str, request_seconds: float = REQUEST_SECONDS) -> None:
        self.base_url = base_url
        self.request_seconds = request_seconds
        self._session = requests.Session()
        # No proxies, .netrc or certificate bundles from the environment: a proxy would see the token on http, and a
        # .netrc entry would replace it.
        self._session.trust_env = False
        self._session.mount(base_url, _Adapter(pool_connections=1, pool_maxsize=IN_FLIGHT, max_retries=0))
        self._session.headers.update(
            {"Authorization": f"Bearer {token}", "Accept": "application/json", "Accept-Encoding": "gzip"}
        )

    def get(self, path: str, params: Mapping[str, str]) -> Answer:
        """The answer to one GET, its body whole. Redirects are not followed."""
        _deadline.at = time.monotonic() + self.request_seconds
        request = self._session.prepare_request(requests.Request("GET", self.base_url + path, params=params))
        timeout = (CONNECT_SECONDS, self.request_seconds)
        try:
            with self._session.send(request, stream=True, timeout=timeout, allow_redirects=False) as response:
                return Answer(response.status_code, response.headers, _read_body(response.raw))
        except requests.exceptions.SSLError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise UntrustedServer from None
            raise BrokenAnswer("the encrypted connection failed") from None
        except requests.exceptions.ConnectTimeout:
            raise BrokenAnswer(f"no connection within {CONNECT_SECONDS:.0f} s") from None
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise BrokenAnswer(_reason(error)) from None
        finally:
            _deadline.at = float("inf")

    def close(self) -> None:
        """End the keep-alive connections."""
        self._session.close()


def _read_body(raw: Any) -> bytes:
    """The body after decompression, at most `BODY_BYTES`.

    Decompressed here and not by urllib3, which takes a gzip stream that was cut for a whole one.
    """
    gzipped = raw.headers.get("Content-Encoding", "").strip().lower() == "gzip"
    inflate = zlib.decompressobj(16 + zlib.MAX_WBITS) if gzipped else None
    body = bytearray()
    while chunk := raw.read(_CHUNK, decode_content=False):
        try:
            body += chunk if inflate is None else inflate.decompress(chunk, BODY_BYTES + 1 - len(body))
        except zlib.error:
            raise BrokenAnswer("a compressed body that is damaged") from None
        if len(body) > BODY_BYTES:
            raise AsanaContractError(
                f"an answer of more than {BODY_BYTES // 1024 // 1024} MiB came; it was not read on"
            )
    if inflate is not None and not inflate.eof:
        raise BrokenAnswer("a compressed body that was cut")
    return bytes(body)


def _reason(error: Exception) -> str:
    """What happened on the wire, without the text of the error, which may quote the request."""
    text = f"{type(error).__name__} {error!r}".lower()
    for words, reason in (
        (("timeout", "timed out", "own clock"), "no whole answer in time"),
        (("incompleteread", "invalidchunk"), "a body that was cut"),
        (("reset", "aborted", "remotedisconnected", "broken pipe"), "a connection that was closed"),
        (("nameresolution", "name or service", "getaddrinfo"), "a host name that does not resolve"),
        (("refused",), "a connection that was refused"),
    ):
        if any(word in text for word in words):
            return reason
    return "a connection that failed"

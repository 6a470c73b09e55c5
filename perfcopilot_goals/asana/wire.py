"""The connections below a request: kept alive, and each read bounded by the request's own deadline and size.

A socket's timeout is per read: a server that drips a byte now and then holds a request for ever, in the body and in the
headers alike. Only the socket sees every read. What is sent and what an answer holds is `transport`.

On the standard library's connections: a request costs 0.15 ms of CPU with them, and 0.6 ms with requests, whose
session has to be left out anyway because it takes proxy, bundle and credentials from the environment. A hundred
thousand goals are a hundred thousand requests.
"""

import http.client
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import certifi

from perfcopilot_goals.asana.pacing import Stopped

CONNECT_SECONDS = 5.0
# How long a read that waits may overlook that the sync is being given up.
LOOK_SECONDS = 0.25


class NotConnected(TimeoutError):
    """The server did not take the connection in time."""


class TooLong(Exception):
    """More came than any answer has."""


class _Bounds(threading.local):
    """What ends the reads of the request that this thread is at."""

    deadline: float = float("inf")
    bytes_left: float = float("inf")
    stop: threading.Event | None = None


_bounds = _Bounds()


@contextmanager
def bounded(seconds: float, size: int, stop: threading.Event) -> Iterator[None]:
    """Reads of this thread fail after so long in all, after so many bytes, and with `Stopped` once `stop` is set."""
    _bounds.deadline, _bounds.bytes_left, _bounds.stop = time.monotonic() + seconds, size, stop
    try:
        yield
    finally:
        _bounds.deadline, _bounds.bytes_left, _bounds.stop = float("inf"), float("inf"), None


class _BoundedSocket(socket.socket):
    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        while True:
            if _bounds.stop is not None and _bounds.stop.is_set():
                raise Stopped
            if _bounds.bytes_left <= 0:
                raise TooLong
            left = _bounds.deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the request's own clock ran out")
            self.settimeout(min(left, LOOK_SECONDS))
            try:
                received = super().recv_into(*args, **kwargs)
            except TimeoutError:
                continue
            _bounds.bytes_left -= received
            return received


class _BoundedTLSSocket(_BoundedSocket, ssl.SSLSocket):
    """The reads of the one over the decryption of the other."""


class _Connection(http.client.HTTPConnection):
    # Whoever turns http.client's debugging on would have the token printed with every request.
    debuglevel = 0

    def connect(self) -> None:
        super().connect()
        plain = self.sock
        self.sock = _BoundedSocket(plain.family, plain.type, plain.proto, fileno=plain.detach())


class _TLSConnection(http.client.HTTPSConnection):
    debuglevel = 0


class Connections:
    """Kept-alive connections to one server, each used by one thread at a time. No proxy, whatever the environment."""

    def __init__(self, base_url: str) -> None:
        url = urlsplit(base_url)
        assert url.hostname is not None
        kind = partial(_TLSConnection, context=_tls_context()) if url.scheme == "https" else _Connection
        self._open: Callable[[], http.client.HTTPConnection] = partial(
            kind, url.hostname, url.port, timeout=CONNECT_SECONDS
        )
        # Both ends of a deque may be used from many threads without a lock.
        self._idle: deque[http.client.HTTPConnection] = deque()
        self._is_closed = False

    @contextmanager
    def one(self) -> Iterator[http.client.HTTPConnection]:
        """A connection that is open; kept for the next request unless this one fails."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._open()
        try:
            _ensure_open(connection)
            yield connection
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        if self._is_closed:
            self.close()

    def close(self) -> None:
        """End those that are idle, and the others as they become so."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().close()


def _ensure_open(connection: http.client.HTTPConnection) -> None:
    if connection.sock is not None and _has_something_to_read(connection.sock):
        # Nothing was asked: it is the end of the connection, or bytes that would be taken for the next answer.
        connection.close()
    if connection.sock is None:
        try:
            connection.connect()
        except TimeoutError:
            raise NotConnected from None


def _has_something_to_read(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _tls_context() -> ssl.SSLContext:
    """Trusts the usual issuers, also on a machine that has no list of its own, and what OpenSSL is told to trust."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    context.sslsocket_class = _BoundedTLSSocket
    return context

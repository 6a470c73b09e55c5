"""Waits for a server no longer than the request has left, takes no more bytes, and ends when the sync is given up.

The timeouts of `requests` apply to each read. A server that sends a byte now and then could hold a request for ever: in
body or headers, in the TLS handshake, in a proxy's reply. So `POOLS` and `TLSContext` do every such wait in `_wait`,
which knows the bounds of this thread's request. Two waits are not interrupted: resolving a name, and opening a TCP
connection, which has five seconds.
"""

import http.client
import io
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError

from perfcopilot_goals.asana.pacing import Stopped

CONNECT_SECONDS = 5.0
# How often a blocked read checks for cancellation.
CHECK_SECONDS = 0.25

Returned = TypeVar("Returned")


class OutOfTime(Exception):
    """The request's time is up. Not a TimeoutError: urllib3 would take that for a timeout of a single read."""


class TooLong(Exception):
    """More came than any response has."""


class _Bounds(threading.local):
    """The time and bytes that the request of this thread has left."""

    deadline: float = float("inf")
    bytes_left: float = float("inf")
    stop: threading.Event | None = None


_bounds = _Bounds()


def begin_request(seconds: float, size: int, stop: threading.Event) -> None:
    """Limit this thread's next request to `seconds` in all and `size` bytes. Once `stop` is set, it raises `Stopped`.

    Beyond these bounds it raises `OutOfTime` or `TooLong`.
    """
    _bounds.deadline, _bounds.bytes_left, _bounds.stop = time.monotonic() + seconds, size, stop


def _wait(sock: socket.socket, wait: Callable[[], Returned], seconds: float = float("inf")) -> Returned:
    """Call `wait`, which blocks on this socket, with a short timeout until it returns; at most for so many seconds."""
    timeout = sock.gettimeout()
    deadline = min(_bounds.deadline, time.monotonic() + seconds)
    try:
        while True:
            if _bounds.stop is not None and _bounds.stop.is_set():
                raise Stopped
            left = deadline - time.monotonic()
            if left <= 0:
                raise OutOfTime
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
            raise TooLong
        received = _wait(self._sock, lambda: self._sock.recv_into(buffer))
        _bounds.bytes_left -= received
        return received

    def close(self) -> None:
        super().close()
        self._reader.close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_BoundedReader(sock, self.fp))


class _Connection(HTTPConnection):
    response_class = _Response
    # Otherwise turning on http.client's debugging would print the token with every request.
    debuglevel = 0


class _TLSConnection(HTTPSConnection):
    response_class = _Response
    debuglevel = 0


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


# For urllib3's managers, by scheme.
POOLS = {"http": _Pool, "https": _TLSPool}


class TLSContext(ssl.SSLContext):
    """A context whose handshakes are bounded too: by the time for connecting, and by the request's."""

    def wrap_socket(self, sock: socket.socket, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """The encrypted socket, after its handshake."""
        encrypted = super().wrap_socket(sock, *args, **{**kwargs, "do_handshake_on_connect": False})
        try:
            _wait(encrypted, encrypted.do_handshake, CONNECT_SECONDS)
        except BaseException as error:
            encrypted.close()
            if isinstance(error, OutOfTime):
                raise ConnectTimeoutError from None
            raise
        return encrypted

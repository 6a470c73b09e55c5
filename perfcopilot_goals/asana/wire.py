"""The sockets below a request: every read ends at the request's own deadline, or when the sync is given up.

requests' timeout is per read: a server that drips a byte now and then holds a request for ever, in the body and in the
headers alike. Only the socket sees every read. What is sent and what an answer holds is `transport`.
"""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.ssl_ import create_urllib3_context

from perfcopilot_goals.asana.pacing import Stopped

# How long a read that waits may overlook that the sync is being given up.
LOOK_SECONDS = 0.25


class _Bounds(threading.local):
    """What ends the reads of the request that this thread is at."""

    deadline: float = float("inf")
    stop: threading.Event | None = None


_bounds = _Bounds()


@contextmanager
def bounded(seconds: float, stop: threading.Event) -> Iterator[None]:
    """Reads of this thread fail with `TimeoutError` after so long in all, and with `Stopped` once `stop` is set."""
    _bounds.deadline, _bounds.stop = time.monotonic() + seconds, stop
    try:
        yield
    finally:
        _bounds.deadline, _bounds.stop = float("inf"), None


class _BoundedSocket(socket.socket):
    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        while True:
            if _bounds.stop is not None and _bounds.stop.is_set():
                raise Stopped
            left = _bounds.deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the request's own clock ran out")
            self.settimeout(min(left, LOOK_SECONDS))
            try:
                return super().recv_into(*args, **kwargs)
            except TimeoutError:
                continue


class _BoundedTLSSocket(_BoundedSocket, ssl.SSLSocket):
    """The reads of the one over the decryption of the other."""


class _BoundedConnection(HTTPConnection):
    # Whoever turns http.client's debugging on would have the token printed with every request.
    debuglevel = 0

    def _new_conn(self) -> socket.socket:
        plain = super()._new_conn()
        timeout = plain.gettimeout()
        bounded_one = _BoundedSocket(plain.family, plain.type, plain.proto, fileno=plain.detach())
        bounded_one.settimeout(timeout)
        return bounded_one


class _BoundedPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _BoundedConnection


class _QuietTLSConnection(HTTPSConnection):
    debuglevel = 0


class _BoundedTLSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _QuietTLSConnection

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        context = create_urllib3_context()
        context.load_default_certs()
        context.sslsocket_class = _BoundedTLSSocket
        super().__init__(*args, **kwargs | {"ssl_context": context})


class BoundedAdapter(HTTPAdapter):
    """Keep-alive connections for all workers, every read of which is bounded."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _BoundedPool, "https": _BoundedTLSPool}

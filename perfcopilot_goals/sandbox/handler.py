"""The socket side: one thread per line, keep-alive, and every response in a single write.

http.server writes head and body apart. With delayed acknowledgements that is thirty times slower, so its own response
methods are not used. What a response says is decided elsewhere.
"""

import socket
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, TypeAlias

from perfcopilot_goals.sandbox.exchange import API_PREFIX, Raw, Request, Response, json_response
from perfcopilot_goals.sandbox.traffic import Traffic

Respond: TypeAlias = Callable[[Request, int], Response | Raw]

STATS_PATH = "/sandbox/stats"


# Not http.server.HTTPServer, because its bind looks the host's name up in DNS.
class LoopbackServer(ThreadingMixIn, TCPServer):
    """Listens at once, and responds in `serve_forever`. It counts requests; /sandbox/stats reads the counts."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int, traffic: Traffic, respond: Respond) -> None:
        self.traffic = traffic
        self.respond = respond
        self.closing = threading.Event()
        self.failures: list[BaseException] = []
        self._lines: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)
        self.port = int(self.server_address[1])

    def close(self) -> None:
        """Stop listening and end every line; a kept-alive one would go on responding otherwise."""
        self.closing.set()
        self.shutdown()
        self.server_close()
        for line in list(self._lines):
            with suppress(OSError):  # its client may be faster
                line.shutdown(socket.SHUT_RDWR)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._lines.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._lines.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep the sandbox's own errors. A client that hung up is none."""
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError):
            self.failures.append(error)


class _Handler(BaseHTTPRequestHandler):
    server: LoopbackServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def exchange(self) -> None:
        """Read one request, count it, respond to it."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == STATS_PATH:
            self.wfile.write(json_response(self.server.traffic.stats()).encode())
            return
        is_inside = self.path.startswith(API_PREFIX + "/")
        # A path outside the API must not look like one of its routes, but the call is counted.
        target = self.path.removeprefix(API_PREFIX) if is_inside else "/.." + self.path
        caller = self.headers.get("Authorization", "")
        call, in_flight = self.server.traffic.begin(self.command, target, caller)
        try:
            response = self.server.respond(Request(call.number, self.command, target, self.headers), in_flight)
            call.status = response.status
            if isinstance(response, Raw):
                self._play(response)
            elif response.delay_seconds:
                self.server.closing.wait(response.delay_seconds)
        finally:
            # Before the write: a client that has its response may send the next request at once.
            self.server.traffic.end(caller)
        if isinstance(response, Response):
            self.wfile.write(response.head() if self.command == "HEAD" else response.encode())

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = exchange

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the calls are in `traffic`."""

    def _play(self, raw: Raw) -> None:
        self.close_connection = True
        for step in raw.steps:
            if isinstance(step, bytes):
                self.wfile.write(step)
            elif self.server.closing.wait(step):
                return
        if raw.is_reset:
            # Linger 0 turns the close into a reset. Detached, so that nobody sends an orderly end first.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            socket.close(self.connection.detach())

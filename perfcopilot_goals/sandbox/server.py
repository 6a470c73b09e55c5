"""The `Sandbox`: the small Asana behind a loopback port, for tests, the demo and the command line.

Responses come from `api`, 429s from `traffic`, which also keeps the calls, and trouble from the faults that it is
given. The socket's side is here too: one thread per line, keep-alive, and every response in a single write. http.server
writes head and body apart. With delayed acknowledgements that is thirty times slower, so its own response methods are
not used.
"""

import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from types import TracebackType
from typing import Any, Self

from perfcopilot_goals.sandbox.api import Api, Pager, Refusal, Routes
from perfcopilot_goals.sandbox.exchange import API_PREFIX, Fault, Raw, Request, Response, error_response, json_response
from perfcopilot_goals.sandbox.traffic import TOO_MANY, Traffic
from perfcopilot_goals.sandbox.world import World

STATS_PATH = "/sandbox/stats"


class Sandbox:
    """A context manager that serves at `base_url` while it is entered. Its public attributes may be changed meanwhile.

    `clock` (epoch seconds) ages page tokens, and `monotonic` refills the rate limit; neither is used to wait. Each of
    `token` and `more_tokens` has its own limits. A bug in the sandbox itself closes the line, and is raised when the
    context is left.
    """

    def __init__(
        self,
        *worlds: World,
        token: str = "sandbox-token",
        more_tokens: Iterable[str] = (),
        port: int = 0,
        routes: Routes = "goal_relationships",
        subgoals_paged: bool = False,
        requests_per_minute: int | None = None,
        burst: int | None = None,
        max_concurrent: int | None = 50,
        latency_seconds: float = 0.0,
        faults: Fault | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if not worlds:
            raise ValueError("a Sandbox needs at least one World")
        self.token = token
        self.more_tokens = set(more_tokens)
        self.latency_seconds = latency_seconds
        self.faults = faults
        self.api = Api(worlds, Pager(clock), routes, subgoals_paged)
        # 0 picks a free port at the start. It is kept, so that a sandbox that is entered again has the same address.
        self.port = port
        self._traffic = Traffic(requests_per_minute, burst, max_concurrent, monotonic)
        self._server: _LoopbackServer | None = None

    def __enter__(self) -> Self:
        self._server = _LoopbackServer(self.port, self._traffic, self._respond)
        self.port = self._server.port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), name="sandbox-asana", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is None:
            return
        self._server.close()
        for failure in self._server.failures:
            if error is None:
                raise failure
            error.add_note(f"and the sandbox itself failed: {failure!r}")

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}{API_PREFIX}"

    @property
    def world(self) -> World:
        """The first world, which is the only one in most tests."""
        return self.api.worlds[0]

    @property
    def requests(self) -> list[Request]:
        """Every call so far, in order of arrival."""
        return list(self._traffic.calls)

    @property
    def rejected(self) -> int:
        """How many calls got a 429, from a limit or from a fault."""
        return self._traffic.rejected()

    @property
    def max_in_flight(self) -> int:
        return self._traffic.max_in_flight

    def count(self, prefix: str = "") -> int:
        """How many calls had a target with this prefix: `/goals` counts all about goals, `/goals?` only the list."""
        return sum(call.target.startswith(prefix) for call in self.requests)

    def _respond(self, request: Request) -> Response | Raw:
        regular = self._regular(request)
        return regular if self.faults is None else self.faults(request, regular)

    def _regular(self, request: Request) -> Response:
        if request.token != self.token and request.token not in self.more_tokens:
            response = error_response(401, "Not Authorized")
        elif (wait := self._traffic.retry_after(request)) is not None:
            response = error_response(429, TOO_MANY).with_header("Retry-After", str(wait))
        else:
            try:
                response = json_response(self.api.answer(request))
            except Refusal as refusal:
                response = error_response(refusal.status, refusal.message)
        return response.after(self.latency_seconds)


# Not http.server.HTTPServer, because its bind looks the host's name up in DNS.
class _LoopbackServer(ThreadingTCPServer):
    """Listens at once, and responds in `serve_forever`. It counts requests; /sandbox/stats reads the counts."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int, traffic: Traffic, respond: Callable[[Request], Response | Raw]) -> None:
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
    server: _LoopbackServer
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
        request = self.server.traffic.begin(self.command, target, self.headers)
        try:
            response = self.server.respond(request)
            request.status = response.status
            if isinstance(response, Raw):
                self._play(response)
            elif response.delay_seconds:
                self.server.closing.wait(response.delay_seconds)
        finally:
            # Before the write: a client that has its response may send the next request at once.
            self.server.traffic.end(request)
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

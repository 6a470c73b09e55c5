"""The `Sandbox`: the small Asana behind a loopback port, for tests, the demo and the command line.

It puts the parts together: responses come from `api`, 429s from `limits`, trouble from `faults`, and `traffic` keeps
the calls.
"""

import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from types import TracebackType
from typing import Self

from perfcopilot_goals.sandbox import limits
from perfcopilot_goals.sandbox.api import Api, Routes
from perfcopilot_goals.sandbox.exchange import API_PREFIX, Fault, Raw, Request, Response, error_response, json_response
from perfcopilot_goals.sandbox.handler import LoopbackServer
from perfcopilot_goals.sandbox.paging import Pager, Refusal
from perfcopilot_goals.sandbox.traffic import Call, Traffic
from perfcopilot_goals.sandbox.world import World


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
        self._new_limits = partial(
            limits.Limits,
            requests_per_minute=requests_per_minute,
            burst=burst,
            max_concurrent=max_concurrent,
            clock=monotonic,
        )
        self._limits = {token: self._new_limits() for token in (token, *self.more_tokens)}
        # 0 picks a free port at the start. It is kept, so that a sandbox that is entered again has the same address.
        self.port = port
        self._traffic = Traffic()
        self._server: LoopbackServer | None = None

    def __enter__(self) -> Self:
        self._server = LoopbackServer(self.port, self._traffic, self._respond)
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
    def requests(self) -> list[Call]:
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

    def _limits_of(self, token: str) -> limits.Limits:
        # A test may change the token while the sandbox runs.
        return self._limits.setdefault(token, self._new_limits())

    def _respond(self, request: Request, in_flight: int) -> Response | Raw:
        regular = self._regular(request, in_flight)
        return regular if self.faults is None else self.faults(request, regular)

    def _regular(self, request: Request, in_flight: int) -> Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token != self.token and token not in self.more_tokens:
            response = error_response(401, "Not Authorized")
        elif (wait := self._limits_of(token).retry_after(in_flight)) is not None:
            response = error_response(429, limits.MESSAGE).with_header("Retry-After", str(wait))
        else:
            try:
                response = json_response(self.api.answer(request))
            except Refusal as refusal:
                response = error_response(refusal.status, refusal.message)
        return response.after(self.latency_seconds)

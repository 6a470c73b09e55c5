"""A GET that is retried within bounds, and fails only with one of our errors.

One retry covers sending, reading and decoding: a body that was cut is as good a reason as a 503. All workers of a sync
share one client, and with it the pace, the gate, the retry budget, the deadline and the request stats. `responses` says
what a single response means.
"""

import copy
import random
import re
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NoReturn

from perfcopilot_goals.asana.http import REQUEST_SECONDS, Transport, check_base_url
from perfcopilot_goals.asana.pacing import (
    ATTEMPTS,
    FAILED_BACKOFF,
    SYSTEM_CLOCK,
    THROTTLED_BACKOFF,
    Clock,
    RetryBudget,
    backoff,
    pacer_for,
)
from perfcopilot_goals.asana.responses import Retryable, error_of
from perfcopilot_goals.errors import AsanaContractError, AsanaUnavailableError, GoalsConfigError

# A sync may take twice the time that its requests need at the token's limit, and a quarter of an hour more.
GRACE_SECONDS = 15 * 60.0


@dataclass
class RequestStats:
    """What a sync has cost so far. `changes` are names from Asana-Change headers, True where we are affected."""

    requests: int = 0
    throttled: int = 0
    pages: int = 0
    waited_seconds: float = 0.0
    changes: dict[str, bool] = field(default_factory=dict)


class AsanaClient:
    """The API as one sync uses it. Safe to share between threads.

    It gives up when twice the time that its requests need at the token's limit has passed, and `grace_seconds` more.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        requests_per_minute: int = 1_500,
        allowed_hosts: Collection[str] = (),
        clock: Clock = SYSTEM_CLOCK,
        jitter: Callable[[], float] = random.random,
        request_seconds: float = REQUEST_SECONDS,
        grace_seconds: float = GRACE_SECONDS,
        proxy: str | None = None,
    ) -> None:
        if not re.fullmatch(r"[\x21-\x7e]+", token):
            # Sent as a header, it would be quoted in full by the library's error.
            raise GoalsConfigError("the Asana token is empty or has characters that none has; no request was sent")
        base_url = check_base_url(base_url, allowed_hosts)
        self.clock = clock
        self.pacer = pacer_for(token, requests_per_minute, self.clock)
        self.stats = RequestStats()
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self._transport = Transport(base_url, token, min(request_seconds, grace_seconds), self.stop, proxy)
        self._jitter = jitter
        self._budget = RetryBudget()
        self._grace_seconds = grace_seconds
        self._deadline = self.clock.monotonic() + grace_seconds

    def expect(self, requests: int) -> None:
        """Announce more requests: the deadline moves by twice the time they need at the token's limit."""
        with self.lock:
            self._deadline += 2 * requests * self.pacer.interval

    def get(self, path: str, params: Mapping[str, str]) -> Any:
        """The decoded JSON of a 200. Raises `Refused` if Asana says no, and one of our errors for all else."""
        for attempt in range(1, ATTEMPTS + 1):
            # Before it lines up: a place that is taken and not used would delay all who come later.
            self._check_wait(path, self.pacer.seconds_to_next)
            self.pacer.acquire(self.stop, partial(self._before_wait, path))
            self._check_deadline(path, 0)
            if attempt == 1:
                self._budget.count_first_try()
            with self.lock:
                self.stats.requests += 1
            try:
                return self._try(path, params)
            except Retryable as caught:
                failure = caught
            # Outside the except block, so that an error raised here does not carry the failure as its context.
            self._before_retry(path, attempt, failure)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def may_go_on(self) -> bool:
        """After a request has failed for good: whether time and a retry are left for the others."""
        return self._budget.has_left() and self.clock.monotonic() <= self._deadline

    @contextmanager
    def apart(self) -> Iterator["AsanaClient"]:
        """This client for requests that the sync can do without. They have their own retry budget and deadline.

        The pace, the gate, the kept-alive connections and the request stats are shared. The sync's deadline moves by
        the time that these requests take.
        """
        began = self.clock.monotonic()
        other = copy.copy(self)
        other._budget = RetryBudget()
        other._deadline = began + self._grace_seconds
        try:
            yield other
        finally:
            with self.lock:
                self._deadline += self.clock.monotonic() - began

    @contextmanager
    def workers(self, count: int) -> Iterator[ThreadPoolExecutor]:
        """Threads to send requests from. If the block fails, they give up what they are doing."""
        with ThreadPoolExecutor(count, thread_name_prefix="asana") as workers:
            try:
                yield workers
            except BaseException:
                # Also on Ctrl-C: workers waiting for their turn, a retry or a response would keep the process alive.
                self.stop.set()
                workers.shutdown(wait=False, cancel_futures=True)
                raise

    def close(self) -> None:
        """Stop the workers that wait, and close the kept-alive connections."""
        self.stop.set()
        self._transport.close()

    def _try(self, path: str, params: Mapping[str, str]) -> Any:
        try:
            response = self._transport.get(path, params)
            self._record_changes(response.headers)
            if response.status == 200:
                return response.decode()
        except GoalsConfigError as error:
            raise GoalsConfigError(f"GET {path}: {error.message}", action=error.action) from None
        except AsanaContractError as error:
            raise AsanaContractError(f"GET {path}: {error.message}; no block was changed") from None
        raise error_of(path, response)

    def _before_retry(self, path: str, attempt: int, failure: Retryable) -> None:
        """Wait until the next attempt is due, or raise if there is none. After a 429 only the gate is closed here."""
        if failure.is_throttled:
            with self.lock:
                self.stats.throttled += 1
        wait = backoff(THROTTLED_BACKOFF if failure.is_throttled else FAILED_BACKOFF, attempt, self._jitter)
        if failure.asked_wait is not None:
            # Never earlier than asked; a little later at random, so that the workers do not all come back at once.
            wait = failure.asked_wait + self._jitter() * min(1.0 + failure.asked_wait / 10, 10.0)
        if failure.is_throttled:
            # Also if this request is given up: the others must wait. Its own wait is never cut, since one that is
            # longer than the time left is not waited.
            self.pacer.close_gate(min(wait, max(GRACE_SECONDS, self._deadline - self.clock.monotonic())))
        if attempt == ATTEMPTS:
            self._give_up(path, failure, f"after {ATTEMPTS} attempts")
        asked = "" if failure.asked_wait is None else f"; Asana asked to wait {failure.asked_wait:.0f} s"
        self._check_deadline(path, wait, asked)
        if not self._budget.take():
            self._give_up(path, failure, "and the sync's budget for retries is spent")
        if not failure.is_throttled:
            self._record_wait(wait)
            self.clock.wait(wait, self.stop)

    def _give_up(self, path: str, failure: Retryable, why: str) -> NoReturn:
        if failure.is_contract:
            raise AsanaContractError(f"GET {path}: Asana sent {failure.what}, {why}; no block was changed")
        gave_up = AsanaUnavailableError(
            f"GET {path}: {failure.what}, {why}; no block was changed", action=failure.action
        )
        raise gave_up.answered(failure.status)

    def _check_deadline(self, path: str, wait: float, why: str = "") -> None:
        if self.clock.monotonic() + wait > self._deadline:
            raise AsanaUnavailableError(f"GET {path}: the sync's own deadline would pass{why}; no block was changed")

    def _check_wait(self, path: str, seconds: float) -> None:
        """Raise if a wait for the token's pace or gate would pass the deadline."""
        held = self.pacer.closed_for
        self._check_deadline(path, seconds, f"; after a 429 no request leaves for {held:.0f} s" if held else "")

    def _before_wait(self, path: str, seconds: float) -> None:
        self._check_wait(path, seconds)
        self._record_wait(seconds)

    def _record_wait(self, seconds: float) -> None:
        with self.lock:
            self.stats.waited_seconds += seconds

    def _record_changes(self, headers: Mapping[str, str]) -> None:
        for change in headers.get("asana-change", "").split(","):
            name = re.search(r"name=([A-Za-z0-9_]{1,80})", change)
            if name:
                with self.lock:
                    affected = self.stats.changes.get(name[1], False)
                    self.stats.changes[name[1]] = affected or "affected=true" in change

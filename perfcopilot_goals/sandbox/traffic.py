"""Every call in order, how many were under way at once, and Asana's two limits on a token.

Add a number to `Traffic` when a test checks a client by it.
"""

import math
import re
import threading
from collections import Counter
from collections.abc import Callable
from email.message import Message

from perfcopilot_goals.sandbox.exchange import Json, Request

TOO_MANY = "You've made too many requests and hit a rate limit. Please retry after the given amount of time."


class Traffic:
    """Counts calls when they arrive, so that one that the client gave up on counts as well.

    Each token may have `max_concurrent` calls in flight, and has a bucket of `burst` calls that refills at
    `requests_per_minute`. None means no limit. `clock` is monotonic.
    """

    def __init__(
        self,
        requests_per_minute: int | None,
        burst: int | None,
        max_concurrent: int | None,
        clock: Callable[[], float],
    ) -> None:
        self.calls: list[Request] = []
        self.max_in_flight = 0
        self._requests_per_minute = requests_per_minute
        # Asana enforces the minute's quota more often than once a minute. Our guess is every ten seconds.
        self._burst = burst if burst is not None else max(1, (requests_per_minute or 0) // 6)
        self._max_concurrent = max_concurrent
        self._clock = clock
        self._lock = threading.Lock()
        self._in_flight_of: Counter[str] = Counter()
        # By token: the calls left in its bucket, and when that was.
        self._buckets: dict[str, tuple[float, float]] = {}

    def begin(self, method: str, target: str, headers: Message) -> Request:
        """Record a call."""
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        with self._lock:
            self._in_flight_of[token] += 1
            self.max_in_flight = max(self.max_in_flight, self._in_flight_of.total())
            call = Request(len(self.calls) + 1, method, target, headers, token, self._in_flight_of[token])
            self.calls.append(call)
            return call

    def end(self, call: Request) -> None:
        """The call has been answered. Its headers, most of what is kept of it, go."""
        call.headers = Message()
        with self._lock:
            self._in_flight_of[call.token] -= 1

    def retry_after(self, call: Request) -> int | None:
        """None lets the call through; otherwise the whole seconds after which the next one goes through.

        A rejected call counts against the minute like any other, so a client that ignores Retry-After waits longer and
        longer.
        """
        if self._requests_per_minute is not None:
            per_second = self._requests_per_minute / 60
            with self._lock:
                now = self._clock()
                left, seen_at = self._buckets.get(call.token, (self._burst, now))
                left = min(self._burst, left + (now - seen_at) * per_second) - 1
                # The debt is at most one minute's quota, so a token is never locked out for longer than that.
                left = max(left, -self._requests_per_minute)
                self._buckets[call.token] = left, now
            if left < 0:
                return math.ceil((1 - left) / per_second)
        return 1 if self._max_concurrent is not None and call.in_flight > self._max_concurrent else None

    def rejected(self) -> int:
        return sum(call.status == 429 for call in list(self.calls))

    def stats(self) -> Json:
        """The numbers for another process. GIDs in paths are replaced, so that calls are counted by route."""
        calls = list(self.calls)
        return {
            "requests": len(calls),
            "rejected": self.rejected(),
            "max_in_flight": self.max_in_flight,
            "by_status": Counter(str(call.status) for call in calls),
            "by_route": Counter(re.sub(r"/[0-9]+", "/{gid}", call.path) for call in calls),
        }

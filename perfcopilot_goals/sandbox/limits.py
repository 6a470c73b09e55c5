"""Asana's two limits on a token: calls per minute, and calls in flight.

A rejected call counts against the minute like any other, so a client that ignores Retry-After waits longer and longer.
"""

import math
import threading
from collections.abc import Callable

MESSAGE = "You've made too many requests and hit a rate limit. Please retry after the given amount of time."


class Limits:
    """A bucket of `burst` calls that refills at `requests_per_minute`; None means no limit. `clock` is monotonic."""

    def __init__(
        self,
        *,
        requests_per_minute: int | None,
        burst: int | None,
        max_concurrent: int | None,
        clock: Callable[[], float],
    ) -> None:
        self.requests_per_minute = requests_per_minute
        # Asana enforces the minute's quota more often than once a minute. Our guess is every ten seconds.
        self.burst = burst if burst is not None else max(1, (requests_per_minute or 0) // 6)
        self.max_concurrent = max_concurrent
        self._clock = clock
        self._lock = threading.Lock()
        self._left = float(self.burst)
        self._seen_at = clock()

    def retry_after(self, in_flight: int) -> int | None:
        """Count one call. None lets it through; otherwise the whole seconds after which the next one goes through."""
        if (wait := self._take()) is not None:
            return wait
        if self.max_concurrent is not None and in_flight > self.max_concurrent:
            return 1
        return None

    def _take(self) -> int | None:
        if self.requests_per_minute is None:
            return None
        per_second = self.requests_per_minute / 60
        with self._lock:
            now = self._clock()
            self._left = min(self.burst, self._left + (now - self._seen_at) * per_second)
            self._seen_at = now
            is_allowed = self._left >= 1
            # The debt is at most one minute's quota, so a token is never locked out for longer than that.
            self._left = max(self._left - 1, -self.requests_per_minute)
            return None if is_allowed else math.ceil((1 - self._left) / per_second)

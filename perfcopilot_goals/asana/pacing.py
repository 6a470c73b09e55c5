"""How fast requests may leave: one pacer per token, a gate that all workers share, a budget for retries.

Asana counts rejected requests against the quota too, so the aim is not to be rejected at all. There are no rate-limit
headers to steer by; the numbers below are ours, from Asana's published limits.
"""

import hashlib
import random
import threading
import time
from collections.abc import Callable
from typing import Protocol

# Seconds before attempts 2, 3 and 4. Asana's window is a minute, so after a 429 without Retry-After shorter waits only
# burn quota; a server error is usually over sooner.
THROTTLED_BACKOFF = (5.0, 10.0, 20.0)
FAILED_BACKOFF = (1.0, 2.0, 4.0)
ATTEMPTS = 4
RETRIES_FREE = 10
RETRIES_SHARE = 0.20
# What may leave at once after a pause. Asana's own burst is not published; rivals that assumed more were rejected.
BURST = 10
# Each rejection takes a fifth of the rate, down to half: below that the deadline, which is twice the time at the
# full rate, would end the sync.
SLOWED_TO = 0.8
SLOWEST = 0.5


class Stopped(Exception):
    """The sync is being given up; whoever waits should stop waiting."""


class Clock(Protocol):
    """Time as the client sees it."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never going back."""

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Let the time pass; raises `Stopped` as soon as `stop` is set."""


class SystemClock:
    """The machine's clock."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, seconds: float, stop: threading.Event) -> None:
        if stop.wait(seconds):
            raise Stopped


# One for the process: the pacers are told apart by their clock, and a token must not have two.
SYSTEM_CLOCK = SystemClock()


class Pacer:
    """Spaces requests so that no 60 seconds hold more than `requests_per_minute` of them.

    Up to `burst` leave at once; after that one every `interval` seconds. The burst is taken out of the rate, so that
    burst and steady flow together stay within the minute.
    """

    def __init__(self, requests_per_minute: int, clock: Clock) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self.set_rate(requests_per_minute)
        self._next = clock.monotonic() - self.burst * self.interval
        self._closed_until = self._next

    def set_rate(self, requests_per_minute: int) -> None:
        """Space what leaves from now on by this rate."""
        with self._lock:
            self.burst = max(1, min(BURST, requests_per_minute // 10))
            self.interval = 60.0 / max(requests_per_minute - self.burst, requests_per_minute / 2)
            self._full_interval = self.interval

    def acquire(self, stop: threading.Event, tell: Callable[[float], None] = lambda _: None) -> None:
        """Return when a request may leave. `tell` hears how many seconds that will take."""
        while True:
            wait = self._reserve()
            if wait > 0:
                tell(wait)
                self.clock.wait(wait, stop)
            elif stop.is_set():
                raise Stopped
            # The gate may have closed meanwhile; those who slept through it line up again behind it.
            if self.clock.monotonic() >= self._closed_until:
                return

    def close_gate(self, seconds: float) -> None:
        """Let nobody pass for so long, and then fewer: the server said that the token is over its limit.

        Whoever keeps to the limit and is rejected shares the token with somebody else. What was under way when the
        gate closed teaches nothing new.
        """
        with self._lock:
            now = self.clock.monotonic()
            if now >= self._closed_until:
                self.interval = min(self.interval / SLOWED_TO, self._full_interval / SLOWEST)
            self._closed_until = max(self._closed_until, now + seconds)
            self._next = max(self._next, self._closed_until)

    @property
    def slowed_to(self) -> float:
        """The share of the rate that is left after what rejections taught; 1.0 where there were none."""
        return self._full_interval / self.interval

    def seconds_for(self, requests: int) -> float:
        """How long so many requests take at this pace, the server's own time left out."""
        return max(0, requests - self.burst) * self.interval

    def _reserve(self) -> float:
        with self._lock:
            now = self.clock.monotonic()
            slot = max(self._next, now - (self.burst - 1) * self.interval, self._closed_until)
            self._next = slot + self.interval
            return slot - now


_pacers: dict[tuple[str, Clock], Pacer] = {}


def pacer_for(token: str, requests_per_minute: int, clock: Clock) -> Pacer:
    """The process's one pacer of this token: limits are per token, whatever connections share it.

    Where those set different rates, the one that is asked for last counts.
    """
    pacer = _pacers.setdefault((token_identity(token), clock), Pacer(requests_per_minute, clock))
    pacer.set_rate(requests_per_minute)
    return pacer


def token_identity(token: str) -> str:
    """A name for the token from which it cannot be had back."""
    return hashlib.sha256(b"perfcopilot_goals token\0" + token.encode()).hexdigest()


class RetryBudget:
    """What a sync may spend on retries: a fifth of its requests and ten more, shared by all its workers.

    Without it, fifty workers with four attempts each turn an outage into four times the traffic.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.first_tries = 0
        self.retries = 0

    def count_first_try(self) -> None:
        with self._lock:
            self.first_tries += 1

    def has_left(self) -> bool:
        """Whether one more retry is within the budget."""
        return self.retries + 1 <= RETRIES_FREE + RETRIES_SHARE * self.first_tries

    def take(self) -> bool:
        """Whether one more retry is within the budget; if so it is spent."""
        with self._lock:
            is_left = self.has_left()
            self.retries += is_left
            return is_left


def backoff(waits: tuple[float, ...], attempt: int, jitter: Callable[[], float] = random.random) -> float:
    """Seconds before the next attempt after the `attempt`-th (from 1): between half and all of the wait, at random."""
    wait = waits[min(attempt, len(waits)) - 1]
    return wait / 2 + jitter() * wait / 2

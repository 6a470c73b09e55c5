"""How fast requests may leave: one pacer per token, a gate that all workers share, a budget for retries.

Asana counts rejected requests against the quota too, so the aim is not one rejected request. It sends no rate-limit
headers. The numbers below are ours, chosen from Asana's published limits.
"""

import hashlib
import threading
import time
from collections.abc import Callable

# Seconds before attempts 2, 3 and 4. Asana's window is a minute, so after a 429 without Retry-After a shorter wait only
# burns quota. A server error usually passes sooner.
THROTTLED_BACKOFF = (5.0, 10.0, 20.0)
FAILED_BACKOFF = (1.0, 2.0, 4.0)
ATTEMPTS = 4
RETRIES_FREE = 10
RETRIES_SHARE = 0.20
# Requests that may leave at once after a pause. Asana does not publish its burst; clients that assumed more were
# rejected.
BURST = 10
# Each rejection takes a fifth of the rate, but never more than half of it in all. The deadline allows twice the time at
# the full rate, so a slower sync would not finish.
SLOWED_TO = 0.8
SLOWEST = 0.5


class Stopped(Exception):
    """The sync is being given up, so waiting ends here."""


class Clock:
    """The machine's clock: time as the client sees it. The tests have one that they move."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment. Never goes back."""
        return time.monotonic()

    def wait(self, seconds: float, stop: threading.Event) -> None:
        """Wait that long; raises `Stopped` as soon as `stop` is set."""
        if stop.wait(seconds):
            raise Stopped


# One for the process. Pacers are kept by token and clock, and a token must not have two.
SYSTEM_CLOCK = Clock()


class Pacer:
    """Spaces requests so that at most `requests_per_minute` leave in any 60 seconds.

    One leaves every `interval` seconds. After a pause up to `burst` leave at once. The burst is taken out of the rate,
    so both together stay within the minute's limit.
    """

    def __init__(self, requests_per_minute: int, clock: Clock) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._next = self._closed_until = clock.monotonic()
        self.begin(requests_per_minute)

    def begin(self, requests_per_minute: int) -> None:
        """Use this rate from now on; the first request waits for an interval, and there is no burst yet.

        Another process may have used the token until just now, and nothing here knows what it sent.
        """
        with self._lock:
            self.burst = max(1, min(BURST, requests_per_minute // 10))
            self.interval = 60.0 / max(requests_per_minute - self.burst, requests_per_minute / 2)
            self._full_interval = self.interval
            self._next = max(self._next, self.clock.monotonic() + self.interval)

    def acquire(self, stop: threading.Event, on_wait: Callable[[float], None] = lambda _: None) -> None:
        """Return when a request may leave: its turn has come, and no 429 has closed the gate.

        `on_wait` gets the seconds before each wait, and may raise.
        """
        while True:
            slot = self._reserve()
            wait = slot - self.clock.monotonic()
            if wait > 0:
                on_wait(wait)
                self.clock.wait(wait, stop)
            elif stop.is_set():
                raise Stopped
            # The gate may have closed meanwhile, or the machine stood still, and then all who were due wake together.
            # Half an interval is for a wake-up that is late as usual: without a burst nobody would ever be in time.
            now = self.clock.monotonic()
            if now >= self._closed_until and now - slot < (self.burst - 0.5) * self._full_interval:
                return

    def close_gate(self, seconds: float) -> None:
        """Let no request leave for that long, and fewer after that: the token is over its limit.

        We keep to the limit, so a rejection means that somebody else uses the token too. Rejections while the gate is
        closed slow nothing further: those requests had left before it closed.
        """
        with self._lock:
            now = self.clock.monotonic()
            if now >= self._closed_until:
                self.interval = min(self.interval / SLOWED_TO, self._full_interval / SLOWEST)
            self._closed_until = max(self._closed_until, now + seconds)
            self._next = max(self._next, self._closed_until)

    @property
    def closed_for(self) -> float:
        """The seconds until the gate opens; 0 if it is open."""
        return max(0.0, self._closed_until - self.clock.monotonic())

    @property
    def seconds_to_next(self) -> float:
        """How long a request that lines up now would wait."""
        return max(0.0, self._next - self.clock.monotonic())

    @property
    def slowed_to(self) -> float:
        """The share of the rate that is left after rejections; 1.0 if there were none."""
        return self._full_interval / self.interval

    def _reserve(self) -> float:
        with self._lock:
            # How much a pause earns does not grow with a slower rate, or slots from before would leave as a crowd.
            earned = (self.burst - 1) * self._full_interval
            slot = max(self._next, self.clock.monotonic() - earned, self._closed_until)
            self._next = slot + self.interval
            return slot


_pacers: dict[tuple[str, Clock], Pacer] = {}


def pacer_for(token: str, requests_per_minute: int, clock: Clock) -> Pacer:
    """The process's one pacer for this token. Connections that share a token share its limit.

    Call it whenever the token was taken: see `Pacer.begin`. Where they set different rates, the latest call counts.
    """
    pacer = _pacers.setdefault((token_identity(token), clock), Pacer(requests_per_minute, clock))
    pacer.begin(requests_per_minute)
    return pacer


def token_identity(token: str) -> str:
    """One-way hash of the token."""
    return hashlib.sha256(b"perfcopilot_goals token\0" + token.encode()).hexdigest()


class RetryBudget:
    """How many retries a sync may make: a fifth of its requests and ten more, shared by all its workers.

    Without it, fifty workers with four attempts each would send four times the traffic into an outage.
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
        """Spend one retry if the budget has one left; returns whether it had."""
        with self._lock:
            is_left = self.has_left()
            self.retries += is_left
            return is_left


def backoff(waits: tuple[float, ...], attempt: int, jitter: Callable[[], float]) -> float:
    """Seconds to wait after attempt number `attempt` (from 1): at random between half of its wait and all of it."""
    wait = waits[min(attempt, len(waits)) - 1]
    return wait / 2 + jitter() * wait / 2

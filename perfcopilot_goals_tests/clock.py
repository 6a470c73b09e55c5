"""A clock that tests move: waiting takes no time and is remembered."""

import threading

from perfcopilot_goals.asana.pacing import Clock, Stopped


class FakeClock(Clock):
    """Time stands still until somebody waits. Safe to share between threads; each wait moves it for all."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.waits: list[float] = []
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        return self.now

    def wait(self, seconds: float, stop: threading.Event) -> None:
        if stop.is_set():
            raise Stopped
        with self._lock:
            self.waits.append(seconds)
            self.now += seconds


def most_in_a_minute(moments: list[float]) -> int:
    """How many of these moments lie within the fullest minute."""
    moments = sorted(moments)
    most = begin = 0
    for end, moment in enumerate(moments):
        while moment - moments[begin] >= 60 - 1e-6:
            begin += 1
        most = max(most, end - begin + 1)
    return most

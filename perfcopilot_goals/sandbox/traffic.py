"""Every call in order, and how many were under way at once.

Add a number here when a test checks a client by it. Limits that act on the numbers are in `limits`.
"""

import re
import threading
from collections import Counter
from dataclasses import dataclass

from perfcopilot_goals.sandbox.exchange import Json, split_target


@dataclass(slots=True)
class Call:
    """One call. `status` is None until the response is decided, and stays None if the line is just closed."""

    number: int
    method: str
    target: str
    status: int | None = None

    @property
    def path(self) -> str:
        return split_target(self.target)[0]

    @property
    def query(self) -> dict[str, str]:
        return split_target(self.target)[1]


class Traffic:
    """Counts calls when they arrive, so that one that the client gave up on counts as well."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.max_in_flight = 0
        self._lock = threading.Lock()
        self._in_flight_of: Counter[str] = Counter()

    def begin(self, method: str, target: str, caller: str) -> tuple[Call, int]:
        """Record a call; returns it, and how many of this caller's are in flight, this one included."""
        with self._lock:
            call = Call(len(self.calls) + 1, method, target)
            self.calls.append(call)
            self._in_flight_of[caller] += 1
            self.max_in_flight = max(self.max_in_flight, self._in_flight_of.total())
            return call, self._in_flight_of[caller]

    def end(self, caller: str) -> None:
        with self._lock:
            self._in_flight_of[caller] -= 1

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

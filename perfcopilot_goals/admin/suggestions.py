"""The Asana users of each workspace as they were listed last, for half an hour, in memory only.

A page of employees needs them each time, and asking Asana takes a request per hundred users.
"""

import threading
import time
from dataclasses import dataclass, field

from perfcopilot_goals.core.suggestions import AsanaUser, Suggestion

KEPT_SECONDS = 1_800


@dataclass
class Listed:
    """A workspace's users, and a suggestion for each employee who was unmapped when they were compared."""

    users: list[AsanaUser]
    suggestions: list[Suggestion]
    until: float = field(default_factory=lambda: time.monotonic() + KEPT_SECONDS)


class KnownUsers:
    """What is known of each connection's users. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listed: dict[str, Listed] = {}

    def keep(self, connection: str, listed: Listed) -> None:
        """Keep these for half an hour."""
        with self._lock:
            self._listed[connection] = listed

    def find(self, connection: str) -> Listed | None:
        """What was kept; None if nothing was, or too long ago."""
        with self._lock:
            listed = self._listed.get(connection)
            if listed and listed.until <= time.monotonic():
                del self._listed[connection]
                return None
            return listed

    def forget(self, connection: str) -> None:
        """Keep nothing of the connection: its workspace or its token has changed."""
        with self._lock:
            self._listed.pop(connection, None)

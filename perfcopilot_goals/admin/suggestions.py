"""The Asana users of each workspace as they were listed last, for half an hour, in memory only.

A page of employees needs them each time, and asking Asana takes a request per hundred users.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from perfcopilot_goals.core.suggestions import AsanaUser, Suggestion

KEPT_SECONDS = 1_800


@dataclass(frozen=True)
class Listed:
    """A workspace's users, and a suggestion for each employee who was unmapped when they were compared."""

    users: list[AsanaUser]
    suggestions: Mapping[str, Suggestion]
    until: float


class KnownUsers:
    """What is known of each connection's users. Safe to share between threads."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._listed: dict[str, Listed] = {}

    def keep(self, connection: str, users: list[AsanaUser], suggestions: list[Suggestion]) -> None:
        """Keep these for half an hour."""
        by_employee = {suggestion.employee_id: suggestion for suggestion in suggestions}
        with self._lock:
            self._listed[connection] = Listed(users, by_employee, self._monotonic() + KEPT_SECONDS)

    def update(self, connection: str, suggestions: list[Suggestion]) -> None:
        """Replace the suggestions, after the roster has changed."""
        with self._lock:
            if listed := self._listed.get(connection):
                by_employee = {suggestion.employee_id: suggestion for suggestion in suggestions}
                self._listed[connection] = Listed(listed.users, by_employee, listed.until)

    def find(self, connection: str) -> Listed | None:
        """What was kept; None if nothing was, or too long ago."""
        with self._lock:
            listed = self._listed.get(connection)
            if listed and listed.until <= self._monotonic():
                listed = self._listed.pop(connection, None) and None
            return listed

    def forget(self, connection: str) -> None:
        """Keep nothing of the connection: its workspace or its token has changed."""
        with self._lock:
            self._listed.pop(connection, None)

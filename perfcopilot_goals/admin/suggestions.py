"""The Asana users of each workspace as they were listed last, for half an hour, in memory only.

A page of employees needs them each time, and asking Asana takes a request per hundred users.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

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
        with self._lock:
            self._listed[connection] = Listed(users, _by_employee(suggestions), self._monotonic() + KEPT_SECONDS)

    def update(self, connection: str, suggestions: list[Suggestion]) -> None:
        """Replace the suggestions, after the roster has changed."""
        with self._lock:
            if listed := self._listed.get(connection):
                self._listed[connection] = replace(listed, suggestions=_by_employee(suggestions))

    def find(self, connection: str) -> Listed | None:
        """What was kept; None if nothing was, or too long ago."""
        with self._lock:
            listed = self._listed.get(connection)
            if listed and listed.until <= self._monotonic():
                del self._listed[connection]
                return None
            return listed

    def forget(self, connection: str) -> None:
        """Keep nothing of the connection: its workspace or its token has changed."""
        with self._lock:
            self._listed.pop(connection, None)


def _by_employee(suggestions: list[Suggestion]) -> dict[str, Suggestion]:
    return {suggestion.employee_id: suggestion for suggestion in suggestions}

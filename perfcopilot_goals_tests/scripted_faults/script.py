"""When a fault fires: on which requests, from which one on, and how often.

Add a condition here only if `when` cannot say it. What a fault does is in `answers`, `pages` and `wire`.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Self

from perfcopilot_goals.sandbox.exchange import Fault, Raw, Request, Response


@dataclass(slots=True)
class _Rule:
    fault: Fault
    path: str
    query: Mapping[str, str]
    when: Callable[[Request], bool] | None
    first: int
    times: float
    seen: int = 0

    def is_due(self, request: Request) -> bool:
        """Counts the request if it matches."""
        if not fnmatchcase(request.path, self.path) or not self.query.items() <= request.query.items():
            return False
        if self.when is not None and not self.when(request):
            return False
        self.seen += 1
        return self.first <= self.seen < self.first + self.times


class Script:
    """Rules in order: the first that is due fires. Every rule counts the requests that match it, due or not."""

    def __init__(self) -> None:
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()

    def on(
        self,
        fault: Fault,
        *,
        path: str = "*",
        query: Mapping[str, str] | None = None,
        when: Callable[[Request], bool] | None = None,
        first: int = 1,
        times: float = float("inf"),
    ) -> Self:
        """Apply a fault to matching requests, `times` of them from the `first`-th on.

        `path` is a glob on the path below /api/1.0 (`/goals`, `/goals/*/subgoals`). `query` are parameters that must
        have these values. With only `first=n, times=1`, it is request number n of all.
        """
        self._rules.append(_Rule(fault, path, query or {}, when, first, times))
        return self

    def __call__(self, request: Request, response: Response) -> Response | Raw:
        with self._lock:
            due = [rule.fault for rule in self._rules if rule.is_due(request)]
        return due[0](request, response) if due else response


def asks_subgoals_of(*goal_gids: str) -> Callable[[Request], bool]:
    """For `when`: the sub-goal list of one of these goals, by whichever route."""
    paths = {f"/goals/{gid}/subgoals" for gid in goal_gids}

    def asks(request: Request) -> bool:
        is_relationships = request.path == "/goal_relationships"
        return request.path in paths or (is_relationships and request.query.get("supported_goal") in goal_gids)

    return asks

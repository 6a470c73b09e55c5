"""The two routes to a goal's sub-goals, and one goal's list read by either.

`walk` decides which of them is asked. `core` decides what refused lists mean for the sync.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from perfcopilot_goals.asana.client import AsanaClient
from perfcopilot_goals.asana.listing import fetch_list
from perfcopilot_goals.asana.responses import Refused
from perfcopilot_goals.domain.connection import subgoals_request
from perfcopilot_goals.errors import AsanaAccessError, AsanaContractError, GoalsError

SUBGOALS, GOAL_RELATIONSHIPS, AUTO = "subgoals", "goal_relationships", "auto"

Subgoals = list[dict[str, Any]]


@dataclass(eq=False)
class NoRoute(Exception):
    """No sub-goal route is left to ask. `error` says what happened and what to do."""

    error: GoalsError


class RouteInUse:
    """The route that all workers of a walk ask.

    It is the one that the setting names. With `auto` it is the one used last time, until that proves to be gone.
    `has_read` are the routes by which a list was read.
    """

    def __init__(self, setting: str, last_route: str | None) -> None:
        self.is_fixed = setting != AUTO
        self.name = setting if self.is_fixed else (last_route or SUBGOALS)
        self.has_read: set[str] = set()
        self._gone: set[str] = set()

    @property
    def other(self) -> str:
        return _other(self.name)

    @property
    def other_is_gone(self) -> bool:
        return self.other in self._gone

    @property
    def answered(self) -> str:
        """The route to begin with next time: the one in use, unless only the other one has read a list."""
        return self.other if self.has_read == {self.other} else self.name

    def leave(self, gone: str) -> None:
        """Switch to the other route; `NoRoute` if that is gone too. Several workers may find the same route gone."""
        if self.is_fixed:
            raise NoRoute(
                AsanaContractError(
                    f"the sub-goal route {gone} is gone; no block was changed",
                    action="Let the sync find the other route: perfcopilot-goals connection set {connection} "
                    "--subgoal-route auto",
                )
            )
        if _other(gone) in self._gone:
            raise NoRoute(
                AsanaContractError(
                    f"neither sub-goal route exists ({SUBGOALS}, {GOAL_RELATIONSHIPS}); no block was changed",
                    action="Check the connection's base URL",
                )
            )
        self._gone.add(gone)
        self.name = _other(gone)


def fetch_subgoals(client: AsanaClient, goal_gid: str, fields: Sequence[str], route: str) -> Subgoals:
    """The goal's sub-goals with these fields; {} for one that exists but is not shown to this token.

    `Refused` is raised only for 403 and 404, which are about the goal or the route. Any other refusal fails the sync.
    """
    request = subgoals_request(route, goal_gid)
    try:
        if route == SUBGOALS:
            params = {"opt_fields": ",".join(fields)}
            return fetch_list(client, f"/goals/{goal_gid}/subgoals", params, request=request, paged=False)
        names = ["resource_subtype", *(f"supporting_resource.{name}" for name in fields)]
        params = {"supported_goal": goal_gid, "resource_subtype": "subgoal", "opt_fields": ",".join(names)}
        relations = fetch_list(client, "/goal_relationships", params, request=request)
    except Refused as refused:
        if refused.status in (403, 404):
            raise
        raise AsanaAccessError(
            f"{request} answered {refused.status}: Asana no longer accepts the token or its plan; no block was changed",
            action="Check the token that the connection's token_ref names",
        ).answered(refused.status) from None
    # The unfiltered list holds projects and tasks too. A server that ignores the filter must not make them key results.
    return [
        _unwrap(relation, request) for relation in relations if relation.get("resource_subtype", "subgoal") == "subgoal"
    ]


def _unwrap(relation: dict[str, Any], request: str) -> dict[str, Any]:
    subgoal = relation.get("supporting_resource", "missing")
    if not isinstance(subgoal, dict | None):
        raise AsanaContractError(
            f"{request}: a relationship's field supporting_resource is missing or no object; no block was changed"
        )
    return subgoal or {}


def _other(route: str) -> str:
    return GOAL_RELATIONSHIPS if route == SUBGOALS else SUBGOALS

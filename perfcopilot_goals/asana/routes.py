"""The two routes to a goal's sub-goals, one goal's list read by either, and what a refusal of lists means.

Which of them is asked is `walk`'s decision.
"""

from collections.abc import Collection, Sequence
from typing import Any

from perfcopilot_goals.asana.client import AsanaClient
from perfcopilot_goals.asana.listing import fetch_list
from perfcopilot_goals.asana.responses import Refused
from perfcopilot_goals.domain.connection import subgoals_request
from perfcopilot_goals.errors import AsanaAccessError, AsanaContractError, GoalsError

SUBGOALS, GOAL_RELATIONSHIPS, AUTO = "subgoals", "goal_relationships", "auto"

Subgoals = list[dict[str, Any]]


class RouteInUse:
    """The route that all workers of a walk ask: the setting's, or the one used last time until it proves to be gone."""

    def __init__(self, setting: str, last_route: str | None) -> None:
        self.is_fixed = setting != AUTO
        self.name = setting if self.is_fixed else (last_route or SUBGOALS)
        self._gone: set[str] = set()

    @property
    def other(self) -> str:
        return _other(self.name)

    @property
    def other_is_gone(self) -> bool:
        return self.other in self._gone

    def leave(self, gone: str) -> None:
        """Use the other one from now on. Several workers may find the same route gone."""
        if self.is_fixed:
            raise AsanaContractError(
                f"the sub-goal route {gone} is gone; nothing was written",
                action="Let the other be found: perfcopilot-goals connection set {connection} --subgoal-route auto",
            )
        if _other(gone) in self._gone:
            raise AsanaContractError(
                f"neither sub-goal route exists ({SUBGOALS}, {GOAL_RELATIONSHIPS}); nothing was written",
                action="Check the connection's base URL",
            )
        self._gone.add(gone)
        self.name = _other(gone)


def fetch_subgoals(client: AsanaClient, goal_gid: str, fields: Sequence[str], route: str) -> Subgoals:
    """The goal's sub-goals with these fields; {} for one that is there but not shown to this token.

    `Refused` is raised for 403 and 404 alone, which are about the goal or the route; any other no fails the sync.
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
            f"{request} answered {refused.status}: Asana no longer accepts the token or its plan; nothing was written",
            action="Check the token that the connection's token_ref names",
        ) from None
    # Without the filter the list holds projects and tasks too; one that ignores it must not make key results of them.
    return [
        _unwrap(relation, request) for relation in relations if relation.get("resource_subtype", "subgoal") == "subgoal"
    ]


def _unwrap(relation: dict[str, Any], request: str) -> dict[str, Any]:
    subgoal = relation.get("supporting_resource", "missing")
    if not isinstance(subgoal, dict | None):
        raise AsanaContractError(
            f"{request}: a relationship's field supporting_resource is missing or no object; nothing was written"
        )
    return subgoal or {}


def _other(route: str) -> str:
    return GOAL_RELATIONSHIPS if route == SUBGOALS else SUBGOALS


def refusal_of_all(statuses: Collection[int], goal_was_named: bool) -> GoalsError | None:
    """What it means that no list at all was read. One goal's refusal is that goal's; several alike are not."""
    if len(statuses) < 2:
        return None
    if set(statuses) == {403}:
        return AsanaAccessError(
            f"all {len(statuses)} sub-goal lists answered 403: the token may not read sub-goals; nothing was written",
            action="Use a token with full access, such as a service account's",
        )
    if set(statuses) == {404} and not goal_was_named:
        return AsanaContractError(
            f"all {len(statuses)} sub-goal lists answered 404 and none said that a goal is unknown; nothing was "
            "written",
            action="Check the connection's base URL",
        )
    return None

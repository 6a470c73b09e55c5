"""A connection's settings, and the words for its sub-goal routes."""

from dataclasses import dataclass

SUBGOAL_ROUTES = ("auto", "subgoals", "goal_relationships")


@dataclass(frozen=True)
class Connection:
    """One connection's settings. `check_users`: once a day a sync compares the mapping with Asana's users."""

    connection: str
    workspace_gid: str | None
    token_ref: str
    base_url: str
    requests_per_minute: int
    subgoal_route: str
    enabled: bool
    check_users: bool = True

    def has_access_of(self, other: "Connection") -> bool:
        """Whether both ask the same Asana with the same token, at the same rate."""
        mine, theirs = ((c.base_url, c.token_ref, c.requests_per_minute) for c in (self, other))
        return mine == theirs

    def has_workspace_of(self, other: "Connection") -> bool:
        """Whether both name the same workspace of the same Asana."""
        return (self.workspace_gid, self.base_url) == (other.workspace_gid, other.base_url)


def subgoals_request(route: str | None, goal_gid: str) -> str:
    """The request for a goal's sub-goals by this route, as an error names it."""
    return f"GET /goals/{goal_gid}/subgoals" if route == "subgoals" else f"GET /goal_relationships of goal {goal_gid}"

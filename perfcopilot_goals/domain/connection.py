"""A connection: its settings, its roster, how it stands, and how its sub-goals are asked for."""

import datetime as dt
from dataclasses import dataclass
from enum import IntEnum

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


@dataclass(frozen=True)
class ConnectionHealth:
    """An enabled connection, its latest sync, and its latest complete one.

    `run_id`, `state`, `started_at`, `error_code` and `remedy` are the latest sync's, or None before the first. `unread`
    is how many lists of sub-goals the present blocks lack, and `workspace_changed` whether their goals are of another
    workspace than the connection's.
    """

    connection: str
    has_workspace_gid: bool
    has_roster: bool
    run_id: str | None = None
    state: str | None = None
    started_at: dt.datetime | None = None
    error_code: str | None = None
    remedy: str | None = None
    complete_at: dt.datetime | None = None
    unread: int = 0
    workspace_changed: bool = False


@dataclass(frozen=True)
class EndedRun:
    """A sync's run that failed in Dagster or was cancelled. `started_at` orders it among the syncs."""

    connection: str
    run_id: str
    started_at: dt.datetime
    is_canceled: bool = False


@dataclass(frozen=True)
class RosterAndSettings:
    """One enabled connection: when its roster and its settings changed, and how many employees it has.

    `employees_changed_at` is the newest row's; None if there are none. `roster_changed_at` also counts a removal.
    """

    connection: str
    has_workspace_gid: bool
    connection_changed_at: dt.datetime
    roster_changed_at: dt.datetime
    employees: int
    mapped: int
    employees_changed_at: dt.datetime | None

    @property
    def versions(self) -> dict[str, str]:
        """A text for each table that changes whenever the connection's rows of the table do."""
        return {
            "connections": self.connection_changed_at.isoformat(),
            "employees": f"{self.employees} {self.mapped} {self.employees_changed_at}",
        }

    def versions_since(self, moment: dt.datetime) -> dict[str, str]:
        """Those of the tables that may have changed unobserved after this moment.

        With new settings the roster, too: a disabled connection, which somebody may have enabled, is not observed.
        """
        if self.connection_changed_at > moment:
            return self.versions
        return {"employees": self.versions["employees"]} if self.roster_changed_at > moment else {}


class Unread(IntEnum):
    """Why a goal's list of sub-goals was not read. The greater the value, the more the response says about the goal."""

    # A 404 that does not name the goal. A route that is gone sends it too.
    NOT_FOUND = 1
    # A 404 that names the goal. Only a route that exists does that.
    GOAL_UNKNOWN = 2
    # A 403: the goal exists, but the token's user may not read its sub-goals.
    FORBIDDEN = 3

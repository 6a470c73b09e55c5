"""Sub-goals of owned goals, from Asana's JSON to rows of `subgoals`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from perfcopilot_goals.core.responses import (
    Response,
    by_gid,
    parse_optional_date,
    parse_owner_gid,
    parse_status_type,
    parse_text,
    response_to,
)
from perfcopilot_goals.domain.connection import subgoals_request
from perfcopilot_goals.schemas.tables import frame


@dataclass(frozen=True)
class SubgoalList:
    """Rows of `subgoals`, and how many sub-goals have no row of their own.

    `repeated` came more than once under one parent. `own_parents` are goals that Asana lists under themselves.
    """

    rows: pd.DataFrame
    repeated: int
    own_parents: int

    def notes(self) -> dict[str, int]:
        """What the sync log records."""
        return {"repeated_subgoals": self.repeated, "own_parents": self.own_parents}


def parse_subgoals(
    responses_by_goal: Mapping[str, Sequence[Response]],
    is_erased: Callable[[str | None], bool] = lambda _: False,
    route: str | None = None,
) -> SubgoalList:
    """The sub-goals of each parent. Parents keep the mapping's order, children the order of Asana's list.

    A child that came twice keeps its first place and its last content. A goal that Asana lists under itself is left
    out. A child whose owner was erased stays as part of its parent, without an owner. `route` is the route that was
    read, for errors to name.
    """
    rows = []
    repeated = own_parents = 0
    for goal_gid, responses in responses_by_goal.items():
        with response_to(subgoals_request(route, goal_gid)):
            children = by_gid(responses)
            repeated += len(responses) - len(children)
            own_parents += children.pop(goal_gid, None) is not None
            rows += [
                (goal_gid, gid, place, *_columns(child, is_erased))
                for place, (gid, child) in enumerate(children.items())
            ]
    return SubgoalList(frame("subgoals", rows), repeated, own_parents)


def _columns(subgoal: Response, is_erased: Callable[[str | None], bool]) -> tuple[object, ...]:
    owner_gid = parse_owner_gid(subgoal)
    return (
        parse_text(subgoal, "name"),
        None if is_erased(owner_gid) else owner_gid,
        parse_optional_date(subgoal, "due_on"),
        parse_optional_date(subgoal, "start_on"),
        parse_status_type(subgoal),
    )

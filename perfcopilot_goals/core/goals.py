"""The workspace's list of goals, from Asana's JSON to rows of `raw_workspace_goals`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pandas as pd

from perfcopilot_goals.core.responses import (
    Response,
    by_gid,
    parse_gid,
    parse_object_gid,
    parse_optional_date,
    parse_optional_text,
    parse_owner_gid,
    parse_status_type,
    parse_text,
    response_to,
    storable,
)
from perfcopilot_goals.domain.actions import INSPECT
from perfcopilot_goals.domain.limits import DESCRIPTION_CHARS
from perfcopilot_goals.errors import AsanaContractError
from perfcopilot_goals.schemas.tables import frame

# Asked for in addition to the table's own fields, to notice a goal of another workspace.
WORKSPACE_FIELD = "workspace"


@dataclass(frozen=True)
class GoalList:
    """Rows of `raw_workspace_goals`, and counts for the receipt.

    `listed` goals were on Asana's list. `erased` of them belong to erased people, and `repeated` came once more.
    """

    rows: pd.DataFrame
    listed: int
    erased: int
    repeated: int

    def notes(self) -> dict[str, int]:
        """What the sync log records."""
        return {"listed": self.listed, "erased": self.erased, "repeated_goals": self.repeated}


def parse_goals(
    responses: Iterable[Response], workspace_gid: str, is_erased: Callable[[str | None], bool] = lambda _: False
) -> GoalList:
    """The goals in the order of Asana's list.

    A list can change while its pages are read. A goal that came twice keeps its first place and its last content.
    Goals of an erased owner are left out; the others keep their place in Asana's list.
    """
    responses = list(responses)
    with response_to("GET /goals"):
        goals = by_gid(responses)
        rows = []
        erased = 0
        for position, (gid, goal) in enumerate(goals.items()):
            if is_erased(parse_owner_gid(goal)):
                erased += 1
            else:
                rows.append((gid, position, *_columns(goal, workspace_gid)))
    return GoalList(frame("raw_workspace_goals", rows), len(goals), erased, repeated=len(responses) - len(goals))


def _columns(goal: Response, workspace_gid: str) -> tuple[object, ...]:
    _check_workspace(goal, workspace_gid)
    notes = parse_optional_text(goal, "html_notes")
    return (
        parse_text(goal, "name"),
        parse_owner_gid(goal),
        None if notes is None else notes[:DESCRIPTION_CHARS],
        None if notes is None else len(notes),
        parse_optional_date(goal, "due_on"),
        parse_optional_date(goal, "start_on"),
        parse_status_type(goal),
        _parse_status(goal),
    )


def _parse_status(goal: Response) -> str | None:
    # Asana sends `status` only for a goal with a metric, and only one check uses it. So it may be missing.
    status = goal.get("status")
    return storable(status) if isinstance(status, str) else None


def _check_workspace(goal: Response, workspace_gid: str) -> None:
    workspace = parse_object_gid(goal, WORKSPACE_FIELD) if WORKSPACE_FIELD in goal else None
    if workspace is not None and workspace != workspace_gid:
        raise AsanaContractError(
            f"goal {parse_gid(goal)} belongs to another workspace than {workspace_gid}, the one asked for",
            action=f"Check the connection's workspace GID and base URL: {INSPECT}",
        )

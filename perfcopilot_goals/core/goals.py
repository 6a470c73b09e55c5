"""The workspace's goals, from Asana's JSON to rows of `raw_workspace_goals`; and those that employees own."""

from collections.abc import Callable, Iterable, Mapping

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
from perfcopilot_goals.domain.limits import DESCRIPTION_CHARS, GOALS_PER_EMPLOYEE
from perfcopilot_goals.errors import AsanaContractError
from perfcopilot_goals.schemas.tables import Slice, frame

# Asked for in addition to the table's own fields, to notice a goal of another workspace.
WORKSPACE_FIELD = "workspace"


def parse_goals(
    responses: Iterable[Response], workspace_gid: str, is_erased: Callable[[str | None], bool] = lambda _: False
) -> Slice:
    """Rows of `raw_workspace_goals` in the order of Asana's list.

    A list can change while its pages are read. A goal that came twice keeps its first place and its last content.
    Goals of an erased owner are left out; the others keep their place in Asana's list. The notes count the goals
    listed, those `erased` of them, and how many came once more.
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
    notes = {"listed": len(goals), "erased": erased, "repeated_goals": len(responses) - len(goals)}
    return Slice(frame("raw_workspace_goals", rows), notes)


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


def select_owned_goals(raw_goals: pd.DataFrame, employee_of: Mapping[str, str]) -> pd.DataFrame:
    """Rows of `owned_goals`: each employee's first 200 goals, in the order of Asana's list.

    `employee_of` maps an Asana user's gid to an employee's id. Names and e-mail addresses never decide: two people can
    share a name, and a wrong match puts one person's goals into another's review.
    """
    owned = raw_goals[raw_goals["owner_gid"].isin(list(employee_of))].sort_values("position", kind="stable")
    owned = owned.assign(employee_id=owned["owner_gid"].map(employee_of).astype("object"))
    per_employee = owned.groupby("employee_id", sort=False)["goal_gid"]
    owned = owned.assign(owned_rank=per_employee.cumcount() + 1, owned_total=per_employee.transform("size"))
    listed = owned[owned["owned_rank"] <= GOALS_PER_EMPLOYEE].rename(columns={"html_notes": "description"})
    listed = listed.assign(truncated=listed["owned_total"] > GOALS_PER_EMPLOYEE)
    empty = frame("owned_goals", [])
    return listed[list(empty.columns)].astype(empty.dtypes.to_dict()).reset_index(drop=True)

"""Goals and sub-goals from Asana's JSON to rows, whose a goal is, and whether a sync may go on without some lists.

If a goal's list of sub-goals was not read, the write removes the goal's key results. For a few goals that is right:
they were deleted or hidden while the sync ran, and a check names them. If it is many, the token has lost access.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

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
from perfcopilot_goals.domain.connection import Unread, subgoals_request
from perfcopilot_goals.domain.ids import show_ids
from perfcopilot_goals.domain.limits import DESCRIPTION_CHARS, GOALS_PER_EMPLOYEE
from perfcopilot_goals.errors import AsanaAccessError, AsanaContractError, GoalsError
from perfcopilot_goals.schemas.tables import Slice, frame

# Asked for in addition to the table's own fields, to notice a goal of another workspace.
WORKSPACE_FIELD = "workspace"
# Of the goals with stored key results, up to five or up to one in ten may be refused at once.
REFUSED_AT_MOST = 5
REFUSED_ONE_IN = 10


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
                rows.append((gid, position, *_goal_columns(goal, workspace_gid)))
    notes = {"listed": len(goals), "erased": erased, "repeated_goals": len(responses) - len(goals)}
    return Slice(frame("raw_workspace_goals", rows), notes)


def _goal_columns(goal: Response, workspace_gid: str) -> tuple[object, ...]:
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


def parse_subgoals(
    responses_by_goal: Mapping[str, Sequence[Response]],
    is_erased: Callable[[str | None], bool] = lambda _: False,
    route: str | None = None,
) -> Slice:
    """Rows of `subgoals`. Parents keep the mapping's order, children the order of Asana's list.

    A child that came twice keeps its first place and its last content. A goal that Asana lists under itself is left
    out. A child whose owner was erased stays as part of its parent, without an owner. The notes count what so has no
    row of its own. `route` is the route that was read, for errors to name.
    """
    rows = []
    repeated = own_parents = 0
    for goal_gid, responses in responses_by_goal.items():
        with response_to(subgoals_request(route, goal_gid)):
            children = by_gid(responses)
            repeated += len(responses) - len(children)
            own_parents += children.pop(goal_gid, None) is not None
            for place, (gid, child) in enumerate(children.items()):
                rows.append((goal_gid, gid, place, *_subgoal_columns(child, is_erased)))
    return Slice(frame("subgoals", rows), {"repeated_subgoals": repeated, "own_parents": own_parents})


def _subgoal_columns(subgoal: Response, is_erased: Callable[[str | None], bool]) -> tuple[object, ...]:
    owner_gid = parse_owner_gid(subgoal)
    return (
        parse_text(subgoal, "name"),
        None if is_erased(owner_gid) else owner_gid,
        parse_optional_date(subgoal, "due_on"),
        parse_optional_date(subgoal, "start_on"),
        parse_status_type(subgoal),
    )


def refusal_of_lists(
    read: Collection[str], unread: Mapping[str, Unread], with_key_results: Collection[str], *, allow_empty: bool
) -> GoalsError | None:
    """The error that must end the sync before anything is written, or None if it may go on.

    `read` and `unread` are the goals that were walked, `with_key_results` those that have key results stored. The first
    row that fits decides:

    1. None read, at least one 403: `AsanaAccessError`.
    2. None read, two or more, all of them 404, none of which names a goal: `AsanaContractError`.
    3. 403 for more than 5 and more than a tenth of `with_key_results`: `AsanaAccessError`, or None with `allow_empty`.
    4. Anything else (no list, all read, single goals hidden, deleted or gone without a reason, all goals deleted by
       name): None.

    A goal without stored key results has none to lose, so its 403 counts only in the first row.
    """
    whys = list(unread.values())
    if not read and Unread.FORBIDDEN in whys:
        return AsanaAccessError(
            f"no sub-goal list could be read: {_counted(whys)}; the key results of the last sync stand",
            action="Use a token whose user may read sub-goals, such as a service account's",
        )
    if not read and len(whys) >= 2 and set(whys) == {Unread.NOT_FOUND}:
        return AsanaContractError(
            f"all {len(whys)} sub-goal lists answered 404 and none said that a goal is unknown; the key results of "
            "the last sync stand",
            action="Check the connection's base URL",
        )
    lost = [gid for gid, why in unread.items() if why is Unread.FORBIDDEN and gid in with_key_results]
    if allow_empty or len(lost) <= REFUSED_AT_MOST or REFUSED_ONE_IN * len(lost) <= len(with_key_results):
        return None
    return AsanaAccessError(
        f"{len(lost)} of {len(with_key_results)} goals with stored key results answered 403 when their sub-goals were "
        f"asked for ({show_ids(lost)}); the key results of the last sync stand",
        action="Give the token's user access to these goals again, or use a service account's token. If they are to "
        "lose their key results: perfcopilot-goals sync {connection} --allow-empty",
    )


def _counted(whys: Collection[Unread]) -> str:
    refused = sum(why is Unread.FORBIDDEN for why in whys)
    missing = f" and {len(whys) - refused} answered 404" if refused < len(whys) else ""
    return f"{refused} of {len(whys)} answered 403{missing}"

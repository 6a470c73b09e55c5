"""Sub-goals of owned goals: their rows of `subgoals`, and whether a sync may go on although some lists were not read.

If a goal's list was not read, the write removes the goal's key results. For a few goals that is right: they were
deleted or hidden while the sync ran, and a check names them. If it is many at once, the token has lost access.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

from perfcopilot_goals.core.responses import (
    Response,
    by_gid,
    parse_optional_date,
    parse_owner_gid,
    parse_status_type,
    parse_text,
    response_to,
)
from perfcopilot_goals.domain.connection import Unread, subgoals_request
from perfcopilot_goals.domain.ids import show_ids
from perfcopilot_goals.errors import AsanaAccessError, AsanaContractError, GoalsError
from perfcopilot_goals.schemas.tables import Slice, frame

# Of the goals with stored key results, up to five or up to one in ten may be refused at once.
REFUSED_AT_MOST = 5
REFUSED_ONE_IN = 10


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
            rows += [
                (goal_gid, gid, place, *_columns(child, is_erased))
                for place, (gid, child) in enumerate(children.items())
            ]
    return Slice(frame("subgoals", rows), {"repeated_subgoals": repeated, "own_parents": own_parents})


def _columns(subgoal: Response, is_erased: Callable[[str | None], bool]) -> tuple[object, ...]:
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

    ==================================================================  ==================================
    lists                                                               result
    ==================================================================  ==================================
    none read, at least one 403                                         `AsanaAccessError`.
    none read, two or more, all of them 404, none of which names a goal `AsanaContractError`.
    403 for more than 5 and more than a tenth of `with_key_results`     `AsanaAccessError`, or None with
                                                                        `allow_empty`.
    anything else: no list, all read, single goals hidden, deleted or
    gone without a reason, all goals deleted by name                    None.
    ==================================================================  ==================================

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

"""Whether a sync may go on although some lists of sub-goals were not read.

If a goal's list was not read, the write removes the goal's key results. For a few goals that is right: they were
deleted or hidden while the sync ran, and a check names them. If it is many at once, the token has lost access.
"""

from collections.abc import Collection, Mapping

from perfcopilot_goals.domain.ids import show_ids
from perfcopilot_goals.domain.subgoal_lists import Unread
from perfcopilot_goals.errors import AsanaAccessError, AsanaContractError, GoalsError

# Of the goals with stored key results, up to five or up to one in ten may be refused at once.
REFUSED_AT_MOST = 5
REFUSED_ONE_IN = 10


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

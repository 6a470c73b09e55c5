"""Why an employee's block is as it is, in one word for each employee.

`domain.block` has the words. Add one there and a line here when people ask of an empty block what none of these says.
"""

from collections import Counter
from collections.abc import Iterable

from perfcopilot_goals.domain.block import BLOCK_REASONS
from perfcopilot_goals.domain.limits import GOALS_PER_EMPLOYEE


def reason_of_block(goals_owned: int, *, had_goals: bool, is_gone: bool) -> str:
    """The reason that is stored with a block.

    `had_goals`: an earlier block had some, and none since; `is_gone`: the Asana user was found to be no user of the
    workspace any more.
    """
    if goals_owned > GOALS_PER_EMPLOYEE:
        return "truncated"
    if goals_owned:
        return "ok"
    if is_gone:
        return "asana_user_gone"
    return "had_goals_before" if had_goals else "owns_no_goals"


def reason_now(block_reason: str | None, *, is_mapped: bool, is_gone: bool) -> str:
    """The reason by what is known now, which may be more than when the block was made; None where there is none."""
    if not is_mapped:
        return "unmapped"
    if block_reason in (None, "ok", "truncated"):
        return block_reason or "not_synced"
    if is_gone:
        return "asana_user_gone"
    return "owns_no_goals" if block_reason == "asana_user_gone" else str(block_reason)


def count_reasons(reasons: Iterable[str]) -> dict[str, int]:
    """How many employees there are per reason, zeros too, so that a plot of each has no gaps."""
    counts = Counter(reasons)
    return {f"reason_{reason}": counts[reason] for reason in BLOCK_REASONS}

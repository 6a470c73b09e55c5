"""Why an employee's block is as it is, in one word.

`domain.block` has the words. If people ask about an empty block and no word answers them, add one there and here.
"""

from collections import Counter
from collections.abc import Iterable

from perfcopilot_goals.domain.block import BLOCK_REASONS
from perfcopilot_goals.domain.limits import GOALS_PER_EMPLOYEE


def reason_of_block(goals_owned: int, *, had_goals: bool, is_gone: bool) -> str:
    """The reason that is stored with a block.

    `had_goals`: the last block that was not empty was followed only by empty ones. `is_gone`: the employee's Asana user
    was found missing from the workspace.
    """
    if goals_owned > GOALS_PER_EMPLOYEE:
        return "truncated"
    if goals_owned:
        return "ok"
    if is_gone:
        return "asana_user_gone"
    return "had_goals_before" if had_goals else "owns_no_goals"


def reason_now(block_reason: str | None, *, is_mapped: bool, is_gone: bool) -> str:
    """The reason by what is known now, which may be more than when the block was made.

    `block_reason` is the stored one, None if the employee has no block.
    """
    if not is_mapped:
        return "unmapped"
    if block_reason in (None, "ok", "truncated"):
        return block_reason or "not_synced"
    if is_gone:
        return "asana_user_gone"
    return "owns_no_goals" if block_reason == "asana_user_gone" else str(block_reason)


def count_reasons(reasons: Iterable[str]) -> dict[str, int]:
    """How many employees each reason has. Zeros are included, so that plots have no gaps."""
    counts = Counter(reasons)
    return {f"reason_{reason}": counts[reason] for reason in BLOCK_REASONS}

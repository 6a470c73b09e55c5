"""The words that stand in rows and blocks: statuses, kinds, and why a block is as it is."""

from dataclasses import dataclass

STATUSES = ("on_track", "at_risk", "off_track", "completed")
KINDS = ("goal", "key_result")
BLOCK_REASONS = ("ok", "truncated", "owns_no_goals", "had_goals_before", "asana_user_gone")
# The last two are for employees who have no block.
REASONS = (*BLOCK_REASONS, "not_synced", "unmapped")


@dataclass(frozen=True)
class BlockHistory:
    """What the sync's goals do not say about an empty block.

    `had_goals`: employees whose last non-empty block was followed only by empty ones. `gone`: employees whose Asana
    user was missing from the workspace when somebody last looked.
    """

    had_goals: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()

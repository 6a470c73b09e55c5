"""The words that stand in rows and blocks: statuses, kinds, and why a block is as it is."""

from dataclasses import dataclass

STATUSES = ("on_track", "at_risk", "off_track", "completed")
KINDS = ("goal", "key_result")
BLOCK_REASONS = ("ok", "truncated", "owns_no_goals", "had_goals_before", "asana_user_gone")
# The last two are of employees who have no block.
REASONS = (*BLOCK_REASONS, "not_synced", "unmapped")


@dataclass(frozen=True)
class BlockHistory:
    """What explains an empty block beside the sync's goals: employees whose last block with goals was followed by empty
    ones only, and those whose Asana user is no user of the workspace any more, as far as somebody asked."""

    had_goals: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()

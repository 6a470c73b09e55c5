"""The words that stand in rows and blocks: statuses, kinds, why a block is as it is; and a version of a block."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True)
class BlockVersion:
    """One state of an employee's block; readers got it from `visible_from` until just before `visible_to`."""

    connection: str
    employee_id: str
    visible_from: dt.datetime
    visible_to: dt.datetime | None
    block: str
    citations: list[dict[str, Any]]
    goals_owned: int
    goals_listed: int
    key_results_listed: int
    truncated: bool
    reason: str
    sha256: str
    first_synced_at: dt.datetime
    last_synced_at: dt.datetime
    run_id: str

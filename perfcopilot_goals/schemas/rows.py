"""Names of the tables and types of single rows, for those who need no frame.

Neither pandas nor pandera is imported here, so that a command that reads a row or two starts at once.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# The asset tables in the order of the pipeline.
SLICE_TABLES = ("raw_workspace_goals", "owned_goals", "subgoals", "mapped_goal_rows", "prompt_blocks")

GOALS_PER_EMPLOYEE = 200
DESCRIPTION_CHARS = 1_000
STATUSES = ("on_track", "at_risk", "off_track", "completed")
KINDS = ("goal", "key_result")
SUBGOAL_ROUTES = ("auto", "subgoals", "goal_relationships")
SYNC_STATES = ("running", "complete", "failed")
BLOCK_REASONS = ("ok", "truncated", "owns_no_goals", "had_goals_before", "asana_user_gone")
# The last two are of employees who have no block.
REASONS = (*BLOCK_REASONS, "not_synced", "unmapped")
# What a person is known by, and recognised by after they were erased.
ERASED_KINDS = ("employee_id", "asana_user_gid", "email")


@dataclass(frozen=True)
class Connection:
    """One connection's settings."""

    connection: str
    workspace_gid: str | None
    token_ref: str
    base_url: str
    requests_per_minute: int
    subgoal_route: str
    enabled: bool


@dataclass(frozen=True)
class Employee:
    """One employee of a roster; `asana_user_gid` is None until it is known who they are in Asana."""

    employee_id: str
    full_name: str
    email: str
    asana_user_gid: str | None


@dataclass(frozen=True)
class Background:
    """What explains an empty block beside the sync's goals: employees whose last block with goals was followed by empty
    ones only, and those whose Asana user is no user of the workspace any more, as far as somebody asked."""

    had_goals: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Source:
    """Where an input came from: the run that wrote it, its sync's moment, and what its own inputs were then.

    `rows_before` is how many rows the write replaced.

    The roster is written by people: a digest of its mapping stands for the run, and it has no moment.
    """

    run_id: str
    synced_at: dt.datetime | None
    inputs: Mapping[str, str]
    notes: Mapping[str, Any]
    rows_before: int = 0


@dataclass(frozen=True)
class Sync:
    """One row of the ledger, as `status` and the next sync need it."""

    connection: str
    run_id: str
    synced_at: dt.datetime
    started_at: dt.datetime
    finished_at: dt.datetime | None
    state: str
    error_code: str | None
    requests: int
    throttled: int
    subgoal_route: str | None
    counts: Mapping[str, Any]


@dataclass(frozen=True)
class LastSync:
    """An enabled connection with the latest change of its settings, its latest sync and its latest complete one."""

    connection: str
    created_at: dt.datetime
    updated_at: dt.datetime
    started_at: dt.datetime | None
    state: str | None
    error_code: str | None
    complete_at: dt.datetime | None

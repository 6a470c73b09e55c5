"""A sync as the sync log records it, the tables it writes, and where an input came from."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# The asset tables in the order of the pipeline.
SLICE_TABLES = ("raw_workspace_goals", "owned_goals", "subgoals", "mapped_goal_rows", "prompt_blocks")
# What `prompt_blocks` and `mapped_goal_rows` have been.
VERSION_TABLES = ("block_versions", "goal_versions")
SYNC_STATES = ("running", "complete", "failed")
# The error code of a sync that somebody or something ended.
INTERRUPTED = "Interrupted"


@dataclass(frozen=True)
class Source:
    """Where an input came from: what made it, when its sync began, and what its own inputs were made by.

    `made_by` is the run that wrote it. People write the roster, so for that it is a digest of the mapping, and
    `synced_at` is None. `rows_before` is how many rows the write replaced.
    """

    made_by: str
    synced_at: dt.datetime | None
    inputs: Mapping[str, str]
    notes: Mapping[str, Any]
    rows_before: int = 0


@dataclass(frozen=True)
class Sync:
    """One row of the sync log, as `status` and the next sync need it."""

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
class FailedSync:
    """An enabled connection whose latest sync failed, and when that sync began.

    `updated_at` is when its settings or its roster, which may mend the failure, last changed.
    """

    connection: str
    updated_at: dt.datetime
    started_at: dt.datetime

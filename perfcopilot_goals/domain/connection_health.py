"""How a connection stands, as far as the check over all connections needs to know it."""

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True)
class ConnectionHealth:
    """An enabled connection, its latest sync, and its latest complete one.

    `run_id`, `state`, `started_at`, `error_code` and `remedy` are the latest sync's, or None before the first. `unread`
    is how many lists of sub-goals the latest walk could not read.
    """

    connection: str
    has_workspace_gid: bool
    has_roster: bool
    run_id: str | None = None
    state: str | None = None
    started_at: dt.datetime | None = None
    error_code: str | None = None
    remedy: str | None = None
    complete_at: dt.datetime | None = None
    unread: int = 0


@dataclass(frozen=True)
class EndedRun:
    """A sync's run that failed in Dagster or was cancelled. `started_at` orders it among the syncs."""

    connection: str
    run_id: str
    started_at: dt.datetime
    is_canceled: bool = False

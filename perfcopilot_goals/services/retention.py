"""History that is old enough, deleted: the sync log, Dagster's runs and ticks, and what both printed."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from perfcopilot_goals.core.retention import check_days, choose_expired
from perfcopilot_goals.settings import Settings
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.retention import (
    delete_orphaned_checks,
    delete_printed,
    delete_syncs,
    delete_ticks,
    read_sync_log,
)


class RunHistory(Protocol):
    """Dagster's runs, which only Dagster deletes with all that hangs on them."""

    def read_ended(self, before: dt.datetime) -> Iterable[str]:
        """Ids of the runs that ended before this moment."""

    def delete(self, run_id: str) -> None:
        """Delete the run with its events."""

    def has(self, run_id: str) -> bool:
        """Whether there is such a run."""


@dataclass(frozen=True)
class Purged:
    """What was deleted, or in a dry run would be: syncs, runs with their events, ticks, files that both printed to."""

    syncs: int
    runs: int
    ticks: int
    files: int


def purge(
    history: RunHistory, database: Database, settings: Settings, cutoff: dt.datetime, *, dry_run: bool = False
) -> Purged:
    """Delete what ended before the cutoff and nothing present rests on; a run that has not ended is never touched."""
    with database.connect("reading the sync log") as connection:
        sync_log = read_sync_log(connection)
    expired = choose_expired(sync_log, cutoff)
    gone = {sync.run_id for sync in expired}
    kept = {sync.run_id for sync in sync_log if sync.run_id not in gone}
    runs = [run_id for run_id in history.read_ended(cutoff) if run_id not in kept]
    syncs = len(expired)
    if not dry_run:
        for run_id in runs:
            history.delete(run_id)
    # The sync log last: whatever interrupts this before, the next one finds the same again.
    with database.connect("deleting old history") as connection:
        ticks = delete_ticks(connection, cutoff, dry_run=dry_run)
        if not dry_run:
            delete_orphaned_checks(connection)
            syncs = delete_syncs(connection, expired)
    files = delete_printed(settings, cutoff, set(runs), history.has, dry_run=dry_run)
    return Purged(syncs, len(runs), ticks, files)


def cutoff_of(days: int, now: dt.datetime) -> dt.datetime:
    """The moment so many whole days ago, or `GoalsConfigError`."""
    return now - dt.timedelta(days=check_days(days))

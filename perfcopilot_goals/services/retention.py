"""Deletes old history: the sync log, Dagster's runs and ticks, and the files that runs printed to."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from perfcopilot_goals.core.retention import choose_expired
from perfcopilot_goals.settings import Settings
from perfcopilot_goals.storage.dagster_history import delete_checks, delete_printed, delete_ticks
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.sync_log import delete_syncs, read_sync_log


class RunHistory(Protocol):
    """Dagster's runs. Only Dagster can delete a run together with its events."""

    def read_ended(self, before: dt.datetime) -> Iterable[str]:
        """Ids of the runs that ended before this moment."""

    def delete(self, run_id: str) -> None:
        """Delete the run with its events."""

    def has(self, run_id: str) -> bool:
        """Whether there is such a run."""


@dataclass(frozen=True)
class Purged:
    """How many syncs, runs, ticks and printed files were deleted, or would be in a dry run."""

    syncs: int
    runs: int
    ticks: int
    files: int


def purge(
    history: RunHistory, database: Database, settings: Settings, cutoff: dt.datetime, *, dry_run: bool = False
) -> Purged:
    """Deletes what ended before the cutoff, except what current rows came from. Runs that have not ended stay."""
    with database.connect("reading the sync log") as conn:
        sync_log = read_sync_log(conn)
    expired = choose_expired(sync_log, cutoff)
    gone = {sync.run_id for sync in expired}
    kept = {sync.run_id for sync in sync_log if sync.run_id not in gone}
    runs = [run_id for run_id in history.read_ended(cutoff) if run_id not in kept]
    syncs = len(expired)
    if not dry_run:
        for run_id in runs:
            history.delete(run_id)
    # The sync log comes last. If this is interrupted before, the next purge finds the same runs again.
    with database.connect("deleting old history", maintenance=True) as conn:
        ticks = delete_ticks(conn, cutoff, dry_run=dry_run)
        if not dry_run:
            delete_checks(conn, cutoff)
            syncs = delete_syncs(conn, expired)
    files = delete_printed(settings, cutoff, set(runs), history.has, dry_run=dry_run)
    return Purged(syncs, len(runs), ticks, files)

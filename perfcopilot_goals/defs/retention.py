"""History that is old enough, deleted: by the command line, or by a job that is off until somebody turns it on."""

import datetime as dt
from dataclasses import dataclass

import dagster as dg

from perfcopilot_goals.core.retention import check_days, choose_expired
from perfcopilot_goals.defs.failures import as_failures
from perfcopilot_goals.defs.resources import Store
from perfcopilot_goals.settings import Settings, load_settings
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.retention import delete_orphaned_checks, delete_printed, delete_syncs, read_sync_log

JOB = "retention"
_CRON = "47 3 * * *"
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


@dataclass(frozen=True)
class Purged:
    """What was deleted, or in a dry run would be: syncs, runs with their events, files that runs printed to."""

    syncs: int
    runs: int
    files: int


def purge(
    instance: dg.DagsterInstance, database: Database, settings: Settings, cutoff: dt.datetime, *, dry_run: bool = False
) -> Purged:
    """Delete what ended before the cutoff and nothing present rests on; a run that has not ended is never touched."""
    with database.connect("reading the sync log") as connection:
        sync_log = read_sync_log(connection)
    expired = choose_expired(sync_log, cutoff)
    gone = {sync.run_id for sync in expired}
    kept = {sync.run_id for sync in sync_log if sync.run_id not in gone}
    runs = [
        record.dagster_run.run_id
        for record in instance.get_run_records(dg.RunsFilter(statuses=_ENDED, updated_before=cutoff))
        if record.dagster_run.run_id not in kept
    ]
    syncs = len(expired)
    if not dry_run:
        for run_id in runs:
            instance.delete_run(run_id)
        # The sync log last: whatever interrupts this before, the next one finds the same again.
        with database.connect("deleting old history") as connection:
            delete_orphaned_checks(connection)
            syncs = delete_syncs(connection, expired)
    files = delete_printed(settings, cutoff, set(runs), instance.has_run, dry_run=dry_run)
    return Purged(syncs, len(runs), files)


def cutoff_of(days: int, now: dt.datetime) -> dt.datetime:
    """The moment so many whole days ago, or `GoalsConfigError`."""
    return now - dt.timedelta(days=check_days(days))


class RetentionConfig(dg.Config):
    """For how many days history is kept."""

    days: int


@dg.op
def delete_old_history(context: dg.OpExecutionContext, config: RetentionConfig, store: Store) -> None:
    """Delete sync log entries, runs with their events, and what runs printed, older than so many days."""
    with as_failures("(all)", lambda _: None):
        cutoff = cutoff_of(config.days, dt.datetime.now(dt.UTC))
        done = purge(context.instance, store.database, load_settings(), cutoff)
    context.log.info(
        f"Deleted {done.syncs} syncs, {done.runs} runs and {done.files} files from before {cutoff:%Y-%m-%d}."
    )


@dg.job(name=JOB, executor_def=dg.in_process_executor, description="Deletes history that is old enough.")
def retention() -> None:
    """One step."""
    delete_old_history()


def retention_schedule(days: int | None) -> dg.ScheduleDefinition:
    """Once a day, once somebody has turned it on; without a number of days it skips and says so."""

    @dg.schedule(
        name="retention_schedule",
        job=retention,
        cron_schedule=_CRON,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description="Deletes history older than PERFCOPILOT_RETENTION_DAYS. Off until it is turned on here.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if days is None:
            return dg.SkipReason("PERFCOPILOT_RETENTION_DAYS is not set, so nothing is deleted")
        return dg.RunRequest(
            run_key=context.scheduled_execution_time.isoformat(),
            run_config={"ops": {delete_old_history.name: {"config": {"days": days}}}},
        )

    return schedule

"""`services.retention` over the runs of a Dagster instance, and as a job that is off until somebody turns it on."""

import datetime as dt
from collections.abc import Iterable

import dagster as dg

from perfcopilot_goals.core.retention import cutoff_of
from perfcopilot_goals.defs.automation import ENDED
from perfcopilot_goals.defs.failures import as_failures, not_recorded
from perfcopilot_goals.defs.resources import StoreResource
from perfcopilot_goals.services.retention import purge

JOB = "retention"
_CRON = "47 3 * * *"


class InstanceRuns:
    """The runs of an instance, as `purge` asks for them."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    def read_ended(self, before: dt.datetime) -> Iterable[str]:
        """Ids of the runs that ended before this moment."""
        ended = dg.RunsFilter(statuses=ENDED, updated_before=before)
        return [record.dagster_run.run_id for record in self._instance.get_run_records(ended)]

    def delete(self, run_id: str) -> None:
        """Delete the run with its events."""
        self._instance.delete_run(run_id)

    def has(self, run_id: str) -> bool:
        """Whether there is such a run."""
        return self._instance.has_run(run_id)


class RetentionConfig(dg.Config):
    """How many days of history to keep."""

    days: int


@dg.op
def delete_old_history(context: dg.OpExecutionContext, config: RetentionConfig, store: StoreResource) -> None:
    """Delete entries of the sync log, runs with their events, ticks and printed logs older than so many days."""
    with as_failures("(all)", not_recorded):
        cutoff = cutoff_of(config.days, dt.datetime.now(dt.UTC))
        done = purge(InstanceRuns(context.instance), store.database, store.settings, cutoff)
    context.log.info(
        f"Deleted {done.syncs} syncs, {done.runs} runs, {done.ticks} ticks and {done.files} files "
        f"from before {cutoff:%Y-%m-%d}."
    )


@dg.job(name=JOB, executor_def=dg.in_process_executor, description="Deletes history that is old enough.")
def retention() -> None:
    """One step."""
    delete_old_history()


def retention_schedule(days: int | None) -> dg.ScheduleDefinition:
    """Runs daily after somebody has turned it on; without a number of days it skips and says so."""

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

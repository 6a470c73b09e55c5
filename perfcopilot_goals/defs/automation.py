"""The job and its schedule."""

from collections.abc import Iterator

import dagster as dg

from perfcopilot_goals.defs.partitions import register_partitions
from perfcopilot_goals.defs.resources import Store
from perfcopilot_goals.schemas.rows import SLICE_TABLES
from perfcopilot_goals.storage.connections import read_connections

JOB = "sync_goals"

# One process for the five steps: with a process each, imports cost more than the sync of a small company.
sync_goals = dg.define_asset_job(
    JOB,
    selection=dg.AssetSelection.assets(*SLICE_TABLES),
    executor_def=dg.in_process_executor,
    description="Pull a connection's goals from Asana and render its blocks. One connection a run.",
)


def sync_schedule(cron: str) -> dg.ScheduleDefinition:
    """One run per enabled connection and tick, by the cron expression, in UTC."""

    @dg.schedule(
        name="sync_goals_schedule",
        job=sync_goals,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Syncs every enabled connection. The time is PERFCOPILOT_SYNC_CRON, in UTC.",
    )
    def schedule(context: dg.ScheduleEvaluationContext, store: Store) -> Iterator[dg.RunRequest]:
        with store.database.connect("reading the connections") as database:
            names = [connection.connection for connection in read_connections(database) if connection.enabled]
        # A key that Dagster does not know fails the whole tick, so a connection added behind its back is made known.
        register_partitions(context.instance, names)
        for name in names:
            yield dg.RunRequest(run_key=f"{context.scheduled_execution_time.isoformat()}:{name}", partition_key=name)

    return schedule

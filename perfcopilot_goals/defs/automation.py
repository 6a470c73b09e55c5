"""The job, its schedule, and two sensors: one keeps the partitions in step, one re-syncs corrected connections."""

from collections.abc import Iterator

import dagster as dg
import sqlalchemy as sa

from perfcopilot_goals.core.automation import MENDED_BY_A_CHANGE, decide_partitions, decide_syncs, find_mended
from perfcopilot_goals.defs.partitions import (
    PARTITION_TAG,
    connections_partitions,
    partition_keys,
    partitions_of,
    register_partitions,
)
from perfcopilot_goals.defs.resources import StoreResource
from perfcopilot_goals.domain.actions import SYNC_JOB
from perfcopilot_goals.domain.ids import show_ids
from perfcopilot_goals.domain.sync import SLICE_TABLES, FailedSync
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.storage.connections import read_enabled
from perfcopilot_goals.storage.status import count_enabled, read_failed_syncs

# One process for the five steps: with a process each, imports cost more than the sync of a small company.
sync_goals = dg.define_asset_job(
    SYNC_JOB,
    selection=dg.AssetSelection.assets(*SLICE_TABLES),
    executor_def=dg.in_process_executor,
    description="Pull a connection's goals from Asana and render its blocks. One connection a run.",
)


def sync_schedule(cron: str) -> dg.ScheduleDefinition:
    """A schedule in UTC whose tick requests one run for each enabled connection.

    The run queue limits how many of them run at once: `max_concurrent_runs` in dagster.yaml. After missed ticks Dagster
    makes up for the last one only, because the schedule has no partition set. Raises `GoalsConfigError` if `cron` is
    none.
    """

    def request_syncs(context: dg.ScheduleEvaluationContext, store: StoreResource) -> Iterator[dg.RunRequest]:
        names = store.read("reading the connections", read_enabled)
        waiting = context.instance.get_runs(dg.RunsFilter(job_name=SYNC_JOB, statuses=[dg.DagsterRunStatus.QUEUED]))
        # A key that Dagster does not know fails the whole tick, and a connection may have been added without Dagster.
        register_partitions(context.instance, names)
        for name in decide_syncs(names, partitions_of(waiting)):
            yield request_sync(name, f"{context.scheduled_execution_time.isoformat()}:{name}", "schedule")

    as_schedule = dg.schedule(
        name="sync_goals_schedule",
        job=sync_goals,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Syncs every enabled connection. The time is PERFCOPILOT_SYNC_CRON, in UTC.",
    )
    try:
        return as_schedule(request_syncs)
    except dg.DagsterInvalidDefinitionError:
        raise GoalsConfigError(
            f"PERFCOPILOT_SYNC_CRON is {cron!r}, which is no cron schedule",
            action="Write five fields; 17 5 * * * is 05:17 UTC every day",
        ) from None


def request_sync(name: str, run_key: str, reason: str) -> dg.RunRequest:
    """One run of the job for one connection. The UI shows the connection and the reason among the run's tags."""
    # With this tag Dagster takes the key as it is. Without the tag it connects to Postgres twice to look each key up.
    # For a thousand keys that takes some 20 s, and a tick fails after 60 s.
    tags = {PARTITION_TAG: name, "connection": name, "reason": reason}
    return dg.RunRequest(run_key=run_key, partition_key=name, tags=tags)


SENSOR_SECONDS = 30
# Commands and the admin page add and remove partitions themselves. This is for who writes the table without them.
PARTITIONS_SECONDS = 60
IN_FLIGHT = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
WITHOUT_SUCCESS = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
ENDED = [dg.DagsterRunStatus.SUCCESS, *WITHOUT_SUCCESS]


@dg.sensor(
    name="connections_sensor",
    minimum_interval_seconds=PARTITIONS_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Keeps the partitions equal to the enabled connections.",
)
def connections_sensor(context: dg.SensorEvaluationContext, store: StoreResource) -> dg.SensorResult | dg.SkipReason:
    """Adds partitions at once, removes one when none of its runs is in flight; a failed read changes nothing."""
    # Partitions first: one whose connection is added meanwhile is not known yet, and would look like one to remove.
    existing = partition_keys(context.instance)
    enabled = store.read_or_skip("reading the connections", read_enabled)
    if isinstance(enabled, dg.SkipReason):
        return enabled
    # Thousands of runs may be in flight, so they are read only if there is a partition to remove.
    is_any_gone = not set(existing) <= set(enabled)
    runs = context.instance.get_runs(dg.RunsFilter(statuses=IN_FLIGHT)) if is_any_gone else []
    added, removed = decide_partitions(enabled, existing, partitions_of(runs))
    requests: list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] = []
    if added:
        requests.append(connections_partitions.build_add_request(added))
    if removed:
        requests.append(connections_partitions.build_delete_request(removed))
    done = [
        f"{words} {len(names):,}: {show_ids(names)}"
        for words, names in (("added", added), ("removed", removed))
        if names
    ]
    return dg.SensorResult(
        dynamic_partitions_requests=requests,
        skip_reason=f"{len(enabled):,} connections, {'; '.join(done) or 'nothing changed'}",
    )


@dg.sensor(
    name="fixed_connection_sensor",
    job=sync_goals,
    minimum_interval_seconds=SENSOR_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Re-syncs a connection after its settings were corrected, or its roster where a guard refused it.",
)
def fixed_connection_sensor(
    context: dg.SensorEvaluationContext, store: StoreResource
) -> dg.SensorResult | dg.SkipReason:
    """One run for each corrected connection and change; the run key holds the time of the change."""

    def read(conn: sa.Connection) -> tuple[int, list[FailedSync]]:
        return count_enabled(conn), read_failed_syncs(conn, MENDED_BY_A_CHANGE)

    found = store.read_or_skip("reading the latest syncs", read)
    if isinstance(found, dg.SkipReason):
        return found
    count, failed = found
    mended = find_mended(failed)
    register_partitions(context.instance, [last.connection for last in mended])
    if not mended:
        return dg.SensorResult(skip_reason=f"{count:,} connections, none was corrected since its last sync failed")
    return dg.SensorResult(
        run_requests=[
            request_sync(
                last.connection,
                f"fixed:{last.connection}:{last.updated_at.isoformat()}",
                "settings or roster were changed",
            )
            for last in mended
        ]
    )

"""The job, its schedule, and the sensors that keep partitions and connections in step and heal what was mended."""

from collections.abc import Iterator

import dagster as dg

from perfcopilot_goals.core.automation import decide_partitions, decide_syncs, find_mended
from perfcopilot_goals.defs.partitions import (
    PARTITION_TAG,
    connections_partitions,
    partition_keys,
    partitions_of,
    register_partitions,
)
from perfcopilot_goals.defs.resources import StoreResource
from perfcopilot_goals.domain.sync import SLICE_TABLES
from perfcopilot_goals.storage.connections import read_connections
from perfcopilot_goals.storage.overview import read_last_syncs

JOB = "sync_goals"

# One process for the five steps: with a process each, imports cost more than the sync of a small company.
sync_goals = dg.define_asset_job(
    JOB,
    selection=dg.AssetSelection.assets(*SLICE_TABLES),
    executor_def=dg.in_process_executor,
    description="Pull a connection's goals from Asana and render its blocks. One connection a run.",
)


def sync_schedule(cron: str) -> dg.ScheduleDefinition:
    """One run per enabled connection and tick, by the cron expression, in UTC.

    What keeps a tick of many connections from becoming a herd is the run queue: `max_concurrent_runs` of dagster.yaml.
    Of several ticks that were missed Dagster makes up for the last one only, as the schedule has no partition set.
    """

    @dg.schedule(
        name="sync_goals_schedule",
        job=sync_goals,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Syncs every enabled connection. The time is PERFCOPILOT_SYNC_CRON, in UTC.",
    )
    def schedule(context: dg.ScheduleEvaluationContext, store: StoreResource) -> Iterator[dg.RunRequest]:
        with store.database.connect("reading the connections") as database:
            names = [connection.connection for connection in read_connections(database) if connection.enabled]
        waiting = context.instance.get_runs(dg.RunsFilter(job_name=JOB, statuses=[dg.DagsterRunStatus.QUEUED]))
        # A key that Dagster does not know fails the whole tick, so a connection added behind its back is made known.
        register_partitions(context.instance, names)
        for name in decide_syncs(names, partitions_of(waiting)):
            yield request_sync(name, f"{context.scheduled_execution_time.isoformat()}:{name}")

    return schedule


def request_sync(name: str, run_key: str) -> dg.RunRequest:
    """One run of the job for one connection."""
    # With this tag Dagster takes the key as it is. Without it, it connects to Postgres twice for each request to look
    # the key up: some 20 s for a thousand, of the 60 s after which a tick fails.
    return dg.RunRequest(run_key=run_key, partition_key=name, tags={PARTITION_TAG: name})


SENSOR_SECONDS = 30
IN_FLIGHT = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dg.sensor(
    name="connections_sensor",
    minimum_interval_seconds=SENSOR_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Keeps the partitions equal to the enabled connections.",
)
def connections_sensor(context: dg.SensorEvaluationContext, store: StoreResource) -> dg.SensorResult | dg.SkipReason:
    """Add partitions at once, remove them when no run of them is in flight; a failed read changes nothing."""
    found = store.read_or_skip("reading the connections", read_connections)
    if isinstance(found, dg.SkipReason):
        return found
    enabled = [connection.connection for connection in found if connection.enabled]
    runs = context.instance.get_runs(dg.RunsFilter(statuses=IN_FLIGHT))
    change = decide_partitions(enabled, partition_keys(context.instance), partitions_of(runs))
    requests: list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] = []
    if change.add:
        requests.append(connections_partitions.build_add_request(change.add))
    if change.remove:
        requests.append(connections_partitions.build_delete_request(change.remove))
    return dg.SensorResult(dynamic_partitions_requests=requests)


@dg.sensor(
    name="fixed_connection_sensor",
    job=sync_goals,
    minimum_interval_seconds=SENSOR_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Syncs a connection again when its settings changed after a sync failed for want of a right one.",
)
def fixed_connection_sensor(
    context: dg.SensorEvaluationContext, store: StoreResource
) -> dg.SensorResult | dg.SkipReason:
    """One run per mended connection and change: the run key holds the moment of the change."""
    found = store.read_or_skip("reading the latest syncs", read_last_syncs)
    if isinstance(found, dg.SkipReason):
        return found
    mended = find_mended(found)
    register_partitions(context.instance, [last.connection for last in mended])
    return dg.SensorResult(
        run_requests=[
            request_sync(last.connection, f"fixed:{last.connection}:{last.updated_at.isoformat()}") for last in mended
        ]
    )

"""A sensor that hands failed runs back to Dagster's automatic retries when those overlooked them.

Dagster stores a run's failure first and its status a moment later. Its retries read new failures every five seconds;
one that they read in that moment counts as not failed, and they never look at it again. The run is marked for a retry
all the same, so a backfill waits for that retry for ever (seen after a kill of the whole service;
https://github.com/dagster-io/dagster/issues/33741 has the same figures from a larger deployment).
"""

import datetime as dt

import dagster as dg
from dagster import DagsterEventType

# Seldom, because a tick costs Dagster the same whatever the sensor finds, and lost retries are rare.
SENSOR_SECONDS = 120
# Dagster's retries look every five seconds. What they have not taken up by then they never will.
OVERLOOKED_SECONDS = 60
# How far back the sensor looks. Later than that, a new run is worth more than a retry of the old one.
LOOK_BACK = dt.timedelta(hours=6)

WILL_RETRY = "dagster/will_retry"
RETRIED_BY = "dagster/auto_retry_run_id"
# A retry that Dagster refuses, as for a backfill that was cancelled, keeps its mark. So a run is handed back once only.
HANDED_BACK = "perfcopilot_goals/retry_handed_back"
# What Dagster's retries remember: the last failure that they have read.
CURSOR = f"EVENT_LOG_CONSUMER_CURSOR-{DagsterEventType.RUN_FAILURE.value}"


def find_lost_retries(instance: dg.DagsterInstance, now: dt.datetime) -> list[str]:
    """Ids of the runs that failed over a minute ago, are marked for a retry and have none."""
    marked = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.FAILURE], tags={WILL_RETRY: "true"}, updated_after=now - LOOK_BACK
    )
    return [
        record.dagster_run.run_id
        for record in instance.get_run_records(marked)
        if not {RETRIED_BY, HANDED_BACK} & record.dagster_run.tags.keys()
        and (record.end_time or 0) < now.timestamp() - OVERLOOKED_SECONDS
    ]


def hand_back(instance: dg.DagsterInstance, run_ids: list[str]) -> None:
    """Let Dagster's retries read these failures, and those that came after them, once more.

    That launches no second retry of any run: Dagster looks for one that is there already.
    """
    failures = [
        record.storage_id
        for run_id in run_ids
        for record in instance.get_records_for_run(run_id, of_type=DagsterEventType.RUN_FAILURE).records
    ]
    for run_id in run_ids:
        instance.add_run_tags(run_id, {HANDED_BACK: "true"})
    if failures:
        instance.daemon_cursor_storage.set_cursor_values({CURSOR: str(min(failures) - 1)})


@dg.sensor(
    name="lost_retries_sensor",
    minimum_interval_seconds=SENSOR_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Hands a crashed run back to Dagster's retries when those overlooked it.",
)
def lost_retries_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Never requests a run itself."""
    lost = find_lost_retries(context.instance, dt.datetime.now(dt.UTC))
    hand_back(context.instance, lost)
    return dg.SkipReason(f"Handed back {len(lost)} runs: {', '.join(lost)}" if lost else "No retry was overlooked")

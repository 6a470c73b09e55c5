"""The checks over all connections in Dagster: three on the asset `connections`, without partitions.

They are evaluated by a sensor after runs ended, however they ended, and once an hour by a job. A step behind a sync
would not run after one that failed. A run for each evaluation would cost seconds of CPU, and each of many failures
would start one; the sensor's tick costs one statement, and many runs that ended since the last tick are one evaluation.
"""

import datetime as dt
from collections.abc import Iterator, Sequence

import dagster as dg

from perfcopilot_goals.core.connection_checks import (
    FAILED,
    STALE_AFTER,
    count_judged,
    every_connection_works,
    judge,
    no_connection_is_stale,
    no_connection_is_truncated,
    render_table,
    with_ended_runs,
)
from perfcopilot_goals.defs.automation import ENDED, SENSOR_SECONDS, WITHOUT_SUCCESS
from perfcopilot_goals.defs.checks import check_result
from perfcopilot_goals.defs.failures import as_failures, not_recorded
from perfcopilot_goals.defs.partitions import PARTITION_TAG
from perfcopilot_goals.defs.resources import StoreResource
from perfcopilot_goals.defs.unevaluated_checks import report_unevaluated
from perfcopilot_goals.domain.actions import SYNC_JOB
from perfcopilot_goals.domain.connection import EndedRun
from perfcopilot_goals.errors import GoalsError
from perfcopilot_goals.storage.blocks import read_truncated
from perfcopilot_goals.storage.status import read_connection_health, read_logged_runs

ASSET = "connections"
CHECK_JOB = "check_connections"
_CRON = "7 * * * *"
# How many failed runs are looked at for one that the sync log does not know.
_RUNS = 500
# A run's end is dated by its own host, and is seen a moment later.
_OVERLAP = dt.timedelta(seconds=10)
_FIRST_LOOK = dt.timedelta(hours=1)

_DESCRIPTIONS = {
    "every_connection_works": "Which connections are broken now, why, and what to do: their last sync failed, they "
    "have no roster, never completed a sync, or could not read every list of sub-goals. The table has the broken ones "
    "first.",
    "no_connection_is_truncated": "Connections with truncated blocks, each with how many employees. See its "
    "no_block_is_truncated.",
    "no_connection_is_stale": f"Enabled connections without a complete sync for "
    f"{STALE_AFTER.total_seconds() / 3600:.0f} hours, or without any. every_connection_works says what to do.",
}


def evaluate_connections(store: StoreResource, instance: dg.DagsterInstance, ui_url: str) -> list[dg.AssetCheckResult]:
    """The results of the three checks: by the sync log, and by Dagster where a run ended without a word in it."""
    now = dt.datetime.now(dt.UTC)
    # Dagster first: a sync enters its failure into the log before its run ends.
    runs = _runs_without_success(instance, now)
    with store.database.connect("reading how the connections stand", snapshot=True) as conn:
        health = read_connection_health(conn)
        truncated = {connection: len(employees) for connection, employees in read_truncated(conn).items()}
        logged = read_logged_runs(conn, [run.run_id for run in runs])
    # A run that was cancelled before it began has nothing to say.
    silent = [run for run in runs if logged.get(run.run_id, "" if run.is_canceled else "running") == "running"]
    judged = judge(with_ended_runs(health, silent))
    more = {"table": dg.MetadataValue.md(render_table(judged, now, f"{ui_url}/runs/")), **count_judged(judged)}
    has_failed = any(one.kind == FAILED for one in judged)
    return [
        check_result(ASSET, "every_connection_works", every_connection_works(judged), more, is_error=has_failed),
        check_result(ASSET, "no_connection_is_truncated", no_connection_is_truncated(truncated)),
        check_result(ASSET, "no_connection_is_stale", no_connection_is_stale(health, now)),
    ]


def connection_checks(ui_url: str) -> dg.AssetChecksDefinition:
    """The three in one step, for the job and for the button on the checks' page."""
    specs = [dg.AssetCheckSpec(name, asset=ASSET, description=text) for name, text in _DESCRIPTIONS.items()]

    @dg.multi_asset_check(name="checks_of_connections", specs=specs, can_subset=True)
    def run(context: dg.AssetCheckExecutionContext, store: StoreResource) -> Iterator[dg.AssetCheckResult]:
        selected = {key.name for key in context.selected_asset_check_keys}
        with as_failures("(all)", not_recorded):
            results = evaluate_connections(store, context.instance, ui_url)
        yield from (result for result in results if result.check_name in selected)

    return run


check_connections = dg.define_asset_job(
    CHECK_JOB,
    selection=dg.AssetSelection.checks(*(dg.AssetCheckKey(dg.AssetKey(ASSET), name) for name in _DESCRIPTIONS)),
    executor_def=dg.in_process_executor,
    description="Evaluate the checks over all connections now: which are broken, stale or truncated.",
)

check_connections_schedule = dg.ScheduleDefinition(
    name="check_connections_schedule",
    job=check_connections,
    cron_schedule=_CRON,
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Evaluates the checks over all connections once an hour, also while nothing is synced: a connection "
    "becomes stale without a run.",
)


def connection_checks_sensor(ui_url: str) -> dg.SensorDefinition:
    """A sensor that evaluates the three once, however many runs ended since it last looked."""

    @dg.sensor(
        name="connection_checks_sensor",
        minimum_interval_seconds=SENSOR_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Evaluates the checks over all connections within a minute after runs ended, however they ended.",
    )
    def sensor(context: dg.SensorEvaluationContext, store: StoreResource) -> dg.SensorResult:
        now = dt.datetime.now(dt.UTC)
        if not _has_run_ended(context.instance, context.cursor):
            return dg.SensorResult(skip_reason="No run has ended since the last look.", cursor=context.cursor)
        try:
            results = evaluate_connections(store, context.instance, ui_url)
        except GoalsError as error:
            # The cursor stays, so that the next tick looks again.
            return dg.SensorResult(skip_reason=str(error), cursor=context.cursor)
        since = _looked_since(context.cursor, now)
        report_unevaluated(context.instance, since, ui_url)
        return dg.SensorResult(
            asset_events=[_evaluation(result) for result in results],
            skip_reason=_summary(results),
            cursor=now.isoformat(),
        )

    return sensor


def _has_run_ended(instance: dg.DagsterInstance, cursor: str | None) -> bool:
    """Whether a run ended since the moment in the cursor; true at the first look."""
    if not cursor:
        return True
    since = _looked_since(cursor, dt.datetime.now(dt.UTC))
    return bool(instance.get_run_records(dg.RunsFilter(statuses=ENDED, updated_after=since), limit=1))


def _looked_since(cursor: str | None, now: dt.datetime) -> dt.datetime:
    """From when on runs have not been looked at; at the first look the last hour."""
    return dt.datetime.fromisoformat(cursor) - _OVERLAP if cursor else now - _FIRST_LOOK


def _runs_without_success(instance: dg.DagsterInstance, now: dt.datetime) -> list[EndedRun]:
    """The latest syncs that failed or were cancelled in Dagster, of those that ended lately."""
    lately = dg.RunsFilter(statuses=WITHOUT_SUCCESS, updated_after=now - STALE_AFTER)
    return [
        EndedRun(
            run.tags[PARTITION_TAG],
            run.run_id,
            dt.datetime.fromtimestamp(record.start_time, dt.UTC) if record.start_time else record.create_timestamp,
            is_canceled=run.status == dg.DagsterRunStatus.CANCELED,
        )
        for record in instance.get_run_records(lately, limit=_RUNS)
        # The job, or assets that somebody picked: the jobs for people and checks alone are no syncs.
        if PARTITION_TAG in (run := record.dagster_run).tags and (run.job_name == SYNC_JOB or run.asset_selection)
    ]


def _evaluation(result: dg.AssetCheckResult) -> dg.AssetCheckEvaluation:
    assert result.check_name
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(ASSET),
        check_name=result.check_name,
        passed=result.passed,
        metadata=result.metadata,
        severity=result.severity,
    )


def _summary(results: Sequence[dg.AssetCheckResult]) -> str:
    """What a tick of the sensor saw, in a line."""
    count = {str(result.check_name): result.metadata["count"].value for result in results}
    connections = results[0].metadata["connections"].value
    return (
        f"Looked at {connections} connections: {count['every_connection_works']} do not work, "
        f"{count['no_connection_is_stale']} are stale, {count['no_connection_is_truncated']} are truncated."
    )

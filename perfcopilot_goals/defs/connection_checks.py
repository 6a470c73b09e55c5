"""The checks over all connections in Dagster: three on the asset `connections`, without partitions.

They are evaluated by a sensor after runs ended, however they ended, and once an hour by a job. A step behind a sync
would not run after one that failed. A run for each evaluation would cost seconds of CPU, and each of many failures
would start one; the sensor's tick costs one statement, and many runs that ended since the last tick are one evaluation.

The same sensor says which checks of a table a failed sync did not come to.
"""

import datetime as dt
from collections.abc import Iterator, Sequence

import dagster as dg
from dagster import DagsterEventType

from perfcopilot_goals.core.connection_checks import (
    FAILED,
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
from perfcopilot_goals.domain.actions import SYNC_JOB
from perfcopilot_goals.domain.connection import EndedRun
from perfcopilot_goals.domain.limits import STALE_AFTER
from perfcopilot_goals.errors import GoalsError
from perfcopilot_goals.storage.blocks import read_truncated
from perfcopilot_goals.storage.status import read_connection_health, read_logged_runs

ASSET = "connections"
CHECK_JOB = "check_connections"
_CRON = "7 * * * *"
# How many failed runs are looked at.
_RUNS = 500
# A run's end is dated by its own host, and is seen a moment later.
_OVERLAP = dt.timedelta(seconds=10)
_FIRST_LOOK = dt.timedelta(hours=1)
_CHECK_EVENTS = {DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED, DagsterEventType.ASSET_CHECK_EVALUATION}

_DESCRIPTIONS = {
    "every_connection_works": "Which connections are broken now, why, and what to do: their last sync failed, they "
    "have no roster, never completed a sync, have goals of a former workspace, or could not read every list of "
    "sub-goals. The table has the broken ones first.",
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
        since = dt.datetime.fromisoformat(context.cursor) - _OVERLAP if context.cursor else now - _FIRST_LOOK
        ended = dg.RunsFilter(statuses=ENDED, updated_after=since)
        if context.cursor and not context.instance.get_run_records(ended, limit=1):
            return dg.SensorResult(skip_reason="No run has ended since the last look.", cursor=context.cursor)
        try:
            results = evaluate_connections(store, context.instance, ui_url)
        except GoalsError as error:
            # The cursor stays, so that the next tick looks again.
            return dg.SensorResult(skip_reason=str(error), cursor=context.cursor)
        report_unevaluated(context.instance, since, ui_url)
        return dg.SensorResult(
            asset_events=[_evaluation(result) for result in results],
            skip_reason=_summary(results),
            cursor=now.isoformat(),
        )

    return sensor


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


def report_unevaluated(instance: dg.DagsterInstance, since: dt.datetime, ui_url: str) -> list[dg.AssetCheckEvaluation]:
    """Reports each check that a run of one connection, failed since then, planned and did not evaluate; returns them.

    Dagster plans a run's checks when it launches the run. It shows those that a failed run never came to as "Execution
    failed", in red, as if something was wrong with each check. The results become the failed run's own, because Dagster
    takes only one result without a run for each check of a partition.
    """
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
    runs = [record.dagster_run for record in instance.get_run_records(failed, limit=_RUNS)]
    found = []
    for run in runs:
        missing = _missing_checks(instance, run.run_id) if PARTITION_TAG in run.tags else []
        for evaluation in (_not_evaluated(key, run, ui_url) for key in missing):
            kind = DagsterEventType.ASSET_CHECK_EVALUATION.value
            event = dg.DagsterEvent(kind, run.job_name, event_specific_data=evaluation, message=evaluation.description)
            instance.report_dagster_event(event, run.run_id)
            found.append(evaluation)
    return found


def _missing_checks(instance: dg.DagsterInstance, run_id: str) -> list[dg.AssetCheckKey]:
    """The checks that the run planned and did not evaluate, in the order of their names."""
    planned, evaluated = set(), set()
    for record in instance.get_records_for_run(run_id, of_type=_CHECK_EVENTS).records:
        event = record.event_log_entry.get_dagster_event()
        if event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED:
            planned.add(event.asset_check_planned_data.asset_check_key)
        else:
            evaluated.add(event.asset_check_evaluation_data.asset_check_key)
    return sorted(planned - evaluated, key=lambda key: (key.asset_key.path, key.name))


def _not_evaluated(key: dg.AssetCheckKey, run: dg.DagsterRun, ui_url: str) -> dg.AssetCheckEvaluation:
    connection, table = run.tags[PARTITION_TAG], key.asset_key.path[-1]
    return dg.AssetCheckEvaluation(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        partition=connection,
        description=f"Not evaluated: the sync of connection {connection} failed before {table} was checked.",
        metadata={
            "why": "Nobody has checked the table since. It has its old rows or its new ones, whole. "
            "every_connection_works says what to do.",
            "run": dg.MetadataValue.url(f"{ui_url}/runs/{run.run_id}"),
        },
    )

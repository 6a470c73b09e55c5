"""What the checks of a table say after a sync that failed before they ran: that they were not evaluated.

Dagster plans a run's checks when it launches the run. It shows those that a failed run never came to as "Execution
failed", in red, as if something was wrong with each check.
"""

import datetime as dt

import dagster as dg
from dagster import DagsterEventType

from perfcopilot_goals.defs.partitions import PARTITION_TAG

_RUNS = 500
_KINDS = {DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED, DagsterEventType.ASSET_CHECK_EVALUATION}


def report_unevaluated(instance: dg.DagsterInstance, since: dt.datetime, ui_url: str) -> list[dg.AssetCheckEvaluation]:
    """Reports each check that a run of one connection, failed since then, planned and did not evaluate; returns them.

    The results become the failed run's own. Dagster takes only one result without a run for each check of a partition.
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
    for record in instance.get_records_for_run(run_id, of_type=_KINDS).records:
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

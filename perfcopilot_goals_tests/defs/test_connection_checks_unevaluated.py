"""The checks of tables that a failed sync did not write: no red "Execution failed", but why there is no result."""

import datetime as dt

import dagster as dg

from perfcopilot_goals.core.checks import CHECKS
from perfcopilot_goals.defs.connection_checks import report_unevaluated
from perfcopilot_goals.storage.connections import set_connection
from perfcopilot_goals_tests.defs.running_instance import Running

UI = "http://127.0.0.1:3000"


def set_workspace(running: Running, gid: str) -> None:
    with running.database.connect("setting the workspace") as conn:
        set_connection(conn, running.name, {"workspace_gid": gid})


def hour_ago() -> dt.datetime:
    return dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)


def test_each_check_of_a_sync_that_wrote_nothing_says_that_it_was_not_evaluated(running: Running) -> None:
    set_workspace(running, "404")
    failed = running.sync(checked=True)
    assert not failed.success
    reported = report_unevaluated(running.instance, hour_ago(), UI)
    ours = [evaluation for evaluation in reported if evaluation.partition == running.name]
    assert {evaluation.check_name for evaluation in ours} == {check.name for check in CHECKS}
    keys = [evaluation.asset_check_key for evaluation in ours]
    latest = running.instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    assert {record.status.value for record in latest.values()} == {"FAILED"}  # PLANNED is shown as "Execution failed"
    assert {record.run_id for record in latest.values()} == {failed.run_id}
    assert {evaluation.severity for evaluation in ours} == {dg.AssetCheckSeverity.WARN}
    table = ours[0].asset_key.path[-1]
    assert ours[0].description == (
        f"Not evaluated: the sync of connection {running.name} failed before {table} was checked."
    )
    assert str(ours[0].metadata["why"].value).startswith("Nobody has checked the table since.")
    assert str(ours[0].metadata["run"].value) == f"{UI}/runs/{failed.run_id}"


def test_a_failed_sync_is_reported_once(running: Running) -> None:
    set_workspace(running, "404")
    running.sync(checked=True)
    assert report_unevaluated(running.instance, hour_ago(), UI)
    assert report_unevaluated(running.instance, hour_ago(), UI) == []


def test_checks_that_a_failed_sync_did_evaluate_keep_their_results(running: Running) -> None:
    running.sync(checked=True)
    assert report_unevaluated(running.instance, hour_ago(), UI) == []

"""The checks over all connections, with real runs: whom they name, after which runs they are evaluated, how often."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import dagster as dg
import psycopg
import pytest

from perfcopilot_goals.defs.build import build_definitions
from perfcopilot_goals.defs.connection_checks import CHECK_JOB
from perfcopilot_goals.defs.partitions import register_partitions
from perfcopilot_goals.defs.resources import StoreResource
from perfcopilot_goals.defs.retention import InstanceRuns
from perfcopilot_goals.sandbox import Sandbox
from perfcopilot_goals.services.retention import purge
from perfcopilot_goals.settings import Settings, load_settings
from perfcopilot_goals.storage.connections import read_connections
from perfcopilot_goals_tests import scripted_faults as faults
from perfcopilot_goals_tests.clock import FakeClock
from perfcopilot_goals_tests.defs.broken_connections import (
    BROKEN,
    SET,
    SETTINGS,
    WORKING,
    copy_sync,
    remove_roster,
    rows_of,
)
from perfcopilot_goals_tests.defs.running_instance import TOKEN, Running, small_world
from perfcopilot_goals_tests.scripted_faults import Script

SENSOR = "connection_checks_sensor"
CHECKS = ("every_connection_works", "no_connection_is_truncated", "no_connection_is_stale")


@pytest.fixture
def down() -> Iterator[Sandbox]:
    """An Asana that is down."""
    with Sandbox(small_world(), token=TOKEN, faults=Script().on(faults.status(503, "Busy"))) as asana:
        yield asana


@pytest.fixture
def company(
    running: Running, real_instance: dg.DagsterInstance, down: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> Running:
    """On the real instance: the six broken connections, and 25 that work."""
    monkeypatch.setenv("REFUSED_TOKEN", "another-token")
    with psycopg.connect(running.database.url) as conn:
        conn.execute("delete from perfcopilot_goals.employees")
        conn.execute("delete from perfcopilot_goals.connections")
    running.instance = real_instance
    running.definitions = build_definitions(load_settings(), clock=FakeClock())
    for name in WORKING:
        running.connect(name)
    for name, settings in SETTINGS.items():
        running.connect(name, **settings)
    running.connect("asana-down", base_url=down.base_url)
    remove_roster(running.database.url)
    return running


def names(running: Running) -> list[str]:
    with running.database.connect("listing") as conn:
        return [connection.connection for connection in read_connections(conn)]


def tick(running: Running, cursor: str | None, settings: Settings | None = None) -> dg.SensorResult:
    """One evaluation of the sensor; its events are reported as the daemon does."""
    store = StoreResource(settings=settings or load_settings())
    with dg.build_sensor_context(instance=running.instance, cursor=cursor, resources={"store": store}) as context:
        result = running.definitions.resolve_sensor_def(SENSOR)(context)
    assert isinstance(result, dg.SensorResult)
    for event in result.asset_events:
        running.instance.report_runless_asset_event(event)
    return result


def evaluated(running: Running, check: str) -> list[dg.AssetCheckEvaluation]:
    """The results of the check that the UI has, the newest first."""
    key = dg.AssetCheckKey(dg.AssetKey("connections"), check)
    records = running.instance.event_log_storage.get_asset_check_execution_history(key, limit=100)
    found = [record.event.dagster_event.event_specific_data for record in records if record.event]  # type: ignore[union-attr]
    return [data for data in found if isinstance(data, dg.AssetCheckEvaluation)]


def told(evaluation: dg.AssetCheckEvaluation) -> dict[str, Any]:
    return {name: value.value for name, value in evaluation.metadata.items()}


def test_of_31_connections_the_six_broken_ones_are_named_with_their_remedies(company: Running) -> None:
    for name in ("works-00", *BROKEN):
        company.sync(name)
    copy_sync(company.database.url, "works-00")
    result = tick(company, None)
    events = [event for event in result.asset_events if isinstance(event, dg.AssetCheckEvaluation)]
    assert [event.check_name for event in events] == list(CHECKS)
    works, *_ = evaluated(company, "every_connection_works")
    assert (works.passed, works.severity, works.partition) == (False, dg.AssetCheckSeverity.ERROR, None)
    seen = told(works)
    assert (seen["count"], seen["connections"], seen["failed"]) == (6, 31, 6)
    assert seen["ids"].split(", ") == sorted(BROKEN)
    table = rows_of(seen["table"])
    assert list(table)[:6] == sorted(BROKEN), "broken first"
    assert len(table) == 31
    for name, (error, remedy) in BROKEN.items():
        complete, _, state, what_to_do, link = table[name]
        assert (state, complete) == (error, "never")
        assert remedy.format(name=name) in what_to_do
        (run_id,) = [row["run_id"] for row in company.sync_log(name)]
        assert f"(http://127.0.0.1:3000/runs/{run_id})" in link
    assert {cells[2] for name, cells in table.items() if name.startswith("works-")} == {"works"}
    stale, *_ = evaluated(company, "no_connection_is_stale")
    assert told(stale)["ids"].split(", ") == sorted(BROKEN), "never complete is stale at once"
    assert "Looked at 31 connections: 6 do not work, 6 are stale, 0 are truncated." in str(result.skip_reason)


def test_when_all_31_fail_that_is_one_evaluation_which_names_them_all(
    company: Running, instance: dg.DagsterInstance
) -> None:
    company.instance = instance
    register_partitions(instance, names(company))
    with psycopg.connect(company.database.url) as conn:
        conn.execute("update perfcopilot_goals.connections set workspace_gid = null")
    first = tick(company, None)
    for name in names(company):
        assert not company.sync(name).success
    second = tick(company, first.cursor)
    assert len(second.asset_events) == 3
    newest, *_ = evaluated(company, "every_connection_works")
    seen = told(newest)
    assert (seen["count"], seen["failed"]) == (31, 31)
    assert seen["ids"].endswith(", … and 21 more")
    assert seen["all_ids"] == names(company)
    table = rows_of(seen["table"])
    assert sorted(table) == names(company)
    for name, cells in table.items():
        assert SET.format(name=name) in cells[3]


def test_it_is_evaluated_after_each_run_and_not_again_until_another_ends(running: Running) -> None:
    first = tick(running, None)
    assert first.asset_events
    later = (dt.datetime.now(dt.UTC) + dt.timedelta(minutes=1)).isoformat()
    assert tick(running, later).asset_events == [], "no run ended since"
    running.sync()
    assert tick(running, first.cursor).asset_events
    assert tick(running, later).asset_events == []


def test_a_killed_run_is_named_though_it_could_not_say_so(running: Running, real_instance: dg.DagsterInstance) -> None:
    """Its sync stays `running` in the sync log, or never came to enter it; Dagster knows that the run ended."""
    running.instance = real_instance
    register_partitions(real_instance, [running.name])
    other = running.connect(f"{running.name}-other")
    assert running.sync().success
    with psycopg.connect(running.database.url) as conn:
        conn.execute("update perfcopilot_goals.syncs set state = 'running', finished_at = null")
    job = running.definitions.resolve_job_def("sync_goals")
    (run_id,) = [row["run_id"] for row in running.sync_log()]
    run = real_instance.get_run_by_id(run_id)
    assert run is not None
    real_instance.report_run_failed(run, "the process was killed")
    never_began = real_instance.create_run_for_job(job, tags={"dagster/partition": other})
    real_instance.report_run_failed(never_began, "the process could not be started")
    tick(running, None)
    works, *_ = evaluated(running, "every_connection_works")
    table = rows_of(told(works)["table"])
    for name, of_run in ((running.name, run_id), (other, never_began.run_id)):
        assert table[name][2] == "Interrupted"
        assert f"perfcopilot-goals sync {name}" in table[name][3]
        assert of_run in table[name][4]


def test_the_job_evaluates_all_three_for_the_button_and_the_schedule(running: Running) -> None:
    assert running.sync().success
    job = running.definitions.resolve_job_def(CHECK_JOB)
    result = job.execute_in_process(instance=running.instance)
    assert result.success
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    assert set(checks) == set(CHECKS)
    assert all(check.passed and check.partition is None for check in checks.values())
    schedule = running.definitions.resolve_schedule_def("check_connections_schedule")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    assert schedule.job_name == CHECK_JOB


def test_retention_takes_old_results_that_no_run_has_and_leaves_the_latest(
    running: Running, real_instance: dg.DagsterInstance
) -> None:
    running.instance = real_instance
    for _ in range(3):
        tick(running, None)
    later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    newest, *_ = evaluated(running, "every_connection_works")
    purge(InstanceRuns(real_instance), running.database, load_settings(), later - dt.timedelta(days=1))
    assert len(evaluated(running, "every_connection_works")) >= 3
    purge(InstanceRuns(real_instance), running.database, load_settings(), later)
    assert evaluated(running, "every_connection_works") == [newest]
    with psycopg.connect(running.database.url) as conn:
        query = """select count(*) from perfcopilot_dagster.event_logs
            where run_id = '' and dagster_event_type = %s and event not like '%%Not evaluated%%'"""
        assert conn.execute(query, ["ASSET_CHECK_EVALUATION"]).fetchone() == (3,)


def test_the_checks_of_a_connection_that_fails_again_say_so_again(
    running: Running, real_instance: dg.DagsterInstance
) -> None:
    """Dagster refused a second result for the same connection: the tick failed, and the checks were red."""
    running.instance = real_instance
    real_instance.add_dynamic_partitions("connections", [running.name])
    running.asana.token = "another"
    key = dg.AssetCheckKey(dg.AssetKey("prompt_blocks"), "no_block_is_truncated")
    for _ in range(2):
        failed = running.sync(checked=True)
        tick(running, None)
        latest = real_instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key]
        assert (latest.status.value, latest.run_id) == ("FAILED", failed.run_id)


def test_truncated_connections_are_counted_whichever_was_synced(running: Running) -> None:
    running.sync()
    other = running.connect(f"{running.name}-other")
    running.sync(other)
    with psycopg.connect(running.database.url) as conn:
        conn.execute(
            "update perfcopilot_goals.prompt_blocks set truncated = true where connection = %s", [running.name]
        )
    tick(running, None)
    newest, *_ = evaluated(running, "no_connection_is_truncated")
    assert told(newest) == {"count": 1, "limit": 200, "ids": f"{running.name}: 2"}


def test_unread_lists_and_a_missing_roster_are_warnings(running: Running) -> None:
    other = running.connect(f"{running.name}-other")
    running.asana.faults = Script().on(
        faults.status(404, "goal: Unknown object: 103"), when=faults.asks_subgoals_of("103")
    )
    assert running.sync().success
    assert running.sync(other).success
    with psycopg.connect(running.database.url) as conn:
        conn.execute("delete from perfcopilot_goals.employees where connection = %s", [other])
    tick(running, None)
    newest, *_ = evaluated(running, "every_connection_works")
    assert (newest.passed, newest.severity) == (False, dg.AssetCheckSeverity.WARN)
    table = rows_of(told(newest)["table"])
    assert table[running.name][2] == "1 lists of sub-goals unread"
    assert table[other][2] == "no roster"


def test_a_database_that_is_away_evaluates_nothing_and_is_looked_at_again(running: Running) -> None:
    away = load_settings({"PERFCOPILOT_DATABASE_URL": "postgresql://somebody:hunter2@127.0.0.1:1/goals"})
    result = tick(running, None, away)
    assert (result.asset_events, result.cursor) == ([], None)
    assert "hunter2" not in str(result.skip_reason)

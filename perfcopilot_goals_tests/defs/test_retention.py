"""Old history goes from the sync log, from Dagster and from the disk; what is new, needed or running stays."""

import datetime as dt
import json
import os
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from click.testing import CliRunner
from dagster._core.scheduler.instigation import TickStatus

from perfcopilot_goals.cli import main
from perfcopilot_goals.defs.build import build_definitions
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals_tests.defs.running_instance import Running
from perfcopilot_goals_tests.defs.ticks import note_tick, ticks_of


@pytest.fixture
def history(running: Running, real_instance: dg.DagsterInstance, database_url: str, tmp_path: Path) -> dict[str, str]:
    """Run ids: three complete syncs, a failed one, and one that has not ended; all but `new` are 40 days old."""
    running.instance = real_instance
    real_instance.add_dynamic_partitions("connections", [running.name])
    for run in real_instance.get_runs():
        real_instance.delete_run(run.run_id)
    runs = {name: running.sync(checked=True).run_id for name in ("old", "older", "last")}
    running.asana.token = "another"
    runs["failed"] = running.sync().run_id
    unfinished = real_instance.create_run_for_job(running.definitions.resolve_job_def("sync_goals"), run_id=None)
    real_instance.report_run_canceling(unfinished)
    runs["running"] = unfinished.run_id
    log = tmp_path / "state" / "dagster" / "sensor-1" / "tick.err"
    log.parent.mkdir()
    log.write_text("a tick")
    with psycopg.connect(database_url) as admin:
        for table, columns in (
            ("perfcopilot_goals.syncs", ("started_at", "finished_at")),
            ("perfcopilot_dagster.runs", ("create_timestamp", "update_timestamp")),
        ):
            moved = ", ".join(f"{column} = {column} - interval '40 days'" for column in columns)
            admin.execute(f"update {table} set {moved}")
    moment = (dt.datetime.now(dt.UTC) - dt.timedelta(days=40)).timestamp()
    for path in (tmp_path / "state" / "dagster").rglob("*"):
        os.utime(path, (moment, moment))
    running.asana.token = "sandbox-token"
    return runs


def left(running: Running) -> set[str]:
    """The runs that Dagster still has."""
    return {run.run_id for run in running.instance.get_runs()}


def retention(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["retention", *arguments], prog_name="perfcopilot-goals")
    return done.exit_code, done.output


@pytest.mark.fault("H21")
def test_what_is_old_goes_everywhere_and_what_the_rows_came_from_stays(
    running: Running, history: dict[str, str], database_url: str, tmp_path: Path
) -> None:
    before, block = left(running), running.block("E1")
    _, told = retention("--days", "30", "--dry-run", "--json")
    printed = json.loads(told)
    assert {name: printed[name] for name in ("syncs", "runs", "dry_run")} == {"syncs": 2, "runs": 2, "dry_run": True}
    assert left(running) == before
    assert len(running.sync_log()) == 4

    code, told = retention("--days", "30")
    assert code == 0
    assert told.startswith(
        f"Deleted 2 syncs, 2 runs, {printed['ticks']} ticks and {printed['files']} files from before "
    )
    assert left(running) == {history[name] for name in ("last", "failed", "running")}
    assert [row["run_id"] for row in running.sync_log()] == [history["last"], history["failed"]]
    folders = {path.name for path in (tmp_path / "state" / "dagster").iterdir()}
    assert {history["last"], history["failed"]} <= folders
    assert not {history["old"], history["older"], "sensor-1"} & folders
    with psycopg.connect(database_url) as admin:
        for table in ("event_logs", "asset_check_executions", "run_tags"):
            kept = admin.execute(f"select distinct run_id from perfcopilot_dagster.{table}").fetchall()
            assert not {history["old"], history["older"]} & {run_id for (run_id,) in kept}, table
            assert history["last"] in {run_id for (run_id,) in kept}, table

    assert running.block("E1") == block
    assert running.sync(only=["prompt_blocks"]).success, "what the rows came from is still known"
    assert running.sync(checked=True).success


@pytest.mark.fault("H21")
def test_nothing_is_old_within_the_days_and_a_second_time_finds_nothing(
    running: Running, history: dict[str, str]
) -> None:
    before = left(running)
    assert retention("--days", "41")[1].startswith("Deleted 0 syncs, 0 runs, 0 ticks and 0 files")
    assert left(running) == before
    assert retention("--days", "30")[1].startswith("Deleted 2 syncs, 2 runs")
    assert retention("--days", "30")[1].startswith("Deleted 0 syncs, 0 runs, 0 ticks and 0 files")


@pytest.mark.fault("H31")
def test_old_ticks_go_however_they_ended_and_the_last_of_each_sensor_stays(
    running: Running, history: dict[str, str]
) -> None:
    instance, now = running.instance, dt.datetime.now(dt.UTC)

    def tick(sensor: str, days_ago: int, status: TickStatus) -> float:
        note_tick(instance, sensor, now - dt.timedelta(days=days_ago), status)
        return (now - dt.timedelta(days=days_ago)).timestamp()

    for days_ago, status in ((42, TickStatus.SUCCESS), (41, TickStatus.FAILURE), (40, TickStatus.SKIPPED)):
        tick("busy", days_ago, status)
    new = [tick("busy", days_ago, TickStatus.SUCCESS) for days_ago in (29, 1)]
    tick("at_rest", 60, TickStatus.SUCCESS)
    last = tick("at_rest", 50, TickStatus.FAILURE)
    # Noted after a later one, as when the daemon makes up for a missed tick.
    tick("at_rest", 55, TickStatus.SUCCESS)

    assert json.loads(retention("--days", "30", "--dry-run", "--json")[1])["ticks"] == 5
    assert len(ticks_of(instance, "busy")) == 5
    assert ", 5 ticks and " in retention("--days", "30")[1]
    assert [tick.timestamp for tick in ticks_of(instance, "busy")] == new[::-1]
    assert [tick.timestamp for tick in ticks_of(instance, "at_rest")] == [last]
    assert ", 0 ticks and " in retention("--days", "30")[1]


@pytest.mark.fault("H21")
def test_the_job_does_the_same(running: Running, history: dict[str, str]) -> None:
    job = running.definitions.resolve_job_def("retention")
    config = {"ops": {"delete_old_history": {"config": {"days": 30}}}}
    result = job.execute_in_process(instance=running.instance, run_config=config, raise_on_error=False)
    assert result.success
    assert left(running) == {history[name] for name in ("last", "failed", "running")} | {result.run_id}


@pytest.mark.parametrize("days", [0, 999_999])
def test_days_that_cannot_be_meant_are_refused_by_command_and_job(
    running: Running, real_instance: dg.DagsterInstance, days: int
) -> None:
    code, told = retention("--days", f"{days}")
    assert code == 2
    assert "at least 1" in told
    job = running.definitions.resolve_job_def("retention")
    config = {"ops": {"delete_old_history": {"config": {"days": days}}}}
    result = job.execute_in_process(instance=real_instance, run_config=config, raise_on_error=False)
    assert not result.success


def test_the_schedule_is_off_until_turned_on_and_skips_without_days(running: Running) -> None:
    schedules = {}
    for days in ("", "30"):
        defs = build_definitions(load_settings({"PERFCOPILOT_RETENTION_DAYS": days}))
        schedules[days] = schedule = defs.get_repository_def().get_schedule_def("retention_schedule")
        assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    context = dg.build_schedule_context(scheduled_execution_time=dt.datetime(2026, 6, 1, 3, 47, tzinfo=dt.UTC))
    assert "not set" in str(schedules[""].evaluate_tick(context).skip_message)
    (request,) = schedules["30"].evaluate_tick(context).run_requests or []
    assert request.run_config == {"ops": {"delete_old_history": {"config": {"days": 30}}}}


@pytest.mark.parametrize("days", ["0", "-1", "1.5", "many", "999999"])
def test_days_that_are_none_are_refused(days: str) -> None:
    with pytest.raises(GoalsConfigError, match="PERFCOPILOT_RETENTION_DAYS is not a whole number of days"):
        load_settings({"PERFCOPILOT_RETENTION_DAYS": days})

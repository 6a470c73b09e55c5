"""The schedule's tick: one run for each enabled connection, the same however often it is evaluated."""

import datetime as dt
import re
from collections.abc import Iterator

import dagster as dg
import psycopg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin

from perfcopilot_goals.defs.automation import sync_schedule
from perfcopilot_goals.defs.build import build_definitions
from perfcopilot_goals.defs.partitions import register_partitions
from perfcopilot_goals.defs.progress import Progress
from perfcopilot_goals.defs.resources import StoreResource
from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.settings import Settings, load_settings
from perfcopilot_goals.storage.connections import set_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import import_employees, remember_erased
from perfcopilot_goals.storage.sync_log import begin_sync, fail_sync
from perfcopilot_goals_tests.defs.running_instance import Running, error_code
from perfcopilot_goals_tests.storage.examples import add

TICK = dt.datetime(2026, 3, 2, 5, 17, tzinfo=dt.UTC)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """An instance of the test's own, with a reference, which a tick needs."""
    with dg.instance_for_test(set_dagster_home=False) as instance:
        yield instance


def tick(instance: dg.DagsterInstance, definitions: dg.Definitions, at: dt.datetime = TICK) -> list[dg.RunRequest]:
    schedule = definitions.resolve_schedule_def("sync_goals_schedule")
    with dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=at,
        repository_def=definitions.get_repository_def(),
        resources=dict(definitions.resources or {}),
    ) as context:
        return list(schedule.evaluate_tick(context).run_requests or [])


def test_a_tick_requests_one_run_for_each_enabled_connection(
    database: Database, instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    add(database, "acme", "globex", "asleep")
    with psycopg.connect(database.url) as conn:
        conn.execute("update perfcopilot_goals.connections set enabled = false where connection = 'asleep'")
    instance.add_dynamic_partitions("connections", ["acme", "gone"])
    requests = tick(instance, definitions)
    assert [request.partition_key for request in requests] == ["acme", "globex"]
    assert len({request.run_key for request in requests}) == 2
    tags = [(request.tags["connection"], request.tags["reason"]) for request in requests]
    assert tags == [("acme", "schedule"), ("globex", "schedule")]
    # Known by now, or the tick would fail as a whole; nothing is taken away here.
    assert set(instance.get_dynamic_partitions("connections")) == {"acme", "globex", "gone"}


@pytest.mark.fault("G5")
def test_a_tick_evaluated_twice_asks_for_the_same_runs_and_another_tick_for_others(
    database: Database, instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    add(database, "acme")
    keys = [request.run_key for _ in range(2) for request in tick(instance, definitions)]
    assert keys[0] == keys[1] == f"{TICK.isoformat()}:acme"
    (later,) = tick(instance, definitions, TICK + dt.timedelta(days=1))
    assert later.run_key != keys[0]


def enter_run(instance: dg.DagsterInstance, job: dg.JobDefinition, partition: str, status: dg.DagsterRunStatus) -> None:
    """A run as the web server and the daemon enter it; a queued one has to say where its code is."""
    place = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("perfcopilot_goals"), "__repository__")
    origin = place.get_job_origin(job.name)
    tags = {"dagster/partition": partition}
    instance.create_run_for_job(job, status=status, tags=tags, remote_job_origin=origin)


def test_a_tick_asks_for_no_second_run_of_a_connection_whose_run_still_waits(
    database: Database, instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    add(database, "acme", "globex", "initech")
    register_partitions(instance, ["acme", "globex", "initech"])
    sync, everything = definitions.resolve_job_def("sync_goals"), definitions.resolve_implicit_global_asset_job_def()
    enter_run(instance, sync, "acme", dg.DagsterRunStatus.QUEUED)
    # Neither a run that is under way nor one of assets that somebody picked makes this tick's sync superfluous.
    enter_run(instance, sync, "globex", dg.DagsterRunStatus.STARTED)
    enter_run(instance, everything, "initech", dg.DagsterRunStatus.QUEUED)
    assert [request.partition_key for request in tick(instance, definitions)] == ["globex", "initech"]


def test_a_tick_without_connections_requests_nothing(
    database: Database, instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    assert tick(instance, definitions) == []


def test_a_tick_reads_the_connections_anew(
    database: Database, instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    assert tick(instance, definitions) == []
    add(database, "acme")
    assert len(tick(instance, definitions)) == 1


def test_a_tick_without_a_database_says_so_without_its_address(database_url: str, instance: dg.DagsterInstance) -> None:
    away = load_settings({"PERFCOPILOT_DATABASE_URL": "postgresql://user:hunter2canary@127.0.0.1:1/db"})
    definitions = build_definitions(away)
    with pytest.raises(Exception, match="evaluation of schedule sync_goals_schedule") as caught:
        tick(instance, definitions)
    error: BaseException | None = caught.value
    while error is not None:
        assert "hunter2canary" not in f"{error} {error!r}"
        error = error.__cause__ or error.__context__


def test_the_schedule_runs_by_default_in_utc_on_the_cron_of_the_settings() -> None:
    settings = load_settings({"PERFCOPILOT_SYNC_CRON": "5 4 * * 1"})
    schedule = build_definitions(settings).resolve_schedule_def("sync_goals_schedule")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("5 4 * * 1", "UTC")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING


@pytest.mark.parametrize("cron", ["nonsense", "* * * *", "61 5 * * *"])
@pytest.mark.fault("D10", "G11")
def test_a_cron_expression_that_is_none_fails_when_it_is_loaded(cron: str) -> None:
    with pytest.raises(GoalsConfigError, match=f"PERFCOPILOT_SYNC_CRON is {re.escape(repr(cron))}.*17 5"):
        sync_schedule(cron)


def test_the_job_is_the_five_assets_in_one_process(definitions: dg.Definitions) -> None:
    job = definitions.resolve_job_def("sync_goals")
    assert job.executor_def.name == "in_process"
    assert {node.name for node in job.nodes if not node.name.startswith("checks_of_")} == {
        "raw_workspace_goals",
        "owned_goals",
        "subgoals",
        "mapped_goal_rows",
        "prompt_blocks",
    }


def look(
    name: str, running: Running, definitions: dg.Definitions, settings: Settings | None = None
) -> dg.SensorResult | dg.SkipReason:
    """One evaluation of the sensor, with the database of these settings."""
    store = StoreResource(settings=settings or load_settings())
    with dg.build_sensor_context(instance=running.instance, resources={"store": store}) as context:
        result = definitions.resolve_sensor_def(name)(context)
    assert isinstance(result, dg.SensorResult | dg.SkipReason)
    return result


def evaluate(name: str, running: Running, definitions: dg.Definitions) -> dg.SensorResult:
    result = look(name, running, definitions)
    assert isinstance(result, dg.SensorResult)
    return result


def test_the_sensor_adds_and_removes_partitions_with_the_connections(
    running: Running, definitions: dg.Definitions
) -> None:
    running.instance.add_dynamic_partitions("connections", ["gone"])
    running.instance.delete_dynamic_partition("connections", running.name)
    requests = evaluate("connections_sensor", running, definitions).dynamic_partitions_requests or []
    asked = {type(request).__name__: list(request.partition_keys) for request in requests}
    assert running.name in asked["AddDynamicPartitionsRequest"]
    assert "gone" in asked["DeleteDynamicPartitionsRequest"]


def test_a_partition_goes_only_when_no_run_of_it_is_in_flight(
    running: Running, instance: dg.DagsterInstance, definitions: dg.Definitions
) -> None:
    running.instance = instance
    register_partitions(instance, [running.name, "gone", "syncing"])
    enter_run(instance, definitions.resolve_job_def("sync_goals"), "syncing", dg.DagsterRunStatus.STARTED)
    (request,) = evaluate("connections_sensor", running, definitions).dynamic_partitions_requests or []
    assert isinstance(request, dg.DeleteDynamicPartitionsRequest)
    assert list(request.partition_keys) == ["gone"]
    (run,) = instance.get_runs()
    instance.report_run_canceled(run)
    (request,) = evaluate("connections_sensor", running, definitions).dynamic_partitions_requests or []
    assert list(request.partition_keys) == ["gone", "syncing"]


def test_the_partitions_sensor_says_what_it_saw_and_what_it_did(running: Running, definitions: dg.Definitions) -> None:
    result = evaluate("connections_sensor", running, definitions)
    assert result.skip_reason == dg.SkipReason("1 connections, nothing changed")
    running.instance.add_dynamic_partitions("connections", ["gone"])
    running.instance.delete_dynamic_partition("connections", running.name)
    result = evaluate("connections_sensor", running, definitions)
    assert result.skip_reason == dg.SkipReason(f"1 connections, added 1: {running.name}; removed 1: gone")
    register_partitions(running.instance, [running.name])


def test_a_sensor_that_finds_nothing_to_sync_again_says_so(running: Running, definitions: dg.Definitions) -> None:
    result = evaluate("fixed_connection_sensor", running, definitions)
    assert result.skip_reason == dg.SkipReason("1 connections, none was corrected since its last sync failed")


def test_a_mended_connection_is_synced_again_once_for_each_change(
    running: Running, definitions: dg.Definitions
) -> None:
    with running.database.connect("breaking") as conn:
        set_connection(conn, running.name, {"workspace_gid": None})
    assert not running.sync().success
    assert evaluate("fixed_connection_sensor", running, definitions).run_requests == []
    with running.database.connect("mending") as conn:
        set_connection(conn, running.name, {"workspace_gid": running.world.workspace_gid})
    first, again = (evaluate("fixed_connection_sensor", running, definitions).run_requests or [] for _ in range(2))
    assert [request.partition_key for request in first] == [running.name]
    assert [request.run_key for request in first] == [request.run_key for request in again]
    tags = first[0].tags
    assert (tags["connection"], tags["reason"]) == (running.name, "settings or roster were changed")
    assert running.sync().success
    assert evaluate("fixed_connection_sensor", running, definitions).run_requests == []


@pytest.mark.fault("D25")
def test_a_connection_that_failed_without_a_roster_is_synced_once_one_was_imported(
    running: Running, definitions: dg.Definitions
) -> None:
    with psycopg.connect(running.database.url) as conn:
        conn.execute("delete from perfcopilot_goals.employees")
    assert not running.sync().success
    assert evaluate("fixed_connection_sensor", running, definitions).run_requests == []
    with running.database.connect("importing") as conn:
        import_employees(conn, running.name, [Employee("E1", "Ada Thimble", "ada@example.com", "1")])
    first, again = (evaluate("fixed_connection_sensor", running, definitions).run_requests or [] for _ in range(2))
    assert [request.partition_key for request in first] == [running.name]
    assert [request.run_key for request in first] == [request.run_key for request in again]
    assert running.sync().success
    assert evaluate("fixed_connection_sensor", running, definitions).run_requests == []


@pytest.mark.parametrize(
    ("error_code", "is_synced_again"),
    [
        pytest.param("GoalsConfigError", True, id="a-gid-was-fixed"),
        pytest.param("AsanaAccessError", True, id="a-token-was-fixed"),
        pytest.param("AsanaUnavailableError", False, id="asana-was-down"),
        pytest.param("GoalsGuardError", False, id="a-guard-refused"),
        pytest.param(None, False, id="it-runs"),
    ],
)
def test_a_change_of_settings_brings_a_sync_only_after_a_failure_that_it_mends(
    running: Running, definitions: dg.Definitions, error_code: str | None, is_synced_again: bool
) -> None:
    with running.database.connect("failing") as conn:
        begin_sync(conn, running.name, "run-1")
        if error_code:
            fail_sync(conn, running.name, "run-1", error_code)
    with running.database.connect("changing") as conn:
        set_connection(conn, running.name, {"requests_per_minute": 1000})
    requests = evaluate("fixed_connection_sensor", running, definitions).run_requests or []
    assert bool(requests) is is_synced_again


def test_a_sync_that_a_change_of_the_mapping_ended_is_made_again_once(
    running: Running, definitions: dg.Definitions
) -> None:
    def remap(progress: Progress | str) -> None:
        if isinstance(progress, Progress) and progress.what == "goals walked":
            running.map("E1", "9")

    running.definitions = build_definitions(load_settings(), report=remap)
    assert error_code(running.sync()) == "GoalsGuardError"
    first, again = (evaluate("fixed_connection_sensor", running, definitions).run_requests or [] for _ in range(2))
    assert [request.partition_key for request in first] == [running.name]
    assert [request.run_key for request in first] == [request.run_key for request in again]
    running.definitions = definitions
    assert running.sync().success
    assert evaluate("fixed_connection_sensor", running, definitions).run_requests == []


def test_a_connection_that_never_had_a_roster_does_not_stop_the_sensor_after_a_guard_refused_its_sync(
    running: Running, definitions: dg.Definitions
) -> None:
    add(running.database, "never-imported")
    with running.database.connect("failing") as conn:
        begin_sync(conn, "never-imported", "run-1")
        fail_sync(conn, "never-imported", "run-1", "GoalsGuardError")
    assert evaluate("fixed_connection_sensor", running, definitions).run_requests == []


def test_a_sync_that_an_erasure_ended_is_made_again(running: Running, definitions: dg.Definitions) -> None:
    """Also one of somebody who is off the roster, which it does not change."""
    with running.database.connect("erasing") as conn:
        remember_erased(conn, running.name, {"employee_id": "E9"})
    with running.database.connect("failing") as conn:
        begin_sync(conn, running.name, "run-1")
        fail_sync(conn, running.name, "run-1", "GoalsGuardError")
    assert evaluate("fixed_connection_sensor", running, definitions).run_requests == []
    with running.database.connect("erasing") as conn:
        remember_erased(conn, running.name, {"employee_id": "E8"})
    requests = evaluate("fixed_connection_sensor", running, definitions).run_requests or []
    assert [request.partition_key for request in requests] == [running.name]


def test_somebody_added_to_a_roster_mends_no_wrong_gid(running: Running, definitions: dg.Definitions) -> None:
    with running.database.connect("breaking") as conn:
        set_connection(conn, running.name, {"workspace_gid": "404"})
    assert not running.sync().success
    with running.database.connect("importing") as conn:
        import_employees(conn, running.name, [Employee("E9", "New Hire", "new@example.com", None)])
    assert evaluate("fixed_connection_sensor", running, definitions).run_requests == []


def test_a_database_that_is_away_removes_no_partition(running: Running, definitions: dg.Definitions) -> None:
    away = load_settings({"PERFCOPILOT_DATABASE_URL": "postgresql://somebody:hunter2@127.0.0.1:1/goals"})
    for name in ("connections_sensor", "fixed_connection_sensor"):
        result = look(name, running, definitions, away)
        assert isinstance(result, dg.SkipReason)
        assert "hunter2" not in str(result.skip_message)

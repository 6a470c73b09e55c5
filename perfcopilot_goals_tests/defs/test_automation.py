"""The schedule's tick: one run for each enabled connection, the same however often it is evaluated."""

import datetime as dt
from collections.abc import Iterator

import dagster as dg
import pytest

from perfcopilot_goals.defs.automation import sync_schedule
from perfcopilot_goals.defs.build import build_definitions
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals.storage.database import Database
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
    with database.connect("disabling") as transaction:
        transaction.execute("update perfcopilot_goals.connections set enabled = false where connection = 'asleep'")
    instance.add_dynamic_partitions("connections", ["acme", "gone"])
    requests = tick(instance, definitions)
    assert [request.partition_key for request in requests] == ["acme", "globex"]
    assert len({request.run_key for request in requests}) == 2
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


def test_a_tick_without_a_database_says_so_without_its_address(
    database_url: str, instance: dg.DagsterInstance, definitions: dg.Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERFCOPILOT_DATABASE_URL", "postgresql://user:hunter2canary@127.0.0.1:1/db")
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
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="cron"):
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

"""The running service when its processes stop, die or start again: what was under way ends right, and nothing twice."""

import datetime as dt
import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import yaml

from perfcopilot_goals.sandbox import Sandbox
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals_tests.cli.command import TOKEN, Cli, environment
from perfcopilot_goals_tests.cli.small_company import WORKSPACE, small_company
from perfcopilot_goals_tests.end_to_end.service import ENDED, Service, wait_for

pytestmark = pytest.mark.long

RUN_SECONDS = 120.0
BACKFILL_SECONDS = 300.0
NAMES = ["acme", "globex", "initech", "umbrella"]
# In place of half a minute, of three minutes and of three hours.
MONITORING = {"poll_interval_seconds": 5, "start_timeout_seconds": 60, "max_runtime_seconds": 60}
# The code server sees at once that a run's process is gone.
NOTICED_SECONDS = 60.0
# Not those of the checks and of retention.
SCHEDULE = "from perfcopilot_dagster.instigators where instigator_body like '%sync_goals_schedule%'"


@pytest.fixture
def asana() -> Iterator[Sandbox]:
    with Sandbox(small_company(), token=TOKEN) as asana:
        yield asana


@pytest.fixture
def dagster_home(tmp_path: Path) -> Path:
    """The product's dagster.yaml but for how soon a run is given up."""
    configuration = yaml.safe_load((load_settings({}).project_root / "dagster.yaml").read_text("utf-8"))
    configuration["run_monitoring"] |= MONITORING
    home = tmp_path / "dagster_home"
    home.mkdir()
    (home / "dagster.yaml").write_text(yaml.safe_dump(configuration), "utf-8")
    return home


@pytest.fixture
def connected(cli: Cli, asana: Sandbox, roster: Path) -> list[str]:
    for name in NAMES:
        where = ["--base-url", asana.base_url, "--requests-per-minute", "60000", "--workspace-gid", WORKSPACE]
        added = cli("connection", "add", name, *where)
        assert added.returncode == 0, added.stderr
        assert cli("employee", "import", name, str(roster)).returncode == 0
    return NAMES


@pytest.fixture
def service(tmp_path: Path, database_url: str, dagster_home: Path, connected: list[str]) -> Service:
    """The service with four connections, not yet started; its schedule ticks hourly, half an hour from now at first."""
    minute = (dt.datetime.now(dt.UTC) + dt.timedelta(minutes=30)).minute
    settings = {
        "PERFCOPILOT_DATABASE_URL": database_url,
        "DAGSTER_HOME": str(dagster_home),
        "PERFCOPILOT_SYNC_CRON": f"{minute} * * * *",
    }
    return Service(environment(tmp_path, **settings), tmp_path / "dev.log")


def has_schedule(database_url: str) -> bool:
    """Whether the daemon has looked at the schedule."""
    with psycopg.connect(database_url) as conn:
        return bool(conn.execute(f"select 1 {SCHEDULE}").fetchall())


def age_schedule(database_url: str, by: dt.timedelta) -> None:
    """Let the daemon find that it last looked at the schedule so long ago."""

    def earlier(found: re.Match[str]) -> str:
        return f"{found[1]}{float(found[2]) - by.total_seconds()}"

    with psycopg.connect(database_url) as conn:
        ((schedule_id, body),) = conn.execute(f"select id, instigator_body {SCHEDULE}").fetchall()
        aged, changes = re.subn(r'("(?:start|last_iteration)_timestamp": )([0-9.]+)', earlier, body)
        assert changes
        update = "update perfcopilot_dagster.instigators set instigator_body = %s where id = %s"
        conn.execute(update, [aged, schedule_id])


def goals(database_url: str) -> dict[str, list[str]]:
    """The goals of each connection that has some."""
    table = "perfcopilot_goals.raw_workspace_goals"
    query = f"select connection, array_agg(goal_gid order by position) from {table} group by 1"
    with psycopg.connect(database_url) as conn:
        return dict(conn.execute(query).fetchall())


@pytest.mark.fault("G4")
def test_ticks_missed_while_the_daemon_was_down_are_made_up_for_by_one_run_of_each_connection(
    service: Service, database_url: str
) -> None:
    with service:
        wait_for(lambda: has_schedule(database_url), RUN_SECONDS, service.log)
        assert service.syncs() == []
    age_schedule(database_url, dt.timedelta(hours=3))
    with service:
        wait_for(lambda: service.schedule()["ticks"], RUN_SECONDS, service.log)
        wait_for(lambda: len(service.syncs()) >= len(NAMES), RUN_SECONDS, service.log)
        wait_for(lambda: all(run["status"] in ENDED for run in service.syncs()), RUN_SECONDS, service.log)
        assert sorted(run["tags"]["dagster/partition"] for run in service.syncs()) == NAMES
        assert {run["status"] for run in service.syncs()} == {"SUCCESS"}
        (tick,) = service.schedule()["ticks"]
        assert tick["status"] == "SUCCESS"


@pytest.mark.fault("G1")
def test_a_killed_run_is_shown_as_failed_and_frees_its_connection_for_the_next(
    service: Service, asana: Sandbox, database_url: str
) -> None:
    with service:
        asana.latency_seconds = 5
        killed = service.launch("acme")
        wait_for(lambda: asana.requests, RUN_SECONDS, service.log)
        waiting = service.launch("acme")
        (pid,) = {
            int(found[1])
            for event in service.events(killed)
            if (found := re.match(r"Started process for run \(pid: ([0-9]+)\)", event.get("message", "")))
        }
        os.kill(pid, signal.SIGKILL)
        asana.latency_seconds = 0
        assert service.wait_for_end(killed, NOTICED_SECONDS) == "FAILURE"
        assert any("terminated by signal 9" in event.get("message", "") for event in service.events(killed))
        assert service.wait_for_end(waiting, RUN_SECONDS) == "SUCCESS"

        def retried() -> list[str]:
            return [r["runId"] for r in service.runs("acme") if r["tags"].get("dagster/parent_run_id") == killed]

        (retry,) = wait_for(retried, RUN_SECONDS, service.log)
        assert service.wait_for_end(retry, RUN_SECONDS) == "SUCCESS"
        assert service.partitions("prompt_blocks")["materialized"] == ["acme"]
    assert goals(database_url) == {"acme": list(asana.world.goals)}


@pytest.mark.fault("G2")
@pytest.mark.parametrize("end", [Service.stop, Service.kill], ids=["stopped", "killed"])
def test_a_backfill_that_was_under_way_when_everything_ended_ends_right_after_a_restart(
    service: Service, asana: Sandbox, database_url: str, end: Callable[[Service], None]
) -> None:
    with service:
        asana.latency_seconds = 5
        backfill_id = service.backfill(NAMES)
        wait_for(lambda: asana.requests, BACKFILL_SECONDS, service.log)
        end(service)
    asana.latency_seconds = 0
    with service:
        status = wait_for(lambda: ended_backfill(service, backfill_id), BACKFILL_SECONDS, service.log)
        assert status == "COMPLETED_SUCCESS", service.runs()
        assert service.partitions("prompt_blocks")["materialized"] == NAMES
        assert service.partitions("raw_workspace_goals")["failed"] == []
    assert goals(database_url) == {name: list(asana.world.goals) for name in NAMES}


def ended_backfill(service: Service, backfill_id: str) -> str | None:
    status = service.backfill_status(backfill_id)
    return None if status == "REQUESTED" else status

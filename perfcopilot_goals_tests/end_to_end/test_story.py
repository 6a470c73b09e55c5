"""The story that this program exists for, with a real web server and daemon, an local Postgres and three workspaces.

A wrong or a missing workspace GID fails that connection's scheduled run, says so in the UI, pulls nothing and harms no
other connection; once it is fixed, a sensor or a backfill of the failed partitions heals it.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from perfcopilot_goals.domain.sync import SLICE_TABLES
from perfcopilot_goals.sandbox import Sandbox
from perfcopilot_goals.schemas.tables import own_columns
from perfcopilot_goals_tests.cli.command import TOKEN, environment
from perfcopilot_goals_tests.cli.small_company import ANAS_BLOCK, WORKSPACE, small_company
from perfcopilot_goals_tests.end_to_end.service import Service, wait_for

pytestmark = pytest.mark.long

WRONG, WITHOUT, RIGHT = "wrong", "without", "right"
NAMES = [RIGHT, WITHOUT, WRONG]
UNKNOWN_GID = "1299999999999999"
# One page of goals, one of users, two owned goals to walk, and the route that answers none of them.
REQUESTS = 5
# A tick comes within a minute, a sensor or a backfill is looked at within half a minute, a run takes some seconds.
TICK_SECONDS, HEALING_SECONDS, RUN_SECONDS = 120.0, 120.0, 90.0


@pytest.fixture
def companies() -> Iterator[dict[str, Sandbox]]:
    """A workspace of each connection's own, so that it is plain who asked what."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(Sandbox(small_company(), token=TOKEN)) for name in NAMES}


@pytest.fixture
def service(tmp_path: Path, companies: dict[str, Sandbox], roster: Path) -> Iterator[Service]:
    """The service with an local Postgres, a schedule that ticks every minute, and the three connections."""
    service = Service(environment(tmp_path, PERFCOPILOT_SYNC_CRON="* * * * *"), tmp_path / "dev.log")
    given = {RIGHT: ["--workspace-gid", WORKSPACE], WITHOUT: [], WRONG: ["--workspace-gid", UNKNOWN_GID]}
    try:
        service.run_command("database-url")
        for name in NAMES:
            where = ["--base-url", companies[name].base_url, "--requests-per-minute", "60000"]
            service.run_command("connection", "add", name, *where, *given[name])
            service.run_command("employee", "import", name, str(roster))
        with service:
            yield service
    finally:
        service.run_command("database-stop", "--delete")


class Tables:
    """What is stored, read as the application reads it."""

    def __init__(self, url: str) -> None:
        self._url = url

    def rows(self, connection: str) -> dict[str, list[Any]]:
        """Every slice of the connection, without what differs between two syncs of the same goals."""
        return {t: self._select(t, ", ".join(own_columns(t)), connection) for t in SLICE_TABLES}

    def runs(self, connection: str) -> set[str]:
        """The runs that wrote the connection's slices."""
        return {run_id for table in SLICE_TABLES for (run_id,) in self._select(table, "run_id", connection)}

    def stamped(self, connection: str) -> dict[str, list[Any]]:
        """Every slice of the connection, when it was synced and by which run included."""
        return {table: self._select(table, "*", connection) for table in SLICE_TABLES}

    def _select(self, table: str, columns: str, connection: str) -> list[Any]:
        query = f"select {columns} from perfcopilot_goals.{table} where connection = %s order by {columns}"
        with psycopg.connect(self._url) as conn:
            return conn.execute(query.replace("order by *", "order by 1, 2, 3"), [connection]).fetchall()


def ended_runs(service: Service, partition: str, status: str) -> list[str]:
    return [run["runId"] for run in service.runs(partition) if run["status"] == status]


def check_failure(service: Service, run_id: str, name: str, *says: str) -> None:
    step, text = service.failure(run_id)
    assert step == "raw_workspace_goals"
    assert text.startswith("GoalsConfigError: "), text
    for said in (*says, f"perfcopilot-goals connection set {name} --workspace-gid GID"):
        assert said in text


def set_gid(service: Service, name: str, gid: str) -> None:
    service.run_command("connection", "set", name, "--workspace-gid", gid)


@pytest.mark.fault("G10")
def test_a_wrong_gid_fails_alone_says_how_to_mend_it_and_heals_by_sensor_and_by_backfill(
    service: Service, companies: dict[str, Sandbox]
) -> None:
    tables = Tables(service.run_command("database-url").strip())

    # The schedule's tick: two runs fail, each says which setting is wrong; the third is unharmed.
    def has_ticked() -> bool:
        return all(any(run["status"] in ("SUCCESS", "FAILURE") for run in service.runs(name)) for name in NAMES)

    wait_for(has_ticked, TICK_SECONDS, service.log)
    service.stop_schedule()
    # A tick that is under way starts its runs yet.
    wait_for(lambda: all(t["status"] != "STARTED" for t in service.schedule()["ticks"]), RUN_SECONDS, service.log)
    wait_for(lambda: all(r["status"] in ("SUCCESS", "FAILURE") for r in service.syncs()), RUN_SECONDS, service.log)
    for run in service.syncs():
        assert run["tags"]["dagster/schedule_name"] == "sync_goals_schedule"
        assert run["status"] == ("SUCCESS" if run["tags"]["dagster/partition"] == RIGHT else "FAILURE")
    for run_id in ended_runs(service, WRONG, "FAILURE"):
        check_failure(service, run_id, WRONG, UNKNOWN_GID, "no block was changed")
    for run_id in ended_runs(service, WITHOUT, "FAILURE"):
        check_failure(service, run_id, WITHOUT, "is not set", "nothing was pulled")
    assert companies[WITHOUT].requests == []
    assert {call.path.partition("?")[0] for call in companies[WRONG].requests} == {"/goals"}
    nothing: dict[str, list[Any]] = {table: [] for table in SLICE_TABLES}
    assert tables.rows(WRONG) == tables.rows(WITHOUT) == nothing
    assert service.partitions("raw_workspace_goals")["failed"] == [WITHOUT, WRONG]
    assert service.partitions("prompt_blocks")["materialized"] == [RIGHT]
    asked = len(companies[RIGHT].requests)
    goals, untouched = tables.rows(RIGHT), tables.stamped(RIGHT)
    assert ANAS_BLOCK.removesuffix("\n") in goals["prompt_blocks"][0]
    assert tables.runs(RIGHT) <= set(ended_runs(service, RIGHT, "SUCCESS"))

    # The GIDs are fixed, and the sensor does the rest.
    for name in (WRONG, WITHOUT):
        set_gid(service, name, WORKSPACE)
    for name in (WRONG, WITHOUT):
        (healed,) = wait_for(lambda name=name: ended_runs(service, name, "SUCCESS"), HEALING_SECONDS, service.log)  # type: ignore[misc]
        (run,) = [run for run in service.runs(name) if run["runId"] == healed]
        assert run["tags"]["dagster/sensor_name"] == "fixed_connection_sensor"
        assert tables.rows(name) == goals
        assert tables.runs(name) == {healed}
    for table in SLICE_TABLES:
        assert service.partitions(table) == green(NAMES)

    # Once more without the sensor: what failed is backfilled, and nothing else is.
    service.stop_sensor("fixed_connection_sensor")
    before = {name: tables.stamped(name) for name in NAMES}
    set_gid(service, WRONG, UNKNOWN_GID)
    broken = service.launch(WRONG)
    assert service.wait_for_end(broken, RUN_SECONDS) == "FAILURE"
    check_failure(service, broken, WRONG, UNKNOWN_GID)
    failed = service.partitions("raw_workspace_goals")["failed"]
    assert failed == [WRONG]
    assert tables.stamped(WRONG) == before[WRONG]
    set_gid(service, WRONG, WORKSPACE)
    backfill_id = service.backfill(failed)
    (healed,) = wait_for(
        lambda: [r["runId"] for r in service.runs(WRONG) if r["tags"].get("dagster/backfill") == backfill_id],
        HEALING_SECONDS,
        service.log,
    )
    assert service.wait_for_end(healed, RUN_SECONDS) == "SUCCESS"
    for table in SLICE_TABLES:
        assert service.partitions(table) == green(NAMES)
    assert tables.rows(WRONG) == goals
    assert tables.runs(WRONG) == {healed}
    assert {name: tables.stamped(name) for name in (RIGHT, WITHOUT)} == {n: before[n] for n in (RIGHT, WITHOUT)}
    assert tables.stamped(RIGHT) == untouched
    assert len(companies[RIGHT].requests) == asked
    assert len(companies[WITHOUT].requests) == REQUESTS


def green(names: list[str]) -> dict[str, list[str]]:
    return {"materialized": names, "failed": [], "unmaterialized": [], "materializing": []}

"""A small company in a stand-in Asana, its connections, and syncs of them through the job.

Add here what two test files of this folder need. `Running.sync` is what the UI does: one partition, one run.
"""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from perfcopilot_goals.defs.partitions import register_partitions
from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.domain.employee import Employee as RosterRow
from perfcopilot_goals.domain.sync import SLICE_TABLES
from perfcopilot_goals.sandbox import Employee, Goal, Person, Sandbox, World
from perfcopilot_goals.storage.connections import add_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import import_employees, map_employee
from perfcopilot_goals_tests.storage.examples import stored

TOKEN = "sandbox-token"
TOKEN_REF = "env:ASANA_ACCESS_TOKEN"
# Fast enough that no test waits for the pace.
QUICK = 1_000_000
ALLOW_EMPTY = {"resources": {"slices": {"config": {"allow_empty": True}}}}
_names = (f"connection-{number}" for number in itertools.count(1))


def small_world() -> World:
    """Ada (E1) and Ben (E2) own two goals each, one of them a key result of Ada's; Cleo is unmapped."""
    people = {gid: Person(gid, name, f"{name.lower()}@example.com") for gid, name in (("1", "Ada"), ("2", "Ben"))}
    roster = [
        Employee("E1", "Ada Thimble", "ada@example.com", "1"),
        Employee("E2", "Ben Thimble", "ben@example.com", "2"),
        Employee("E3", "Cleo Thimble", "cleo@example.com"),
    ]
    world = World("77", "Small", people, roster=roster)
    world.add(Goal("101", "Grow web traffic by 30%", "1", status_type="at_risk", due_on="2026-06-30"))
    world.add(Goal("102", "Hire two engineers", "1", status_type="achieved"))
    world.add(Goal("103", "Keep the shop calm", "2"))
    world.add(Goal("104", "Nobody's goal", None))
    world.add(Goal("105", "A stranger's goal", "9"))
    world.add(Goal("106", "Publish ten posts", "2", status_type="on_track"), "101")
    world.add(Goal("107", "Find a colour", None, status_type="missed"), "101", "103")
    return world


@dataclass
class Running:
    """What a test of the job has at hand. `name` is the connection of every call that names no other."""

    database: Database
    instance: dg.DagsterInstance
    definitions: dg.Definitions
    asana: Sandbox
    name: str = field(default_factory=lambda: next(_names))

    @property
    def world(self) -> World:
        return self.asana.world

    def connect(self, name: str | None = None, **changes: Any) -> str:
        """A connection to the stand-in with the world's roster, known to Dagster."""
        name = name or self.name
        settings: dict[str, Any] = {
            "workspace_gid": self.world.workspace_gid,
            "token_ref": TOKEN_REF,
            "base_url": self.asana.base_url,
            "requests_per_minute": QUICK,
            "subgoal_route": "auto",
            "enabled": True,
        }
        people = [RosterRow(e.employee_id, e.full_name, e.email, e.asana_user_gid) for e in self.world.roster]
        with self.database.connect("connecting") as conn:
            add_connection(conn, Connection(connection=name, **(settings | changes)))
            import_employees(conn, name, people)
        register_partitions(self.instance, [name])
        return name

    def sync(
        self,
        name: str | None = None,
        *,
        only: Iterable[str] = SLICE_TABLES,
        checked: bool = False,
        run_config: Mapping[str, Any] | None = None,
        run_id: str | None = None,
    ) -> dg.ExecuteInProcessResult:
        """One run of the job: of these assets alone where they are named, and with its checks only if asked for."""
        job = self.definitions.resolve_job_def("sync_goals")
        if not checked:
            assets = frozenset(dg.AssetKey(table) for table in only)
            job = job.get_subset(asset_selection=assets, asset_check_selection=frozenset())
        return job.execute_in_process(
            partition_key=name or self.name,
            instance=self.instance,
            raise_on_error=False,
            run_config=run_config,
            run_id=run_id,
        )

    def map(self, employee_id: str, gid: str | None, name: str | None = None) -> None:
        with self.database.connect("mapping") as conn:
            map_employee(conn, name or self.name, employee_id, gid)

    def rows(self, table: str, name: str | None = None) -> list[dict[str, Any]]:
        return stored(self.database, table, name or self.name)

    def slices(self, name: str | None = None) -> dict[str, list[dict[str, Any]]]:
        """The five tables of the connection."""
        return {table: self.rows(table, name) for table in SLICE_TABLES}

    def sync_log(self, name: str | None = None) -> list[dict[str, Any]]:
        """The connection's syncs, in the order in which they started."""
        return sorted(self.rows("syncs", name), key=lambda row: row["started_at"])

    def block(self, employee_id: str, name: str | None = None) -> str:
        (block,) = [row["block"] for row in self.rows("prompt_blocks", name) if row["employee_id"] == employee_id]
        return str(block)


def failures(result: dg.ExecuteInProcessResult) -> list[str]:
    """The descriptions of the failures, as the UI shows them; every failing step has to have one."""
    texts = []
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data.user_failure_data
            assert data is not None, f"{event.step_key} failed without a Failure"
            texts.append(str(data.description))
    return texts


def failure(result: dg.ExecuteInProcessResult) -> str:
    """The description of the one failure."""
    assert not result.success
    (text,) = failures(result)
    return text


def error_code(result: dg.ExecuteInProcessResult) -> str:
    """The class of the one failure, from its metadata."""
    (event,) = [event for event in result.all_events if event.is_step_failure]
    data = event.step_failure_data.user_failure_data
    assert data is not None
    return str(data.metadata["error_code"].value)


def without_stamp(slices: Mapping[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """The rows but for when and by which run they were written."""
    return {
        table: [{k: v for k, v in row.items() if k not in ("synced_at", "run_id", "connection")} for row in rows]
        for table, rows in slices.items()
    }


def written(result: dg.ExecuteInProcessResult) -> list[str]:
    """The assets that the run materialized."""
    return [
        event.asset_key.path[-1] for event in result.all_events if event.is_step_materialization and event.asset_key
    ]


def results(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    """The run's checks by name."""
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def metadata_of(result: dg.ExecuteInProcessResult, table: str) -> dict[str, Any]:
    """The metadata of a table's materialization, as plain values."""
    (event,) = [e for e in result.get_asset_materialization_events() if e.asset_key == dg.AssetKey(table)]
    return {name: value.value for name, value in event.materialization.metadata.items()}

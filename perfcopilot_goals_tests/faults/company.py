"""Two connections in two states of the world, and what the tables may hold after a fault.

Both were synced in the state `OLD`. Then the world moves to `NEW`, and one of them is synced while something breaks.
Whatever breaks, each of its slices must be the whole old one or the whole new one, and the other's the old ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
import psycopg

from perfcopilot_goals.asana.pacing import SYSTEM_CLOCK, Clock
from perfcopilot_goals.defs.build import build_definitions
from perfcopilot_goals.defs.partitions import register_partitions
from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.domain.employee import Employee as RosterRow
from perfcopilot_goals.domain.sync import SLICE_TABLES
from perfcopilot_goals.sandbox import Employee, Goal, Person, Sandbox, World
from perfcopilot_goals.schemas.tables import own_columns
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals.storage.connections import add_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import import_employees

TOKEN = "canary-token-of-the-storm"
# What no log, message or table of syncs may hold.
CANARIES = (TOKEN, "Canary")
ONE, TWO = "one", "two"
OLD, NEW = "old", "new"
WORKSPACE = "1200000000000001"
QUICK = 1_000_000

Content = dict[str, list[tuple[Any, ...]]]


def company(state: str) -> World:
    """A few people with goals and key results. In `NEW` one goal is renamed, one deleted, one reowned, one added."""
    people = {gid: Person(gid, f"Canary Person {gid}") for gid in ("11", "12", "13")}
    roster = [Employee(f"E{gid}", f"Canary Person {gid}", f"{gid}@example.com", gid) for gid in people]
    world = World(WORKSPACE, "Canary", people, roster=roster)
    for number in range(12):
        world.add(Goal(f"{100 + number}", f"Canary goal {number} {OLD}", f"1{1 + number % 3}", status_type="on_track"))
    for number in range(6):
        world.add(
            Goal(f"{200 + number}", f"Canary key result {number} {OLD}", "12"), f"{100 + number}", f"{101 + number}"
        )
    if state == NEW:
        world.rename("100", f"Canary goal 0 {NEW}")
        world.delete("101")
        world.reown("102", "11")
        world.add(Goal("120", f"Canary goal 120 {NEW}", "13", status_type="achieved"))
        world.add(Goal("220", f"Canary key result 220 {NEW}", None), "120")
    return world


def become(world: World, state: str) -> None:
    """Change a served world to that state."""
    other = company(state)
    world.goals, world.subgoals = other.goals, other.subgoals


@dataclass
class Syncs:
    """Runs syncs of the two connections through the job, in this process."""

    database: Database
    instance: dg.DagsterInstance
    clock: Clock = SYSTEM_CLOCK

    def __post_init__(self) -> None:
        self._job = build_definitions(load_settings(), clock=self.clock).resolve_job_def("sync_goals")

    def connect(self, base_url: str, world: World | None = None) -> None:
        """Add the two connections to the company, or to another world, with its roster."""
        world = world or company(OLD)
        people = [RosterRow(e.employee_id, e.full_name, e.email, e.asana_user_gid) for e in world.roster]
        with self.database.connect("connecting") as conn:
            for name in (ONE, TWO):
                row = Connection(
                    name, world.workspace_gid, "env:ASANA_ACCESS_TOKEN", base_url, QUICK, "auto", enabled=True
                )
                add_connection(conn, row)
                import_employees(conn, name, people)
        register_partitions(self.instance, [ONE, TWO])

    def run(self, name: str = ONE, checked: bool = True) -> dg.ExecuteInProcessResult:
        """Run the job once. Without `checked` it skips the checks, which write nothing."""
        job = self._job
        if not checked:
            assets = frozenset(map(dg.AssetKey, SLICE_TABLES))
            job = job.get_subset(asset_selection=assets, asset_check_selection=frozenset())
        return job.execute_in_process(
            partition_key=name,
            instance=self.instance,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )


def both_states(syncs: Syncs, asana: Sandbox) -> dict[str, Content]:
    """What a whole sync leaves in each state of the world. Makes the two connections, and ends in the old state."""
    syncs.connect(asana.base_url)
    states = {}
    for state in (NEW, OLD):
        become(asana.world, state)
        assert all(syncs.run(name, checked=False).success for name in (ONE, TWO)), "a sync without a fault failed"
        states[state] = content(syncs.database.url, ONE)
    assert states[OLD] != states[NEW]
    return states


def content(url: str, name: str) -> Content:
    """The rows of the connection by table, without the moment and the run of their write."""
    with psycopg.connect(url) as conn:
        conn.execute("set transaction isolation level repeatable read")
        return {
            table: conn.execute(
                f"select {', '.join(own_columns(table))} from perfcopilot_goals.{table} "
                "where connection = %s order by 1, 2, 3",
                [name],
            ).fetchall()
            for table in SLICE_TABLES
        }


def mixed(url: str, states: Mapping[str, Content], name: str) -> list[str]:
    """The tables whose slice is not the whole of one state, or has rows of two runs."""
    found = content(url, name)
    wrong = [t for t in SLICE_TABLES if all(found[t] != state[t] for state in states.values())]
    with psycopg.connect(url) as conn:
        for table in SLICE_TABLES:
            query = f"select count(distinct (run_id, synced_at)) from perfcopilot_goals.{table} where connection = %s"
            runs = conn.execute(query, [name]).fetchone()
            wrong += [f"{table} of several runs"] if runs and runs[0] > 1 else []
    return wrong

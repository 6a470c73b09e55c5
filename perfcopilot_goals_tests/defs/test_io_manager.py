"""Slices as inputs and outputs: what an asset carries over from its inputs, and which mixes are refused."""

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Any

import dagster as dg
import psycopg
import pytest

from perfcopilot_goals.defs.assets import IO_MANAGER
from perfcopilot_goals.defs.io_manager import SliceIOManager
from perfcopilot_goals.defs.partitions import connections_partitions
from perfcopilot_goals.defs.resources import StoreResource
from perfcopilot_goals.domain.sync import SLICE_TABLES
from perfcopilot_goals.sandbox import Goal
from perfcopilot_goals.schemas.tables import Slice
from perfcopilot_goals.services.verify import verify_past, verify_present
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals.storage.sync_log import Write, begin_sync, record_write
from perfcopilot_goals_tests import scripted_faults as faults
from perfcopilot_goals_tests.clock import FakeClock
from perfcopilot_goals_tests.defs.running_instance import (
    Running,
    error_code,
    failure,
    metadata_of,
    results,
    without_stamp,
    written,
)
from perfcopilot_goals_tests.storage.examples import raw_goals

CANARY = "Secret goal of Bob"


def moments(running: Running) -> dict[str, set[str]]:
    return {table: {row["synced_at"] for row in rows} for table, rows in running.slices().items()}


def test_an_asset_materialized_alone_carries_the_moment_of_its_inputs(running: Running) -> None:
    runs = dict.fromkeys(SLICE_TABLES, running.sync().run_id)
    before = running.slices()
    # From the end, so that nothing is made from an earlier state of what was just made.
    for table in reversed(SLICE_TABLES[1:]):
        alone = running.sync(only=[table])
        runs[table] = alone.run_id
        assert written(alone) == [table]
        assert len(set.union(*moments(running).values())) == 1
        assert without_stamp(running.slices()) == without_stamp(before)
        assert {name: {row["run_id"] for row in rows} for name, rows in running.slices().items()} == {
            name: {run_id} for name, run_id in runs.items()
        }
    assert {row["state"] for row in running.sync_log()} == {"complete"}
    assert len({row["synced_at"] for row in running.sync_log()}) == 1


def test_the_list_materialized_alone_is_a_new_fetch(running: Running) -> None:
    running.sync()
    running.sync(only=["raw_workspace_goals"])
    older = moments(running)["prompt_blocks"]
    assert min(moments(running)["raw_workspace_goals"]) > min(older)


def test_the_assets_one_by_one_give_what_the_job_gives(running: Running) -> None:
    running.sync()
    at_once = running.slices()
    running.world.rename("101", "Another name")
    for table in SLICE_TABLES:
        assert running.sync(only=[table]).success
    one_by_one = running.slices()
    assert len(set.union(*moments(running).values())) == 1
    assert [row["block"] for row in one_by_one["prompt_blocks"]] == [
        row["block"].replace("Grow web traffic by 30%", "Another name") for row in at_once["prompt_blocks"]
    ]
    assert [row["state"] for row in running.sync_log()] == ["complete"] * 6


def test_key_results_read_before_an_employee_was_mapped_are_no_input(running: Running) -> None:
    """subgoals and owned_goals meet again in mapped_goal_rows; older sub-goals lack the new employee's."""
    running.world.add(Goal("301", "Cleo's goal", "3"))
    running.sync()
    before = running.slices()
    running.map("E3", "3")
    assert running.sync(only=["owned_goals"]).success
    result = running.sync(only=["mapped_goal_rows"])
    assert error_code(result) == "GoalsGuardError"
    assert "mapped_goal_rows was not written: subgoals was made from an earlier state of owned_goals" in failure(result)
    assert running.rows("mapped_goal_rows") == before["mapped_goal_rows"]
    assert running.sync_log()[-1]["error_code"] == "GoalsGuardError"
    assert running.sync(only=["subgoals", "mapped_goal_rows", "prompt_blocks"]).success
    assert "Cleo's goal" in running.block("E3")


def test_blocks_are_not_made_for_a_roster_that_the_goals_do_not_know(running: Running) -> None:
    running.sync()
    running.map("E3", "3")
    result = running.sync(only=["prompt_blocks"])
    assert error_code(result) == "GoalsGuardError"
    assert "owned_goals was made from an earlier state of employees" in failure(result)


def test_a_name_that_was_corrected_changes_no_mapping_and_refuses_nothing(running: Running) -> None:
    running.sync()
    with psycopg.connect(running.database.url) as conn:
        conn.execute("update perfcopilot_goals.employees set full_name = 'Ada Needle', updated_at = now()")
    assert running.sync(only=["prompt_blocks"]).success


def test_no_table_is_said_to_be_newer_than_what_it_was_made_from(running: Running) -> None:
    """In the UI any assets can be picked; blocks beside a new list must not carry its moment and yesterday's goals."""
    running.sync()
    before = moments(running)
    running.world.rename("101", "Another name")
    running.sync(only=["raw_workspace_goals", "prompt_blocks"])
    assert moments(running)["prompt_blocks"] == before["mapped_goal_rows"]
    assert "Another name" not in running.block("E1")


def test_rows_of_an_earlier_sync_are_not_stamped_with_a_later_runs_moment(running: Running) -> None:
    running.sync()
    before = running.rows("prompt_blocks")
    run_id = dg.DagsterRun(job_name="sync_goals").run_id
    with running.database.connect("pretending") as conn:
        begin_sync(conn, running.name, run_id, dt.datetime.now(dt.UTC))
    result = running.sync(only=["prompt_blocks"], run_id=run_id)
    assert error_code(result) == "GoalsGuardError"
    assert "came from an earlier sync than what this run has written" in failure(result)
    assert running.rows("prompt_blocks") == before


def test_an_input_that_was_never_written_is_asked_for(running: Running) -> None:
    result = running.sync(only=["owned_goals"])
    assert error_code(result) == "GoalsStoreError"
    assert "raw_workspace_goals was never written. Materialize it first" in failure(result)
    assert not any(running.slices().values())


@pytest.mark.fault("F7")
def test_a_sync_that_comes_too_late_writes_nothing(running: Running) -> None:
    running.sync()
    before = running.slices()
    tomorrow = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    with running.database.connect("pretending") as conn:
        begin_sync(conn, running.name, "tomorrow", tomorrow)
        for table in SLICE_TABLES:
            record_write(conn, running.name, "tomorrow", table, Write("w", 0, 0, {}, {}), is_last=False)
    running.world.rename("101", "Too late")
    result = running.sync()
    assert error_code(result) == "GoalsGuardError"
    assert "has already written it" in failure(result)
    assert running.slices() == before


@pytest.mark.fault("G9")
def test_a_partition_that_is_no_connection_is_refused_before_anything_runs(running: Running) -> None:
    for key in ("nobody", "../../evil", f"{running.name}\n", " "):
        with pytest.raises(dg.DagsterUnknownPartitionError):
            running.sync(key)
    assert running.asana.count() == 0


@pytest.mark.fault("G9")
def test_a_partition_added_by_hand_fails_by_name(running: Running) -> None:
    """The UI offers to add any partition."""
    running.instance.add_dynamic_partitions("connections", ["added-by-hand"])
    result = running.sync("added-by-hand")
    assert error_code(result) == "GoalsConfigError"
    assert "there is no connection 'added-by-hand'" in failure(result)
    assert running.sync_log("added-by-hand") == []


def materialize(running: Running, name: str, make: Callable[[], Any]) -> dg.ExecuteInProcessResult:
    """An asset of that name which returns what `make` returns, stored by the product's I/O manager."""

    @dg.asset(name=name, io_manager_key=IO_MANAGER, partitions_def=connections_partitions)
    def stray() -> Any:
        return make()

    return dg.materialize(
        [stray],
        partition_key=running.name,
        instance=running.instance,
        resources={IO_MANAGER: SliceIOManager(store=StoreResource(settings=load_settings()), clock=FakeClock())},
        raise_on_error=False,
    )


BROKEN: list[tuple[str, Callable[[], Any]]] = [
    ("a key twice", lambda: raw_goals("7", "7", name=CANARY)),
    ("a gid that is none", lambda: raw_goals(CANARY)),
    ("text that is too long", lambda: raw_goals("7", html_notes=CANARY * 100, html_notes_chars=1800)),
    ("a column too many", lambda: raw_goals("7").assign(**{CANARY: "x"})),
    ("a column that is missing", lambda: raw_goals("7", name=CANARY).drop(columns="owner_gid")),
    ("a number for a name", lambda: raw_goals("7").assign(name=7)),
    ("a moment for a date", lambda: raw_goals("7", due_on=dt.datetime(2026, 1, 1, 12))),
    ("a null where none may be", lambda: raw_goals("7").assign(name=None)),
    ("a word for a place", lambda: raw_goals("7").assign(position=CANARY)),
]


@pytest.mark.fault("H4")
def test_rows_that_break_their_schema_are_counted_not_shown_and_not_written(running: Running) -> None:
    assert materialize(running, "raw_workspace_goals", lambda: Slice(raw_goals("1"))).success
    before = running.slices()
    for kind, make in BROKEN:
        rows = make()
        result = materialize(running, "raw_workspace_goals", partial(Slice, rows))
        assert error_code(result) == "GoalsSchemaError", kind
        if CANARY not in rows.columns:
            assert CANARY not in "".join(str(event) for event in result.all_events), kind
        assert running.slices() == before, kind
        assert running.sync_log()[-1]["error_code"] == "GoalsSchemaError", kind


@pytest.mark.parametrize("value", [None, "rows", raw_goals("1")], ids=["nothing", "text", "a bare frame"])
def test_an_asset_that_hands_over_anything_but_a_slice_fails_without_its_content(running: Running, value: Any) -> None:
    result = materialize(running, "raw_workspace_goals", lambda: value)
    assert not result.success
    assert running.rows("raw_workspace_goals") == []


NUMBERS = {
    "raw_workspace_goals": {"rows", "rows_before", "seconds", "requests", "throttled", "pages", "waited_seconds"},
    "owned_goals": {"rows", "rows_before", "seconds", "truncated_employees"},
    "subgoals": {"rows", "rows_before", "seconds", "requests", "throttled", "pages", "unread_lists", "hidden_subgoals"},
    "mapped_goal_rows": {"rows", "rows_before", "seconds"},
    "prompt_blocks": {"rows", "rows_before", "seconds", "truncated_employees"},
}


def test_the_metadata_of_each_materialization_are_numbers(running: Running) -> None:
    running.sync()
    result = running.sync()
    for table, names in NUMBERS.items():
        shown = metadata_of(result, table)
        rows = len(running.rows(table))
        assert {type(shown[name]) for name in names} <= {int, float}, table
        assert (shown["rows"], shown["rows_before"], shown["dagster/partition_row_count"]) == (rows, rows, rows)
        assert shown["dagster/table_name"] == f"perfcopilot_goals.{table}"
        assert shown["seconds"] >= 0
    assert metadata_of(result, "subgoals")["route"] == "goal_relationships"
    requests = [metadata_of(result, table)["requests"] for table in ("raw_workspace_goals", "subgoals")]
    assert requests == [1, 4]


@pytest.mark.fault("H7")
def test_metadata_holds_no_name_and_no_goal(running: Running) -> None:
    result = running.sync(checked=True)
    told = str([event.materialization for event in result.get_asset_materialization_events()]) + str(results(result))
    for word in ("Grow", "Hire", "Thimble", "Ada", "Nobody's", "example.com"):
        assert word not in told


@pytest.mark.fault("B20")
def test_a_change_that_asana_announces_is_recorded(running: Running) -> None:
    change = "name=goal_status;info=https://example.com;affected=true"
    running.asana.faults = faults.header("Asana-Change", change)
    running.sync()
    assert running.sync_log()[0]["counts"]["tables"]["subgoals"]["notes"]["asana_changes"] == {"goal_status": True}


@pytest.mark.parametrize("alone", [SLICE_TABLES[2:], SLICE_TABLES[2:4]], ids=["with-blocks", "without-blocks"])
def test_blocks_verify_after_a_part_of_a_sync_was_materialized_alone(running: Running, alone: tuple[str, ...]) -> None:
    """What is made alone carries its inputs' moment, so the moment does not tell which rows a block was made from."""
    assert running.sync().success
    before = dt.datetime.now(dt.UTC).isoformat()
    running.world.rename("106", "Publish twenty posts")
    running.world.add(Goal("108", "Ask the readers", "2"), "101")
    assert running.sync(only=alone).success
    assert verify_present(running.database, running.name, "E1").reason == "as_stored"
    past = verify_past(running.database, running.name, "E1", before)
    assert past.reason == "as_stored"
    assert "Publish ten posts" in [line.text for line in past.lines][2]

"""Slices as inputs and outputs: what an asset carries over from its inputs, and which mixes are refused."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest

from perfcopilot_goals.defs.assets import IO_MANAGER
from perfcopilot_goals.defs.io_manager import SliceIOManager
from perfcopilot_goals.defs.partitions import connections_partitions
from perfcopilot_goals.defs.resources import Store
from perfcopilot_goals.sandbox import Goal
from perfcopilot_goals.schemas.rows import SLICE_TABLES
from perfcopilot_goals.schemas.tables import Slice
from perfcopilot_goals.storage.ledger import begin_sync, note_write
from perfcopilot_goals_tests.defs.office import (
    Office,
    error_code,
    failure,
    figures,
    verdicts,
    without_stamp,
    written,
)
from perfcopilot_goals_tests.storage.examples import raw_goals

CANARY = "Secret goal of Bob"


def moments(office: Office) -> dict[str, set[str]]:
    return {table: {row["synced_at"] for row in rows} for table, rows in office.slices().items()}


def test_an_asset_materialized_alone_carries_the_moment_of_its_inputs(office: Office) -> None:
    runs = dict.fromkeys(SLICE_TABLES, office.sync().run_id)
    before = office.slices()
    # From the end, so that nothing is made from an earlier state of what was just made.
    for table in reversed(SLICE_TABLES[1:]):
        alone = office.sync(only=[table])
        runs[table] = alone.run_id
        assert written(alone) == [table]
        assert len(set.union(*moments(office).values())) == 1
        assert without_stamp(office.slices()) == without_stamp(before)
        assert {name: {row["run_id"] for row in rows} for name, rows in office.slices().items()} == {
            name: {run_id} for name, run_id in runs.items()
        }
    assert {row["state"] for row in office.ledger()} == {"complete"}
    assert len({row["synced_at"] for row in office.ledger()}) == 1


def test_the_list_materialized_alone_is_a_new_fetch(office: Office) -> None:
    office.sync()
    office.sync(only=["raw_workspace_goals"])
    older = moments(office)["prompt_blocks"]
    assert min(moments(office)["raw_workspace_goals"]) > min(older)


def test_the_assets_one_by_one_give_what_the_job_gives(office: Office) -> None:
    office.sync()
    at_once = office.slices()
    office.world.rename("101", "Another name")
    for table in SLICE_TABLES:
        assert office.sync(only=[table]).success
    one_by_one = office.slices()
    assert len(set.union(*moments(office).values())) == 1
    assert [row["block"] for row in one_by_one["prompt_blocks"]] == [
        row["block"].replace("Grow web traffic by 30%", "Another name") for row in at_once["prompt_blocks"]
    ]
    assert [row["state"] for row in office.ledger()] == ["complete"] * 6


def test_key_results_read_before_an_employee_was_mapped_are_no_input(office: Office) -> None:
    """subgoals and owned_goals meet again in mapped_goal_rows; older sub-goals lack the new employee's."""
    office.world.add(Goal("301", "Cleo's goal", "3"))
    office.sync()
    before = office.slices()
    office.map("E3", "3")
    assert office.sync(only=["owned_goals"]).success
    result = office.sync(only=["mapped_goal_rows"])
    assert error_code(result) == "GoalsGuardError"
    assert "mapped_goal_rows was not written: subgoals was made from an earlier state of owned_goals" in failure(result)
    assert office.rows("mapped_goal_rows") == before["mapped_goal_rows"]
    assert office.ledger()[-1]["error_code"] == "GoalsGuardError"
    assert office.sync(only=["subgoals", "mapped_goal_rows", "prompt_blocks"]).success
    assert "Cleo's goal" in office.block("E3")


def test_blocks_are_not_made_for_a_roster_that_the_goals_do_not_know(office: Office) -> None:
    office.sync()
    office.map("E3", "3")
    result = office.sync(only=["prompt_blocks"])
    assert error_code(result) == "GoalsGuardError"
    assert "owned_goals was made from an earlier state of employees" in failure(result)


def test_a_name_that_was_corrected_changes_no_mapping_and_refuses_nothing(office: Office) -> None:
    office.sync()
    with office.database.connect("renaming") as transaction:
        transaction.execute("update perfcopilot_goals.employees set full_name = 'Ada Needle', updated_at = now()")
    assert office.sync(only=["prompt_blocks"]).success


def test_no_table_is_said_to_be_newer_than_what_it_was_made_from(office: Office) -> None:
    """In the UI any assets can be picked; blocks beside a new list must not carry its moment and yesterday's goals."""
    office.sync()
    before = moments(office)
    office.world.rename("101", "Another name")
    office.sync(only=["raw_workspace_goals", "prompt_blocks"])
    assert moments(office)["prompt_blocks"] == before["mapped_goal_rows"]
    assert "Another name" not in office.block("E1")


def test_rows_of_an_earlier_sync_are_not_stamped_with_a_later_runs_moment(office: Office) -> None:
    office.sync()
    before = office.rows("prompt_blocks")
    run_id = dg.DagsterRun(job_name="sync_goals").run_id
    with office.database.connect("pretending") as transaction:
        begin_sync(transaction, office.name, run_id, dt.datetime.now(dt.UTC))
    result = office.sync(only=["prompt_blocks"], run_id=run_id)
    assert error_code(result) == "GoalsGuardError"
    assert "came from an earlier sync than what this run has written" in failure(result)
    assert office.rows("prompt_blocks") == before


def test_an_input_that_was_never_written_is_asked_for(office: Office) -> None:
    result = office.sync(only=["owned_goals"])
    assert error_code(result) == "GoalsStoreError"
    assert "raw_workspace_goals was never written; materialize it first" in failure(result)
    assert not any(office.slices().values())


@pytest.mark.fault("F7")
def test_a_sync_that_comes_too_late_writes_nothing(office: Office) -> None:
    office.sync()
    before = office.slices()
    tomorrow = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    with office.database.connect("pretending") as transaction:
        begin_sync(transaction, office.name, "tomorrow", tomorrow)
        for table in SLICE_TABLES:
            written = {"write_id": "w", "rows": 0, "rows_before": 0, "inputs": {}, "notes": {}, "is_last": False}
            note_write(transaction, office.name, "tomorrow", table, **written)  # type: ignore[arg-type]
    office.world.rename("101", "Too late")
    result = office.sync()
    assert error_code(result) == "GoalsGuardError"
    assert "has already written it" in failure(result)
    assert office.slices() == before


@pytest.mark.fault("G9")
def test_a_partition_that_is_no_connection_is_refused_before_anything_runs(office: Office) -> None:
    for key in ("nobody", "../../evil", f"{office.name}\n", " "):
        with pytest.raises(dg.DagsterUnknownPartitionError):
            office.sync(key)
    assert office.asana.count() == 0


@pytest.mark.fault("G9")
def test_a_partition_added_by_hand_fails_by_name(office: Office) -> None:
    """The UI offers to add any partition."""
    office.instance.add_dynamic_partitions("connections", ["added-by-hand"])
    result = office.sync("added-by-hand")
    assert error_code(result) == "GoalsConfigError"
    assert "there is no connection 'added-by-hand'" in failure(result)
    assert office.ledger("added-by-hand") == []


def materialize(office: Office, name: str, make: Callable[[], Any]) -> dg.ExecuteInProcessResult:
    """An asset of that name which returns what `make` returns, stored by the product's I/O manager."""

    @dg.asset(name=name, io_manager_key=IO_MANAGER, partitions_def=connections_partitions)
    def stray() -> Any:
        return make()

    return dg.materialize(
        [stray],
        partition_key=office.name,
        instance=office.instance,
        resources={IO_MANAGER: SliceIOManager(store=Store())},
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
def test_rows_that_break_their_schema_are_counted_not_shown_and_not_written(office: Office) -> None:
    assert materialize(office, "raw_workspace_goals", lambda: Slice(raw_goals("1"))).success
    before = office.slices()
    for kind, make in BROKEN:
        result = materialize(office, "raw_workspace_goals", lambda make=make: Slice(make()))
        assert error_code(result) == "GoalsSchemaError", kind
        if CANARY not in make().columns:
            assert CANARY not in "".join(str(event) for event in result.all_events), kind
        assert office.slices() == before, kind
        assert office.ledger()[-1]["error_code"] == "GoalsSchemaError", kind


@pytest.mark.parametrize("value", [None, "rows", raw_goals("1")], ids=["nothing", "text", "a bare frame"])
def test_an_asset_that_hands_over_anything_but_a_slice_fails_without_its_content(office: Office, value: Any) -> None:
    result = materialize(office, "raw_workspace_goals", lambda: value)
    assert not result.success
    assert office.rows("raw_workspace_goals") == []


NUMBERS = {
    "raw_workspace_goals": {"rows", "rows_before", "seconds", "requests", "throttled", "pages", "waited_seconds"},
    "owned_goals": {"rows", "rows_before", "seconds", "truncated_employees"},
    "subgoals": {"rows", "rows_before", "seconds", "requests", "throttled", "pages", "unread_lists", "hidden_subgoals"},
    "mapped_goal_rows": {"rows", "rows_before", "seconds"},
    "prompt_blocks": {"rows", "rows_before", "seconds", "truncated_employees"},
}


def test_each_materialization_tells_its_figures_as_numbers(office: Office) -> None:
    office.sync()
    result = office.sync()
    for table, names in NUMBERS.items():
        told = figures(result, table)
        rows = len(office.rows(table))
        assert {type(told[name]) for name in names} <= {int, float}, table
        assert (told["rows"], told["rows_before"], told["dagster/partition_row_count"]) == (rows, rows, rows)
        assert told["dagster/table_name"] == f"perfcopilot_goals.{table}"
        assert told["seconds"] >= 0
    assert figures(result, "subgoals")["route"] == "goal_relationships"
    requests = [figures(result, table)["requests"] for table in ("raw_workspace_goals", "subgoals")]
    assert requests == [1, 4]


@pytest.mark.fault("H7")
def test_metadata_holds_no_name_and_no_goal(office: Office) -> None:
    result = office.sync(checked=True)
    told = str([event.materialization for event in result.get_asset_materialization_events()]) + str(verdicts(result))
    for word in ("Grow", "Hire", "Thimble", "Ada", "Nobody's", "example.com"):
        assert word not in told


@pytest.mark.fault("B20")
def test_a_change_that_asana_announces_is_noted(office: Office) -> None:
    office.asana.asana_change = "name=goal_status;info=https://example.com;affected=true"
    office.sync()
    assert office.ledger()[0]["counts"]["tables"]["subgoals"]["notes"]["asana_changes"] == {"goal_status": True}

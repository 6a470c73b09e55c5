"""Receipts of whole syncs through the job, and syncs in which a loss was planted."""

import datetime as dt
from typing import Any

import dagster as dg
import psycopg
import pytest

from perfcopilot_goals.core.goals import parse_goals, select_owned_goals
from perfcopilot_goals.core.receipt import count_owners
from perfcopilot_goals.defs.assets import IO_MANAGER
from perfcopilot_goals.defs.io_manager import SliceIOManager
from perfcopilot_goals.defs.partitions import connections_partitions
from perfcopilot_goals.defs.resources import StoreResource
from perfcopilot_goals.domain.sync import SLICE_TABLES
from perfcopilot_goals.sandbox import Goal
from perfcopilot_goals.schemas.tables import Slice
from perfcopilot_goals.services.erasure import erase_person
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals_tests.clock import FakeClock
from perfcopilot_goals_tests.core.examples import goal_json, owner
from perfcopilot_goals_tests.defs.running_instance import Running, error_code, failure, metadata_of

# Postgres leaves a row out of a table, as a defect of ours would.
LOSS = """
create function perfcopilot_goals.lose() returns trigger language plpgsql as
$$ begin if to_jsonb(new) @> '{lost}' then return null; end if; return new; end $$;
create trigger lose before insert on perfcopilot_goals.{table} for each row execute function perfcopilot_goals.lose();
"""
MENDED = "drop function perfcopilot_goals.lose() cascade"


def receipt_of(running: Running, run_id: str) -> dict[str, Any]:
    (receipt,) = [row["receipt"] for row in running.sync_log() if row["run_id"] == run_id]
    assert isinstance(receipt, dict)
    return receipt


def test_a_sync_stores_its_receipt_and_shows_it_on_the_blocks(running: Running) -> None:
    result = running.sync()
    receipt = receipt_of(running, result.run_id)
    assert receipt["goals"] == {
        "pages": 1,
        "listed": 7,
        "owned": 4,
        "beyond_cap": 0,
        "ownerless": 2,
        "strangers": 1,
        "erased": 0,
        "repeated": 0,
    }
    assert receipt["lists"] == {"walked": 4, "read": 4, "refused_403": 0, "refused_404": 0, "hidden_subgoals": 0}
    assert (receipt["requests"], receipt["rejected"]) == (running.asana.count(), 0)
    assert (receipt["route"], receipt["connection"]) == ("goal_relationships", running.name)
    (sync,) = running.sync_log()
    for name in ("synced_at", "started_at", "finished_at"):
        # As moments: Postgres leaves out the zeros at the end of a second's fraction.
        assert dt.datetime.fromisoformat(sync[name]) == dt.datetime.fromisoformat(receipt[name])
    assert {table: entry["rows"] for table, entry in receipt["tables"].items()} == {
        table: len(rows) for table, rows in running.slices().items()
    }
    shown = metadata_of(result, "prompt_blocks")["receipt"]
    assert "| result | complete but for |" in shown
    assert "| but for employees without an Asana user | 1: E3 |" in shown


def test_equal_data_gives_equal_digests_and_a_rename_gives_another(running: Running) -> None:
    first = receipt_of(running, running.sync().run_id)["tables"]
    again = receipt_of(running, running.sync().run_id)["tables"]
    assert again == first
    assert len({entry["sha256"] for entry in first.values()}) == len(SLICE_TABLES)
    running.world.rename("101", "Another name")
    renamed = receipt_of(running, running.sync().run_id)["tables"]
    assert {table for table in SLICE_TABLES if renamed[table] != first[table]} == set(SLICE_TABLES) - {"subgoals"}


def test_an_asset_made_alone_has_no_receipt(running: Running) -> None:
    running.sync()
    alone = running.sync(only=["prompt_blocks"])
    assert [row["receipt"] for row in running.sync_log() if row["run_id"] == alone.run_id] == [None]
    assert "receipt" not in metadata_of(alone, "prompt_blocks")


@pytest.mark.parametrize(
    ("table", "lost"),
    [
        ("raw_workspace_goals", '{"goal_gid": "103"}'),
        ("subgoals", '{"goal_gid": "101", "subgoal_gid": "106"}'),
        ("mapped_goal_rows", '{"row_gid": "107", "goal_gid": "101"}'),
    ],
)
def test_a_row_that_is_lost_on_the_way_keeps_the_blocks_of_the_last_sync(
    running: Running, table: str, lost: str
) -> None:
    running.sync()
    before = running.rows("prompt_blocks")
    running.world.rename("101", "Another name")
    with psycopg.connect(running.database.url) as admin:
        admin.execute(LOSS.replace("{lost}", lost).replace("{table}", table))
    try:
        result = running.sync()
    finally:
        with psycopg.connect(running.database.url) as admin:
            admin.execute(MENDED)
    assert error_code(result) == "GoalsGuardError"
    assert f"rows of {table} were written and" in failure(result)
    assert running.rows("prompt_blocks") == before
    assert running.sync_log()[-1]["receipt"] is None
    assert running.sync().success


def test_a_goal_lost_by_the_walk_over_the_list_ends_the_sync_before_its_first_write(running: Running) -> None:
    """An asset that loses a goal after the list was counted."""
    assert running.sync().success
    before = running.slices()
    goals = parse_goals([goal_json("101", owner=owner("1")), goal_json("102", owner=owner("1"))], "77")
    lost = goals.rows.iloc[1:]
    counts = {**goals.notes, **count_owners(lost, select_owned_goals(lost, {"1": "E1"}), {"1"})}

    @dg.asset(io_manager_key=IO_MANAGER, partitions_def=connections_partitions)
    def raw_workspace_goals() -> Any:
        return Slice(lost, counts)

    result = dg.materialize(
        [raw_workspace_goals],
        partition_key=running.name,
        instance=running.instance,
        resources={IO_MANAGER: SliceIOManager(store=StoreResource(settings=load_settings()), clock=FakeClock())},
        raise_on_error=False,
    )
    assert error_code(result) == "GoalsGuardError"
    assert "rows 1 + erased 0 is 1, but listed is 2; the old rows stand" in failure(result)
    assert running.slices() == before


def test_an_erasure_leaves_counts_in_the_receipts_and_neither_digests_nor_ids(running: Running) -> None:
    for number in range(201):
        running.world.add(Goal(f"9{number:03d}", "One more", "1"))
    run_id = running.sync().run_id
    receipt = receipt_of(running, run_id)
    assert [entry["employee_id"] for entry in receipt["but_for"]["employees_truncated"]["ids"]] == ["E1"]
    erase_person(running.database, load_settings(), running.name, "E1")
    left = receipt_of(running, run_id)
    assert {entry["sha256"] for entry in left["tables"].values()} == {None}
    assert left["goals"] == receipt["goals"]
    log = str(running.sync_log())
    for entry in receipt["tables"].values():
        assert entry["sha256"] not in log
    assert "'E1'" not in log
    tables = running.sync_log()[0]["counts"]["tables"]
    assert tables["owned_goals"]["inputs"]["employees"] == "[erased]"
    after = receipt_of(running, running.sync().run_id)
    assert after["goals"]["erased"] == receipt["goals"]["owned"] + receipt["goals"]["beyond_cap"] - 2
    assert None not in {entry["sha256"] for entry in after["tables"].values()}

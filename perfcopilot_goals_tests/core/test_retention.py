"""Old syncs are deleted, except those that something present depends on."""

import datetime as dt
import time
from typing import Any

import pytest

from perfcopilot_goals.core.retention import choose_expired, cutoff_of
from perfcopilot_goals.domain.sync import SLICE_TABLES, Sync
from perfcopilot_goals.errors import GoalsConfigError

NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)


def sync(days_ago: float, state: str = "complete", *, tables: Any = SLICE_TABLES, **changes: Any) -> Sync:
    """A sync of this many days ago. The number is its run id."""
    began = NOW - dt.timedelta(days=days_ago)
    counts = {"tables": {table: {"written_at": began.isoformat()} for table in tables}}
    values: dict[str, Any] = {
        "connection": "acme",
        "run_id": f"{days_ago}",
        "synced_at": began,
        "started_at": began,
        "finished_at": None if state == "running" else began + dt.timedelta(minutes=5),
        "state": state,
        "error_code": None,
        "requests": 1,
        "throttled": 0,
        "subgoal_route": "subgoals",
        "counts": counts,
    }
    return Sync(**values | changes)


def expired(*syncs: Sync, days: int = 30) -> list[str]:
    return [one.run_id for one in choose_expired(syncs, NOW - dt.timedelta(days=days))]


@pytest.mark.fault("H21")
def test_old_syncs_go_and_new_ones_stay() -> None:
    assert expired(sync(1), sync(29), sync(31), sync(90)) == ["90", "31"]


@pytest.mark.fault("H21")
def test_what_the_present_rows_came_from_stays_however_old() -> None:
    assert expired(sync(90), sync(60)) == ["90"]
    # The later syncs failed half-way or rendered only blocks, so each table was last written by another one.
    parts = [
        sync(80),
        sync(70, "failed", tables=SLICE_TABLES[:3], subgoal_route=None),
        sync(60, "failed", tables=SLICE_TABLES[:2], subgoal_route=None),
        sync(50, "failed", tables=(), subgoal_route=None),
        sync(40, "failed", tables=(), subgoal_route=None),
    ]
    assert expired(*parts) == ["50"]


def test_the_walk_that_a_present_block_is_made_from_stays_though_there_are_later_ones() -> None:
    """Without its notes nobody could say which key results the block lacks."""
    blocks, rows, walk = sync(60, tables=["prompt_blocks"]), sync(70, tables=["mapped_goal_rows"]), sync(80)
    for made, table, source, by in (
        (blocks, "prompt_blocks", "mapped_goal_rows", rows),
        (rows, "mapped_goal_rows", "subgoals", walk),
    ):
        made.counts["tables"][table]["inputs"] = {source: by.run_id}
    # Dagster's retry of a sync that died after its list of goals began with the walk.
    listed = sync(85, "failed", tables=SLICE_TABLES[:2])
    listed.counts["tables"]["owned_goals"]["inputs"] = {"raw_workspace_goals": listed.run_id}
    walk.counts["tables"]["subgoals"]["inputs"] = {"owned_goals": listed.run_id}
    later = [sync(50, "failed", tables=SLICE_TABLES[:4]), sync(40, "failed", tables=SLICE_TABLES[:3])]
    assert expired(sync(90, tables=()), listed, walk, rows, blocks, *later) == ["90"]


def test_the_last_complete_one_and_the_last_route_stay() -> None:
    alone = sync(40, tables=["raw_workspace_goals"], subgoal_route=None)
    newer = [sync(1, "failed", subgoal_route=None), sync(2, tables=[], subgoal_route=None)]
    assert expired(sync(90, tables=[]), sync(80, tables=[]), sync(70, subgoal_route=None), alone, *newer) == [
        "90",
        "40",
    ]


@pytest.mark.fault("H21")
def test_a_running_sync_stays() -> None:
    assert expired(sync(1), sync(400, "running", tables=())) == []


def test_each_connection_keeps_its_own() -> None:
    assert expired(sync(90), sync(80, connection="globex"), sync(1)) == ["90"]


def test_age_is_counted_from_the_end() -> None:
    days = dt.timedelta(days=1)
    long = sync(31, finished_at=NOW - 29 * days)
    assert expired(long, sync(1)) == []


def test_a_year_of_hourly_syncs_is_gone_through_in_seconds() -> None:
    syncs = [sync(number / 24) for number in range(8_760)]
    began = time.process_time()
    assert len(expired(*syncs)) == 8_039
    assert time.process_time() - began < 2


@pytest.mark.parametrize("days", [0, -1, 999_999, 10**12])
def test_less_than_a_day_and_more_than_the_calendar_has_are_refused(days: int) -> None:
    with pytest.raises(GoalsConfigError, match=f"at least 1 and at most 99,999; {days} was asked for"):
        cutoff_of(days, NOW)
    assert cutoff_of(99_999, NOW).year == 1752

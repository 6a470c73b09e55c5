"""The sync log: how a sync enters it, what is recorded, how the sync ends, and what is read from it."""

import datetime as dt
from typing import Any

import psycopg
import pytest

from perfcopilot_goals.domain.sync import Source, Sync
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.storage.database import Database, driver
from perfcopilot_goals.storage.sync_log import (
    Write,
    begin_sync,
    fail_sync,
    has_newer_write,
    read_last_route,
    read_last_sync,
    read_source,
    record_write,
)
from perfcopilot_goals_tests.storage.examples import MONDAY, RAW, TUESDAY, add

BLOCKS = "prompt_blocks"


@pytest.fixture(autouse=True)
def _connections(database: Database) -> None:
    add(database, "acme", "globex")


def begin(database: Database, run_id: str, synced_at: dt.datetime = MONDAY, name: str = "acme") -> dt.datetime:
    with database.connect("entering") as conn:
        return begin_sync(conn, name, run_id, synced_at)


def fail(database: Database, run_id: str, code: str = "AsanaAccessError", **spent: Any) -> None:
    with database.connect("failing") as conn:
        fail_sync(conn, "acme", run_id, code, **spent)


def note(database: Database, run_id: str, table: str = RAW, *, is_last: bool = False, **notes: Any) -> None:
    with database.connect("noting") as conn:
        record_write(conn, "acme", run_id, table, Write("w", 3, 2, {"employees": "digest"}, notes), is_last=is_last)


def last(database: Database, state: str | None = None, name: str = "acme") -> Sync | None:
    with database.connect("reading") as conn:
        return read_last_sync(conn, name, state)


def row(database: Database, run_id: str) -> Sync:
    with psycopg.connect(database.url) as conn:
        found = conn.execute(
            "select connection, run_id, synced_at, started_at, finished_at, state, error_code, requests, throttled, "
            "subgoal_route, counts from perfcopilot_goals.syncs where run_id = %s",
            [run_id],
        ).fetchone()
    assert found is not None
    return Sync(*found)


def test_a_sync_is_entered_runs_and_completes_with_its_last_table(database: Database) -> None:
    assert begin(database, "r1") == MONDAY
    running = row(database, "r1")
    assert (running.state, running.finished_at, running.error_code, running.counts) == ("running", None, None, {})
    note(database, "r1", RAW, requests=8, throttled=1)
    assert row(database, "r1").state == "running"
    note(database, "r1", BLOCKS, is_last=True)
    done = row(database, "r1")
    assert (done.state, done.requests, done.throttled) == ("complete", 8, 1)
    assert done.finished_at is not None
    assert done.finished_at >= done.started_at
    assert set(done.counts["tables"]) == {RAW, BLOCKS}
    assert done.counts["tables"][RAW]["rows"] == 3


def test_the_moment_is_that_of_the_first_asset_of_the_run(database: Database) -> None:
    assert begin(database, "r1", MONDAY) == MONDAY
    assert begin(database, "r1", TUESDAY) == MONDAY


def test_the_moment_is_in_utc_wherever_it_was_taken(database: Database) -> None:
    elsewhere = MONDAY.astimezone(dt.timezone(dt.timedelta(hours=9)))
    entered = begin(database, "r1", elsewhere)
    assert (entered, entered.utcoffset()) == (MONDAY, dt.timedelta(0))


def test_a_sync_that_died_is_marked_when_the_next_one_begins(database: Database) -> None:
    begin(database, "r1")
    begin(database, "r0", name="globex")
    begin(database, "r2", TUESDAY)
    died = row(database, "r1")
    assert (died.state, died.error_code) == ("failed", "Interrupted")
    assert died.finished_at is not None
    assert row(database, "r2").state == "running"
    assert row(database, "r0").state == "running"


def test_a_sync_that_was_marked_as_dead_and_goes_on_is_running_again(database: Database) -> None:
    begin(database, "r1")
    begin(database, "r2", TUESDAY)
    begin(database, "r1")
    assert (row(database, "r1").state, row(database, "r1").error_code) == ("running", None)


def test_a_finished_sync_is_not_marked(database: Database) -> None:
    begin(database, "r1")
    note(database, "r1", BLOCKS, is_last=True)
    begin(database, "r2", TUESDAY)
    assert row(database, "r1").state == "complete"


def test_a_sync_of_an_unknown_connection_is_not_entered(database: Database) -> None:
    with pytest.raises(GoalsConfigError, match="no connection nobody any more"):
        begin(database, "r1", name="nobody")


def test_a_failure_adds_its_requests_and_keeps_what_was_recorded(database: Database) -> None:
    begin(database, "r1")
    note(database, "r1", RAW, requests=8, throttled=1)
    fail(database, "r1", requests=5, throttled=2)
    failed = row(database, "r1")
    assert (failed.state, failed.error_code) == ("failed", "AsanaAccessError")
    assert (failed.requests, failed.throttled, set(failed.counts["tables"])) == (13, 3, {RAW})
    assert failed.finished_at is not None


def test_a_sync_that_fails_before_its_entry_is_entered(database: Database) -> None:
    fail(database, "r1", "GoalsConfigError")
    failed = row(database, "r1")
    assert (failed.state, failed.error_code, failed.requests, failed.counts) == ("failed", "GoalsConfigError", 0, {})


def test_a_failed_sync_stops_nobody_elses_write(database: Database) -> None:
    fail(database, "r1")
    begin(database, "r2")
    with database.connect("asking") as conn:
        assert not has_newer_write(conn, "acme", RAW, MONDAY)


def test_a_later_sync_that_has_written_the_table_is_newer(database: Database) -> None:
    begin(database, "r2", TUESDAY)
    note(database, "r2", RAW)
    with database.connect("asking") as conn:
        assert has_newer_write(conn, "acme", RAW, MONDAY)
        assert not has_newer_write(conn, "acme", RAW, TUESDAY)
        assert not has_newer_write(conn, "acme", BLOCKS, MONDAY)
        assert not has_newer_write(conn, "globex", RAW, MONDAY)


def source(database: Database, table: str = RAW) -> Source | None:
    with database.connect("reading") as conn:
        return read_source(conn, "acme", table)


def test_a_table_that_was_never_written_has_no_source(database: Database) -> None:
    begin(database, "r1")
    fail(database, "r1")
    assert source(database) is None


def test_the_source_is_the_latest_write_with_its_moment_inputs_and_notes(database: Database) -> None:
    begin(database, "r1", MONDAY)
    note(database, "r1", RAW, unread=["7"])
    assert source(database) == Source("r1", MONDAY, {"employees": "digest"}, {"unread": ["7"]}, 2)
    begin(database, "r2", TUESDAY)
    note(database, "r2", RAW)
    assert source(database) == Source("r2", TUESDAY, {"employees": "digest"}, {}, 2)


def test_the_latest_write_counts_also_if_its_sync_began_earlier(database: Database) -> None:
    """A run that renders blocks again from Monday's goals writes after Tuesday's fetch has begun."""
    begin(database, "r2", TUESDAY)
    note(database, "r2", BLOCKS)
    begin(database, "r3", MONDAY)
    note(database, "r3", BLOCKS)
    found = source(database, BLOCKS)
    assert found is not None
    assert found.made_by == "r3"


def test_the_database_says_when_a_table_was_written(database: Database) -> None:
    """Two machines' clocks differ. Which slice is the latest must not depend on them."""
    begin(database, "r1")
    with database.connect("comparing") as conn:
        record_write(conn, "acme", "r1", RAW, Write("w", 0, 0, {}, {}), is_last=False)
        age = (
            driver(conn)
            .execute(
                "select clock_timestamp() - (counts #>> '{tables,raw_workspace_goals,written_at}')::timestamptz "
                "between interval '0' and interval '10 s' from perfcopilot_goals.syncs"
            )
            .fetchone()
        )
    assert age == (True,)


def test_the_latest_write_is_found_by_the_moment_not_by_its_spelling(database: Database) -> None:
    spellings = {
        "r1": "2026-03-02T05:17:09.5+00:00",
        "r2": "2026-03-02T05:17:10+00:00",
        "r3": "2026-03-02T07:00:00+09:00",
    }
    for run_id in spellings:
        begin(database, run_id)
        note(database, run_id)
    with psycopg.connect(database.url) as conn:
        for run_id, spelling in spellings.items():
            conn.execute(
                "update perfcopilot_goals.syncs set counts = "
                "jsonb_set(counts, '{tables,raw_workspace_goals,written_at}', to_jsonb(%s::text)) where run_id = %s",
                [spelling, run_id],
            )
    found = source(database)
    assert found is not None
    assert found.made_by == "r2"


def test_the_last_sync_is_the_one_that_started_last_in_that_state(database: Database) -> None:
    assert last(database) is None
    begin(database, "r1")
    note(database, "r1", BLOCKS, is_last=True)
    begin(database, "r2", TUESDAY)
    fail(database, "r2")
    assert [sync.run_id for sync in (last(database), last(database, "failed")) if sync] == ["r2", "r2"]
    complete = last(database, "complete")
    assert complete is not None
    assert (complete.run_id, complete.synced_at) == ("r1", MONDAY)
    assert last(database, "running") is None
    assert last(database, name="globex") is None


def test_a_complete_run_without_blocks_is_no_complete_sync(database: Database) -> None:
    begin(database, "r1")
    note(database, "r1", "owned_goals", is_last=True)
    assert row(database, "r1").state == "complete"
    assert last(database, "complete") is None


def test_blocks_that_are_rendered_again_are_as_old_as_their_goals(database: Database) -> None:
    begin(database, "r1", MONDAY)
    note(database, "r1", BLOCKS, is_last=True)
    begin(database, "r2", MONDAY)
    note(database, "r2", BLOCKS, is_last=True)
    complete = last(database, "complete")
    assert complete is not None
    assert (complete.run_id, complete.synced_at) == ("r2", MONDAY)


def route(database: Database) -> str | None:
    with database.connect("reading") as conn:
        return read_last_route(conn, "acme")


def test_the_last_route_is_that_of_the_last_complete_sync_that_walked(database: Database) -> None:
    assert route(database) is None
    begin(database, "r1")
    note(database, "r1", "subgoals", route="goal_relationships")
    assert route(database) is None
    note(database, "r1", BLOCKS, is_last=True)
    assert route(database) == "goal_relationships"
    begin(database, "r2")
    note(database, "r2", BLOCKS, is_last=True)
    assert route(database) == "goal_relationships"
    begin(database, "r3")
    note(database, "r3", "subgoals", route="subgoals")
    fail(database, "r3")
    assert route(database) == "goal_relationships"


def test_a_later_table_does_not_remove_the_route(database: Database) -> None:
    begin(database, "r1")
    note(database, "r1", "subgoals", route="subgoals")
    note(database, "r1", BLOCKS, is_last=True)
    assert row(database, "r1").subgoal_route == "subgoals"


def test_a_run_that_failed_and_writes_its_last_table_after_all_is_complete(database: Database) -> None:
    begin(database, "r1")
    fail(database, "r1")
    note(database, "r1", BLOCKS, is_last=True)
    assert (row(database, "r1").state, row(database, "r1").error_code) == ("complete", None)

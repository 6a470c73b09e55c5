"""Postgres breaks during a sync."""

import threading
import time

import psycopg
import pytest

from perfcopilot_goals.domain.sync import SLICE_TABLES
from perfcopilot_goals.sandbox.exchange import Request, Response
from perfcopilot_goals_tests.faults.company import CANARIES, NEW, OLD, ONE, TWO, content, mixed
from perfcopilot_goals_tests.faults.conftest import Rig
from perfcopilot_goals_tests.faults.reader import contradictions
from perfcopilot_goals_tests.pgbouncer import needs_pgbouncer, pgbouncer


def end_backends(url: str) -> list[str]:
    """End every other session of the database, as an operator or a fail-over would; returns their states."""
    with psycopg.connect(url, autocommit=True) as conn:
        ended = conn.execute(
            "select state, pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'"
        ).fetchall()
    return [state for state, _ in ended]


@pytest.mark.fault("E1")
def test_a_missing_database_is_noticed_before_asana_is_asked(rig: Rig) -> None:
    rig.begin()
    before = rig.asana.count()
    result = rig.syncs("postgresql://somebody:hunter2@127.0.0.1:1/goals").run()
    texts = [str(e.event_specific_data) for e in result.all_events if e.is_step_failure]
    assert "GoalsStoreError" in texts[0]
    assert "hunter2" not in "".join(texts)
    assert rig.asana.count() == before


@pytest.mark.fault("E2", "E5")
def test_sessions_that_are_ended_while_asana_is_asked_cost_nothing(rig: Rig) -> None:
    rig.begin()
    ended: list[list[str]] = []

    def end(request: Request, response: Response) -> Response:
        if "supported_goal=105" in request.target and not ended:
            ended.append(end_backends(rig.url))
        return response

    rig.asana.faults = end
    assert rig.syncs().run().success
    # The session with the token's lock, and the one that the pool keeps.
    assert ended == [["idle", "idle"]], "a transaction is open while Asana is asked"
    assert content(rig.url, ONE) == rig.states[NEW]


@pytest.mark.fault("E14")
def test_rows_are_replaced_without_truncate_so_that_a_reader_keeps_the_old_ones(rig: Rig) -> None:
    with psycopg.connect(rig.begin(), autocommit=True) as admin:
        admin.execute(
            "create function no_truncate() returns trigger language plpgsql as $$ begin "
            "raise exception 'truncate of %', tg_table_name; end $$"
        )
        for table in SLICE_TABLES:
            admin.execute(
                f"create trigger no_truncate before truncate on perfcopilot_goals.{table} "
                "for each statement execute function no_truncate()"
            )
    rows = "select goal_gid, name from perfcopilot_goals.raw_workspace_goals where connection = %s order by 1"
    with psycopg.connect(rig.url) as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        before = reader.execute(rows, [ONE]).fetchall()
        assert rig.syncs().run().success, "a reader with an open snapshot was in the way, or rows were truncated"
        assert reader.execute(rows, [ONE]).fetchall() == before
        reader.rollback()
        assert reader.execute(rows, [ONE]).fetchall() != before
    assert content(rig.url, ONE) == rig.states[NEW]
    assert content(rig.url, TWO) == rig.states[OLD]


@pytest.mark.fault("E3", "E5", "E11")
def test_sessions_that_are_ended_again_and_again_leave_slices_old_or_new(rig: Rig) -> None:
    rig.begin()
    done = threading.Event()

    def keep_ending() -> None:
        while not done.is_set():
            end_backends(rig.url)
            time.sleep(0.15)

    thread = threading.Thread(target=keep_ending)
    thread.start()
    try:
        result = rig.syncs().run()
    finally:
        done.set()
        thread.join()
    texts = "".join(str(event.event_specific_data) for event in result.all_events)
    assert not [canary for canary in CANARIES if canary in texts]
    assert mixed(rig.url, rig.states, ONE) == []
    assert mixed(rig.url, {OLD: rig.states[OLD]}, TWO) == []
    assert contradictions(rig.url, ONE) == []
    assert rig.syncs().run().success
    assert content(rig.url, ONE) == rig.states[NEW]


@needs_pgbouncer
@pytest.mark.fault("E34")
def test_a_sync_through_a_pooler_in_session_mode_is_like_any_other(rig: Rig) -> None:
    with pgbouncer(rig.begin()) as url:
        for _ in range(2):
            assert rig.syncs(url).run().success
    assert content(rig.url, ONE) == rig.states[NEW]
    assert content(rig.url, TWO) == rig.states[OLD]


@needs_pgbouncer
@pytest.mark.fault("E35")
def test_through_a_pooler_in_transaction_mode_asana_is_not_even_asked(rig: Rig) -> None:
    with pgbouncer(rig.begin(), pool_mode="transaction", ignore_startup_parameters="options") as url:
        before = rig.asana.count()
        result = rig.syncs(url).run()
    texts = [str(e.event_specific_data) for e in result.all_events if e.is_step_failure]
    assert "GoalsConfigError" in texts[0]
    assert "direct address of Postgres" in texts[0]
    assert rig.asana.count() == before
    assert content(rig.url, ONE) == rig.states[OLD]

"""What a replace promises, one test per promise: old or new rows, all of them, nobody else's, and unchanged."""

import datetime as dt
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pytest

from perfcopilot_goals.core.lineage import roster_digest
from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.domain.sync import SLICE_TABLES
from perfcopilot_goals.errors import GoalsConfigError, GoalsGuardError, GoalsSchemaError, GoalsStoreError
from perfcopilot_goals.schemas.tables import TABLES, Slice, frame, stamp
from perfcopilot_goals.storage.database import Database, driver
from perfcopilot_goals.storage.locks import lock_slices
from perfcopilot_goals.storage.slices import GUARDED, Replacement, load_slice, read_slice, replace_slice
from perfcopilot_goals.storage.sync_log import Write, begin_sync, record_write
from perfcopilot_goals_tests.core.examples import error_texts
from perfcopilot_goals_tests.storage.examples import (
    MONDAY,
    RAW,
    TUESDAY,
    add,
    everything,
    gids,
    imported,
    raw_goals,
    stored,
    write,
)

CANARY = "Secret goal of Bob"

Trap = Callable[[int, str], None]


@pytest.fixture(autouse=True)
def _connections(database: Database) -> None:
    add(database, "acme", "globex")


def test_a_replace_run_twice_gives_equal_rows(database: Database) -> None:
    write(database, raw_goals("1", "2"))
    before = stored(database)
    assert write(database, raw_goals("1", "2")) == 2
    assert stored(database) == before


def test_connection_a_then_b_then_a_again_leaves_b_alone(database: Database) -> None:
    write(database, raw_goals("1", "2"), name="acme", run_id="a1")
    write(database, raw_goals("2", "3"), name="globex", run_id="b1")
    globex = stored(database, name="globex")
    write(database, raw_goals("9"), name="acme", run_id="a2", synced_at=TUESDAY)
    assert gids(database, "acme") == ["9"]
    assert stored(database, name="globex") == globex


@pytest.mark.fault("C27")
def test_the_same_gid_in_two_connections_is_two_rows(database: Database) -> None:
    write(database, raw_goals("1", name="acme's"), name="acme")
    write(database, raw_goals("1", name="globex's"), name="globex")
    assert [row["name"] for row in stored(database, name=None)] == ["acme's", "globex's"]


@pytest.mark.parametrize("table", SLICE_TABLES)
@pytest.mark.fault("C16")
def test_an_empty_slice_may_come_first_and_has_the_tables_types(database: Database, table: str) -> None:
    assert write(database, frame(table, []), table=table) == 0
    rows, source = load_slice(database, table, "acme")
    assert rows.dtypes.to_dict() == frame(table, []).dtypes.to_dict()
    assert (len(rows), source.made_by, source.synced_at) == (0, "run-1", MONDAY)


@pytest.fixture
def fail_at_row(database: Database) -> Iterator[Trap]:
    """Returns a function that makes the database refuse the n-th goal of the list, from 1, at each try."""

    def lay(number: int, sqlstate: str) -> None:
        with psycopg.connect(database.url) as conn:
            conn.execute(
                "create function trap() returns trigger language plpgsql as $$ begin "
                f"if new.position = {number - 1} then raise exception 'row of %', new using errcode = '{sqlstate}'; "
                "end if; return new; end $$"
            )
            conn.execute(
                f"create trigger trap before insert on perfcopilot_goals.{RAW} for each row execute function trap()"
            )

    yield lay
    with psycopg.connect(database.url) as conn:
        conn.execute("drop function trap cascade")


@pytest.fixture
def hold_at_row(database: Database) -> Iterator[Callable[[int], None]]:
    """Returns a function that makes the database stop for 20 s at the n-th goal of the list, from 1."""

    def hold(number: int) -> None:
        with database.connect("laying a trap") as conn:
            driver(conn).execute(
                "create function hold() returns trigger language plpgsql as $$ begin "
                f"if new.position = {number - 1} then perform pg_sleep(20); end if; return new; end $$"
            )
            driver(conn).execute(
                f"create trigger hold before insert on perfcopilot_goals.{RAW} for each row execute function hold()"
            )

    yield hold
    with database.connect("taking the trap away") as conn:
        driver(conn).execute("drop function hold cascade")


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("sqlstate", ["53100", "23514", "40001", "57014", "XX000"])
@pytest.mark.fault("E10", "E11", "E17")
def test_a_write_that_fails_at_any_row_keeps_the_old_slice(
    database: Database, fail_at_row: Trap, number: int, sqlstate: str
) -> None:
    write(database, raw_goals("1", "2"))
    before = stored(database, name=None)
    fail_at_row(number, sqlstate)
    with pytest.raises(GoalsStoreError) as caught:
        write(database, raw_goals("7", "8", "9", name=CANARY), run_id="run-2", synced_at=TUESDAY)
    assert stored(database, name=None) == before
    assert caught.value.sqlstate == sqlstate
    assert str(caught.value).startswith(f"GoalsStoreError: replacing {RAW}: Postgres said SQLSTATE {sqlstate}")
    assert CANARY not in error_texts(caught.value)


@pytest.mark.parametrize("sqlstate", ["40001", "40P01", "55P03", "57P01"])
def test_a_failure_that_may_pass_is_tried_three_times_with_pauses(
    database: Database, fail_at_row: Trap, sqlstate: str
) -> None:
    pauses: list[float] = []
    fail_at_row(1, sqlstate)
    with pytest.raises(GoalsStoreError):
        write(database, raw_goals("1"), pause=pauses.append)
    assert len(pauses) == 2
    assert 0.25 <= pauses[0] <= 0.5 < 1.0 <= pauses[1] <= 2.0


@pytest.mark.parametrize("sqlstate", ["23514", "22P02", "42501", "53100", "57014"])
def test_a_failure_that_cannot_pass_is_tried_once(database: Database, fail_at_row: Trap, sqlstate: str) -> None:
    fail_at_row(1, sqlstate)
    with pytest.raises(GoalsStoreError):
        write(database, raw_goals("1"), pause=lambda _: pytest.fail("another try"))


def test_a_connect_that_only_a_person_can_mend_is_tried_once(database_url: str) -> None:
    """A server without TLS where the URL asks for it: libpq gives up by itself, so there is no SQLSTATE."""
    replacement = Replacement("acme", "run-1", MONDAY, {}, {}, is_last=False)
    with pytest.raises(GoalsStoreError) as caught:
        replace_slice(
            Database(f"{database_url}?sslmode=require"),
            RAW,
            raw_goals("1"),
            replacement,
            lambda _: pytest.fail("another try"),
        )
    assert (caught.value.sqlstate, caught.value.retryable) == ("", False)


def test_a_later_try_that_succeeds_writes_once(database: Database, fail_at_row: Trap) -> None:
    write(database, raw_goals("1", "2"))
    fail_at_row(1, "40001")

    def mend(_: float) -> None:
        with psycopg.connect(database.url) as conn:
            conn.execute(f"drop trigger if exists trap on perfcopilot_goals.{RAW}")

    assert write(database, raw_goals("7"), run_id="run-2", notes={"requests": 3}, pause=mend) == 2
    assert gids(database) == ["7"]
    assert [row["requests"] for row in stored(database, "syncs") if row["run_id"] == "run-2"] == [3]


def test_a_full_disk_may_pass_by_the_next_run_and_a_broken_rule_may_not(database: Database, fail_at_row: Trap) -> None:
    fail_at_row(1, "53100")
    with pytest.raises(GoalsStoreError) as caught:
        write(database, raw_goals("1"))
    assert caught.value.retryable
    assert not GoalsStoreError("", "23514").retryable


def test_after_a_failed_write_the_old_slice_still_says_where_it_came_from(
    database: Database, fail_at_row: Trap
) -> None:
    write(database, raw_goals("1"))
    fail_at_row(1, "53100")
    with pytest.raises(GoalsStoreError):
        write(database, raw_goals("7"), run_id="run-2", synced_at=TUESDAY)
    _, source = load_slice(database, RAW, "acme")
    assert (source.made_by, source.synced_at) == ("run-1", MONDAY)


def test_columns_in_another_order_land_where_they_belong(database: Database) -> None:
    rows = raw_goals("1", "2", name="A name", status_type="A status", asana_status="Another")
    write(database, rows)
    before = stored(database)
    write(database, rows[list(reversed(rows.columns))])
    assert stored(database) == before


HOSTILE = [
    "",
    " ",
    "\\N",
    "\\.",
    "\\",
    "\\\\n",
    "\t",
    "a\tb\nc\rd\r\n",
    "\x0b\x0c\x1f\x7f\x85\u2028\u2029",
    "'\"`;--",
    "nan",
    "NaN",
    "NULL",
    "null",
    "None",
    "NaT",
    "{}",
    "%s %(x)s {y}",
    "\N{ROCKET}\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "e\u0301",
    "\u202e\ufeff\u200b\U000e0041",
    "\ufffd\uffff\U0010ffff",
    "x" * 100_000,
]


@pytest.mark.fault("E22")
def test_hostile_text_comes_back_exactly(database: Database) -> None:
    goals = [raw_goals(str(i), name=text, html_notes=text[:1000], html_notes_chars=i) for i, text in enumerate(HOSTILE)]
    rows = pd.concat(goals, ignore_index=True)
    write(database, rows)
    back, _ = load_slice(database, RAW, "acme")
    found = dict(zip(back["goal_gid"], zip(back["name"], back["html_notes"], strict=True), strict=True))
    assert found == {str(i): (text, text[:1000]) for i, text in enumerate(HOSTILE)}


@pytest.mark.parametrize("text", ["nul \x00", "half \ud800 a pair"], ids=ascii)
def test_text_that_postgres_cannot_hold_breaks_the_write_and_not_the_slice(database: Database, text: str) -> None:
    """Such text is replaced when it comes in. If it gets this far all the same, the old rows stay."""
    write(database, raw_goals("1"))
    before = stored(database)
    with pytest.raises((GoalsConfigError, GoalsStoreError)):
        write(database, raw_goals("2", name=text), run_id="run-2")
    assert stored(database) == before


@pytest.mark.fault("C6", "C7", "C8")
def test_nothing_is_stored_as_null_and_never_as_a_word_or_the_year_48113(database: Database) -> None:
    nothing = dict.fromkeys(
        ("owner_gid", "html_notes", "html_notes_chars", "due_on", "start_on", "status_type", "asana_status")
    )
    write(database, raw_goals("1", "2", **nothing))
    assert [{row[column] for column in nothing} for row in stored(database)] == [{None}, {None}]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NaT, pd.NA], ids=str)
@pytest.mark.parametrize("column", ["owner_gid", "html_notes", "due_on", "status_type"])
@pytest.mark.fault("C6", "C7", "C8")
def test_whatever_pandas_calls_missing_is_null(database: Database, column: str, missing: object) -> None:
    rows = raw_goals("1", "2")
    rows[column] = pd.Series([missing, rows[column][0]], dtype="object")
    write(database, rows)
    first, second = stored(database)
    assert first[column] is None
    assert second[column] == (None if rows[column][1] is None else str(rows[column][1]))


def test_a_count_with_nulls_in_its_column_stays_whole(database: Database) -> None:
    rows = pd.concat([raw_goals("1", html_notes_chars=2**31 - 1), raw_goals("2")], ignore_index=True)
    write(database, rows)
    assert [row["html_notes_chars"] for row in stored(database)] == [2**31 - 1, None]
    back, _ = load_slice(database, RAW, "acme")
    assert str(back["html_notes_chars"].dtype) == "Int64"


def test_a_slice_comes_back_as_it_was_given(database: Database) -> None:
    rows = raw_goals("1", "10", "2", "00123", due_on=dt.date(1, 1, 1), start_on=dt.date(9999, 12, 31))
    write(database, rows)
    back, source = load_slice(database, RAW, "acme")
    in_key_order = rows.sort_values("goal_gid", ignore_index=True)
    pd.testing.assert_frame_equal(back[rows.columns], in_key_order)
    assert source.notes == {}


def test_lists_of_objects_come_back_as_they_were_given(database: Database) -> None:
    citations: list[dict[str, Any]] = [
        {"line": 2, "goal_gid": "1", "key_result_gid": None},
        {"line": 3, "goal_gid": "1", "key_result_gid": "2"},
    ]
    blocks = [
        ("E1", "[GOALS]", 1, 1, 1, False, citations, "ok"),
        ("E2", "[GOALS]", 0, 0, 0, False, [], "owns_no_goals"),
    ]
    rows = frame("prompt_blocks", blocks)
    write(database, rows, table="prompt_blocks")
    back, _ = load_slice(database, "prompt_blocks", "acme")
    assert list(back["citations"]) == [citations, []]


def test_the_moment_is_stored_to_the_microsecond(database: Database) -> None:
    moment = MONDAY + dt.timedelta(microseconds=1)
    write(database, raw_goals("1"), synced_at=moment)
    with psycopg.connect(database.url) as conn:
        found = conn.execute(f"select synced_at from perfcopilot_goals.{RAW}").fetchone()
    assert found == (moment,)


@pytest.mark.fault("C26")
def test_the_same_key_twice_is_refused_before_anything_is_written(database: Database) -> None:
    write(database, raw_goals("1"))
    before = stored(database)
    with pytest.raises(GoalsSchemaError) as caught:
        write(database, raw_goals("7", "7", name=CANARY))
    assert CANARY not in str(caught.value)
    assert stored(database) == before


@pytest.mark.fault("F7")
def test_an_older_fetch_never_replaces_a_newer_one(database: Database) -> None:
    write(database, raw_goals("2"), run_id="tuesday", synced_at=TUESDAY)
    before = everything(database)
    with pytest.raises(GoalsGuardError, match="a sync that began after 2026-03-02 05:17:00 UTC has already written"):
        write(database, raw_goals("1"), run_id="monday", synced_at=MONDAY)
    after = everything(database)
    assert after[RAW] == before[RAW]


@pytest.mark.parametrize(
    ("now", "is_taken"),
    [
        ({"E1": "1", "E3": None}, True),
        ({"E1": "1", "E3": "3"}, True),
        ({"E1": "9", "E3": None}, False),
        ({"E1": None, "E3": None}, False),
        ({"E3": None}, False),
        ({"E1": None, "E3": "1"}, False),
    ],
    ids=["as it was", "one more mapped", "another user", "unmapped", "off the roster", "their user is somebody else"],
)
def test_rows_are_taken_as_long_as_everybody_they_are_about_is_mapped_as_they_were(
    now: dict[str, str | None], is_taken: bool, database: Database
) -> None:
    was = {"E1": "1", "E3": None}
    imported(database, *(Employee(employee_id, "", "", gid) for employee_id, gid in now.items()))
    roster: dict[str, Any] = {"roster_digest": roster_digest(was), "roster": was}
    if is_taken:
        write(database, raw_goals("1"), **roster)
    else:
        with pytest.raises(GoalsGuardError, match="an earlier state of who is mapped to whom"):
            write(database, raw_goals("1"), **roster)
    assert gids(database) == (["1"] if is_taken else [])


@pytest.mark.parametrize("read", [None, {"E3": None}], ids=["nothing", "another roster"])
def test_rows_of_another_runs_roster_are_refused_whatever_roster_this_run_has_read(
    read: dict[str, str | None] | None, database: Database
) -> None:
    """In the UI somebody materialized owned_goals alone while a sync ran, and then corrected the mapping again."""
    imported(database, Employee("E3", "", "", "9"))
    with pytest.raises(GoalsGuardError, match="an earlier state of who is mapped to whom"):
        write(database, raw_goals("1"), roster_digest=roster_digest({"E3": "3"}), roster=read)
    assert gids(database) == []


def test_an_older_fetch_is_refused_also_if_the_newer_one_found_nothing(database: Database) -> None:
    write(database, raw_goals(), run_id="tuesday", synced_at=TUESDAY)
    with pytest.raises(GoalsGuardError):
        write(database, raw_goals("1"), run_id="monday", synced_at=MONDAY)
    assert gids(database) == []


def test_a_newer_sync_of_another_connection_or_table_refuses_nothing(database: Database) -> None:
    write(database, raw_goals("2"), name="globex", run_id="tuesday", synced_at=TUESDAY)
    write(database, frame("subgoals", []), table="subgoals", run_id="tuesday", synced_at=TUESDAY)
    write(database, raw_goals("1"), run_id="monday", synced_at=MONDAY)
    assert gids(database) == ["1"]


@pytest.mark.parametrize("table", GUARDED)
@pytest.mark.fault("B11")
def test_goals_are_not_replaced_by_none_unless_allowed(database: Database, table: str) -> None:
    a_row = {
        RAW: raw_goals("1"),
        "owned_goals": frame("owned_goals", [("1", "E1", 1, 1, False, "Grow", None, None, None, None)]),
        "mapped_goal_rows": frame(
            "mapped_goal_rows", [("1", "1", "E1", "goal", 0, "Grow", None, None, None, None, "on_track")]
        ),
    }
    write(database, a_row[table], table=table)
    before = stored(database, table)
    with pytest.raises(GoalsGuardError, match=f"{table} has 1 rows and would become empty.*sync acme --allow-empty"):
        write(database, frame(table, []), table=table, run_id="run-2", synced_at=TUESDAY)
    assert stored(database, table) == before
    assert write(database, frame(table, []), table=table, run_id="run-2", synced_at=TUESDAY, allow_empty=True) == 1
    assert stored(database, table) == []


def test_key_results_may_become_none(database: Database) -> None:
    write(database, frame("subgoals", [("1", "2", 0, "Step", None, None, None, None)]), table="subgoals")
    assert write(database, frame("subgoals", []), table="subgoals", run_id="run-2") == 1


def test_a_replace_waits_only_for_its_own_connections_lock(database: Database, database_url: str) -> None:
    impatient = Database(f"{database_url}?options=-c%20lock_timeout%3D300ms")
    write(database, raw_goals("1"))
    with database.connect("holding") as holder:
        lock_slices(holder, "acme")
        with pytest.raises(GoalsStoreError) as caught:
            write(impatient, raw_goals("2"), run_id="run-2")
        write(impatient, raw_goals("3"), name="globex")
    assert (caught.value.sqlstate, caught.value.retryable) == ("55P03", True)
    assert (gids(database), gids(database, "globex")) == (["1"], ["3"])


@pytest.mark.fault("E8")
def test_a_replace_waits_for_a_locked_table_no_longer_than_the_limit(database: Database, database_url: str) -> None:
    impatient = Database(f"{database_url}?options=-c%20lock_timeout%3D300ms")
    write(database, raw_goals("1"))
    with psycopg.connect(database.url) as holder:
        holder.execute(f"lock table perfcopilot_goals.{RAW} in access exclusive mode")
        with pytest.raises(GoalsStoreError) as caught:
            write(impatient, raw_goals("2"), run_id="run-2")
    assert caught.value.sqlstate == "55P03"
    assert gids(database) == ["1"]


@pytest.mark.fault("F4")
def test_two_replaces_of_one_slice_at_once_leave_the_rows_of_one(database: Database) -> None:
    """Without a key and a lock, five rows of one run and three of the other were left, and both runs succeeded."""
    sizes = {"even": 40, "odd": 30}
    for turn in range(5):
        start = threading.Barrier(2)

        def replace(run: str, turn: int = turn, start: threading.Barrier = start) -> None:
            rows = raw_goals(*(f"{turn}{number:03}" for number in range(sizes[run])))
            start.wait(60)
            write(database, rows, run_id=f"{run}-{turn}", synced_at=MONDAY + dt.timedelta(hours=turn))

        with ThreadPoolExecutor(2) as threads:
            list(threads.map(replace, sizes))
        runs = {row["run_id"] for row in stored(database)}
        assert len(runs) == 1
        assert len(stored(database)) == sizes[runs.pop().partition("-")[0]]


@pytest.mark.fault("F8")
def test_replaces_of_two_connections_do_not_wait_for_each_other(database: Database) -> None:
    def replace(name: str) -> None:
        for number in range(10):
            write(database, raw_goals("1", "2"), name=name, run_id=f"{name}-{number}")

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(replace, ["acme", "globex"]))
    assert [(row["connection"], row["run_id"]) for row in stored(database, name=None)] == [
        *[("acme", "acme-9")] * 2,
        *[("globex", "globex-9")] * 2,
    ]


@pytest.fixture
def churn(database: Database) -> Iterator[Callable[[], bool]]:
    """Replaces a slice again and again, with the run's name in all its rows. The function says whether it goes on."""
    stop = threading.Event()
    write(database, raw_goals(*map(str, range(50)), name="run-0"), run_id="run-0")

    def replace() -> None:
        for number in itertools.count(1):
            if stop.is_set():
                return
            rows = raw_goals(*(f"{number}{place:02}" for place in range(50)), name=f"run-{number}")
            write(database, rows, run_id=f"run-{number}", synced_at=MONDAY + dt.timedelta(seconds=number))

    with ThreadPoolExecutor(1) as threads:
        writing = threads.submit(replace)
        yield lambda: not writing.done()
        stop.set()
        writing.result(30)


@pytest.mark.fault("E15")
def test_a_reader_never_sees_part_of_a_slice(database: Database, churn: Callable[[], bool]) -> None:
    seen: set[tuple[object, ...]] = set()
    while churn() and len(seen) < 8:
        with psycopg.connect(database.url) as conn:
            # Two scans in one statement and the sync log beside them: one snapshot.
            found = conn.execute(
                f"select count(*), count(distinct a.run_id), min(a.run_id) from perfcopilot_goals.{RAW} a "
                f"join perfcopilot_goals.{RAW} b using (connection, goal_gid, run_id)"
            ).fetchone()
        assert found is not None
        assert found[:2] == (50, 1)
        seen.add(found[2])
    assert len(seen) == 8


def test_a_slice_and_its_source_are_of_one_moment(database: Database) -> None:
    """Here a replace commits between the read of the source and the read of the rows."""
    write(database, raw_goals("1", name="old"), run_id="run-1")
    with database.connect("entering") as conn:
        begin_sync(conn, "acme", "run-2", TUESDAY)
    with ThreadPoolExecutor(1) as threads:
        with database.connect("replacing") as writer:
            driver(writer).execute(f"lock table perfcopilot_goals.{RAW} in access exclusive mode")
            reading = threads.submit(load_slice, database, RAW, "acme")
            waits = "select count(*) from pg_locks where not granted and relation = %s::regclass"
            while driver(writer).execute(waits, [f"perfcopilot_goals.{RAW}"]).fetchone() == (0,):
                assert not reading.done()
                time.sleep(0.01)
            driver(writer).execute(f"update perfcopilot_goals.{RAW} set name = 'new', run_id = 'run-2'")
            record_write(writer, "acme", "run-2", RAW, Write("w", 1, 1, {}, {}), is_last=False)
        rows, source = reading.result(20)
    assert (list(rows["name"]), source.made_by) == (["old"], "run-1")
    rows, source = load_slice(database, RAW, "acme")
    assert (list(rows["name"]), source.made_by) == (["new"], "run-2")


def test_a_slice_that_was_never_written_is_not_an_empty_one(database: Database) -> None:
    with pytest.raises(GoalsStoreError, match=r"owned_goals was never written\. Materialize it first") as caught:
        load_slice(database, "owned_goals", "acme")
    assert not caught.value.retryable


# A row of each table, without the columns of its key, which come first.
A_ROW: dict[str, tuple[Any, ...]] = {
    RAW: (0, "Grow", None, None, None, None, None, None, None),
    "owned_goals": ("E1", 1, 1, False, "Grow", None, None, None, None),
    "subgoals": (0, "Step", None, None, None, None),
    "mapped_goal_rows": ("E1", "goal", 0, "Grow", None, None, None, None, "on_track"),
    "prompt_blocks": ("[GOALS]", 1, 1, 1, False, [], "ok"),
}


@pytest.mark.parametrize("table", SLICE_TABLES)
def test_every_slice_is_read_in_the_order_of_its_key(database: Database, table: str) -> None:
    """Not in the order in which it was written: equal goals must give equal blocks."""
    key = [column for column in TABLES[table].key if column != "connection"]
    keys = [("9", "10"), ("10", "9"), ("9", "2"), ("10", "10")] if len(key) > 1 else [("9",), ("10",), ("2",)]
    write(database, frame(table, [(*one, *A_ROW[table]) for one in keys]), table=table)
    with database.connect("reading") as conn:
        # By the key's index the rows would come in order by themselves.
        driver(conn).execute("set local enable_indexscan = off; set local enable_bitmapscan = off")
        rows = read_slice(conn, table, "acme")
    assert list(rows[key].itertuples(index=False, name=None)) == sorted(keys)


def test_no_transaction_holds_more_than_the_rows_of_the_connection(database: Database) -> None:
    """TRUNCATE would lock out readers and delete the other connections' rows."""
    write(database, raw_goals("1"), name="globex")
    with database.connect("reading") as reader:
        driver(reader).execute("set transaction isolation level repeatable read, read only")
        before = read_slice(reader, RAW, "globex")
        write(database, raw_goals("2"), name="acme")
        write(database, raw_goals("3"), name="globex", run_id="run-2")
        pd.testing.assert_frame_equal(read_slice(reader, RAW, "globex"), before)


def test_a_killed_writer_leaves_the_old_slice(
    database: Database, database_url: str, hold_at_row: Callable[[int], None]
) -> None:
    """What the server sees of a SIGKILL: each try's backend ends after the delete, in the middle of the copy."""
    write(database, raw_goals("1", "2"))
    before = stored(database, name=None)
    hold_at_row(2)
    killed: set[int] = set()

    def kill_each_try() -> None:
        held = "select pid from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
        with psycopg.connect(database_url, autocommit=True) as admin:
            while len(killed) < 3:
                for (pid,) in admin.execute(held).fetchall():
                    admin.execute("select pg_terminate_backend(%s)", [pid])
                    killed.add(pid)
                time.sleep(0.01)

    with ThreadPoolExecutor(1) as threads:
        killing = threads.submit(kill_each_try)
        with pytest.raises(GoalsStoreError) as caught:
            write(database, raw_goals("7", "8", "9"), run_id="run-2", synced_at=TUESDAY)
        killing.result(30)
    assert caught.value.sqlstate == "57P01"
    assert len(killed) == 3
    assert stored(database, name=None) == before
    _, source = load_slice(database, RAW, "acme")
    assert source.made_by == "run-1"


def test_the_stamp_is_in_every_row(database: Database) -> None:
    write(database, raw_goals("1", "2"), run_id="run-7", synced_at=TUESDAY)
    with psycopg.connect(database.url) as conn:
        found = conn.execute(f"select distinct connection, run_id, synced_at from perfcopilot_goals.{RAW}").fetchall()
    assert found == [("acme", "run-7", TUESDAY)]
    assert list(stamp(raw_goals("1"), "acme", MONDAY, "r").columns[:3]) == ["connection", "synced_at", "run_id"]


def test_named_columns_are_read_with_the_same_rows_and_types(database: Database) -> None:
    write(database, raw_goals("2", "1"))
    whole, source = load_slice(database, RAW, "acme")
    some, same = load_slice(database, RAW, "acme", ["position", "goal_gid"])
    pd.testing.assert_frame_equal(some, whole[["position", "goal_gid"]])
    assert same == source


def test_a_slice_that_was_handed_over_is_not_kept() -> None:
    made = Slice(raw_goals("1", "2"), {"requests": 3})
    assert list(made.hand_over()["goal_gid"]) == ["1", "2"]
    assert (len(made.rows), made.notes) == (0, {"requests": 3})

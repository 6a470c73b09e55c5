"""Versions of blocks and goals: when one begins, ends, goes; and what each kind of write does to them."""

import datetime as dt
from dataclasses import replace
from itertools import pairwise
from typing import Any

import psycopg
import pytest

from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.errors import GoalsGuardError
from perfcopilot_goals.schemas.tables import frame
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals.storage.connections import remove_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import import_employees, map_employee, read_employees, remove_employees
from perfcopilot_goals.storage.erasure import erase_employee
from perfcopilot_goals.storage.erasure_scan import scan_for_leftovers
from perfcopilot_goals.storage.migrate import ensure_migrated
from perfcopilot_goals.storage.versions import read_block_version_at
from perfcopilot_goals_tests.faults.reader import Reader
from perfcopilot_goals_tests.storage.examples import MONDAY, add, stored, write
from perfcopilot_goals_tests.storage.migrating import migrate_to

E1, E2 = Employee("E1", "Ana", "ana@example.com", "11"), Employee("E2", "Bo", "bo@example.com", "12")
GROW = "[GOALS]\n- Goal (status: on_track): Grow\n[/GOALS]"
MICROSECOND = dt.timedelta(microseconds=1)
EMPTY = "[GOALS]\n- (no goals)\n[/GOALS]"


@pytest.fixture(autouse=True)
def _company(database: Database) -> None:
    add(database, "acme")
    with database.connect("hiring") as conn:
        import_employees(conn, "acme", [E1, E2])


def sync(database: Database, hours: int, blocks: dict[str, str], goals: dict[str, str], **more: Any) -> None:
    """Write both slices. `goals` has the owner and the status of each, such as `E1 at_risk`, by gid."""
    rows = [
        (gid, gid, words.split()[0], "goal", 0, "Grow", None, None, None, None, words.split()[1])
        for gid, words in goals.items()
    ]
    made: list[tuple[Any, ...]] = [
        (e, text, int(text != EMPTY), int(text != EMPTY), 0, False, [], "ok") for e, text in blocks.items()
    ]
    moment = MONDAY + dt.timedelta(hours=hours)
    for table, values in (("mapped_goal_rows", rows), ("prompt_blocks", made)):
        write(database, frame(table, values), table=table, run_id=f"run-{hours}", synced_at=moment, **more)
    check(database)


def check(database: Database) -> None:
    with Reader(database.url) as reader:
        assert reader.history_contradictions("acme") + reader.overlaps("acme") == []


def versions(database: Database, table: str = "block_versions") -> list[tuple[str, str, bool]]:
    """Whose each version is, which run began it, and whether it is open; by key and time."""
    rows = stored(database, table)
    return [(row.get("row_gid", row["employee_id"]), row["run_id"], row["visible_to"] is None) for row in rows]


def test_a_sync_that_changes_nothing_adds_no_row_and_only_moves_the_last_sync_on(database: Database) -> None:
    sync(database, 0, {"E1": GROW, "E2": EMPTY}, {"1": "E1 on_track"})
    before = stored(database, "block_versions") + stored(database, "goal_versions")
    sync(database, 1, {"E1": GROW, "E2": EMPTY}, {"1": "E1 on_track"})
    after = stored(database, "block_versions") + stored(database, "goal_versions")
    assert len(after) == 3
    assert [{**row, "last_synced_at": ""} for row in after] == [{**row, "last_synced_at": ""} for row in before]
    assert {row["last_synced_at"] for row in after} == {(MONDAY + dt.timedelta(hours=1)).isoformat()}


def test_what_changed_gets_a_new_version_where_the_old_one_ends_and_the_rest_stays(database: Database) -> None:
    sync(database, 0, {"E1": GROW, "E2": EMPTY}, {"1": "E1 on_track", "2": "E2 on_track"})
    sync(database, 1, {"E1": EMPTY, "E2": EMPTY}, {"1": "E1 at_risk", "2": "E2 on_track"})
    assert versions(database) == [("E1", "run-0", False), ("E1", "run-1", True), ("E2", "run-0", True)]
    assert versions(database, "goal_versions") == [("1", "run-0", False), ("1", "run-1", True), ("2", "run-0", True)]
    old, new, _ = stored(database, "block_versions")
    assert old["visible_to"] == new["visible_from"] > old["visible_from"]
    (change,) = rows_of(database, "select row_gid, status_before, status from perfcopilot_goals.status_changes")
    assert change == ("1", "on_track", "at_risk")


def test_a_goal_that_changes_hands_and_status_at_once_changed_nobodys_status(database: Database) -> None:
    sync(database, 0, {"E1": GROW, "E2": EMPTY}, {"1": "E1 on_track"})
    sync(database, 1, {"E1": EMPTY, "E2": GROW}, {"1": "E2 off_track"})
    assert rows_of(database, "select * from perfcopilot_goals.status_changes") == []
    sync(database, 2, {"E1": EMPTY, "E2": GROW}, {"1": "E2 at_risk"})
    changes = rows_of(database, "select employee_id, status_before, status from perfcopilot_goals.status_changes")
    assert changes == [("E2", "off_track", "at_risk")]


@pytest.mark.parametrize(
    ("column", "value"),
    [("citations", '[{"line": 2, "goal_gid": "9", "key_result_gid": null}]'), ("reason", "truncated"),
     ("goals_owned", "7"), ("truncated", "true"), ("block", "[GOALS]\n- (no goals) \n[/GOALS]")],
)  # fmt: skip
def test_each_part_of_a_block_is_a_change(database: Database, column: str, value: str) -> None:
    sync(database, 0, {"E1": GROW}, {})
    with psycopg.connect(database.url) as admin:
        # As if the stored version had been another one.
        admin.execute(f"update perfcopilot_goals.block_versions set {column} = '{value}'")
        admin.execute(
            "update perfcopilot_goals.block_versions set sha256 = encode(sha256(convert_to(block, 'UTF8')), 'hex')"
        )
    sync(database, 1, {"E1": GROW}, {})
    assert versions(database) == [("E1", "run-0", False), ("E1", "run-1", True)]


def test_a_refused_write_leaves_the_versions_alone_and_a_slice_that_becomes_empty_closes_them(
    database: Database,
) -> None:
    sync(database, 0, {"E1": GROW}, {"1": "E1 on_track"})
    with pytest.raises(GoalsGuardError):
        sync(database, 1, {"E1": EMPTY}, {})
    assert versions(database, "goal_versions") == [("1", "run-0", True)]
    check(database)
    sync(database, 2, {"E1": EMPTY}, {}, allow_empty=True)
    assert versions(database, "goal_versions") == [("1", "run-0", False)]


def test_moments_go_on_after_the_clock_was_set_back(database: Database) -> None:
    sync(database, 0, {"E1": GROW}, {})
    with psycopg.connect(database.url) as admin:
        admin.execute("update perfcopilot_goals.block_versions set visible_from = now() + interval '1 day'")
    sync(database, 1, {"E1": EMPTY}, {})
    sync(database, 2, {"E1": GROW}, {})
    first, second, third = (row["visible_from"] for row in stored(database, "block_versions"))
    moments = [dt.datetime.fromisoformat(moment) for moment in (first, second, third)]
    assert [later - sooner for sooner, later in pairwise(moments)] == [MICROSECOND, MICROSECOND]


@pytest.mark.parametrize("how", ["unmap", "map to another user", "import with another user", "remove"])
def test_who_is_unmapped_or_mapped_anew_or_removed_loses_block_and_goals_at_once_and_the_versions_are_closed(
    database: Database, how: str
) -> None:
    sync(database, 0, {"E1": GROW, "E2": EMPTY}, {"1": "E1 on_track", "2": "E2 on_track"})
    with database.connect("changing the roster") as conn:
        before = next(row for row in read_employees(conn, "acme") if row.employee_id == "E1")
        if how == "import with another user":
            import_employees(conn, "acme", [replace(before, asana_user_gid="99")])
        elif how == "remove":
            remove_employees(conn, "acme", ["E1"])
        else:
            map_employee(conn, "acme", "E1", None if how == "unmap" else "99")
    check(database)
    assert versions(database) == [("E1", "run-0", False), ("E2", "run-0", True)]
    assert versions(database, "goal_versions") == [("1", "run-0", False), ("2", "run-0", True)]
    assert [row["employee_id"] for row in stored(database, "prompt_blocks")] == ["E2"]


def test_an_erasure_takes_every_version_of_the_person_also_of_one_who_left_the_roster(database: Database) -> None:
    sync(database, 0, {"E1": GROW.replace("Grow", "Canary"), "E2": EMPTY}, {"1": "E1 on_track", "2": "E2 on_track"})
    sync(database, 1, {"E1": GROW, "E2": EMPTY}, {"1": "E2 at_risk", "2": "E2 on_track"})
    with database.connect("removing") as conn:
        remove_employees(conn, "acme", ["E1"])
    settings = load_settings()
    assert list(scan_for_leftovers(database, settings, ["Canary"])) == ["Canary"]
    with database.connect("erasing") as conn:
        erasure = erase_employee(conn, "acme", "E1")
    assert (erasure.rows["block_versions"], erasure.rows["goal_versions"]) == (2, 1)
    # Goal 1 was theirs once, and is somebody else's.
    assert erasure.ids == {"E1"}
    assert {row["employee_id"] for row in stored(database, "block_versions")} == {"E2"}
    assert {row["employee_id"] for row in stored(database, "goal_versions")} == {"E2"}
    check(database)


def test_removing_a_connection_removes_its_versions_and_no_others(database: Database) -> None:
    add(database, "globex")
    sync(database, 0, {"E1": GROW}, {"1": "E1 on_track"})
    block = frame("prompt_blocks", [("E1", GROW, 1, 1, 0, False, [], "ok")])
    write(database, block, table="prompt_blocks", name="globex", run_id="run-9")
    with database.connect("removing") as conn:
        remove_connection(conn, "acme")
    assert [row["connection"] for row in stored(database, "block_versions", None)] == ["globex"]
    assert stored(database, "goal_versions", None) == []


@pytest.mark.parametrize(
    ("days", "kept"), [(400, ["run-1", "run-2"]), (0, ["run-2"]), (999_999, ["run-0", "run-1", "run-2"])]
)
def test_closed_versions_go_after_so_many_days_with_the_next_sync(
    database: Database, days: int, kept: list[str]
) -> None:
    for hours, text in enumerate((GROW, EMPTY)):
        sync(database, hours, {"E1": text}, {})
    with psycopg.connect(database.url) as admin:
        for run, ago in (("run-0", 500), ("run-1", 200)):
            admin.execute(
                "update perfcopilot_goals.block_versions set visible_from = now() - %s * interval '1 day', "
                "visible_to = case when visible_to is null then null else now() - (%s - 1) * interval '1 day' end "
                "where run_id = %s",
                [ago, ago, run],
            )
    sync(database, 2, {"E1": GROW}, {}, history_days=days)
    assert [run for _, run, _ in versions(database)] == kept


def test_the_present_rows_of_an_older_database_become_its_first_versions(empty_url: str) -> None:
    migrate_to(empty_url, "0004")
    written_at = "2026-03-02T05:20:00+00:00"
    with psycopg.connect(empty_url) as conn:
        conn.execute(
            "insert into perfcopilot_goals.syncs (connection, run_id, synced_at, started_at, state, counts) values "
            "('acme', 'known', %s, now(), 'complete', jsonb_build_object('tables', jsonb_build_object('prompt_blocks', "
            "jsonb_build_object('written_at', %s::text))))",
            [MONDAY, written_at],
        )
        for employee_id, run_id in (("E1", "known"), ("E2", "purged")):
            conn.execute(
                "insert into perfcopilot_goals.prompt_blocks values "
                "('acme', %s, %s, %s, %s, 0, 0, 0, false, '[]', 'ok')",
                [MONDAY, run_id, employee_id, EMPTY],
            )
        conn.execute(
            "insert into perfcopilot_goals.mapped_goal_rows values "
            "('acme', %s, 'known', '1', '1', 'E1', 'goal', 0, 'Grow', null, null, null, null, 'on_track')",
            [MONDAY],
        )
    before = dt.datetime.now(dt.UTC)
    database = Database(empty_url)
    ensure_migrated(database)
    check(database)
    known, purged = stored(database, "block_versions")
    assert known["visible_from"] == written_at
    assert dt.datetime.fromisoformat(purged["visible_from"]) >= before - dt.timedelta(seconds=1)
    with database.connect("looking back") as conn:
        assert read_block_version_at(conn, "acme", "E1", MONDAY) is None
        found = read_block_version_at(conn, "acme", "E1", MONDAY + dt.timedelta(hours=1))
    assert found is not None
    assert (found.block, found.first_synced_at) == (EMPTY, MONDAY)


def rows_of(database: Database, query: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(database.url) as conn:
        return conn.execute(query).fetchall()

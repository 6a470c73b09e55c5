"""An erasure deletes one person's rows from all tables at once, and nobody else's. No sync brings them back."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd
import psycopg
import pytest
from psycopg import sql

from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.domain.sync import SLICE_TABLES, VERSION_TABLES
from perfcopilot_goals.errors import GoalsConfigError, GoalsGuardError
from perfcopilot_goals.schemas.tables import frame
from perfcopilot_goals.storage.audit_log import add_audit_entry
from perfcopilot_goals.storage.connections import remove_connection
from perfcopilot_goals.storage.database import Database, driver
from perfcopilot_goals.storage.employees import import_employees, map_employee, read_employees, read_erased
from perfcopilot_goals.storage.erasure import Erasure, erase_employee, redact_sync_log, vacuum
from perfcopilot_goals.storage.sync_log import begin_sync
from perfcopilot_goals_tests.core.examples import error_texts
from perfcopilot_goals_tests.storage.examples import (
    RAW,
    Imported,
    add,
    everything,
    gids,
    imported,
    raw_goals,
    stored,
    write,
)

ADA = Employee("E1", "Ada Thimble", "Ada@Example.com ", "11")
BEN = Employee("E2", "Ben Thimble", "ben@example.com", "12")
CLEO = Employee("E3", "Cleo Thimble", "", None)


@pytest.fixture(autouse=True)
def _company(database: Database) -> None:
    """Ada owns goal 1 with sub-goals 8 and 9. Ben owns goal 2 with sub-goal 8, and 9 too. In both connections."""
    add(database, "acme", "globex")
    for name in ("acme", "globex"):
        with database.connect("importing") as conn:
            import_employees(conn, name, [ADA, BEN, CLEO])
        for table, rows in slices().items():
            write(database, rows, table=table, name=name, run_id=f"run-{name}", notes={"unread": ["1", "2"]})


def slices() -> dict[str, pd.DataFrame]:
    raw = pd.concat([raw_goals("1", owner_gid="11"), raw_goals("2", "9", owner_gid="12")], ignore_index=True)
    return {
        RAW: raw,
        "owned_goals": frame(
            "owned_goals",
            [(gid, who, 1, 1, False, "Grow", None, None, None, None) for gid, who in (("1", "E1"), ("2", "E2"))],
        ),
        "subgoals": frame(
            "subgoals",
            [
                ("1", "8", 0, "Publish", None, None, None, None),
                ("1", "9", 1, "Print", "12", None, None, None),
                ("2", "8", 0, "Publish", "11", None, None, None),
            ],
        ),
        "mapped_goal_rows": frame(
            "mapped_goal_rows",
            [
                (goal, row, who, kind, 0, "Grow", None, None, None, None, "on_track")
                for goal, row, who, kind in (
                    ("1", "1", "E1", "goal"),
                    ("1", "8", "E1", "key_result"),
                    ("2", "2", "E2", "goal"),
                    ("2", "8", "E2", "key_result"),
                )
            ],
        ),
        "prompt_blocks": frame(
            "prompt_blocks", [(who, "[GOALS]\n[/GOALS]", 1, 1, 1, False, [], "ok") for who in ("E1", "E2")]
        ),
    }


def erase(database: Database, employee_id: str = "E1", name: str = "acme") -> Erasure:
    with database.connect("erasing") as conn:
        return erase_employee(conn, name, employee_id)


def roster(database: Database, name: str = "acme") -> list[str]:
    with database.connect("reading") as conn:
        return [row.employee_id for row in read_employees(conn, name)]


@pytest.mark.fault("H20")
def test_every_row_of_the_person_goes_and_nobody_elses(database: Database) -> None:
    before = everything(database)
    done = erase(database)
    assert (done.rows, done.disowned) == (
        {
            **{RAW: 1, "owned_goals": 1, "subgoals": 2, "mapped_goal_rows": 2, "prompt_blocks": 1},
            **{"block_versions": 1, "goal_versions": 2, "employees": 1},
        },
        1,
    )
    after = everything(database)
    theirs = ({"employee_id": "E1"}, {"owner_gid": "11"}, {"goal_gid": "1"})
    for table in before:
        if table not in ("erased", "erasure_keys", "roster_changes"):
            kept = [
                r for r in before[table] if r["connection"] != "acme" or not any(i.items() <= r.items() for i in theirs)
            ]
            if table == "subgoals":
                kept.append({**next(r for r in before[table] if r["goal_gid"] == "2"), "owner_gid": None})
            by_key: Callable[[dict[str, Any]], str] = str
            assert sorted(after[table], key=by_key) == sorted(kept, key=by_key), table


def test_of_an_unmapped_person_goals_and_key_results_without_an_owner_are_not_taken(database: Database) -> None:
    """A missing owner and a missing user are both null, and are still not equal."""
    with database.connect("unmapping") as conn:
        map_employee(conn, "acme", "E1", None)
    with psycopg.connect(database.url) as admin:
        for table in (RAW, "subgoals"):
            admin.execute(f"update perfcopilot_goals.{table} set owner_gid = null")
    done = erase(database)
    assert (done.is_unmapped, done.disowned) == (True, 0)
    assert done.rows[RAW] == 0
    assert done.rows["owned_goals"] == 1
    assert gids(database) == ["1", "2", "9"]


def test_ids_that_are_still_in_somebody_elses_rows_are_not_searched_for(database: Database) -> None:
    # 8 is a key result of Ben's goal and 9 is Ben's own.
    assert erase(database).ids == {"E1", "11", "1"}


def test_the_sync_log_keeps_its_counts_and_loses_the_ids(database: Database) -> None:
    with database.connect("redacting") as conn:
        assert redact_sync_log(conn, "acme", lambda notes: {**notes, "tables": {}}) == 1
    counts = {row["connection"]: row["counts"]["tables"] for row in stored(database, "syncs", None)}
    assert counts["acme"] == {}
    assert counts["globex"][RAW]["notes"]["unread"] == ["1", "2"]


def test_only_three_digests_stay_and_only_the_key_can_recognise_them(database: Database) -> None:
    erase(database)
    rows = stored(database, "erased")
    assert [row["kind"] for row in rows] == ["asana_user_gid", "email", "employee_id"]
    assert all(len(row["digest"]) == 64 and set(row["digest"]) <= set("0123456789abcdef") for row in rows)
    first = {row["digest"] for row in rows}
    erase(database, name="globex")
    (key, other) = [row["key"] for row in stored(database, "erasure_keys", None)]
    assert len(key) == 64
    assert key != other
    assert not first & {row["digest"] for row in stored(database, "erased", "globex")}


@pytest.mark.fault("H20")
@pytest.mark.parametrize(
    "person",
    [
        pytest.param(ADA, id="the-same-line"),
        pytest.param(Employee("E1", "Somebody", "new@example.com", "99"), id="the-employee-id"),
        pytest.param(Employee("E9", "Somebody", "new@example.com", "11"), id="the-asana-user"),
        pytest.param(Employee("E9", "Somebody", " aDA@exAMPLE.com", None), id="the-address"),
    ],
)
def test_an_import_leaves_out_and_counts_employees_with_an_id_of_the_erased(
    database: Database, person: Employee
) -> None:
    erase(database)
    assert imported(database, person, BEN, Employee("E4", "Di", "", None)) == Imported(1, 0, 1, erased=1)
    assert roster(database) == ["E2", "E3", "E4"]


@pytest.mark.fault("H20")
def test_a_workspace_that_is_removed_and_connected_again_does_not_bring_them_back(database: Database) -> None:
    erase(database)
    with database.connect("removing") as conn:
        remove_connection(conn, "acme")
    add(database, "acme")
    assert imported(database, ADA, BEN) == Imported(1, 0, 0, erased=1)


@pytest.mark.fault("H20")
def test_a_mapping_to_their_asana_user_is_refused_without_a_name(database: Database) -> None:
    erase(database)
    with pytest.raises(GoalsConfigError, match="was erased") as caught, database.connect("mapping") as conn:
        map_employee(conn, "acme", "E3", "11")
    assert "Thimble" not in error_texts(caught.value)
    with database.connect("mapping") as conn:
        map_employee(conn, "acme", "E3", "13")


def test_an_address_that_a_colleague_shares_keeps_nobody_out(database: Database) -> None:
    shared = Employee("E5", "Desk", "ADA@example.com", None)
    imported(database, shared)
    assert erase(database).is_email_shared
    assert [row["kind"] for row in stored(database, "erased")] == ["asana_user_gid", "employee_id"]
    assert imported(database, shared) == Imported(0, 0, 1)


@pytest.mark.fault("B42", "H20")
@pytest.mark.parametrize(
    ("erased", "colleague"),
    [
        ("maß@example.com", "mass@example.com"),
        ("mass@example.com", "maß@example.com"),
        ("kay@example.com", "\u212aay@example.com"),
        ("i@example.com", "\u0130@example.com"),
        ("n/a", "n/a"),
    ],
    ids=ascii,
)
def test_an_address_in_capitals_is_kept_out_and_one_that_only_casefold_makes_equal_is_not(
    database: Database, erased: str, colleague: str
) -> None:
    imported(database, Employee("E7", "Kim", erased, None))
    erase(database, "E7")
    assert imported(database, Employee("E8", "Lee", colleague, None)) == Imported(1, 0, 0)
    if "@" in erased:
        back = imported(database, Employee("E9", "Kim", erased.replace("example", "EXAMPLE"), None))
        assert back == Imported(0, 0, 0, erased=1)


@pytest.mark.fault("H20")
def test_the_address_of_an_erased_manager_is_removed_from_their_reports_and_stays_out(database: Database) -> None:
    report = Employee("E6", "Eve", "eve@example.com", None, " ADA@example.com")
    other = Employee("E7", "Fay", "fay@example.com", None, "ben@example.com")
    imported(database, report, other)
    assert erase(database).unmanaged == 1
    managers = {row["employee_id"]: row["manager_email"] for row in stored(database, "employees")}
    assert managers == {"E2": None, "E3": None, "E6": None, "E7": "ben@example.com"}
    assert imported(database, report) == Imported(0, 0, 1), "the roster that still names her changes nothing"
    assert "ada@example.com" not in str(stored(database, "employees")).lower()


def test_an_erased_person_without_address_and_user_keeps_out_nobody_else_without_them(database: Database) -> None:
    assert erase(database, "E3").is_unmapped
    assert imported(database, Employee("E6", "Eve", "", None)) == Imported(1, 0, 0)


def test_an_employee_who_is_not_on_the_roster_cannot_be_erased(database: Database) -> None:
    before = everything(database)
    with pytest.raises(GoalsConfigError, match="no employee 'E77', so nothing was erased"):
        erase(database, "E77")
    assert everything(database) == before


def test_erasing_twice_finds_nothing_more_and_is_no_error(database: Database) -> None:
    erase(database)
    assert erase(database) == Erasure({}, frozenset({"E1"}), frozenset({"E2", "E3", "12"}))


@pytest.mark.fault("H20")
def test_a_sync_that_fetched_before_the_erasure_is_refused_and_a_later_one_is_not(database: Database) -> None:
    with database.connect("entering the sync") as conn:
        moment = begin_sync(conn, "acme", "run-2")
        assert not read_erased(conn, "acme").has_user("11")
    assert erase(database).running_syncs == 1
    with pytest.raises(GoalsGuardError, match=r"an employee was erased after .* run the whole sync again"):
        write(database, slices()[RAW], run_id="run-2", synced_at=moment)
    assert gids(database) == ["2", "9"]
    with database.connect("entering the sync") as conn:
        later = begin_sync(conn, "acme", "run-3")
        assert read_erased(conn, "acme").has_user("11")
    write(database, slices()[RAW].iloc[1:], run_id="run-3", synced_at=later)
    assert gids(database) == ["2", "9"]


@pytest.mark.fault("H20")
def test_a_sync_that_begins_while_an_erasure_is_under_way_waits_and_knows_of_it(database: Database) -> None:
    """Otherwise it could read that nobody was erased, and then write with a later moment than the erasure's."""
    reading = threading.Event()

    def read() -> bool:
        with database.connect("reading who was erased") as conn:
            begin_sync(conn, "acme", "run-2")
            reading.set()
            return read_erased(conn, "acme").has_user("11")

    with ThreadPoolExecutor(1) as threads, database.connect("erasing") as conn:
        erase_employee(conn, "acme", "E1")
        knows = threads.submit(read)
        assert reading.wait(30)
        assert blocked(database)
        driver(conn).commit()
        assert knows.result(30)


def blocked(database: Database) -> bool:
    """Whether somebody soon waits for an advisory lock."""
    query = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    for _ in range(3000):
        with psycopg.connect(database.url, autocommit=True) as admin:
            (waiting,) = admin.execute(query).fetchone() or (0,)
            if waiting:
                return True
    return False


def statistics(database: Database) -> str:
    query = (
        "select concat(histogram_bounds, most_common_vals) from pg_stats where schemaname = 'perfcopilot_goals' "
        "and tablename not in ('connections', 'erased', 'erasure_keys', 'roster_changes', 'alembic_version')"
    )
    with psycopg.connect(database.url, autocommit=True) as admin:
        return str(admin.execute(query).fetchall())


def test_vacuum_takes_the_values_from_the_planners_statistics(database: Database) -> None:
    with psycopg.connect(database.url, autocommit=True) as admin:
        admin.execute("analyze")
    assert "Ada Thimble" in statistics(database)
    erase(database)
    done = erase(database, name="globex")
    vacuum(database, "acme", [("perfcopilot_goals", table) for table in done.rows])
    assert "Ada Thimble" not in statistics(database)
    assert "Ben Thimble" in statistics(database)


def test_vacuum_takes_nothing_that_somebody_else_writes_meanwhile(database: Database) -> None:
    """A table that is empty may get its first rows just then, from another connection's sync."""
    erased = ["employees", "prompt_blocks"]
    with psycopg.connect(database.url, autocommit=True) as admin:
        for table in erased:
            admin.execute(sql.SQL("delete from perfcopilot_goals.{}").format(sql.Identifier(table)))
    with ThreadPoolExecutor(1) as threads:
        with database.connect("importing") as conn:
            import_employees(conn, "globex", [BEN])
            cleaned = threads.submit(vacuum, database, "acme", [("perfcopilot_goals", table) for table in erased])
            assert blocked(database)
            driver(conn).commit()
        cleaned.result(30)
    assert roster(database, "globex") == ["E2"]


def test_vacuum_takes_them_from_a_table_without_a_row_too(database: Database) -> None:
    """ANALYZE leaves the statistics of an empty table as they are, so the last person's values once stayed."""
    with database.connect("writing what goes") as conn:
        begin_sync(conn, "acme", "run-of-nobody")
        for actor in ("ada@example.com", "ben@example.com"):
            add_audit_entry(conn, "acme", actor, "mapped", ["E1"])
    emptied = [*SLICE_TABLES, *VERSION_TABLES, "employees", "syncs", "audit_log"]
    with psycopg.connect(database.url, autocommit=True) as admin:
        admin.execute("analyze")
        for table in emptied:
            admin.execute(sql.SQL("delete from perfcopilot_goals.{}").format(sql.Identifier(table)))
    before = statistics(database)
    assert all(word in before for word in ("Ada Thimble", "Publish", "run-of-nobody", "ada@example.com"))
    vacuum(database, "acme", [("perfcopilot_goals", table) for table in emptied])
    left = statistics(database)
    assert not [word for word in ("Thimble", "Grow", "Publish", "run-", "E1", "@") if word in left], left
    assert not [table for table in emptied if everything(database)[table]]

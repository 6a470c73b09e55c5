"""The result of a check of Asana's users: when the next one is due, how long a conflict stays, what never moves."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.errors import GoalsGuardError
from perfcopilot_goals.storage.connections import set_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import import_employees, map_employee, map_unmapped
from perfcopilot_goals.storage.erasure import erase_employee
from perfcopilot_goals.storage.roster import read_conflicts
from perfcopilot_goals.storage.status import read_changed_states, read_plan
from perfcopilot_goals.storage.users_check import (
    UsersCheck,
    read_users_check,
    record_gone_users,
    record_users_check,
)
from perfcopilot_goals_tests.storage.examples import add, connection, everything, stored

LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
ADA = Employee("E1", "Ada Thimble", "ada@example.com", "11")
BEN = Employee("E2", "Ben Thimble", "ben@example.com", "12")
CLEO = Employee("E3", "Cleo Thimble", "cleo@example.com", None)


@pytest.fixture(autouse=True)
def _company(database: Database) -> None:
    add(database, "acme", "globex")
    for name in ("acme", "globex"):
        with database.connect("importing") as conn:
            import_employees(conn, name, [ADA, BEN, CLEO])


def record(database: Database, *employee_ids: str, users: int = 3, name: str = "acme") -> None:
    with database.connect("recording") as conn:
        record_users_check(conn, connection(name), users=users, conflicts=dict.fromkeys(employee_ids, "both"))


def conflicts(database: Database, name: str = "acme") -> list[str]:
    with database.connect("reading") as conn:
        return [row.employee_id for row in read_conflicts(conn, name)]


def check(database: Database, name: str = "acme") -> UsersCheck:
    with database.connect("reading") as conn:
        return read_users_check(conn, name)


def set_checked(database: Database, moment: str) -> None:
    """Set the moment of the last check; `moment` is a Postgres expression."""
    with psycopg.connect(database.url) as conn:
        conn.execute(f"update perfcopilot_goals.connections set users_checked_at = {moment} where connection = 'acme'")


@pytest.mark.fault("B40")
def test_a_check_records_its_conflicts_its_moment_and_the_number_of_users(database: Database) -> None:
    began = dt.datetime.now(dt.UTC)
    record(database, "E1", "E2", users=42)
    assert conflicts(database) == ["E1", "E2"]
    seen = check(database)
    assert (seen.users, seen.is_due) == (42, False)
    assert seen.checked_at is not None
    assert began - dt.timedelta(seconds=5) < seen.checked_at < dt.datetime.now(dt.UTC) + dt.timedelta(seconds=5)
    record(database, "E2", users=41)
    assert (conflicts(database), check(database).users) == (["E2"], 41)


def test_a_check_moves_no_updated_at(database: Database) -> None:
    with database.connect("reading") as conn:
        versions = [state.versions for state in read_changed_states(conn, LONG_AGO)]
    before = everything(database)
    record(database, "E1")
    ours = ("mapping_conflict", "users_checked_at", "users_seen")
    after = {
        table: [row | {k: old[k] for k in ours if k in row} for row, old in zip(rows, before[table], strict=True)]
        for table, rows in everything(database).items()
    }
    assert after == before, "neither an updated_at nor another connection's row"
    with database.connect("reading") as conn:
        assert [state.versions for state in read_changed_states(conn, LONG_AGO)] == versions


START_OF_DAY = "date_trunc('day', now() at time zone 'UTC') at time zone 'UTC'"


@pytest.mark.parametrize(
    ("moment", "is_due"),
    [
        ("null", True),
        (START_OF_DAY, False),
        ("now()", False),
        (f"{START_OF_DAY} - interval '1 microsecond'", True),
        ("now() - interval '23 hours 59 minutes 59 seconds' - interval '1 day'", True),
    ],
    ids=["never", "since-midnight", "just-now", "before-midnight", "the-day-before"],
)
def test_the_next_check_is_due_on_the_next_day(database: Database, moment: str, is_due: bool) -> None:
    """A daily sync that begins a second earlier than yesterday's must not skip the check."""
    set_checked(database, moment)
    assert check(database).is_due is is_due


def test_no_check_is_due_if_it_is_switched_off_or_there_is_no_connection(database: Database) -> None:
    with database.connect("switching off") as conn:
        set_connection(conn, "acme", {"check_users": False})
    assert not check(database).is_due
    assert check(database, "globex").is_due
    assert check(database, "nobody") == UsersCheck(None, 0, is_due=False)


def do(database: Database, act: Callable[[Any], object]) -> None:
    with database.connect("changing") as conn:
        act(conn)


CHANGES: dict[str, Callable[[Any], object]] = {
    "mapped to another user": lambda t: map_employee(t, "acme", "E1", "13"),
    "unmapped": lambda t: map_employee(t, "acme", "E1", None),
    "imported with another user": lambda t: import_employees(t, "acme", [Employee("E1", "Ada", ADA.email, "13")]),
    "imported with another address": lambda t: import_employees(t, "acme", [Employee("E1", "Ada", "new@x", "11")]),
}


@pytest.mark.fault("B40")
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_conflict_goes_with_the_mapping_or_the_address_that_it_was_about(
    database: Database, change: Callable[[Any], object]
) -> None:
    record(database, "E1", "E2")
    do(database, change)
    assert conflicts(database) == ["E2"]


def test_a_conflict_stays_if_only_the_name_or_the_manager_changed(database: Database) -> None:
    record(database, "E1", "E2")
    do(database, lambda t: import_employees(t, "acme", [Employee("E1", "Ada Needle", ADA.email, "11", "boss@x")]))
    do(database, lambda t: map_employee(t, "acme", "E2", "12"))
    do(database, lambda t: map_unmapped(t, "acme", {"E3": "13"}))
    assert conflicts(database) == ["E1", "E2"]


@pytest.mark.fault("B43")
@pytest.mark.parametrize("changes", [{"workspace_gid": "88"}, {"base_url": "http://127.0.0.1:1/api/1.0"}], ids=repr)
def test_results_from_another_workspaces_users_are_dropped_when_the_workspace_is_corrected(
    database: Database, changes: dict[str, object]
) -> None:
    record(database, "E1")
    record(database, "E1", name="globex")
    do(database, lambda t: record_gone_users(t, "acme", ["99"]))
    do(database, lambda t: set_connection(t, "acme", changes))
    assert (conflicts(database), check(database)) == ([], UsersCheck(None, 3, is_due=True))
    assert {row["asana_gone_at"] for row in stored(database, "employees")} == {None}
    assert (conflicts(database, "globex"), check(database, "globex").is_due) == (["E1"], False)


@pytest.mark.fault("B43")
def test_users_of_a_workspace_that_was_corrected_meanwhile_are_not_recorded(database: Database) -> None:
    do(database, lambda t: set_connection(t, "acme", {"workspace_gid": "88"}))
    before = everything(database)
    with pytest.raises(GoalsGuardError, match="connection acme: the workspace was changed"):
        record(database, "E1")
    assert everything(database) == before


def test_any_other_setting_keeps_what_is_known_about_the_users(database: Database) -> None:
    record(database, "E1")
    do(database, lambda t: set_connection(t, "acme", {"requests_per_minute": 150, "check_users": False}))
    assert conflicts(database) == ["E1"]


@pytest.mark.fault("H20", "B40")
def test_an_erasure_leaves_no_conflict_and_makes_the_next_sync_check_again(database: Database) -> None:
    """Ada's conflict may be about Ben's address, so it must go too."""
    record(database, "E1", "E2")
    record(database, "E1", name="globex")
    do(database, lambda t: erase_employee(t, "acme", "E2"))
    assert {row["mapping_conflict"] for row in stored(database, "employees")} == {None}
    assert check(database).is_due
    assert (conflicts(database, "globex"), check(database, "globex").is_due) == (["E1"], False)


@pytest.mark.parametrize(("users", "pages"), [(1, 1), (100, 1), (101, 2), (250, 3)])
def test_a_plan_counts_a_page_for_each_hundred_users_and_none_on_the_day_of_a_check(
    database: Database, users: int, pages: int
) -> None:
    def planned() -> tuple[int, int]:
        with database.connect("planning") as conn:
            plan = read_plan(conn, "acme", "auto")
        return plan.user_pages, plan.requests

    record(database, users=users)
    assert planned() == (0, 1)
    set_checked(database, "now() - interval '2 days'")
    assert planned() == (pages, 1 + pages)
    do(database, lambda t: set_connection(t, "acme", {"check_users": False}))
    assert planned() == (0, 1)


def test_before_the_first_check_a_plan_expects_as_many_users_as_employees(database: Database) -> None:
    many = [Employee(f"M{number}", "Somebody", "", None) for number in range(200)]
    do(database, lambda t: import_employees(t, "acme", many))
    with database.connect("planning") as conn:
        assert read_plan(conn, "acme", "auto").user_pages == 3

"""The roster as people read it: employees without an Asana user, and goals whose owners are not on it."""

import datetime as dt

import pandas as pd

from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import import_employees, map_employee
from perfcopilot_goals.storage.roster import Owner, Waiting, read_unmapped, read_waiting
from perfcopilot_goals_tests.storage.examples import MONDAY, add, raw_goals, stored, write


def people(database: Database, *employees: Employee, name: str = "acme") -> None:
    with database.connect("importing") as conn:
        import_employees(conn, name, employees)


def goals_of(*owners: str | None) -> pd.DataFrame:
    """Write a goal for each of these owners, in this order."""
    rows = raw_goals(*(str(number) for number in range(1, len(owners) + 1)))
    return rows.assign(owner_gid=pd.Series(owners, dtype="object"))


def waiting(database: Database, name: str = "acme") -> Waiting:
    with database.connect("reading") as conn:
        return read_waiting(conn, name)


def test_the_unmapped_come_by_id_with_the_moment_of_their_last_change(database: Database) -> None:
    add(database, "acme", "globex")
    people(
        database, Employee("E2", "Ben", "", None), Employee("E10", "Ada", "a@x", None), Employee("E1", "Cy", "", "1")
    )
    people(database, Employee("E9", "Eve", "", None), name="globex")
    with database.connect("mapping") as conn:
        map_employee(conn, "acme", "E1", None)
        map_employee(conn, "acme", "E2", "2")
    with database.connect("reading") as conn:
        found = read_unmapped(conn, "acme")
    assert [(row.employee_id, row.full_name, row.email, row.asana_user_gid) for row in found] == [
        ("E1", "Cy", "", None),
        ("E10", "Ada", "a@x", None),
    ]
    moments = {
        row["employee_id"]: dt.datetime.fromisoformat(row["updated_at"]) for row in stored(database, "employees")
    }
    assert [row.updated_at for row in found] == [moments["E1"], moments["E10"]]
    assert found[0].updated_at > found[1].updated_at


def test_owners_who_are_no_employee_come_with_their_number_of_goals_largest_first(database: Database) -> None:
    add(database, "acme", "globex")
    people(database, Employee("E1", "Ada", "", "1"), Employee("E2", "Ben", "", None))
    people(database, Employee("E8", "Eve", "", "8"), name="globex")
    write(database, goals_of("1", "1", "8", "9", "10", "9", None, None, None))
    assert waiting(database) == Waiting([Owner("9", 2), Owner("10", 1), Owner("8", 1)], 3, MONDAY)
    with database.connect("mapping") as conn:
        map_employee(conn, "acme", "E2", "9")
    assert waiting(database).owners == [Owner("10", 1), Owner("8", 1)]


def test_before_the_first_list_nothing_is_known_and_an_empty_list_leaves_nobody_waiting(database: Database) -> None:
    add(database, "acme", "globex")
    write(database, goals_of("9"), name="globex")
    assert waiting(database) == Waiting([], 0, None)
    write(database, goals_of())
    assert waiting(database) == Waiting([], 0, MONDAY)

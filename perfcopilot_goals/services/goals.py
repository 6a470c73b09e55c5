"""One employee's goals as people read them, and whose goals a manager may read."""

from collections.abc import Collection
from dataclasses import dataclass

from perfcopilot_goals.core.reports import find_reports
from perfcopilot_goals.storage.blocks import Goal, StoredBlock, read_block, read_goals
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import no_such_employee, read_rosters
from perfcopilot_goals.storage.roster import Page, Person, read_people, read_person
from perfcopilot_goals.storage.sync_log import read_failed_sync


@dataclass(frozen=True)
class EmployeeGoals:
    """An employee, their goals and block, and what a reader should know about them.

    `block` is None if there is none; the person's reason then says why. `failed_with` is the error's class where the
    connection's latest sync failed, so that all of this is an earlier one's.
    """

    person: Person
    goals: list[Goal]
    block: StoredBlock | None
    failed_with: str | None


def list_reports(database: Database, email: str) -> dict[str, frozenset[str]]:
    """By connection, whoever reports to this address, directly or through others. Only connections with any."""
    with database.connect("reading the rosters") as conn:
        rosters = read_rosters(conn)
    reports = {name: find_reports(email, roster) for name, roster in rosters.items()}
    return {name: employee_ids for name, employee_ids in reports.items() if employee_ids}


def list_people(
    database: Database, connection: str, page: Page, only: Collection[str] | None = None
) -> tuple[list[Person], int]:
    """A page of the connection's employees, and how many the search finds. `only` names the ids that may be seen."""
    with database.connect("reading the roster", snapshot=True) as conn:
        return read_people(conn, connection, page, only)


def find_goals(database: Database, connection: str, employee_id: str) -> EmployeeGoals:
    """The employee's goals, all as of one moment; `GoalsConfigError` if there is no such employee."""
    with database.connect("reading the goals", snapshot=True) as conn:
        person = read_person(conn, connection, employee_id)
        if person is None:
            raise no_such_employee(connection, employee_id)
        block = read_block(conn, connection, employee_id) if person.synced_at else None
        # Without a block there may still be goals of an earlier sync, from before the employee was unmapped.
        goals = read_goals(conn, connection, employee_id) if block else []
        failed = read_failed_sync(conn, connection)
    return EmployeeGoals(person, goals, block, failed.error_code if failed else None)

"""The roster as people read it: as a whole, a page at a time, and what the mapping lacks."""

from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.storage.connections import read_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import read_employees
from perfcopilot_goals.storage.roster import (
    Page,
    RosterRow,
    Waiting,
    read_conflicts,
    read_roster_page,
    read_unmapped,
    read_waiting,
)

__all__ = [
    "Page",
    "RosterRow",
    "Waiting",
    "list_conflicts",
    "list_employees",
    "list_roster",
    "list_unmapped",
    "list_waiting",
]


def list_employees(database: Database, name: str) -> list[Employee]:
    """The connection's roster, by employee id; `GoalsConfigError` if there is no such connection."""
    with database.connect("reading the roster") as conn:
        read_connection(conn, name)
        return read_employees(conn, name)


def list_unmapped(database: Database, name: str) -> list[RosterRow]:
    """The connection's employees without an Asana user; `GoalsConfigError` if there is no such connection."""
    with database.connect("reading the roster") as conn:
        read_connection(conn, name)
        return read_unmapped(conn, name)


def list_roster(database: Database, connection: str, page: Page, *, is_mapped: bool) -> tuple[list[RosterRow], int]:
    """A page of the mapped or unmapped employees, and how many the search finds."""
    with database.connect("reading the roster", snapshot=True) as conn:
        read_connection(conn, connection)
        return read_roster_page(conn, connection, page, is_mapped=is_mapped)


def list_conflicts(database: Database, connection: str) -> list[RosterRow]:
    """Mapped employees whom the e-mails contradict, by the last comparison with Asana's users."""
    with database.connect("reading the roster") as conn:
        return read_conflicts(conn, connection)


def list_waiting(database: Database, connection: str) -> Waiting:
    """Goals whose owner is no employee, as of the latest list of goals."""
    with database.connect("reading the goals") as conn:
        return read_waiting(conn, connection)

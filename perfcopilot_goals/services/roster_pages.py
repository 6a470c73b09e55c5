"""The roster a page at a time: unmapped and mapped employees, found by a search."""

from perfcopilot_goals.storage.connections import read_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.roster import (
    Page,
    RosterRow,
    Waiting,
    read_conflicts,
    read_roster_page,
    read_waiting,
)

__all__ = ["Page", "RosterRow", "Waiting", "list_conflicts", "list_roster", "list_waiting"]


def list_roster(database: Database, connection: str, page: Page, *, is_mapped: bool) -> tuple[list[RosterRow], int]:
    """A page of the mapped or unmapped employees, and how many the search finds."""
    with database.connect("reading the roster") as conn:
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

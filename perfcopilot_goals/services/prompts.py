"""The stored blocks, as they go into a review's prompt."""

from dataclasses import dataclass

from perfcopilot_goals.storage.connections import read_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.overview import StoredBlock, read_block, read_connection_status


@dataclass(frozen=True)
class Prompt:
    """An employee's block, and what a reader should know of its age.

    `failed_with` is the error's class where the connection's latest sync failed, so that the block is an earlier one's.
    `stored.roster_changed` says that the employee's row of the roster changed after the block was made.
    """

    stored: StoredBlock
    failed_with: str | None


def find_prompt(database: Database, connection: str, employee_id: str) -> Prompt:
    """The employee's block; `GoalsConfigError` says why there is none."""
    with database.connect("reading the block") as conn:
        read_connection(conn, connection)
        stored = read_block(conn, connection, employee_id)
        status = read_connection_status(conn, connection)
    return Prompt(stored, status.failed_with)

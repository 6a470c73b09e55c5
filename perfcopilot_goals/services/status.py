"""What is known of connections and their syncs: their status, why each block is as it is, what the next sync costs.

Nothing here asks Asana: all of it is read from what earlier syncs stored.
"""

from dataclasses import dataclass

from perfcopilot_goals.asana.pacing import SYSTEM_CLOCK, Pacer
from perfcopilot_goals.domain.sync import Sync
from perfcopilot_goals.storage.connections import read_connection, read_connections
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.roster import EmployeeStatus, read_employee_statuses
from perfcopilot_goals.storage.status import ConnectionStatus, Plan, read_connection_status, read_plan
from perfcopilot_goals.storage.sync_log import read_last_sync, read_syncs

__all__ = [
    "ConnectionStatus",
    "EmployeeStatus",
    "SyncPlan",
    "describe_connections",
    "explain_blocks",
    "find_never_synced",
    "find_running",
    "list_syncs",
    "plan_sync",
]


@dataclass(frozen=True)
class SyncPlan:
    """What the next sync asks for, and how long that takes at the token's limit."""

    connection: str
    parts: Plan
    requests_per_minute: int
    seconds: float


def describe_connections(database: Database, connection: str | None = None) -> list[ConnectionStatus]:
    """The status of each connection, or of the one named, as of one moment; `GoalsConfigError` if it does not exist."""
    with database.connect("reading the status", snapshot=True) as conn:
        rows = [read_connection(conn, connection)] if connection else read_connections(conn)
        return [read_connection_status(conn, row.connection) for row in rows]


def find_never_synced(database: Database) -> list[str]:
    """The connections that have not begun a sync yet."""
    with database.connect("reading the status", snapshot=True) as conn:
        return [row.connection for row in read_connections(conn) if read_last_sync(conn, row.connection) is None]


def explain_blocks(database: Database, connection: str | None = None) -> list[EmployeeStatus]:
    """Each employee of the connection, or of all of them, with the reason that holds now."""
    with database.connect("reading the status", snapshot=True) as conn:
        if connection:
            read_connection(conn, connection)
        return read_employee_statuses(conn, connection)


def plan_sync(database: Database, connection: str) -> SyncPlan:
    """The requests of the connection's next sync, if Asana has what it had last time."""
    with database.connect("reading the plan", snapshot=True) as conn:
        row = read_connection(conn, connection)
        parts = read_plan(conn, connection, row.subgoal_route)
    seconds = parts.requests * Pacer(row.requests_per_minute, SYSTEM_CLOCK).interval
    return SyncPlan(connection, parts, row.requests_per_minute, seconds)


def list_syncs(database: Database, limit: int, offset: int = 0, connection: str = "") -> tuple[list[Sync], int]:
    """This many syncs of the connection, or of all, the latest first; and how many there are."""
    with database.connect("reading the sync log", snapshot=True) as conn:
        return read_syncs(conn, limit, offset, connection)


def find_running(database: Database, connection: str) -> Sync | None:
    """The connection's sync that runs now, as far as the sync log says; None if there is none."""
    with database.connect("reading the sync log") as conn:
        last = read_last_sync(conn, connection)
    return last if last and last.state == "running" else None

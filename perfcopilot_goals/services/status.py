"""What is known of connections and syncs: status, receipts, why each block is as it is, what the next sync costs.

Nothing here asks Asana: all of it is read from what earlier syncs stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from perfcopilot_goals.asana.pacing import SYSTEM_CLOCK, Pacer
from perfcopilot_goals.core.receipt import receipt_rows
from perfcopilot_goals.domain.sync import SLICE_TABLES, Sync
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.storage.connections import read_connection, read_connections
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.roster import EmployeeStatus, read_employee_statuses
from perfcopilot_goals.storage.status import ConnectionStatus, Plan, read_connection_status, read_plan
from perfcopilot_goals.storage.sync_log import read_last_sync, read_receipt, read_sync, read_syncs, read_unfinished_sync

# Named here for the rooms that may not import storage, or import it when it is used.
__all__ = ["ConnectionStatus", "EmployeeStatus", "receipt_rows"]


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


def find_receipt(
    database: Database, connection: str, run_id: str | None = None
) -> tuple[Mapping[str, Any], Sync | None]:
    """The receipt of that run, or of the sync that wrote the present blocks; `GoalsConfigError` says why there is none.

    Beside the latter the connection's latest sync if it failed, runs or was killed after it. A run that wrote only some
    of the tables has no receipt, because it did not see what Asana listed.
    """
    with database.connect("reading the receipt", snapshot=True) as conn:
        read_connection(conn, connection)
        sync = read_sync(conn, connection, run_id) if run_id else read_last_sync(conn, connection, "complete")
        unfinished = read_unfinished_sync(conn, connection)
        content = read_receipt(conn, connection, sync.run_id) if sync else None
        if content is None:
            raise _no_receipt(conn, connection, run_id, sync, unfinished)
    return content, unfinished if run_id is None else None


def _no_receipt(
    conn: sa.Connection, connection: str, run_id: str | None, sync: Sync | None, unfinished: Sync | None
) -> GoalsConfigError:
    """The error that says why there is no receipt, and which is the latest one."""
    last = read_receipt(conn, connection)
    action = "Next: perfcopilot-goals sync {connection}"
    if last:
        action = f"The latest receipt: perfcopilot-goals receipt {connection} --run {last['run_id']}"
    if sync is None:
        latest = ""
        if unfinished:
            how = f"failed with {unfinished.error_code}" if unfinished.state == "failed" else "has not ended"
            latest = f"; the latest one {how}"
        why = f"there is no sync of run {run_id[:80]!r}" if run_id else f"there is no complete sync yet{latest}"
    elif sync.state != "complete":
        state = "failed" if sync.state == "failed" else "has not ended"
        why = f"run {sync.run_id} {state}, and only a complete sync has a receipt"
    else:
        written = [table for table in SLICE_TABLES if table in sync.counts.get("tables", {})]
        partly = f"wrote only {' and '.join(written)}" if len(written) < len(SLICE_TABLES) else "was before receipts"
        why = f"run {sync.run_id} {partly}, so there is no receipt of a whole sync"
    return GoalsConfigError(why, connection=connection, action=action)

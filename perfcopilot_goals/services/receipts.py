"""The receipts of syncs: what a sync listed, owned and left out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from perfcopilot_goals.core.receipt import receipt_rows
from perfcopilot_goals.domain.sync import SLICE_TABLES, Sync
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.storage.connections import read_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.sync_log import read_failed_sync, read_last_sync, read_receipt, read_sync

__all__ = ["Receipt", "find_receipt", "receipt_rows"]


@dataclass(frozen=True)
class Receipt:
    """A sync's receipt. `failed_with` is the error's class where the connection's latest sync failed after it."""

    content: Mapping[str, Any]
    failed_with: str | None


def find_receipt(database: Database, connection: str, run_id: str | None = None) -> Receipt:
    """The receipt of that run, or of the sync that wrote the present blocks; `GoalsConfigError` says why there is none.

    A run that wrote only some of the tables has no receipt, because it did not see what Asana listed.
    """
    with database.connect("reading the receipt", snapshot=True) as conn:
        read_connection(conn, connection)
        sync = read_sync(conn, connection, run_id) if run_id else read_last_sync(conn, connection, "complete")
        failed = read_failed_sync(conn, connection)
        content = read_receipt(conn, connection, sync.run_id) if sync else None
        if content is None:
            raise _no_receipt(conn, connection, run_id, sync, failed)
    return Receipt(content, failed.error_code if failed and run_id is None else None)


def _no_receipt(
    conn: sa.Connection, connection: str, run_id: str | None, sync: Sync | None, failed: Sync | None
) -> GoalsConfigError:
    """The error that says why there is no receipt, and which is the latest one."""
    last = read_receipt(conn, connection)
    action = "Next: perfcopilot-goals sync {connection}"
    if last:
        action = f"The latest receipt: perfcopilot-goals receipt {connection} --run {last['run_id']}"
    if sync is None:
        ended = f"; the latest one failed with {failed.error_code}" if failed else ""
        why = f"there is no sync of run {run_id[:80]!r}" if run_id else f"there is no complete sync yet{ended}"
    elif sync.state != "complete":
        state = "failed" if sync.state == "failed" else "has not ended"
        why = f"run {sync.run_id} {state}, and only a complete sync has a receipt"
    else:
        written = [table for table in SLICE_TABLES if table in sync.counts.get("tables", {})]
        partly = f"wrote only {' and '.join(written)}" if len(written) < len(SLICE_TABLES) else "was before receipts"
        why = f"run {sync.run_id} {partly}, so there is no receipt of a whole sync"
    return GoalsConfigError(why, connection=connection, action=action)

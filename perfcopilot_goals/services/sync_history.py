"""The sync log as people read it: what each sync brought, and what it could not."""

from perfcopilot_goals.domain.sync import Sync
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.sync_log import read_last_sync, read_syncs

__all__ = ["Sync", "find_running", "list_syncs"]


def list_syncs(database: Database, limit: int, offset: int = 0, connection: str = "") -> tuple[list[Sync], int]:
    """This many syncs of the connection, or of all, the latest first; and how many there are."""
    with database.connect("reading the sync log") as conn:
        return read_syncs(conn, limit, offset, connection)


def find_running(database: Database, connection: str) -> Sync | None:
    """The connection's sync that runs now, as far as the sync log says; None if there is none."""
    with database.connect("reading the sync log") as conn:
        last = read_last_sync(conn, connection)
    return last if last and last.state == "running" else None

"""The audit log: who changed what on the admin page, and whose goals they looked at."""

from perfcopilot_goals.domain.audit import LOOKED_AT_GOALS, STARTED_SYNC
from perfcopilot_goals.storage.audit_log import AuditEntry, add_audit_entry, read_audit_log
from perfcopilot_goals.storage.connections import read_connection
from perfcopilot_goals.storage.database import Database


def list_audit_log(database: Database, limit: int, offset: int = 0) -> tuple[list[AuditEntry], int]:
    """This many entries, the latest first; and how many there are in all."""
    with database.connect("reading the audit log") as conn:
        return read_audit_log(conn, limit, offset)


def record_look(database: Database, connection: str, actor: str, employee_id: str) -> None:
    """Records that somebody looks at an employee's goals. Call it before the goals are shown."""
    with database.connect("writing the audit log") as conn:
        add_audit_entry(conn, connection, actor, LOOKED_AT_GOALS, [employee_id])


def record_sync(database: Database, connection: str, actor: str) -> None:
    """Records that somebody starts a sync; `GoalsConfigError` if there is no such connection."""
    with database.connect("writing the audit log") as conn:
        read_connection(conn, connection)
        add_audit_entry(conn, connection, actor, STARTED_SYNC)

"""Rows for the tests of the page: a connection with some employees, their goals and blocks."""

import datetime as dt
import zlib

import psycopg
from psycopg.types.json import Jsonb

from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.storage.connections import add_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import import_employees

SYNCED_AT = dt.datetime(2026, 3, 2, 5, 17, tzinfo=dt.UTC)


def connect(database: Database, *employees: Employee, name: str = "acme", base_url: str = "http://127.0.0.1:9") -> None:
    """A connection with this roster."""
    row = Connection(name, "77", "env:ASANA_ACCESS_TOKEN", base_url, 60_000, "auto", True)
    with database.connect("setting up") as conn:
        add_connection(conn, row)
        import_employees(conn, name, employees)


def give_goal(
    database: Database,
    employee_id: str,
    goal: str,
    *,
    key_result: str | None = None,
    description: str | None = None,
    status_type: str | None = "behind",
    connection: str = "acme",
) -> str:
    """One goal, one key result and a block for the employee; returns the block."""
    rows = [("goal", "1", goal, description)] + ([("key_result", "2", key_result, None)] if key_result else [])
    gid = f"{zlib.crc32(f'{connection} {employee_id}'.encode())}"
    block = f"[GOALS]\n- Goal (status: at_risk): {employee_id}\n[/GOALS]"
    head = [connection, SYNCED_AT, "run-1"]
    with psycopg.connect(database.url) as conn:
        for position, (kind, number, name, notes) in enumerate(rows):
            conn.execute(
                "insert into perfcopilot_goals.mapped_goal_rows values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, "
                "'2026-01-01', '2026-12-31', %s, 'at_risk')",
                [*head, f"{gid}1", f"{gid}{number}", employee_id, kind, position, name, notes, status_type],
            )
        conn.execute(
            "insert into perfcopilot_goals.prompt_blocks (connection, synced_at, run_id, employee_id, block, "
            "goals_owned, goals_listed, key_results_listed, truncated, citations, reason) "
            "values (%s, %s, %s, %s, %s, 1, 1, %s, false, %s, 'ok')",
            [*head, employee_id, block, len(rows) - 1, Jsonb([])],
        )
        conn.execute("update perfcopilot_goals.employees set updated_at = %s", [SYNCED_AT - dt.timedelta(days=1)])
    return block


def audited(database: Database) -> list[tuple[str, str, list[str]]]:
    """The audit log, the first entry first: who, what, about whom."""
    with psycopg.connect(database.url) as conn:
        rows = conn.execute("select actor, action, subject from perfcopilot_goals.audit_log order by entry").fetchall()
    return [(actor, action, subject) for actor, action, subject in rows]

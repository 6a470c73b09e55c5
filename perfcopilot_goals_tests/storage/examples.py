"""Rows for the tests of this folder, and ways to store and read them.

Add here what two test files need. Frames are made as the assets make them: `frame`, `stamp`, `validate`.
"""

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import pandas as pd
import psycopg
import sqlalchemy as sa
from psycopg import sql

from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.domain.limits import HISTORY_DAYS
from perfcopilot_goals.schemas import SCHEMA
from perfcopilot_goals.schemas.tables import TABLES, frame, own_columns, stamp, validate
from perfcopilot_goals.storage.connections import add_connection
from perfcopilot_goals.storage.database import Database, driver
from perfcopilot_goals.storage.employees import import_employees
from perfcopilot_goals.storage.slices import Replacement, replace_slice
from perfcopilot_goals.storage.sync_log import begin_sync

RAW = "raw_workspace_goals"
MONDAY = dt.datetime(2026, 3, 2, 5, 17, tzinfo=dt.UTC)
TUESDAY = MONDAY + dt.timedelta(days=1)


def empty(url: str) -> None:
    """Delete every row of every table."""
    with psycopg.connect(url) as conn:
        for table in reversed(TABLES):
            conn.execute(f"delete from {SCHEMA}.{table}")


def connection(name: str = "acme", **changes: Any) -> Connection:
    settings: dict[str, Any] = {
        "workspace_gid": "77",
        "token_ref": "env:ASANA_ACCESS_TOKEN",
        "base_url": "https://app.asana.com/api/1.0",
        "requests_per_minute": 1_500,
        "subgoal_route": "auto",
        "enabled": True,
    }
    return Connection(connection=name, **(settings | changes))


def add(database: Database, *names: str) -> None:
    """Add connections with these names."""
    with database.connect("adding connections") as conn:
        for name in names:
            add_connection(conn, connection(name))


class Imported(NamedTuple):
    """How many employees an import added, changed and left as they were, and how many it did not take."""

    added: int
    changed: int
    unchanged: int
    erased: int = 0


def imported(database: Database, *employees: Employee, name: str = "acme") -> Imported:
    """Import these employees, and compare their rows with those of before."""
    before = {row["employee_id"]: row for row in stored(database, "employees", name)}
    with database.connect("importing") as conn:
        import_employees(conn, name, employees)
    after = {row["employee_id"]: row for row in stored(database, "employees", name)}
    given = {employee.employee_id for employee in employees}
    kept = {key for key in given & after.keys() if after[key] == before.get(key)}
    changed = given & after.keys() & before.keys() - kept
    return Imported(len(after.keys() - before.keys()), len(changed), len(kept), len(given - after.keys()))


def raw_goals(*gids: str, **columns: Any) -> pd.DataFrame:
    """Rows of raw_workspace_goals; `columns` are the same in every row."""
    ordinary = {
        "name": "Grow",
        "owner_gid": "1",
        "html_notes": None,
        "html_notes_chars": None,
        "due_on": dt.date(2026, 6, 30),
        "start_on": None,
        "status_type": "on_track",
        "asana_status": None,
    } | columns
    names = own_columns(RAW)
    rows = [{"goal_gid": gid, "position": place, **ordinary} for place, gid in enumerate(gids)]
    return frame(RAW, [[row[name] for name in names] for row in rows])


def write(
    database: Database,
    rows: pd.DataFrame,
    *,
    table: str = RAW,
    name: str = "acme",
    run_id: str = "run-1",
    synced_at: dt.datetime = MONDAY,
    inputs: dict[str, str] | None = None,
    notes: dict[str, Any] | None = None,
    is_last: bool = False,
    allow_empty: bool = False,
    history_days: int = HISTORY_DAYS,
    pause: Callable[[float], None] = lambda _: None,
    **roster: Any,
) -> int:
    """Write one slice as the I/O manager does, but without waiting between tries; `roster` as in `Replacement`."""
    with database.connect("entering the sync") as conn:
        synced_at = begin_sync(conn, name, run_id, synced_at)
    stamped = validate(table, stamp(rows, name, synced_at, run_id))
    more = (inputs or {}, notes or {}, is_last, allow_empty, history_days)
    replacement = Replacement(name, run_id, synced_at, *more, **roster)
    return replace_slice(database, table, stamped, replacement, pause)


def stored(database: Database, table: str = RAW, name: str | None = "acme") -> list[dict[str, Any]]:
    """The rows of a table as plain values, by key; of every connection if `name` is None."""
    query = sql.SQL("select to_jsonb(t) from {} t where connection = coalesce(%s, connection) order by {}").format(
        sql.Identifier(SCHEMA, table), sql.SQL(", ").join(map(sql.Identifier, TABLES[table].key))
    )
    with psycopg.connect(database.url) as conn:
        return [row for (row,) in conn.execute(query, [name]).fetchall()]


def gids(database: Database, name: str = "acme") -> list[str]:
    """GIDs of the connection's stored goals."""
    return [row["goal_gid"] for row in stored(database, name=name)]


def everything(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, to check that nothing has changed."""
    return {table: stored(database, table, None) for table in TABLES}


@contextmanager
def meanwhile(database: Database, table: str, change: Callable[[sa.Connection], object]) -> Iterator[None]:
    """Make the change when the block gets to this table, in the middle of what it reads."""
    is_locked = threading.Event()
    waits = "select from pg_locks where not granted and relation = %s::regclass"

    def run() -> None:
        with database.connect("locking") as conn, psycopg.connect(database.url, autocommit=True) as admin:
            driver(conn).execute(sql.SQL("lock table {}").format(sql.Identifier(SCHEMA, table)))
            is_locked.set()
            eventually(lambda: admin.execute(waits, [f"{SCHEMA}.{table}"]).rowcount > 0)
            change(conn)

    with ThreadPoolExecutor(1) as threads:
        changed = threads.submit(run)
        assert is_locked.wait(20)
        yield
        changed.result()


def eventually(holds: Callable[[], bool]) -> None:
    """Assert that something becomes true soon."""
    pause = threading.Event()
    assert any(holds() or pause.wait(0.05) for _ in range(1200))

"""The table `syncs`: what each sync did, what it wrote, and how it ended.

`counts -> 'tables'` names per table the rows, the moment, the inputs and the notes of its latest write by that sync. It
is what tells an empty slice from one that was never written, and what fences a sync that comes too late.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from perfcopilot_goals.domain.sync import Source, Sync
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.storage.database import SCHEMA

INTERRUPTED = "Interrupted"

_TABLE = sql.Identifier(SCHEMA, "syncs")
_COLUMNS = sql.SQL(", ").join(sql.Identifier(f.name) for f in fields(Sync))


def begin_sync(
    database: psycopg.Connection, connection: str, run_id: str, synced_at: dt.datetime | None = None
) -> dt.datetime:
    """Enter the sync, unless an earlier asset of the same run did; returns the moment it is entered with.

    Without a moment it is now by the database's clock: syncs on two machines have to be told apart by one clock.

    A sync of the connection that is still said to run is then one that died, and is marked so.
    """
    database.execute(
        sql.SQL(
            "update {} set state = 'failed', error_code = %s, finished_at = now() "
            "where connection = %s and state = 'running' and run_id <> %s"
        ).format(_TABLE),
        [INTERRUPTED, connection, run_id],
    )
    entered = database.execute(
        sql.SQL(
            "insert into {} (connection, run_id, synced_at, started_at, state) "
            "select connection, %s, coalesce(%s, clock_timestamp()), now(), 'running' from {} where connection = %s "
            "on conflict (connection, run_id) do update set state = 'running', error_code = null, finished_at = null "
            "returning synced_at"
        ).format(_TABLE, sql.Identifier(SCHEMA, "connections")),
        [run_id, synced_at, connection],
    ).fetchone()
    if entered is None:
        raise GoalsConfigError(f"there is no connection {connection} any more; nothing was written")
    moment: dt.datetime = entered[0]
    return moment.astimezone(dt.UTC)


def fail_sync(
    database: psycopg.Connection,
    connection: str,
    run_id: str,
    error_code: str,
    *,
    requests: int = 0,
    throttled: int = 0,
) -> None:
    """Note how the sync ended; one that had not even been entered is."""
    database.execute(
        sql.SQL(
            "insert into {} as sync (connection, run_id, synced_at, started_at, finished_at, state, error_code, "
            "requests, throttled) values (%(connection)s, %(run_id)s, now(), now(), now(), 'failed', %(code)s, "
            "%(requests)s, %(throttled)s) on conflict (connection, run_id) do update set state = 'failed', "
            "finished_at = now(), error_code = excluded.error_code, requests = sync.requests + excluded.requests, "
            "throttled = sync.throttled + excluded.throttled"
        ).format(_TABLE),
        {
            "connection": connection,
            "run_id": run_id,
            "code": error_code,
            "requests": requests,
            "throttled": throttled,
        },
    )


def note_write(
    database: psycopg.Connection,
    connection: str,
    run_id: str,
    table: str,
    *,
    write_id: str,
    rows: int,
    rows_before: int,
    inputs: Mapping[str, str],
    notes: Mapping[str, Any],
    is_last: bool,
) -> None:
    """Note that the sync has written a table; `is_last` completes it."""
    entry = {
        "write_id": write_id,
        "rows": rows,
        "rows_before": rows_before,
        "inputs": dict(inputs),
        "notes": dict(notes),
    }
    database.execute(
        sql.SQL(
            "update {} set counts = jsonb_set(jsonb_set(counts, '{{tables}}', coalesce(counts -> 'tables', '{{}}')), "
            # The database's clock: of two machines' slices the later one has to be told from the earlier.
            "array['tables', %(table)s], %(entry)s || jsonb_build_object('written_at', clock_timestamp())), "
            "requests = requests + %(requests)s, throttled = throttled + %(throttled)s, "
            "subgoal_route = coalesce(%(route)s, subgoal_route), "
            "state = case when %(is_last)s then 'complete' else state end, "
            "finished_at = case when %(is_last)s then clock_timestamp() else finished_at end, "
            "error_code = case when %(is_last)s then null else error_code end "
            "where connection = %(connection)s and run_id = %(run_id)s"
        ).format(_TABLE),
        {
            "connection": connection,
            "run_id": run_id,
            "table": table,
            "entry": Jsonb(entry),
            "requests": notes.get("requests", 0),
            "throttled": notes.get("throttled", 0),
            "route": notes.get("route"),
            "is_last": is_last,
        },
    )


def read_source(database: psycopg.Connection, connection: str, table: str) -> Source | None:
    """What the connection's slice of that table came from; None if it was never written."""
    row = database.execute(
        sql.SQL(
            "select run_id, synced_at, counts -> 'tables' -> %(table)s from {} where connection = %(connection)s and "
            "counts -> 'tables' ? %(table)s "
            "order by (counts -> 'tables' -> %(table)s ->> 'written_at')::timestamptz desc limit 1"
        ).format(_TABLE),
        {"connection": connection, "table": table},
    ).fetchone()
    if row is None:
        return None
    run_id, synced_at, entry = row
    return Source(run_id, synced_at.astimezone(dt.UTC), entry["inputs"], entry["notes"], entry["rows_before"])


def read_rows_before(
    database: psycopg.Connection, connection: str, run_id: str, table: str, write_id: str
) -> int | None:
    """How many rows this very write replaced; None if it is not in, as where the line was cut before the commit."""
    row = database.execute(
        sql.SQL(
            "select counts -> 'tables' -> %(table)s -> 'rows_before' from {} where connection = %(connection)s "
            "and run_id = %(run_id)s and counts -> 'tables' -> %(table)s ->> 'write_id' = %(write_id)s"
        ).format(_TABLE),
        {"connection": connection, "run_id": run_id, "table": table, "write_id": write_id},
    ).fetchone()
    return row[0] if row else None


def has_newer_write(database: psycopg.Connection, connection: str, table: str, synced_at: dt.datetime) -> bool:
    """Whether a sync that began later has written the connection's slice of that table."""
    row = database.execute(
        sql.SQL(
            "select true from {} where connection = %s and synced_at > %s and counts -> 'tables' ? %s limit 1"
        ).format(_TABLE),
        [connection, synced_at, table],
    ).fetchone()
    return row is not None


def read_last_sync(database: psycopg.Connection, connection: str, state: str | None = None) -> Sync | None:
    """The connection's latest sync, of all or of those in a state.

    A complete one counts only if it wrote blocks; its `synced_at` says how fresh they are, also where a run rendered
    them anew from older goals.
    """
    condition = sql.SQL("true") if state is None else sql.SQL("state = {}").format(sql.Literal(state))
    if state == "complete":
        condition += sql.SQL(" and counts -> 'tables' ? 'prompt_blocks'")
    query = sql.SQL("select {} from {} where connection = %s and {} order by started_at desc limit 1").format(
        _COLUMNS, _TABLE, condition
    )
    with database.cursor(row_factory=class_row(Sync)) as cursor:
        return cursor.execute(query, [connection]).fetchone()


def read_last_route(database: psycopg.Connection, connection: str) -> str | None:
    """The sub-goal route that answered the connection's last complete sync; None before the first."""
    row = database.execute(
        sql.SQL(
            "select subgoal_route from {} where connection = %s and state = 'complete' and subgoal_route is not null "
            "order by started_at desc limit 1"
        ).format(_TABLE),
        [connection],
    ).fetchone()
    return row[0] if row else None

"""Slices: replaced as a whole in one transaction, and read back with the table's types."""

import datetime as dt
import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import sqlalchemy as sa
from psycopg import sql
from psycopg.types.json import Jsonb

from perfcopilot_goals.core.lineage import keeps_mappings, roster_digest
from perfcopilot_goals.domain.actions import SYNC
from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.domain.limits import HISTORY_DAYS
from perfcopilot_goals.domain.sync import Source
from perfcopilot_goals.errors import GoalsConfigError, GoalsGuardError, GoalsStoreError
from perfcopilot_goals.schemas import SCHEMA
from perfcopilot_goals.schemas.tables import TABLES, frame, ordered, own_columns, sql_table
from perfcopilot_goals.storage.connections import has_connection, read_connection
from perfcopilot_goals.storage.database import Database, driver
from perfcopilot_goals.storage.employees import has_erasure_since, read_mapping
from perfcopilot_goals.storage.locks import lock_slices
from perfcopilot_goals.storage.sync_log import (
    Write,
    has_newer_write,
    read_rows_before,
    read_source,
    record_write,
    store_receipt,
    was_removed,
)
from perfcopilot_goals.storage.versions import record_versions

# The tables that hold goals. The others may become empty: a company may have no key results, or no employees yet.
GUARDED = ("raw_workspace_goals", "owned_goals", "mapped_goal_rows")

# A server recovers from a killed backend in about a second.
_WAITS = (0.5, 2.0)


@dataclass(frozen=True)
class Replacement:
    """Which slice is replaced, by which sync. `inputs` and `notes` go into the sync log; `is_last` completes the sync.

    `roster_digest` is of the roster that the rows were made with, None if of none. `roster` is the one that this run
    has read: if it is the same, those who were mapped since do no harm. `fetched_from` is the connection as it was when
    they were fetched. `allow_empty` switches off the guard that keeps goals from being replaced by none. Closed
    versions are kept for `history_days`.
    """

    connection: str
    run_id: str
    synced_at: dt.datetime
    inputs: Mapping[str, str]
    notes: Mapping[str, Any]
    is_last: bool
    allow_empty: bool = False
    history_days: int = HISTORY_DAYS
    roster_digest: str | None = None
    roster: Mapping[str, str | None] | None = None
    fetched_from: Connection | None = None


def replace_slice(
    database: Database,
    table: str,
    rows: pd.DataFrame,
    replacement: Replacement,
    pause: Callable[[float], None] = time.sleep,
) -> int:
    """Replace the connection's rows of the table by these validated ones, and return how many it replaced.

    All of it is one transaction, from the lock to the entry in the sync log. So a reader sees the old rows or the new
    ones, never a mix. It makes up to three tries if the failure may pass. If the response to a commit is lost, the sync
    log tells whether the commit went through.

    Raises `GoalsConfigError` if the connection is gone, or has another workspace than the rows were fetched from.
    Raises `GoalsGuardError` in five cases:

    - a sync that began later has written;
    - somebody was erased since the fetch began;
    - somebody whom the rows are about was unmapped, or mapped to another user;
    - goals would be replaced by none;
    - the counts of a whole sync do not add up.
    """
    write_id = str(uuid.uuid4())
    for wait in _WAITS:
        try:
            return _replace(database, table, rows, replacement, write_id)
        except GoalsStoreError as error:
            if not error.passes_within_seconds:
                raise
        pause(wait * random.uniform(0.5, 1.0))
    return _replace(database, table, rows, replacement, write_id)


def _replace(database: Database, table: str, rows: pd.DataFrame, replacement: Replacement, write_id: str) -> int:
    connection = replacement.connection
    with database.connect(f"replacing {table}") as conn:
        lock_slices(conn, connection)
        replaced = read_rows_before(conn, connection, replacement.run_id, table, write_id)
        if replaced is not None:
            # An earlier try of this write went through; only the response to it was lost.
            return replaced
        _check_writable(conn, table, replacement)
        slices = sql_table(table)
        # The delete counts the old rows. If the guard raises, the rollback brings them back.
        deleted = conn.execute(sa.delete(slices).where(slices.c.connection == connection)).rowcount
        if deleted and rows.empty and table in GUARDED and not replacement.allow_empty:
            raise GoalsGuardError(
                f"{table} has {deleted} rows and would become empty; the old rows stand",
                connection=connection,
                action="If there really are no goals any more: perfcopilot-goals sync {connection} --allow-empty",
            )
        _copy(conn, table, rows)
        record_versions(conn, table, connection, replacement.synced_at, replacement.history_days)
        write = Write(write_id, len(rows), deleted, replacement.inputs, replacement.notes)
        record_write(conn, connection, replacement.run_id, table, write, is_last=replacement.is_last)
        if replacement.is_last:
            store_receipt(conn, connection, replacement.run_id)
    return deleted


def _check_writable(conn: sa.Connection, table: str, replacement: Replacement) -> None:
    """Raise if the write would bring back what was removed or erased, undo a newer sync, or be somebody else's goals.

    Whoever unmaps an employee or maps them to another user, or changes the workspace, holds the connection's lock. So
    after this, nothing changes before the commit.
    """
    connection, fetched_from = replacement.connection, replacement.fetched_from
    began_at = f"{replacement.synced_at:%Y-%m-%d %H:%M:%S} UTC"
    again = f"Nothing is lost; run the whole sync again: {SYNC}"
    if not has_connection(conn, connection):
        # Its rows would come back to life with a new connection of the same name.
        raise was_removed(connection)
    if has_newer_write(conn, connection, table, replacement.synced_at):
        raise GoalsGuardError(
            f"{table} was not written: a sync that began after {began_at} has already written it",
            connection=connection,
            action="Nothing is lost; the newer rows stand. If the database's clock was set back, sync again once it "
            "has caught up",
        )
    if has_erasure_since(conn, connection, replacement.synced_at):
        raise GoalsGuardError(
            f"{table} was not written: an employee was erased after {began_at}, when this fetch began, and could be in "
            "its rows",
            connection=connection,
            action="Nothing else is lost; run the whole sync again",
        )
    if fetched_from is not None and not fetched_from.has_workspace_of(read_connection(conn, connection)):
        raise GoalsConfigError(
            f"{table} was not written: the workspace was changed while the sync ran",
            connection=connection,
            action=again,
        )
    if replacement.roster_digest is not None and not _is_roster_kept(read_mapping(conn, connection), replacement):
        raise GoalsGuardError(
            f"{table} was not written: its goals were picked by an earlier state of who is mapped to whom",
            connection=connection,
            action=again,
        )


def _is_roster_kept(now: Mapping[str, str | None], replacement: Replacement) -> bool:
    # `owned_goals` may be another run's, which picked them by another roster than this run has read.
    if replacement.roster is None or roster_digest(replacement.roster) != replacement.roster_digest:
        return roster_digest(now) == replacement.roster_digest
    return keeps_mappings(now, replacement.roster)


def read_slice(conn: sa.Connection, table: str, connection: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """The connection's rows of the table, in key order. Without `columns`, all but the three that every slice has."""
    slices = sql_table(table)
    names = own_columns(table) if columns is None else columns
    query = sa.select(*(slices.c[name] for name in names)).where(slices.c.connection == connection)
    rows = conn.execute(query.order_by(*map(ordered, slices.primary_key.columns)))
    return frame(table, rows.all(), names)


def load_slice(
    database: Database, table: str, connection: str, columns: Sequence[str] | None = None
) -> tuple[pd.DataFrame, Source]:
    """The slice as in `read_slice`, and its source, as of one moment; `GoalsStoreError` if it was never written."""
    with database.connect(f"reading {table}", snapshot=True) as conn:
        source = read_source(conn, connection, table)
        if source is None:
            read_connection(conn, connection)  # raises if there is none
            # 02000 is "no data": trying again changes nothing.
            raise GoalsStoreError(
                f"{table} was never written",
                "02000",
                connection=connection,
                action=f"Materialize it first, or run the whole sync: {SYNC}",
            )
        return read_slice(conn, table, connection, columns), source


def _copy(conn: sa.Connection, table: str, rows: pd.DataFrame) -> None:
    """COPY in binary: it takes two thirds of the time that text takes, and needs each column's type."""
    columns = {column.name: column for column in TABLES[table].columns}
    types = [columns[name].pg_type for name in rows.columns]
    copy = sql.SQL("copy {} ({}) from stdin (format binary)").format(
        sql.Identifier(SCHEMA, table), sql.SQL(", ").join(map(sql.Identifier, rows.columns))
    )
    values = [
        [Jsonb(value) for value in column] if pg_type == "jsonb" else column
        for column, pg_type in zip(_plain_columns(rows), types, strict=True)
    ]
    with driver(conn).cursor() as cursor, cursor.copy(copy) as stream:
        stream.set_types(types)
        for row in zip(*values, strict=True):
            stream.write_row(row)


def _plain_columns(rows: pd.DataFrame) -> Iterator[list[Any]]:
    """The columns as plain Python values: psycopg would store pandas' NaT as the year 48113 and its NaN as a word."""
    for name, dtype in rows.dtypes.items():
        missing = rows[name].isna().to_numpy()
        # `tolist` would make pandas' own timestamps one by one, which takes six times as long.
        is_instant = isinstance(dtype, pd.DatetimeTZDtype)
        values = list(pd.DatetimeIndex(rows[name]).to_pydatetime()) if is_instant else rows[name].tolist()
        yield [None if gone else v for v, gone in zip(values, missing, strict=True)] if missing.any() else values

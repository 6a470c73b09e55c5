"""A person's ids in Dagster's own tables: in messages, in metadata of checks and failures, in sensors' cursors.

Dagster has no way to change an event, so this is SQL on its tables; their columns are looked up in the catalog. The
caller's `redact` decides which parts of a document change. Runs and events themselves stay.
"""

import re
from collections.abc import Callable, Iterable

import sqlalchemy as sa
from psycopg import sql

from perfcopilot_goals.core.erasure import spellings
from perfcopilot_goals.storage.database import DAGSTER_SCHEMA, driver, has_table

PARTITION_TAG = "dagster/partition"
_BATCH = 500


def redact_rows(
    conn: sa.Connection, connection: str, ids: Iterable[str], redact: Callable[[str], str]
) -> dict[str, int]:
    """Rewrite every document that names one of the ids by `redact`; returns the changed rows by table.

    Runs of other connections are left alone: their employees may have the same ids.
    """
    foreign = runs_of_others(conn, connection)
    pattern = _pattern(ids)
    changed: dict[str, int] = {}
    for table, columns in _columns(conn).items():
        run_column = next((name for name in ("run_id", "last_run_id") if name in columns), None)
        for column in columns:
            rows = _redact_column(conn, (table, column, run_column), pattern, foreign, redact)
            if rows:
                changed[table] = changed.get(table, 0) + rows
    return changed


def runs_of_others(conn: sa.Connection, connection: str) -> set[str]:
    """Ids of the runs of other connections; none if Dagster has not made its tables yet."""
    if not has_table(conn, DAGSTER_SCHEMA, "run_tags"):
        return set()
    query = sql.SQL("select run_id from {} where key = %s and value <> %s").format(
        sql.Identifier(DAGSTER_SCHEMA, "run_tags")
    )
    return {run_id for (run_id,) in driver(conn).execute(query, [PARTITION_TAG, connection])}


def tables_with_statistics_of(conn: sa.Connection, ids: Iterable[str]) -> set[str]:
    """Dagster's tables whose planner's statistics name one of the ids, maybe from rows that Dagster has deleted."""
    query = (
        "select tablename from pg_stats where schemaname = %s "
        "and concat(most_common_vals::text, histogram_bounds::text) ~ %s"
    )
    return {table for (table,) in driver(conn).execute(query, [DAGSTER_SCHEMA, _pattern(ids)])}


def _columns(conn: sa.Connection) -> dict[str, list[str]]:
    """The text columns of Dagster's tables, by table. Only where an `id` says which row to write back."""
    query = (
        "select table_name, array_agg(column_name::text order by ordinal_position) from information_schema.columns c "
        "where table_schema = %s and data_type in ('text', 'character varying') and exists (select from "
        "information_schema.columns k where (k.table_schema, k.table_name) = (c.table_schema, c.table_name) and "
        "k.column_name = 'id') group by table_name order by table_name"
    )
    return dict(driver(conn).execute(query, [DAGSTER_SCHEMA]).fetchall())


def _redact_column(
    conn: sa.Connection,
    place: tuple[str, str, str | None],
    pattern: str,
    foreign: set[str],
    redact: Callable[[str], str],
) -> int:
    table, column, run_column = place
    read = sql.SQL("select id, {}, {} from {} where {} ~ %s").format(
        sql.Identifier(run_column) if run_column else sql.SQL("null"),
        sql.Identifier(column),
        sql.Identifier(DAGSTER_SCHEMA, table),
        sql.Identifier(column),
    )
    write = sql.SQL("update {} set {} = %s where id = %s").format(
        sql.Identifier(DAGSTER_SCHEMA, table), sql.Identifier(column)
    )
    changed = []
    # A server-side cursor: a short id may match in every event, and the event log may be large.
    with driver(conn).cursor(name="documents") as documents:
        documents.itersize = _BATCH
        for row_id, run_id, document in documents.execute(read, [pattern]):
            if run_id not in foreign and (redacted := redact(document)) != document:
                changed.append((redacted, row_id))
    with driver(conn).cursor() as cursor:
        cursor.executemany(write, changed)
    return len(changed)


def _pattern(ids: Iterable[str]) -> str:
    """A Postgres regular expression that matches any of the ids, plain or as JSON escapes them, also inside words."""
    forms = {form for i in ids for form in spellings(i)}
    return "|".join(map(re.escape, sorted(forms)))

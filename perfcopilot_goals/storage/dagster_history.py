"""What Dagster keeps of runs, in its tables and in the files that runs print to.

An erased person's ids are taken out of it, and what is old is deleted. Dagster has no way to change an event, and keeps
ticks, check results and files for ever. So this is SQL on its tables and work on its files.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterable
from contextlib import suppress

import sqlalchemy as sa
from psycopg import sql

from perfcopilot_goals.core.erasure import spellings
from perfcopilot_goals.settings import Settings
from perfcopilot_goals.storage.database import DAGSTER_SCHEMA, driver, has_table
from perfcopilot_goals.storage.local_files import local_files

PARTITION_TAG = "dagster/partition"
_BATCH = 500
# The endings of the files that Dagster writes a run's output to.
_PRINTED = {".out", ".err", ".complete"}


def redact_rows(
    conn: sa.Connection, connection: str, ids: Iterable[str], redact: Callable[[str], str]
) -> dict[str, int]:
    """Rewrite every document that names one of the ids by `redact`; returns the changed rows by table.

    The ids are in messages, in metadata of checks and failures, in sensors' cursors. Runs and events themselves stay.
    Runs of other connections are left alone: their employees may have the same ids.
    """
    foreign = runs_of_others(conn, connection)
    pattern = _pattern(ids)
    changed: dict[str, int] = {}
    for table, columns in _text_columns(conn).items():
        run_column = next((name for name in ("run_id", "last_run_id") if name in columns), None)
        rows = sum(_redact_column(conn, (table, column, run_column), pattern, foreign, redact) for column in columns)
        if rows:
            changed[table] = rows
    return changed


def runs_of_others(conn: sa.Connection, connection: str) -> set[str]:
    """Ids of the runs of other connections; none if Dagster has not made its tables yet."""
    if not has_table(conn, DAGSTER_SCHEMA, "run_tags"):
        return set()
    query = sql.SQL("select run_id from {} where key = %s and value <> %s").format(_table("run_tags"))
    return {run_id for (run_id,) in driver(conn).execute(query, [PARTITION_TAG, connection])}


def tables_with_statistics_of(conn: sa.Connection, ids: Iterable[str]) -> set[str]:
    """Dagster's tables whose planner's statistics name one of the ids, maybe from rows that Dagster has deleted."""
    query = (
        "select tablename from pg_stats where schemaname = %s "
        "and concat(most_common_vals::text, histogram_bounds::text) ~ %s"
    )
    return {table for (table,) in driver(conn).execute(query, [DAGSTER_SCHEMA, _pattern(ids)])}


def _text_columns(conn: sa.Connection) -> dict[str, list[str]]:
    """The text columns of Dagster's tables, by table. Only where an `id` says which row to write back."""
    found = sa.inspect(conn).get_multi_columns(schema=DAGSTER_SCHEMA)
    return {
        str(table): [column["name"] for column in columns if isinstance(column["type"], sa.String)]
        for (_, table), columns in sorted(found.items())
        if any(column["name"] == "id" for column in columns)
    }


def _redact_column(
    conn: sa.Connection,
    place: tuple[str, str, str | None],
    pattern: str,
    foreign: set[str],
    redact: Callable[[str], str],
) -> int:
    table, column, run_column = place
    run = sql.Identifier(run_column) if run_column else sql.SQL("null")
    names = {"run": run, "column": sql.Identifier(column), "table": _table(table)}
    read = sql.SQL("select id, {run}, {column} from {table} where {column} ~ %s").format(**names)
    write = sql.SQL("update {table} set {column} = %s where id = %s").format(**names)
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


def delete_checks(conn: sa.Connection, cutoff: dt.datetime) -> None:
    """Delete the check results that Dagster would keep for ever.

    It leaves them behind when their run is deleted. Those that a sensor reported have no run, and go when they are from
    before the cutoff, with their events; the latest of each check stays.
    """
    if not has_table(conn, DAGSTER_SCHEMA, "asset_check_executions"):
        return
    tables = {"checks": _table("asset_check_executions"), "events": _table("event_logs"), "runs": _table("runs")}
    # A result without a run has an empty run id.
    for statement in (
        "delete from {checks} c where run_id <> '' and not exists (select from {runs} r where r.run_id = c.run_id)",
        "delete from {checks} where run_id = '' and create_timestamp < %(moment)s and id not in "
        "(select max(id) from {checks} group by asset_key, check_name)",
        "delete from {events} where run_id = '' and dagster_event_type = 'ASSET_CHECK_EVALUATION' and "
        "timestamp < %(moment)s and id not in (select evaluation_event_storage_id from {checks} "
        "where run_id = '' and evaluation_event_storage_id is not null)",
    ):
        driver(conn).execute(sql.SQL(statement).format(**tables), {"moment": _as_dagster_writes(cutoff)})


def delete_ticks(conn: sa.Connection, cutoff: dt.datetime, *, dry_run: bool) -> int:
    """Delete the ticks of sensors and schedules from before the cutoff; returns how many.

    Dagster keeps a sensor's ticks for ever, except skipped ones. The last tick of each stays, because Dagster goes on
    from there.
    """
    if not has_table(conn, DAGSTER_SCHEMA, "job_ticks"):
        return 0
    old = sql.SQL(
        "from {ticks} where timestamp < %s and id not in (select distinct on (coalesce(selector_id, job_origin_id)) id "
        "from {ticks} order by coalesce(selector_id, job_origin_id), timestamp desc, id desc)"
    ).format(ticks=_table("job_ticks"))
    moment = [_as_dagster_writes(cutoff)]
    if dry_run:
        (count,) = driver(conn).execute(sql.SQL("select count(*) {}").format(old), moment).fetchone() or (0,)
        return int(count)
    return driver(conn).execute(sql.SQL("delete {}").format(old), moment).rowcount


def delete_printed(
    settings: Settings, cutoff: dt.datetime, gone: set[str], has_run: Callable[[str], bool], *, dry_run: bool
) -> int:
    """Delete what the `gone` runs printed, and old files whose run does not exist; returns how many files.

    Old is from before the cutoff. A run prints into `<home>/dagster/<run>`. Sensors and schedules print into other
    folders there, which belong to no run.
    """
    folder = settings.home / "dagster"
    old = []
    for path in local_files(settings):
        if path.suffix in _PRINTED and path.is_relative_to(folder):
            run = path.relative_to(folder).parts[0]
            if run in gone or (path.stat().st_mtime < cutoff.timestamp() and not has_run(run)):
                old.append(path)
    if not dry_run:
        for path in old:
            path.unlink(missing_ok=True)
        folders = {parent for path in old for parent in path.parents if folder in parent.parents}
        for empty in sorted(folders, reverse=True):
            with suppress(OSError):  # not empty: something prints there, or somebody put a file there
                empty.rmdir()
    return len(old)


def _table(name: str) -> sql.Identifier:
    return sql.Identifier(DAGSTER_SCHEMA, name)


def _as_dagster_writes(moment: dt.datetime) -> dt.datetime:
    """The moment for a column of Dagster's: UTC, without a time zone."""
    return moment.astimezone(dt.UTC).replace(tzinfo=None)

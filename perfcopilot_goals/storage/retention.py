"""Deletes old history of Dagster's: ticks, what deleted runs left behind, and what runs printed."""

import datetime as dt
from collections.abc import Callable
from contextlib import suppress

import sqlalchemy as sa
from psycopg import sql

from perfcopilot_goals.settings import Settings
from perfcopilot_goals.storage.database import DAGSTER_SCHEMA, driver, has_table
from perfcopilot_goals.storage.local_files import local_files

# The endings of the files that Dagster writes a run's output to.
_PRINTED = {".out", ".err", ".complete"}


def delete_checks(conn: sa.Connection, cutoff: dt.datetime) -> None:
    """Delete the check results that Dagster would keep for ever.

    It leaves them behind when their run is deleted. Those that a sensor reported have no run, and go when they are from
    before the cutoff, with their events; the latest of each check stays.
    """
    if not has_table(conn, DAGSTER_SCHEMA, "asset_check_executions"):
        return
    tables = {
        "checks": sql.Identifier(DAGSTER_SCHEMA, "asset_check_executions"),
        "events": sql.Identifier(DAGSTER_SCHEMA, "event_logs"),
        "runs": sql.Identifier(DAGSTER_SCHEMA, "runs"),
    }
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
    ).format(ticks=sql.Identifier(DAGSTER_SCHEMA, "job_ticks"))
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


def _as_dagster_writes(moment: dt.datetime) -> dt.datetime:
    """The moment for a column of Dagster's: UTC, without a time zone."""
    return moment.astimezone(dt.UTC).replace(tzinfo=None)

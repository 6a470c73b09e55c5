"""The table `syncs`: what each sync did, what it wrote, and how it ended.

`counts -> 'tables'` has, by table, the rows, the moment, the inputs and the notes of that sync's latest write. It tells
an empty slice from one that was never written, and it stops a sync that comes too late. `counts -> 'remedy'` is what
to do about the error of a failed sync, in the error's own words. `receipt` is only there for a whole sync;
`core.receipt` says what is in it.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB

from perfcopilot_goals.core.receipt import build_receipt
from perfcopilot_goals.domain.sync import INTERRUPTED, Source, Sync
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.schemas.tables import sql_table

_SYNCS = sql_table("syncs")
_CONNECTIONS = sql_table("connections")
_COLUMNS = [_SYNCS.c[f.name] for f in fields(Sync)]
_WRITES = _SYNCS.c.counts["tables"]


@dataclass(frozen=True)
class Write:
    """One write of a slice: how many rows it brought and replaced, what it was made from, and what the asset noted."""

    write_id: str
    rows: int
    rows_before: int
    inputs: Mapping[str, str]
    notes: Mapping[str, Any]


def begin_sync(conn: sa.Connection, connection: str, run_id: str, synced_at: dt.datetime | None = None) -> dt.datetime:
    """Insert the sync's row, unless an earlier asset of the same run did; returns the `synced_at` of the row.

    By default that is now by the database's clock, so that syncs on two machines are ordered by one clock. Another sync
    of the connection that still has the state `running` must have died; it is marked as failed.
    """
    c = _SYNCS.c
    died = (c.connection == connection, c.state == "running", c.run_id != run_id)
    conn.execute(
        sa.update(_SYNCS).where(*died).values(state="failed", error_code=INTERRUPTED, finished_at=sa.func.now())
    )
    row = sa.select(
        _CONNECTIONS.c.connection,
        sa.literal(run_id),
        sa.func.coalesce(sa.literal(synced_at, c.synced_at.type), sa.func.clock_timestamp()),
        sa.func.now(),
        sa.literal("running"),
    ).where(_CONNECTIONS.c.connection == connection)
    entered: dt.datetime | None = conn.scalar(
        postgresql.insert(_SYNCS)
        .from_select([c.connection, c.run_id, c.synced_at, c.started_at, c.state], row)
        .on_conflict_do_update(
            index_elements=[c.connection, c.run_id], set_={c.state: "running", c.error_code: None, c.finished_at: None}
        )
        .returning(c.synced_at)
    )
    if entered is None:
        raise was_removed(connection)
    return entered.astimezone(dt.UTC)


def began_at(conn: sa.Connection, connection: str, run_id: str) -> dt.datetime:
    """The `synced_at` of a sync that was begun; `GoalsConfigError` if its row went, with the connection."""
    sync = read_sync(conn, connection, run_id)
    if sync is None:
        raise was_removed(connection)
    return sync.synced_at.astimezone(dt.UTC)


def was_removed(connection: str) -> GoalsConfigError:
    """The error for a sync whose connection is gone, maybe with another of the same name in its place."""
    return GoalsConfigError(
        "there is no connection {connection} any more: it was removed while its sync ran, with all of its rows",
        connection=connection,
    )


def fail_sync(
    conn: sa.Connection,
    connection: str,
    run_id: str,
    error_code: str,
    *,
    requests: int = 0,
    throttled: int = 0,
    remedy: str | None = None,
) -> None:
    """Record that the sync failed, and what to do about it; inserts its row if it is missing."""
    c, now = _SYNCS.c, sa.func.now()
    row = postgresql.insert(_SYNCS).values(
        connection=connection,
        run_id=run_id,
        synced_at=now,
        started_at=now,
        finished_at=now,
        state="failed",
        error_code=error_code,
        requests=requests,
        throttled=throttled,
        counts=sa.literal({"remedy": remedy} if remedy else {}, JSONB),
    )
    conn.execute(
        row.on_conflict_do_update(
            index_elements=[c.connection, c.run_id],
            set_={
                **{column: row.excluded[column.name] for column in (c.state, c.finished_at, c.error_code)},
                c.requests: c.requests + row.excluded.requests,
                c.throttled: c.throttled + row.excluded.throttled,
                c.counts: c.counts.op("-", return_type=JSONB())(sa.literal("remedy", sa.Text)) + row.excluded.counts,
            },
        )
    )


def record_write(conn: sa.Connection, connection: str, run_id: str, table: str, write: Write, *, is_last: bool) -> None:
    """Record that the sync has written a table; `is_last` completes the sync."""
    c, notes = _SYNCS.c, write.notes
    # The database's clock, so that writes from two machines are ordered by one clock.
    timed = sa.literal(asdict(write), JSONB) + sa.func.jsonb_build_object("written_at", sa.func.clock_timestamp())
    writes = sa.func.coalesce(_WRITES, sa.literal({}, JSONB)) + sa.func.jsonb_build_object(table, timed)
    values: dict[Any, Any] = {
        c.counts: c.counts + sa.func.jsonb_build_object("tables", writes),
        c.requests: c.requests + notes.get("requests", 0),
        c.throttled: c.throttled + notes.get("throttled", 0),
        c.subgoal_route: sa.func.coalesce(sa.literal(notes.get("route"), sa.Text), c.subgoal_route),
    }
    if is_last:
        values |= {c.state: "complete", c.finished_at: sa.func.clock_timestamp(), c.error_code: None}
    conn.execute(sa.update(_SYNCS).where(_is_of(connection, run_id)).values(values))


def store_receipt(conn: sa.Connection, connection: str, run_id: str) -> None:
    """Store the receipt of a sync that has just completed, in its transaction; none if it wrote only some tables.

    `GoalsGuardError` if the sync's counts do not add up.
    """
    sync = read_sync(conn, connection, run_id)
    receipt = build_receipt(sync) if sync else None
    if receipt is not None:
        conn.execute(sa.update(_SYNCS).where(_is_of(connection, run_id)).values(receipt=receipt))


def read_source(conn: sa.Connection, connection: str, table: str) -> Source | None:
    """Where the connection's slice of that table came from; None if it was never written."""
    c, write = _SYNCS.c, _WRITES[table]
    row = conn.execute(
        sa.select(c.run_id, c.synced_at, write)
        .where(c.connection == connection, _WRITES.has_key(table))
        .order_by(sa.cast(write["written_at"].astext, c.synced_at.type).desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    run_id, synced_at, entry = row
    return Source(run_id, synced_at.astimezone(dt.UTC), entry["inputs"], entry["notes"], entry["rows_before"])


def read_rows_before(conn: sa.Connection, connection: str, run_id: str, table: str, write_id: str) -> int | None:
    """How many rows this very write replaced; None if it was not committed, as when the line was cut before."""
    write = _WRITES[table]
    is_this_write = sa.and_(_is_of(connection, run_id), write["write_id"].astext == write_id)
    rows: int | None = conn.scalar(sa.select(write["rows_before"]).where(is_this_write))
    return rows


def has_newer_write(conn: sa.Connection, connection: str, table: str, synced_at: dt.datetime) -> bool:
    """Whether a sync that began later has written the connection's slice of that table."""
    c = _SYNCS.c
    newer = (c.connection == connection, c.synced_at > synced_at, _WRITES.has_key(table))
    return bool(conn.scalar(sa.select(sa.exists().where(*newer))))


def walk_of(blocks: sa.FromClause) -> sa.ScalarSelect[Any]:
    """The notes of the walk that the blocks of this sync are made from; null if the log does not have it any more.

    That need not be a walk of the blocks' own run: in the UI an asset can be materialized alone. Nor is it always the
    latest walk: a sync can fail after it.
    """
    rows, walk = _SYNCS.alias("rows"), _SYNCS.alias("walk")

    def made_by(log: sa.FromClause, table: str, source: str) -> sa.ColumnElement[str]:
        run: sa.ColumnElement[str] = log.c.counts["tables"][table]["inputs"][source].astext
        return run

    query = sa.select(walk.c.counts["tables"]["subgoals"]["notes"]).where(
        rows.c.connection == blocks.c.connection,
        rows.c.run_id == made_by(blocks, "prompt_blocks", "mapped_goal_rows"),
        walk.c.connection == rows.c.connection,
        walk.c.run_id == made_by(rows, "mapped_goal_rows", "subgoals"),
    )
    return query.correlate(blocks).scalar_subquery()


def read_walk_notes(conn: sa.Connection, connection: str, run_id: str | sa.ScalarSelect[str]) -> Mapping[str, Any]:
    """The notes of the walk that the blocks of this run are made from; {} if there is none."""
    c = _SYNCS.c
    notes: Mapping[str, Any] | None = conn.scalar(
        sa.select(walk_of(_SYNCS)).where(c.connection == connection, c.run_id == run_id)
    )
    return notes or {}


def has_workspace_changed(conn: sa.Connection, connection: str, synced_at: dt.datetime) -> bool:
    """Whether the connection has another workspace than the one whose goals the sync of this moment has listed.

    False if that is not known, as of a sync before the log had it.
    """
    s, c = _SYNCS.c, _CONNECTIONS.c
    listed = _WRITES["raw_workspace_goals"]["notes"]["workspace_gid"].astext
    query = sa.select(c.workspace_gid.is_distinct_from(listed)).where(
        c.connection == s.connection, s.connection == connection, s.synced_at == synced_at, listed.is_not(None)
    )
    return bool(conn.scalar(query.limit(1)))


def age_of(moment: sa.ColumnElement[dt.datetime]) -> sa.ColumnElement[float]:
    """Seconds from that moment to now by the database's clock, to a tenth."""
    seconds = sa.extract("epoch", sa.func.clock_timestamp() - moment)
    return sa.cast(sa.func.round(sa.cast(seconds, sa.Numeric), 1), sa.Float)


def read_sync(conn: sa.Connection, connection: str, run_id: str) -> Sync | None:
    """The sync of that run, if there was one."""
    found = conn.execute(sa.select(*_COLUMNS).where(_is_of(connection, run_id))).first()
    return Sync(*found) if found else None


def read_last_sync(conn: sa.Connection, connection: str, state: str | None = None) -> Sync | None:
    """The connection's latest sync, or its latest one in that state.

    A complete one counts only if it wrote blocks. Its `synced_at` says how fresh they are, also after a run that only
    rendered them again from older goals.
    """
    query = _latest(connection, *_COLUMNS)
    if state is not None:
        query = query.where(_SYNCS.c.state == state)
    if state == "complete":
        query = query.where(_WRITES.has_key("prompt_blocks"))
    found = conn.execute(query).first()
    return Sync(*found) if found else None


def read_unfinished_sync(conn: sa.Connection, connection: str) -> Sync | None:
    """The connection's latest sync if it failed, or runs, or was killed; None if it is complete."""
    latest = read_last_sync(conn, connection)
    return latest if latest and latest.state != "complete" else None


def read_syncs(conn: sa.Connection, limit: int, offset: int, connection: str = "") -> tuple[list[Sync], int]:
    """This many syncs of the connection, or of all without one, the latest first; and how many there are."""
    c = _SYNCS.c
    of = c.connection == connection if connection else sa.true()
    query = sa.select(*_COLUMNS).where(of).order_by(c.started_at.desc(), c.run_id).limit(limit).offset(offset)
    total = conn.scalar(sa.select(sa.func.count()).select_from(_SYNCS).where(of)) or 0
    return [Sync(*row) for row in conn.execute(query)], total


def read_sync_log(conn: sa.Connection) -> list[Sync]:
    """Every sync of every connection."""
    return [Sync(*row) for row in conn.execute(sa.select(*_COLUMNS))]


def delete_syncs(conn: sa.Connection, syncs: Iterable[Sync]) -> int:
    """Delete these from the sync log, except one that is running again by now; returns how many."""
    c = _SYNCS.c
    delete = sa.delete(_SYNCS).where(
        c.connection == sa.bindparam("of"), c.run_id == sa.bindparam("run"), c.state != "running"
    )
    ended = [{"of": sync.connection, "run": sync.run_id} for sync in syncs]
    return conn.execute(delete, ended).rowcount if ended else 0


def read_receipt(conn: sa.Connection, connection: str, run_id: str | None = None) -> dict[str, Any] | None:
    """The receipt of that run, or the connection's latest one; None if there is none."""
    c = _SYNCS.c
    of_run = c.run_id == run_id if run_id is not None else sa.true()
    receipt: dict[str, Any] | None = conn.scalar(_latest(connection, c.receipt).where(c.receipt.is_not(None), of_run))
    return receipt


def read_last_route(conn: sa.Connection, connection: str) -> str | None:
    """The sub-goal route of the connection's last complete sync; None before the first."""
    c = _SYNCS.c
    found_one = (c.state == "complete", c.subgoal_route.is_not(None))
    route: str | None = conn.scalar(_latest(connection, c.subgoal_route).where(*found_one))
    return route


def _latest(connection: str, *columns: sa.Column[Any]) -> sa.Select[Any]:
    """These columns of the connection's latest sync."""
    c = _SYNCS.c
    return sa.select(*columns).where(c.connection == connection).order_by(c.started_at.desc()).limit(1)


def _is_of(connection: str, run_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(_SYNCS.c.connection == connection, _SYNCS.c.run_id == run_id)

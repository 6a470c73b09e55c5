"""The tables `block_versions` and `goal_versions`: every state that a block or a goal has been in, and when.

A version is visible from the moment its row was written until another took its place: `visible_from` belongs to it,
`visible_to` does not. Versions change in the transaction that changes the slice, so at any moment the open ones are
the slice. Whatever else changes a slice's rows has to call this module, too.

A moment is the database's clock, read after the rows are written. Of one connection, each moment is later than those
before it by a microsecond at least, also after the clock was set back: no instant has two versions.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from perfcopilot_goals.domain.block import BlockVersion
from perfcopilot_goals.domain.sync import VERSION_TABLES
from perfcopilot_goals.schemas.tables import any_of, sql_table
from perfcopilot_goals.storage.locks import lock_slices

_STAMPS = ("visible_from", "visible_to", "first_synced_at", "last_synced_at", "run_id")
_INSTANT = sa.DateTime(timezone=True)
_MICROSECOND = sa.literal(dt.timedelta(microseconds=1), sa.Interval)


@dataclass(frozen=True)
class _History:
    """A slice and the table of its versions, with the columns that tell its rows apart and those that may change."""

    slices: sa.Table
    versions: sa.Table
    key: tuple[str, ...]

    @property
    def contents(self) -> list[str]:
        return [c.name for c in self.versions.columns if c.name not in (*self.key, *_STAMPS)]

    def is_open(self, connection: str) -> sa.ColumnElement[bool]:
        v = self.versions.c
        return sa.and_(v.connection == connection, v.visible_to.is_(None))

    def is_same_row(self) -> sa.ColumnElement[bool]:
        return sa.and_(*(self.versions.c[name] == self.slices.c[name] for name in self.key))

    def has_same_contents(self) -> sa.ColumnElement[bool]:
        # Not the block itself: its digest says as much, and the stored text need not be read.
        names = [name for name in self.contents if name != "block"]
        return sa.and_(*(self.versions.c[name].is_not_distinct_from(self.of_slice(name)) for name in names))

    def of_slice(self, name: str) -> sa.ColumnElement[Any]:
        """What the slice's row has for this column of a version."""
        if name == "sha256":
            return sa.func.encode(sa.func.sha256(sa.func.convert_to(self.slices.c.block, "UTF8")), "hex")
        return self.slices.c[{"first_synced_at": "synced_at", "last_synced_at": "synced_at"}.get(name, name)]


_BLOCKS, _GOALS = map(sql_table, VERSION_TABLES)
_HISTORIES = {
    "prompt_blocks": _History(sql_table("prompt_blocks"), _BLOCKS, ("connection", "employee_id")),
    "mapped_goal_rows": _History(sql_table("mapped_goal_rows"), _GOALS, ("connection", "goal_gid", "row_gid")),
}


def record_versions(
    conn: sa.Connection, table: str, connection: str, synced_at: dt.datetime, history_days: int
) -> None:
    """Bring the versions in line with the slice that was just written; a table without versions is left alone.

    Rows that are as before only move `last_synced_at`. Closed versions that are older than `history_days` are deleted.
    The caller holds the connection's lock.
    """
    history = _HISTORIES.get(table)
    if history is None:
        return
    s, v = history.slices.c, history.versions.c
    _join_by_hash(conn)
    moment = _next_moment(conn, connection)
    is_unchanged = sa.exists().where(history.is_same_row(), history.has_same_contents())
    is_open = history.is_open(connection)
    conn.execute(sa.update(history.versions).where(is_open, ~is_unchanged).values(visible_to=moment))
    is_older = v.last_synced_at != synced_at
    conn.execute(sa.update(history.versions).where(is_open, is_older).values(last_synced_at=synced_at))
    names = [*history.key, *history.contents, "first_synced_at", "last_synced_at", "run_id"]
    new_rows = sa.select(sa.literal(moment, _INSTANT), *map(history.of_slice, names)).where(
        s.connection == connection, ~sa.exists().where(history.is_same_row(), v.visible_to.is_(None))
    )
    conn.execute(sa.insert(history.versions).from_select(["visible_from", *names], new_rows))
    # Counted by the database, which knows years that Python does not.
    cutoff = sa.literal(moment, _INSTANT) - sa.func.make_interval(0, 0, 0, history_days)
    conn.execute(sa.delete(history.versions).where(v.connection == connection, v.visible_to <= cutoff))


def withdraw_employees(conn: sa.Connection, connection: str, employee_ids: Iterable[str]) -> None:
    """Delete the blocks and goal rows of employees whose Asana user is another now, or none, and close their versions.

    The next sync would do it too. Until then, readers would get goals that may be somebody else's.
    """
    ids = list(employee_ids)
    if not ids:
        return
    lock_slices(conn, connection)
    moment = _next_moment(conn, connection)
    for history in _HISTORIES.values():
        s, v = history.slices.c, history.versions.c
        conn.execute(sa.delete(history.slices).where(s.connection == connection, s.employee_id == any_of(ids)))
        theirs = (history.is_open(connection), v.employee_id == any_of(ids))
        conn.execute(sa.update(history.versions).where(*theirs).values(visible_to=moment))


def read_block_versions(
    conn: sa.Connection, connection: str, employee_id: str, *conditions: sa.ColumnElement[bool]
) -> list[BlockVersion]:
    """Every kept version of the employee's block, or those that meet the conditions; the oldest first."""
    v = _BLOCKS.c
    query = sa.select(*v).where(v.connection == connection, v.employee_id == employee_id, *conditions)
    return [BlockVersion(**row) for row in conn.execute(query.order_by(v.visible_from)).mappings()]


def read_block_version_at(
    conn: sa.Connection, connection: str, employee_id: str, instant: dt.datetime
) -> BlockVersion | None:
    """The version of the employee's block that readers got at that instant, if there is one."""
    v = _BLOCKS.c
    is_later = sa.or_(v.visible_to.is_(None), v.visible_to > instant)
    found = read_block_versions(conn, connection, employee_id, v.visible_from <= instant, is_later)
    return found[0] if found else None


def read_present(conn: sa.Connection, connection: str) -> dt.datetime:
    """Now by the database's clock; or the latest moment of the connection, if the clock was set back since."""
    present = sa.func.greatest(sa.func.clock_timestamp(), *_latest(connection), type_=_INSTANT)
    return conn.execute(sa.select(present)).scalar_one()


def _join_by_hash(conn: sa.Connection) -> None:
    """For this transaction. The planner knows nothing of rows that were just written, and would loop over them."""
    for name, value in (("enable_nestloop", "off"), ("work_mem", "64MB")):
        conn.execute(sa.select(sa.func.set_config(name, value, True)))


def _next_moment(conn: sa.Connection, connection: str) -> dt.datetime:
    """Now by the database's clock, and in any case later than every moment of the connection's versions."""
    later = (latest + _MICROSECOND for latest in _latest(connection))
    moment = sa.func.greatest(sa.func.clock_timestamp(), *later, type_=_INSTANT)
    return conn.execute(sa.select(moment)).scalar_one()


def _latest(connection: str) -> list[sa.ScalarSelect[Any]]:
    """The latest `visible_from` and `visible_to` of each table; null if there is none."""
    return [
        sa.select(sa.func.max(moments)).where(moments.table.c.connection == connection).scalar_subquery()
        for v in (_BLOCKS.c, _GOALS.c)
        for moments in (v.visible_from, v.visible_to)
    ]

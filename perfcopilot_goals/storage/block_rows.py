"""The stored rows that a block was made from, as the lines that it is rendered of."""

from dataclasses import dataclass

import sqlalchemy as sa

from perfcopilot_goals.core.prompts import Line
from perfcopilot_goals.domain.block import BlockVersion
from perfcopilot_goals.schemas.sql_tables import sql_table
from perfcopilot_goals.storage.sync_log import read_source

_ROWS = sql_table("mapped_goal_rows")
_OWNED = sql_table("owned_goals")
_VERSIONS = sql_table("goal_versions")


@dataclass(frozen=True)
class BlockRows:
    """The lines in their order, and how many goals the employee owns, including those beyond the cap."""

    lines: list[Line]
    goals_owned: int


def read_present_rows(conn: sa.Connection, version: BlockVersion) -> BlockRows | None:
    """The present rows of the employee; None if a later sync has replaced them and did not get to the blocks."""
    connection, employee_id = version.connection, version.employee_id
    source = read_source(conn, connection, "mapped_goal_rows")
    if source is None or source.synced_at != version.last_synced_at:
        return None
    r, o = _ROWS.c, _OWNED.c
    rows = conn.execute(
        sa.select(r.goal_gid, r.row_gid, r.kind, r.name, r.status)
        .where(r.connection == connection, r.employee_id == employee_id)
        .order_by(r.position)
    )
    owned = sa.select(sa.func.max(o.owned_total)).where(o.connection == connection, o.employee_id == employee_id)
    return BlockRows([_line(*row) for row in rows], conn.scalar(owned) or 0)


def read_past_rows(conn: sa.Connection, version: BlockVersion) -> BlockRows:
    """The goals and key results of the employee as the version's sync had them.

    Versions of goals have no order; they are in that of the version's citations. Those that it does not cite come last.
    """
    v = _VERSIONS.c
    rows = conn.execute(
        sa.select(v.goal_gid, v.row_gid, v.kind, v.name, v.status)
        .where(v.connection == version.connection, v.employee_id == version.employee_id)
        .where(v.first_synced_at <= version.last_synced_at, v.last_synced_at >= version.last_synced_at)
        .order_by(v.goal_gid, v.row_gid)
    )
    places = {(cited["goal_gid"], cited["key_result_gid"]): place for place, cited in enumerate(version.citations)}
    lines = [_line(*row) for row in rows]
    lines.sort(key=lambda line: places.get((line.goal_gid, line.key_result_gid), len(places)))
    return BlockRows(lines, version.goals_owned)


def _line(goal_gid: str, row_gid: str, kind: str, name: str, status: str) -> Line:
    return Line(goal_gid, row_gid if kind == "key_result" else None, name, status)

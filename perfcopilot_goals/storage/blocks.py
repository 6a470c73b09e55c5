"""An employee's block: as it is stored, why there is none, the goals in it, and built again from stored rows."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by

from perfcopilot_goals.core.prompts import Block, Line, render_block
from perfcopilot_goals.domain.block import BlockHistory, BlockVersion
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.schemas import SCHEMA
from perfcopilot_goals.schemas.tables import any_of, sql_table
from perfcopilot_goals.storage.employees import no_such_employee
from perfcopilot_goals.storage.sync_log import age_of, has_workspace_changed, read_source, read_walk_notes

_EMPLOYEES = sql_table("employees")
_OWNED = sql_table("owned_goals")
_ROWS = sql_table("mapped_goal_rows")
_BLOCKS = sql_table("prompt_blocks")
_BLOCK_VERSIONS = sql_table("block_versions")
_GOAL_VERSIONS = sql_table("goal_versions")
_GOAL_COLUMNS = ("goal_gid", "name", "start_on", "due_on", "status_type", "status")


@dataclass(frozen=True)
class StoredBlock:
    """One employee's block, with what a reader has to know about its age and its gaps.

    `roster_changed` and `workspace_changed`: since the block was made. `incomplete_goals` are gids of goals in it some
    of whose key results Asana did not show.
    """

    connection: str
    employee_id: str
    block: str
    goals_owned: int
    goals_listed: int
    key_results_listed: int
    truncated: bool
    citations: list[dict[str, Any]]
    reason: str
    synced_at: dt.datetime
    run_id: str
    age_seconds: float
    roster_changed: bool
    workspace_changed: bool
    incomplete_goals: list[str]


@dataclass(frozen=True)
class Goal:
    """One goal, or one key result, which is a goal that supports another one.

    `goal_gid` is the goal's; of a key result, its parent's. `status_type` is Asana's word, `status` the one that
    reviews use. `description` is Asana's markup, up to 1,000 characters of it; a key result has none here.
    """

    goal_gid: str
    name: str
    start_on: dt.date | None
    due_on: dt.date | None
    status_type: str | None
    status: str
    description: str | None = None
    key_results: list["Goal"] = field(default_factory=list)


def read_truncated(conn: sa.Connection) -> dict[str, dict[str, int]]:
    """Connections with truncated blocks: for each, how many goals its employees with such a block own, by id."""
    b = _BLOCKS.c
    owned = sa.func.jsonb_object_agg(b.employee_id, b.goals_owned)
    query = sa.select(b.connection, owned).where(b.truncated).group_by(b.connection).order_by(b.connection)
    return dict(conn.execute(query).tuples().all())


def read_block(conn: sa.Connection, connection: str, employee_id: str) -> StoredBlock:
    """The stored block of one employee, or `GoalsConfigError` saying why there is none."""
    b, e = _BLOCKS.c, _EMPLOYEES.c
    query = (
        sa.select(*b, age_of(b.synced_at).label("age_seconds"), (e.updated_at > b.synced_at).label("roster_changed"))
        .join_from(_BLOCKS, _EMPLOYEES, sa.and_(b.connection == e.connection, b.employee_id == e.employee_id))
        .where(b.connection == connection, b.employee_id == employee_id, e.asana_user_gid.is_not(None))
    )
    block = conn.execute(query).mappings().first()
    if block is None:
        raise no_block(conn, connection, employee_id)
    incomplete = read_incomplete_goals(conn, connection, employee_id)
    return StoredBlock(
        **block,
        workspace_changed=has_workspace_changed(conn, connection, block["synced_at"]),
        incomplete_goals=incomplete.get(employee_id, []),
    )


def no_block(conn: sa.Connection, connection: str, employee_id: str) -> GoalsConfigError:
    """The error that says why the employee has no block."""
    e = _EMPLOYEES.c
    query = sa.select(e.asana_user_gid).where(e.connection == connection, e.employee_id == employee_id)
    row = conn.execute(query).first()
    if row is None:
        return no_such_employee(connection, employee_id)
    if row.asana_user_gid is None:
        return GoalsConfigError(
            f"employee {employee_id} is not mapped to an Asana user, so there is no block",
            connection=connection,
            action=f"Map them: perfcopilot-goals employee map {connection} {employee_id} GID",
        )
    return GoalsConfigError(
        f"there is no block for employee {employee_id} yet",
        connection=connection,
        action="Next: perfcopilot-goals sync {connection}",
    )


def read_goals(conn: sa.Connection, connection: str, employee_id: str) -> list[Goal]:
    """The employee's goals in the order of their block."""
    key_results: dict[str, list[Goal]] = defaultdict(list)
    for row in conn.execute(_of_view("goal_key_results", _GOAL_COLUMNS, connection, employee_id)):
        key_results[row.goal_gid].append(Goal(*row))
    goals = conn.execute(_of_view("goals", (*_GOAL_COLUMNS, "description"), connection, employee_id))
    return [replace(Goal(*row), key_results=key_results[row.goal_gid]) for row in goals]


def read_incomplete_goals(conn: sa.Connection, connection: str, employee_id: str | None = None) -> dict[str, list[str]]:
    """By employee, or for this one: goals in their block some of whose key results Asana did not show.

    Goals without any such are left out, and so are employees.
    """
    # All blocks of a connection are of one run.
    run_id = sa.select(_BLOCKS.c.run_id).where(_BLOCKS.c.connection == connection).limit(1).scalar_subquery()
    notes = read_walk_notes(conn, connection, run_id)
    gids = [*notes.get("unread", []), *(entry["goal_gid"] for entry in notes.get("hidden", []))]
    b = _BLOCKS.c
    lines = sa.func.jsonb_array_elements(b.citations).table_valued(sa.column("value", JSONB), name="lines")
    cited = lines.c.value
    goal_gid = cited["goal_gid"].astext
    whose = b.employee_id == employee_id if employee_id is not None else sa.true()
    query = (
        sa.select(b.employee_id, sa.func.array_agg(aggregate_order_by(goal_gid, cited["line"])))
        .join_from(_BLOCKS, lines, sa.true())
        .where(b.connection == connection, whose, goal_gid == any_of(gids), cited["key_result_gid"].astext.is_(None))
        .group_by(b.employee_id)
    )
    return dict(conn.execute(query).tuples().all()) if gids else {}


def _of_view(name: str, columns: Sequence[str], connection: str, employee_id: str) -> sa.Select[Any]:
    view = sa.table(name, *map(sa.column, ("connection", "employee_id", "position", *columns)), schema=SCHEMA).c
    query = sa.select(*(view[column] for column in columns)).order_by(view.position, view.goal_gid)
    return query.where(view.connection == connection, view.employee_id == employee_id)


def read_block_history(conn: sa.Connection, connection: str) -> BlockHistory:
    """What the earlier blocks and the roster say about employees. Read it before the blocks are replaced.

    An employee's latest version counts, also after they were unmapped: that took their block away.
    """
    e, v = _EMPLOYEES.c, _BLOCK_VERSIONS.c
    latest = (
        sa.select(sa.or_(v.goals_owned > 0, v.reason == "had_goals_before"))
        .where(v.connection == e.connection, v.employee_id == e.employee_id)
        .order_by(v.visible_from.desc())
        .limit(1)
        .scalar_subquery()
    )
    had_goals = sa.func.coalesce(latest, False)
    query = sa.select(e.employee_id, had_goals, e.asana_gone_at.is_not(None)).where(e.connection == connection)
    rows = conn.execute(query).all()
    return BlockHistory(
        had_goals=frozenset(employee_id for employee_id, had_goals, _ in rows if had_goals),
        gone=frozenset(employee_id for employee_id, _, is_gone in rows if is_gone),
    )


def rebuild_block(conn: sa.Connection, stored: StoredBlock) -> Block | None:
    """The block that the present rows give; None if a later run has replaced them and did not get to the blocks."""
    rows_from, blocks_from = (read_source(conn, stored.connection, t) for t in ("mapped_goal_rows", "prompt_blocks"))
    if rows_from is None or blocks_from is None or blocks_from.inputs["mapped_goal_rows"] != rows_from.made_by:
        return None
    r, o = _ROWS.c, _OWNED.c
    rows = conn.execute(
        sa.select(r.goal_gid, r.row_gid, r.kind, r.name, r.status)
        .where(r.connection == stored.connection, r.employee_id == stored.employee_id)
        .order_by(r.position)
    )
    theirs = (o.connection == stored.connection, o.employee_id == stored.employee_id)
    goals_owned = conn.scalar(sa.select(sa.func.max(o.owned_total)).where(*theirs)) or 0
    return render_block(_lines(rows), goals_owned)


def rebuild_past_block(
    conn: sa.Connection, past: StoredBlock | BlockVersion, version: BlockVersion | None, synced_at: dt.datetime
) -> Block:
    """The block that the employee's goals and key results give as the sync of `synced_at`, which made `past`, had them.

    Versions of goals have no order; they are in that of the block's citations. Those that it does not cite come last.
    An asset that was materialized alone has its inputs' `synced_at`, so a goal may have two versions of that sync. Then
    `version`, which is `past` in the history, tells which one was there when it became visible.
    """
    v = _GOAL_VERSIONS.c
    was_there = [v.first_synced_at <= synced_at, v.last_synced_at >= synced_at]
    if version is not None:
        was_there.append(sa.or_(v.visible_to.is_(None), v.visible_to > version.visible_from))
        if version.first_synced_at == synced_at:
            was_there.append(v.visible_from <= version.visible_from)
    rows = conn.execute(
        sa.select(v.goal_gid, v.row_gid, v.kind, v.name, v.status)
        .distinct(v.goal_gid, v.row_gid)
        .where(v.connection == past.connection, v.employee_id == past.employee_id, *was_there)
        .order_by(v.goal_gid, v.row_gid, v.visible_from)
    )
    places = {(cited["goal_gid"], cited["key_result_gid"]): place for place, cited in enumerate(past.citations)}
    lines = _lines(rows)
    lines.sort(key=lambda line: places.get((line.goal_gid, line.key_result_gid), len(places)))
    return render_block(lines, past.goals_owned)


def _lines(rows: Iterable[sa.Row[Any]]) -> list[Line]:
    return [
        Line(goal_gid, row_gid if kind == "key_result" else None, name, status)
        for goal_gid, row_gid, kind, name, status in rows
    ]

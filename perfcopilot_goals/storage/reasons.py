"""The stored facts that decide why an employee's block is as it is. `core.reasons` finds the word for it."""

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from perfcopilot_goals.domain.block import BlockHistory
from perfcopilot_goals.schemas.sql_tables import ordered, sql_table

_EMPLOYEES = sql_table("employees")
_BLOCKS = sql_table("prompt_blocks")
_VERSIONS = sql_table("block_versions")


@dataclass(frozen=True)
class EmployeeStatus:
    """An employee with what their stored block says; None in each field of a missing block.

    `roster_changed`: the employee's row changed after the block was made.
    """

    connection: str
    employee_id: str
    is_mapped: bool
    is_gone: bool
    block_reason: str | None
    goals_owned: int | None
    goals: int | None
    key_results: int | None
    synced_at: dt.datetime | None
    age_seconds: float | None
    roster_changed: bool


def read_block_history(conn: sa.Connection, connection: str) -> BlockHistory:
    """What the earlier blocks and the roster say about employees. Read it before the blocks are replaced.

    An employee's latest version counts, also after they were unmapped: that took their block away.
    """
    e, v = _EMPLOYEES.c, _VERSIONS.c
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


def read_employee_statuses(conn: sa.Connection, connection: str | None) -> list[EmployeeStatus]:
    """Every employee of the connection, or of all connections, by connection and id."""
    e, b = _EMPLOYEES.c, _BLOCKS.c
    age = sa.extract("epoch", sa.func.clock_timestamp() - b.synced_at)
    has_block = sa.and_(b.connection == e.connection, b.employee_id == e.employee_id, e.asana_user_gid.is_not(None))
    query = (
        sa.select(
            e.connection,
            e.employee_id,
            e.asana_user_gid.is_not(None).label("is_mapped"),
            e.asana_gone_at.is_not(None).label("is_gone"),
            b.reason.label("block_reason"),
            b.goals_owned,
            b.goals_listed.label("goals"),
            b.key_results_listed.label("key_results"),
            b.synced_at,
            sa.cast(sa.func.round(sa.cast(age, sa.Numeric), 1), sa.Float).label("age_seconds"),
            sa.func.coalesce(e.updated_at > b.synced_at, False).label("roster_changed"),
        )
        .outerjoin_from(_EMPLOYEES, _BLOCKS, has_block)
        .order_by(ordered(e.connection), ordered(e.employee_id))
    )
    if connection is not None:
        query = query.where(e.connection == connection)
    return [EmployeeStatus(**row) for row in conn.execute(query).mappings()]

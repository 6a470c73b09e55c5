"""What is stored that bears on why an employee's block is as it is; the word for it is `core.reasons`' to find."""

import datetime as dt
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from perfcopilot_goals.domain.block import BlockHistory
from perfcopilot_goals.storage.database import SCHEMA

_EMPLOYEES = sql.Identifier(SCHEMA, "employees")
_BLOCKS = sql.Identifier(SCHEMA, "prompt_blocks")


@dataclass(frozen=True)
class EmployeeStatus:
    """An employee with what their stored block says; None where there is no block.

    `roster_changed`: their entry of the roster changed after the block was made.
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


def read_block_history(database: psycopg.Connection, connection: str) -> BlockHistory:
    """What the stored blocks and the roster say of employees, before the blocks are replaced."""
    query = sql.SQL(
        "select e.employee_id, coalesce(b.goals_owned > 0 or b.reason = 'had_goals_before', false), "
        "e.asana_gone_at is not null from {} e left join {} b using (connection, employee_id) where connection = %s"
    ).format(_EMPLOYEES, _BLOCKS)
    rows = database.execute(query, [connection]).fetchall()
    return BlockHistory(
        had_goals=frozenset(employee_id for employee_id, had_goals, _ in rows if had_goals),
        gone=frozenset(employee_id for employee_id, _, is_gone in rows if is_gone),
    )


def read_employee_standings(database: psycopg.Connection, connection: str | None) -> list[EmployeeStatus]:
    """Every employee of the connection, or of all of them, by connection and id."""
    query = sql.SQL(
        "select e.connection, e.employee_id, e.asana_user_gid is not null as is_mapped, "
        "e.asana_gone_at is not null as is_gone, b.reason as block_reason, b.goals_owned, b.goals_listed as goals, "
        "b.key_results_listed as key_results, b.synced_at, "
        "round(extract(epoch from clock_timestamp() - b.synced_at)::numeric, 1)::float as age_seconds, "
        "coalesce(e.updated_at > b.synced_at, false) as roster_changed "
        "from {} e left join {} b on b.connection = e.connection and b.employee_id = e.employee_id "
        "and e.asana_user_gid is not null where e.connection = coalesce(%s, e.connection) "
        'order by e.connection collate "C", e.employee_id collate "C"'
    ).format(_EMPLOYEES, _BLOCKS)
    with database.cursor(row_factory=class_row(EmployeeStatus)) as cursor:
        return cursor.execute(query, [connection]).fetchall()

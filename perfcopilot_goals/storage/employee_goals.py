"""One employee's goals with their key results, as the application's views have them."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from perfcopilot_goals.schemas import SCHEMA

_SHARED = ("connection", "employee_id", "goal_gid", "position", "name", "start_on", "due_on", "status_type", "status")
_GOALS = sa.table("goals", *map(sa.column, (*_SHARED, "description")), schema=SCHEMA)
_KEY_RESULTS = sa.table("goal_key_results", *map(sa.column, _SHARED), schema=SCHEMA)


@dataclass(frozen=True)
class Goal:
    """One goal, or one key result, which is a goal that supports another one.

    `status_type` is Asana's word, `status` the one that reviews use. `description` is Asana's markup, up to 1,000
    characters of it; a key result has none here.
    """

    name: str
    start_on: dt.date | None
    due_on: dt.date | None
    status_type: str | None
    status: str
    description: str | None = None
    key_results: list["Goal"] = field(default_factory=list)


def read_goals(conn: sa.Connection, connection: str, employee_id: str) -> list[Goal]:
    """The employee's goals in the order of their block."""
    key_results: dict[str, list[Goal]] = defaultdict(list)
    for goal_gid, *row in conn.execute(_of(_KEY_RESULTS, connection, employee_id)):
        key_results[goal_gid].append(Goal(*row))
    goals = conn.execute(_of(_GOALS, connection, employee_id, _GOALS.c.description))
    return [replace(Goal(*row), key_results=key_results[goal_gid]) for goal_gid, *row in goals]


def _of(view: sa.TableClause, connection: str, employee_id: str, *more: sa.ColumnClause[Any]) -> sa.Select[Any]:
    c = view.c
    return (
        sa.select(c.goal_gid, c.name, c.start_on, c.due_on, c.status_type, c.status, *more)
        .where(c.connection == connection, c.employee_id == employee_id)
        .order_by(c.position, c.goal_gid)
    )

"""One employee's goals with their key results, as the application's views have them."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from perfcopilot_goals.schemas import SCHEMA

_SHARED = ("connection", "employee_id", "goal_gid", "position", "name", "start_on", "due_on", "status_type", "status")
_GOALS = sa.table("goals", *map(sa.column, (*_SHARED, "description")), schema=SCHEMA)
_KEY_RESULTS = sa.table("goal_key_results", *map(sa.column, (*_SHARED, "key_result_gid")), schema=SCHEMA)


@dataclass(frozen=True)
class KeyResult:
    """One key result. `status_type` is Asana's word, `status` the one that reviews use."""

    gid: str
    name: str
    start_on: dt.date | None
    due_on: dt.date | None
    status_type: str | None
    status: str


@dataclass(frozen=True)
class Goal:
    """One goal with its key results. `description` is Asana's markup, up to 1,000 characters of it."""

    gid: str
    description: str | None
    name: str
    start_on: dt.date | None
    due_on: dt.date | None
    status_type: str | None
    status: str
    key_results: list[KeyResult] = field(default_factory=list)


def read_goals(conn: sa.Connection, connection: str, employee_id: str) -> list[Goal]:
    """The employee's goals in the order of their block."""
    key_results: dict[str, list[KeyResult]] = defaultdict(list)
    for goal_gid, *row in conn.execute(_of(_KEY_RESULTS, "goal_gid", "key_result_gid", connection, employee_id)):
        key_results[goal_gid].append(KeyResult(*row))
    goals = [Goal(*row) for row in conn.execute(_of(_GOALS, "goal_gid", "description", connection, employee_id))]
    return [replace(goal, key_results=key_results[goal.gid]) for goal in goals]


def _of(view: sa.TableClause, first: str, second: str, connection: str, employee_id: str) -> sa.Select[Any]:
    c = view.c
    columns = (c[name] for name in (first, second, "name", "start_on", "due_on", "status_type", "status"))
    return (
        sa.select(*columns)
        .where(c.connection == connection, c.employee_id == employee_id)
        .order_by(c.position, c.goal_gid)
    )

"""What is unmapped on both sides: employees without an Asana user, and owners of goals who are nobody's employee."""

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from perfcopilot_goals.schemas.sql_tables import ordered, sql_table
from perfcopilot_goals.storage.sync_log import read_source

RAW = "raw_workspace_goals"
_EMPLOYEES = sql_table("employees")


@dataclass(frozen=True)
class Unmapped:
    """An employee without an Asana user.

    `unchanged_since` is when their row last changed in any way; they have been unmapped at least since then.
    """

    employee_id: str
    full_name: str
    email: str
    asana_user_gid: None
    unchanged_since: dt.datetime


@dataclass(frozen=True)
class Owner:
    """An Asana user who owns goals and is no employee of the roster."""

    asana_user_gid: str
    goals: int


@dataclass(frozen=True)
class Waiting:
    """Goals that reach nobody's review, as of the latest list of goals; `listed_at` is None before the first."""

    owners: list[Owner]
    goals_without_owner: int
    listed_at: dt.datetime | None


def read_unmapped(conn: sa.Connection, connection: str) -> list[Unmapped]:
    """The unmapped employees, by employee id."""
    e = _EMPLOYEES.c
    query = (
        sa.select(e.employee_id, e.full_name, e.email, e.asana_user_gid, e.updated_at)
        .where(e.connection == connection, e.asana_user_gid.is_(None))
        .order_by(ordered(e.employee_id))
    )
    return [Unmapped(*row) for row in conn.execute(query)]


def read_waiting(conn: sa.Connection, connection: str) -> Waiting:
    """The goals of the latest list that belong to no employee. Owners with the most goals come first."""
    g, e = sql_table(RAW).c, _EMPLOYEES.c
    goals_count = sa.func.count()
    query = (
        sa.select(g.owner_gid, goals_count)
        .where(g.connection == connection)
        .where(~sa.exists().where(e.connection == g.connection, e.asana_user_gid == g.owner_gid))
        .group_by(g.owner_gid)
        .order_by(goals_count.desc(), ordered(g.owner_gid))
    )
    goals = conn.execute(query).all()
    source = read_source(conn, connection, RAW)
    return Waiting(
        owners=[Owner(gid, count) for gid, count in goals if gid is not None],
        goals_without_owner=next((count for gid, count in goals if gid is None), 0),
        listed_at=source.synced_at if source else None,
    )

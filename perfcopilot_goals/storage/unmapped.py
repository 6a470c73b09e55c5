"""Both sides of the gap between roster and Asana: employees without a user, and owners of goals who are no employee."""

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from perfcopilot_goals.schemas.sql_tables import ordered, sql_table
from perfcopilot_goals.storage.sync_log import read_source

RAW = "raw_workspace_goals"
_EMPLOYEES = sql_table("employees")


@dataclass(frozen=True)
class Unmapped:
    """An employee of whom it is not known who they are in Asana.

    `asana_user_gid` is None. `unchanged_since` is when their entry of the roster last changed in any way: at least
    since then they are not mapped.
    """

    employee_id: str
    full_name: str
    email: str
    asana_user_gid: None
    unchanged_since: dt.datetime


@dataclass(frozen=True)
class Owner:
    """An Asana user who owns goals and is nobody's employee."""

    asana_user_gid: str
    goals: int


@dataclass(frozen=True)
class Waiting:
    """Goals that reach nobody's review, as of the moment of the latest list; `listed_at` is None before the first."""

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
    """The goals of the latest list that belong to nobody here, owners with most of them first."""
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

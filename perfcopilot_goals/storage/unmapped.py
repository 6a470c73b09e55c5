"""Both sides of the gap between roster and Asana: employees without a user, and owners of goals who are no employee."""

import datetime as dt
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from perfcopilot_goals.storage.database import SCHEMA
from perfcopilot_goals.storage.sync_log import read_source

RAW = "raw_workspace_goals"


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


def read_unmapped(database: psycopg.Connection, connection: str) -> list[Unmapped]:
    """The unmapped employees, by employee id."""
    query = sql.SQL(
        "select employee_id, full_name, email, asana_user_gid, updated_at as unchanged_since from {} "
        'where connection = %s and asana_user_gid is null order by employee_id collate "C"'
    ).format(sql.Identifier(SCHEMA, "employees"))
    with database.cursor(row_factory=class_row(Unmapped)) as cursor:
        return cursor.execute(query, [connection]).fetchall()


def read_waiting(database: psycopg.Connection, connection: str) -> Waiting:
    """The goals of the latest list that belong to nobody here, owners with most of them first."""
    query = sql.SQL(
        "select owner_gid, count(*)::integer from {} g where connection = %s and not exists (select from {} e "
        "where e.connection = g.connection and e.asana_user_gid = g.owner_gid) "
        'group by owner_gid order by count(*) desc, owner_gid collate "C"'
    ).format(sql.Identifier(SCHEMA, RAW), sql.Identifier(SCHEMA, "employees"))
    goals = database.execute(query, [connection]).fetchall()
    source = read_source(database, connection, RAW)
    return Waiting(
        owners=[Owner(gid, count) for gid, count in goals if gid is not None],
        goals_without_owner=next((count for gid, count in goals if gid is None), 0),
        listed_at=source.synced_at if source else None,
    )

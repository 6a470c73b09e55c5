"""What comparing the mapping with Asana's users found. `connections` has when, `employees` the conflicts and the gone.

The users' names and e-mails are never stored. Nothing here moves an `updated_at`, which says when people changed a
setting or the roster.
"""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.errors import GoalsGuardError
from perfcopilot_goals.schemas.tables import any_of, ordered, sql_table

_CONNECTIONS = sql_table("connections")
_EMPLOYEES = sql_table("employees")


@dataclass(frozen=True)
class UsersCheck:
    """The last comparison, and whether a sync that begins now makes the next one.

    `checked_at` is None before the first. `users` is how many users Asana had; before the first, the roster's length.
    """

    checked_at: dt.datetime | None
    users: int
    is_due: bool


def read_users_check(conn: sa.Connection, connection: str) -> UsersCheck:
    """The connection's last comparison. The next one is due on the next day in UTC, unless it is switched off.

    By days rather than by 24 hours: a daily sync that begins a second earlier than yesterday's would skip it.
    """
    c, e = _CONNECTIONS.c, _EMPLOYEES.c
    roster = sa.select(sa.func.count()).where(e.connection == c.connection).scalar_subquery()
    is_older = _day(c.users_checked_at) < _day(sa.func.clock_timestamp())
    is_due = sa.and_(c.check_users, sa.func.coalesce(is_older, True))
    query = sa.select(c.users_checked_at, sa.func.coalesce(c.users_seen, roster), is_due)
    row = conn.execute(query.where(c.connection == connection)).first()
    return UsersCheck(*row) if row else UsersCheck(None, 0, is_due=False)


def record_users_check(
    conn: sa.Connection, connection: Connection, *, users: int, conflicts: Mapping[str, str]
) -> None:
    """Record a comparison: how many users there were, and the kind of each conflict by employee id.

    `connection` is as it was when its users were fetched. `GoalsGuardError` if it has another workspace by now.
    """
    c, e = _CONNECTIONS.c, _EMPLOYEES.c
    name, workspace_gid = connection.connection, connection.workspace_gid
    is_the_same = (c.workspace_gid.is_not_distinct_from(workspace_gid), c.base_url == connection.base_url)
    checked_at = sa.func.clock_timestamp()
    if not _update(conn, _CONNECTIONS, name, *is_the_same, users_checked_at=checked_at, users_seen=users):
        raise GoalsGuardError(
            "the workspace was changed while its users were being fetched; nothing was recorded about them",
            connection=name,
        )
    kind = sa.literal(dict(conflicts), JSONB)[e.employee_id].astext
    _update(conn, _EMPLOYEES, name, e.mapping_conflict.is_distinct_from(kind), mapping_conflict=kind)


def record_gone_users(conn: sa.Connection, connection: str, gids: Collection[str]) -> list[str]:
    """Record which employees' users are gone, and since when; returns those employees. `gids` are the workspace's."""
    e = _EMPLOYEES.c
    is_there, was_gone = e.asana_user_gid == any_of(gids), e.asana_gone_at.is_not(None)
    gone_at = sa.case((e.asana_gone_at.is_(None), sa.func.now()))
    _update(conn, _EMPLOYEES, connection, is_there == was_gone, asana_gone_at=gone_at)
    query = sa.select(e.employee_id).where(e.connection == connection, was_gone).order_by(ordered(e.employee_id))
    return list(conn.scalars(query))


def forget_users_check(conn: sa.Connection, connection: str) -> None:
    """Drop the conflicts and the moment, so that the next sync compares again.

    For when the comparison is out of date: the workspace changed, or somebody was erased whom a conflict may be about.
    """
    _update(conn, _CONNECTIONS, connection, users_checked_at=None, users_seen=None)
    _update(conn, _EMPLOYEES, connection, _EMPLOYEES.c.mapping_conflict.is_not(None), mapping_conflict=None)


def forget_gone_users(conn: sa.Connection, connection: str) -> None:
    """Drop the record of whose Asana user is gone: it is about another workspace."""
    _update(conn, _EMPLOYEES, connection, _EMPLOYEES.c.asana_gone_at.is_not(None), asana_gone_at=None)


def _update(
    conn: sa.Connection, table: sa.Table, connection: str, *conditions: sa.ColumnElement[bool], **values: Any
) -> int:
    """Change these of the connection's rows; returns how many."""
    rows = sa.update(table).where(table.c.connection == connection, *conditions)
    return conn.execute(rows.values(values)).rowcount


def _day(moment: sa.ColumnElement[dt.datetime]) -> sa.ColumnElement[dt.date]:
    return sa.cast(sa.func.timezone("UTC", moment), sa.Date)

"""The state of each connection's roster and settings, which people change. A sensor reads it to notice that.

Both reads cost by what they return, however many connections there are: a roster is read only if it is asked for.
"""

import datetime as dt
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from perfcopilot_goals.domain.connection import RosterAndSettings
from perfcopilot_goals.schemas.sql_tables import any_of, ordered, sql_table

_CONNECTIONS = sql_table("connections")
_EMPLOYEES = sql_table("employees")
_CHANGES = sql_table("roster_changes")


def read_now(conn: sa.Connection) -> dt.datetime:
    """The database's time. Changes that this connection sees were made before it."""
    return conn.execute(sa.select(sa.func.now())).scalar_one()


def count_enabled(conn: sa.Connection) -> int:
    """How many connections are enabled."""
    return conn.scalar(sa.select(sa.func.count()).where(_CONNECTIONS.c.enabled)) or 0


def read_states(conn: sa.Connection, after: str = "", limit: int | None = None) -> list[RosterAndSettings]:
    """The next connections after this name, at most `limit`; by default all."""
    name = ordered(_CONNECTIONS.c.connection)
    return _read(conn, _states().where(name > after).order_by(name).limit(limit))


def read_changed_states(conn: sa.Connection, since: dt.datetime, also: Iterable[str]) -> list[RosterAndSettings]:
    """The connections whose settings or roster changed after `since`, and these others, as far as they exist."""
    c = _CONNECTIONS.c
    is_changed = sa.or_(c.updated_at > since, _roster_changed_at() > since)
    return _read(conn, _states().where(sa.or_(is_changed, c.connection == any_of(also))))


def _roster_changed_at() -> sa.ColumnElement[dt.datetime]:
    """A roster that nobody has imported is as it was when the connection was added."""
    return sa.func.coalesce(_CHANGES.c.changed_at, _CONNECTIONS.c.created_at)


def _states() -> sa.Select[Any]:
    c = _CONNECTIONS.c
    columns = (c.connection, c.enabled, c.workspace_gid.is_not(None).label("has_workspace_gid"), c.updated_at)
    return sa.select(*columns, _roster_changed_at().label("roster_changed_at")).outerjoin_from(
        _CONNECTIONS, _CHANGES, c.connection == _CHANGES.c.connection
    )


def _read(conn: sa.Connection, states: sa.Select[Any]) -> list[RosterAndSettings]:
    e, picked = _EMPLOYEES.c, states.subquery()
    # Lateral, or the planner may prefer to read every roster and join afterwards.
    roster = (
        sa.select(sa.func.count(), sa.func.count(e.asana_user_gid), sa.func.max(e.updated_at))
        .where(e.connection == picked.c.connection)
        .lateral("roster")
    )
    query = sa.select(picked, roster).join_from(picked, roster, sa.true()).order_by(ordered(picked.c.connection))
    return [RosterAndSettings(*row) for row in conn.execute(query)]

"""The state of each connection's roster and settings, which people change. A sensor reads it to notice that.

It costs by what it returns, however many connections there are.
"""

import datetime as dt

import sqlalchemy as sa

from perfcopilot_goals.domain.roster_and_settings import RosterAndSettings
from perfcopilot_goals.schemas.sql_tables import ordered, sql_table

_CONNECTIONS = sql_table("connections")
_EMPLOYEES = sql_table("employees")
_CHANGES = sql_table("roster_changes")


def read_now(conn: sa.Connection) -> dt.datetime:
    """The database's time. Changes that this connection sees were made before it."""
    return conn.execute(sa.select(sa.func.now())).scalar_one()


def count_enabled(conn: sa.Connection) -> int:
    """How many connections are enabled."""
    return conn.scalar(sa.select(sa.func.count()).where(_CONNECTIONS.c.enabled)) or 0


def read_changed_states(conn: sa.Connection, since: dt.datetime) -> list[RosterAndSettings]:
    """The enabled connections whose settings or roster changed after `since`."""
    c, e = _CONNECTIONS.c, _EMPLOYEES.c
    # A roster that nobody has imported is as it was when the connection was added.
    roster_changed_at = sa.func.coalesce(_CHANGES.c.changed_at, c.created_at)
    columns = (c.connection, c.workspace_gid.is_not(None).label("has_workspace_gid"), c.updated_at)
    changed = (
        sa.select(*columns, roster_changed_at.label("roster_changed_at"))
        .outerjoin_from(_CONNECTIONS, _CHANGES, c.connection == _CHANGES.c.connection)
        .where(c.enabled, sa.or_(c.updated_at > since, roster_changed_at > since))
        .subquery()
    )
    # Lateral, or the planner may prefer to read every roster and join afterwards.
    roster = (
        sa.select(sa.func.count(), sa.func.count(e.asana_user_gid), sa.func.max(e.updated_at))
        .where(e.connection == changed.c.connection)
        .lateral("roster")
    )
    query = sa.select(changed, roster).join_from(changed, roster, sa.true()).order_by(ordered(changed.c.connection))
    return [RosterAndSettings(*row) for row in conn.execute(query)]

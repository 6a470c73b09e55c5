"""How all connections stand, by one statement, for the check over all of them."""

from collections.abc import Collection

import sqlalchemy as sa

from perfcopilot_goals.domain.connection_health import ConnectionHealth
from perfcopilot_goals.schemas.sql_tables import any_of, sql_table

_CONNECTIONS = sql_table("connections")
_EMPLOYEES = sql_table("employees")
_SYNCS = sql_table("syncs")


def read_connection_health(conn: sa.Connection) -> list[ConnectionHealth]:
    """Every enabled connection, by name."""
    c, e, s = _CONNECTIONS.c, _EMPLOYEES.c, _SYNCS.c
    of_connection = s.connection == c.connection
    latest = (
        sa.select(s.run_id, s.state, s.started_at, s.error_code, s.counts["remedy"].astext.label("remedy"))
        .where(of_connection)
        .order_by(s.started_at.desc())
        .limit(1)
        .lateral("latest")
    )
    complete_at = (
        sa.select(sa.func.max(s.synced_at))
        .where(of_connection, s.state == "complete", s.counts["tables"].has_key("prompt_blocks"))
        .scalar_subquery()
    )
    # The latest sync that walked. By `synced_at`, which has an index: `counts` is large, and this looks at few of them.
    unread = (
        sa.select(s.counts["tables"]["subgoals"]["notes"]["unread_lists"].astext.cast(sa.Integer))
        .where(of_connection, s.counts["tables"].has_key("subgoals"))
        .order_by(s.synced_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = (
        sa.select(
            c.connection,
            c.workspace_gid.is_not(None),
            sa.exists().where(e.connection == c.connection),
            *latest.c,
            complete_at,
            sa.func.coalesce(unread, 0),
        )
        .outerjoin_from(_CONNECTIONS, latest, sa.true())
        .where(c.enabled)
        .order_by(c.connection)
    )
    return [ConnectionHealth(*row) for row in conn.execute(query)]


def read_logged_runs(conn: sa.Connection, run_ids: Collection[str]) -> dict[str, str]:
    """Those of the runs that the sync log knows, each with the state of its sync."""
    rows = conn.execute(sa.select(_SYNCS.c.run_id, _SYNCS.c.state).where(_SYNCS.c.run_id == any_of(run_ids)))
    return dict(rows.tuples().all())

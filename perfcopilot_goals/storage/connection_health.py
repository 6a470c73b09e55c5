"""How all connections stand, by one statement, for the check over all of them."""

from collections.abc import Callable, Collection
from typing import Any

import sqlalchemy as sa

from perfcopilot_goals.domain.connection import ConnectionHealth
from perfcopilot_goals.schemas.sql_tables import any_of, sql_table

_CONNECTIONS = sql_table("connections")
_EMPLOYEES = sql_table("employees")
_SYNCS = sql_table("syncs")


def read_connection_health(conn: sa.Connection) -> list[ConnectionHealth]:
    """Every enabled connection, by name."""
    c, e, s = _CONNECTIONS.c, _EMPLOYEES.c, _SYNCS.c
    latest = (
        sa.select(s.run_id, s.state, s.started_at, s.error_code, s.synced_at, s.counts)
        .where(s.connection == c.connection)
        .order_by(s.started_at.desc())
        .limit(1)
        .lateral("latest")
    )
    query = (
        sa.select(
            c.connection,
            c.workspace_gid.is_not(None),
            sa.exists().where(e.connection == c.connection),
            *(latest.c[name] for name in ("run_id", "state", "started_at", "error_code")),
            latest.c.counts["remedy"].astext,
            _of_newest(latest, _has_blocks, lambda sync: sync.c.synced_at),
            sa.func.coalesce(_of_newest(latest, _has_walked, _unread), 0),
        )
        .outerjoin_from(_CONNECTIONS, latest, sa.true())
        .where(c.enabled)
        .order_by(c.connection)
    )
    return [ConnectionHealth(*row) for row in conn.execute(query)]


def _has_blocks(sync: sa.FromClause) -> sa.ColumnElement[bool]:
    return sa.and_(sync.c.state == "complete", sync.c.counts["tables"].has_key("prompt_blocks"))


def _has_walked(sync: sa.FromClause) -> sa.ColumnElement[bool]:
    return sync.c.counts["tables"].has_key("subgoals")  # type: ignore[no-any-return]


def _unread(sync: sa.FromClause) -> sa.ColumnElement[int]:
    return sync.c.counts["tables"]["subgoals"]["notes"]["unread_lists"].astext.cast(sa.Integer)  # type: ignore[no-any-return]


def _of_newest(
    latest: sa.FromClause,
    is_one: Callable[[sa.FromClause], sa.ColumnElement[bool]],
    value: Callable[[sa.FromClause], Any],
) -> sa.ColumnElement[Any]:
    """A value of the connection's newest sync that is such a one. Mostly that is the latest sync, which is at hand.

    `offset 0` has Postgres find the newest among the others before it looks into `counts`. Otherwise it takes such
    syncs to be rare, and unpacks the `counts` of all: that took 8 s for 10,000 connections of 15 syncs.
    """
    s = _SYNCS.c
    ordered = (
        sa.select(s.synced_at, s.state, s.counts)
        .where(s.connection == _CONNECTIONS.c.connection)
        .order_by(s.synced_at.desc())
        .offset(0)
        .correlate(_CONNECTIONS)
        .subquery()
    )
    newest = sa.select(value(ordered)).where(is_one(ordered)).limit(1).correlate(_CONNECTIONS).scalar_subquery()
    return sa.case((is_one(latest), value(latest)), else_=newest)


def read_logged_runs(conn: sa.Connection, run_ids: Collection[str]) -> dict[str, str]:
    """Those of the runs that the sync log knows, each with the state of its sync."""
    rows = conn.execute(sa.select(_SYNCS.c.run_id, _SYNCS.c.state).where(_SYNCS.c.run_id == any_of(run_ids)))
    return dict(rows.tuples().all())

"""How connections stand: one, with what its next sync costs; and all, by one statement, for checks and sensors."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from perfcopilot_goals.domain.actions import what_to_do
from perfcopilot_goals.domain.connection import ConnectionHealth, RosterAndSettings
from perfcopilot_goals.domain.limits import PAGE_SIZE
from perfcopilot_goals.domain.sync import FailedSync
from perfcopilot_goals.schemas.tables import any_of, ordered, sql_table
from perfcopilot_goals.storage.sync_log import (
    has_workspace_changed,
    read_last_route,
    read_last_sync,
    read_source,
    read_unfinished_sync,
    read_walk_notes,
    walk_of,
)
from perfcopilot_goals.storage.users_check import read_users_check

_CONNECTIONS = sql_table("connections")
_EMPLOYEES = sql_table("employees")
_CHANGES = sql_table("roster_changes")
_ERASED = sql_table("erased")
_SYNCS = sql_table("syncs")
_ROWS = sql_table("mapped_goal_rows")
_BLOCKS = sql_table("prompt_blocks")


@dataclass(frozen=True)
class ConnectionStatus:
    """The status of one connection. `failed_*` are about the latest sync, if it failed.

    `running_since` is when the latest sync began, if it has not ended: it runs, or it was killed. `what_to_do` is about
    either. `workspace_changed`: since the last complete sync.

    Two counts say what its key results lack. `hidden_subgoals` are sub-goals that Asana does not show to the token's
    user. `unread_lists` are goals whose list of sub-goals could not be read.
    """

    connection: str
    enabled: bool
    last_complete: dt.datetime | None
    age_seconds: float | None
    goals: int
    key_results: int
    employees: int
    unmapped: int
    truncated: int
    hidden_subgoals: int
    unread_lists: int
    failed_at: dt.datetime | None
    failed_with: str | None
    running_since: dt.datetime | None
    what_to_do: str | None
    workspace_changed: bool


@dataclass(frozen=True)
class Plan:
    """How many requests the next sync will make, going by what the last one found. `is_guess` before the first.

    `list_pages` are pages of goals, `walks` first pages of sub-goals, `further_pages` the other pages of sub-goals.
    `route_probes` find the route, and `user_pages` are for the users' check, if it is due.
    """

    list_pages: int
    walks: int
    further_pages: int
    route_probes: int
    user_pages: int
    is_guess: bool

    @property
    def requests(self) -> int:
        return self.list_pages + self.walks + self.further_pages + self.route_probes + self.user_pages


def read_connection_status(conn: sa.Connection, connection: str) -> ConnectionStatus:
    """The connection's status now."""
    c = _CONNECTIONS.c
    query = sa.select(
        c.enabled,
        _count(_ROWS, connection, _ROWS.c.kind == "goal").label("goals"),
        _count(_ROWS, connection, _ROWS.c.kind == "key_result").label("key_results"),
        _count(_EMPLOYEES, connection).label("employees"),
        _count(_EMPLOYEES, connection, _EMPLOYEES.c.asana_user_gid.is_(None)).label("unmapped"),
        _count(_BLOCKS, connection, _BLOCKS.c.truncated).label("truncated"),
    ).where(c.connection == connection)
    counts = conn.execute(query).mappings().one()
    complete = read_last_sync(conn, connection, "complete")
    now = conn.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    notes = read_walk_notes(conn, connection, complete.run_id) if complete else {}
    unfinished = read_unfinished_sync(conn, connection)
    failed = unfinished if unfinished and unfinished.state == "failed" else None
    return ConnectionStatus(
        connection=connection,
        **counts,
        last_complete=complete.synced_at if complete else None,
        age_seconds=round((now - complete.synced_at).total_seconds(), 1) if complete else None,
        hidden_subgoals=notes.get("hidden_subgoals", 0),
        unread_lists=notes.get("unread_lists", 0),
        failed_at=failed.finished_at if failed else None,
        failed_with=failed.error_code if failed else None,
        running_since=unfinished.started_at if unfinished and not failed else None,
        what_to_do=what_to_do(unfinished) if unfinished else None,
        workspace_changed=complete is not None and has_workspace_changed(conn, connection, complete.synced_at),
    )


def read_plan(conn: sa.Connection, connection: str, route: str) -> Plan:
    """The requests of the connection's next sync, if Asana still has what it had last time."""
    s = sql_table("subgoals").c
    by_goal = sa.select(sa.func.count().label("subgoals")).where(s.connection == connection).group_by(s.goal_gid)
    further_pages = sa.func.coalesce(sa.func.sum((by_goal.subquery().c.subgoals - 1) // PAGE_SIZE), 0)
    listed, owned, further = conn.execute(
        sa.select(
            _count(sql_table("raw_workspace_goals"), connection),
            _count(sql_table("owned_goals"), connection),
            sa.select(further_pages).scalar_subquery(),
        )
    ).one()
    last_route = read_last_route(conn, connection)
    probes = 1 if route == "auto" and last_route is None and owned else 0
    check = read_users_check(conn, connection)
    user_pages = _pages(check.users) if check.is_due else 0
    # An empty list may also be what the last sync found.
    is_guess = read_source(conn, connection, "raw_workspace_goals") is None
    return Plan(_pages(listed), owned, int(further), probes, user_pages, is_guess)


def _pages(objects: int) -> int:
    """How many requests it takes to list this many objects; an empty list takes one as well."""
    return max(1, -(-objects // PAGE_SIZE))


def _count(table: sa.Table, connection: str, *conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    counted = sa.select(sa.func.count()).select_from(table).where(table.c.connection == connection, *conditions)
    return counted.scalar_subquery()


def read_connection_health(conn: sa.Connection) -> list[ConnectionHealth]:
    """Every enabled connection, by name."""
    c, e, latest = _CONNECTIONS.c, _EMPLOYEES.c, _latest_sync()
    # `offset 0` has Postgres go through the syncs from the latest on. Otherwise it takes those that fit to be rare, and
    # unpacks the `counts` of all: that took 8 s for 10,000 connections of 15 syncs.
    syncs = _syncs().offset(0).correlate(_CONNECTIONS).subquery()
    has_blocks = syncs.c.counts["tables"].has_key("prompt_blocks")
    complete = sa.select(syncs).where(syncs.c.state == "complete", has_blocks).limit(1).lateral("complete")
    listed = _SYNCS.alias("listed")
    gid = listed.c.counts["tables"]["raw_workspace_goals"]["notes"]["workspace_gid"].astext
    is_other = sa.exists().where(
        listed.c.connection == c.connection,
        listed.c.synced_at == complete.c.synced_at,
        gid.is_not(None),
        gid.is_distinct_from(c.workspace_gid),
    )
    query = (
        sa.select(
            c.connection,
            c.workspace_gid.is_not(None),
            sa.exists().where(e.connection == c.connection),
            *(latest.c[name] for name in ("run_id", "state", "started_at", "error_code")),
            latest.c.counts["remedy"].astext,
            complete.c.synced_at,
            sa.func.coalesce(walk_of(complete)["unread_lists"].astext.cast(sa.Integer), 0),
            is_other,
        )
        .outerjoin_from(_CONNECTIONS, latest, sa.true())
        .outerjoin(complete, sa.true())
        .where(c.enabled)
        .order_by(c.connection)
    )
    return [ConnectionHealth(*row) for row in conn.execute(query)]


def read_logged_runs(conn: sa.Connection, run_ids: Collection[str]) -> dict[str, str]:
    """Those of the runs that the sync log knows, each with the state of its sync."""
    rows = conn.execute(sa.select(_SYNCS.c.run_id, _SYNCS.c.state).where(_SYNCS.c.run_id == any_of(run_ids)))
    return dict(rows.tuples().all())


def read_failed_syncs(conn: sa.Connection, failed_with: Collection[str]) -> list[FailedSync]:
    """The enabled connections whose latest sync failed with one of these errors, by one statement.

    A roster that was imported after the last change of the settings counts as a change of them. That is so if its
    oldest entry is newer than they are. Where a guard refused the sync, only the roster counts: any change of it, and
    an erasure. The mapping may have changed while the sync ran, or it may have left nobody with a goal.
    """
    c, e, latest = _CONNECTIONS.c, _EMPLOYEES.c, _latest_sync()
    imported_at = sa.select(sa.func.min(e.updated_at)).where(e.connection == c.connection).scalar_subquery()
    erasures = sa.select(sa.func.max(_ERASED.c.erased_at)).where(_ERASED.c.connection == c.connection)
    is_guarded = latest.c.error_code == "GoalsGuardError"
    # Without a roster nothing has changed since the connection was added.
    changed_at = sa.case(
        (is_guarded, sa.func.greatest(c.created_at, _CHANGES.c.changed_at, erasures.scalar_subquery())),
        else_=sa.func.greatest(c.updated_at, imported_at),
    )
    query = (
        sa.select(c.connection, changed_at, latest.c.started_at)
        .join_from(_CONNECTIONS, latest, sa.true())
        .outerjoin(_CHANGES, c.connection == _CHANGES.c.connection)
        .where(c.enabled, latest.c.state == "failed", latest.c.error_code == any_of(failed_with))
        .order_by(c.connection)
    )
    return [FailedSync(*row) for row in conn.execute(query)]


def read_now(conn: sa.Connection) -> dt.datetime:
    """The database's time. Changes that this connection sees were made before it."""
    return conn.execute(sa.select(sa.func.now())).scalar_one()


def count_enabled(conn: sa.Connection) -> int:
    """How many connections are enabled."""
    return conn.scalar(sa.select(sa.func.count()).where(_CONNECTIONS.c.enabled)) or 0


def read_changed_states(conn: sa.Connection, since: dt.datetime) -> list[RosterAndSettings]:
    """The enabled connections whose settings or roster changed after `since`; the first looks return them all."""
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


def _syncs() -> sa.Select[Any]:
    """The connection's syncs, the latest first."""
    s = _SYNCS.c
    return sa.select(_SYNCS).where(s.connection == _CONNECTIONS.c.connection).order_by(s.started_at.desc())


def _latest_sync() -> sa.FromClause:
    """The connection's latest sync, to join laterally."""
    return _syncs().limit(1).lateral("latest")

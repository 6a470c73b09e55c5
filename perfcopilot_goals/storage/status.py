"""How connections stand: the status of each, which were corrected since they failed, what the next sync costs."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from perfcopilot_goals.domain.limits import PAGE_SIZE
from perfcopilot_goals.domain.sync import FailedSync
from perfcopilot_goals.schemas.tables import any_of, sql_table
from perfcopilot_goals.storage.sync_log import read_failed_sync, read_last_route, read_last_sync, read_source
from perfcopilot_goals.storage.users_check import read_users_check

_CONNECTIONS = sql_table("connections")
_EMPLOYEES = sql_table("employees")
_ROSTER_CHANGES = sql_table("roster_changes")
_ERASED = sql_table("erased")
_ROWS = sql_table("mapped_goal_rows")
_BLOCKS = sql_table("prompt_blocks")
_SYNCS = sql_table("syncs")


@dataclass(frozen=True)
class ConnectionStatus:
    """The status of one connection. `failed_*` are about the latest sync, if it failed.

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
    walked = read_source(conn, connection, "subgoals")
    notes = walked.notes if walked else {}
    failed = read_failed_sync(conn, connection)
    return ConnectionStatus(
        connection=connection,
        **counts,
        last_complete=complete.synced_at if complete else None,
        age_seconds=round((now - complete.synced_at).total_seconds(), 1) if complete else None,
        hidden_subgoals=notes.get("hidden_subgoals", 0),
        unread_lists=notes.get("unread_lists", 0),
        failed_at=failed.finished_at if failed else None,
        failed_with=failed.error_code if failed else None,
    )


def read_failed_syncs(conn: sa.Connection, failed_with: Collection[str]) -> list[FailedSync]:
    """The enabled connections whose latest sync failed with one of these errors, by one statement.

    A roster that was imported after the last change of the settings counts as a change of them. That is so if its
    oldest entry is newer than they are. Where a guard refused the sync, only the roster counts: any change of it, and
    an erasure. The mapping may have changed while the sync ran, or it may have left nobody with a goal.
    """
    c, s, e, r, x = _CONNECTIONS.c, _SYNCS.c, _EMPLOYEES.c, _ROSTER_CHANGES.c, _ERASED.c
    imported_at = sa.select(sa.func.min(e.updated_at)).where(e.connection == c.connection).scalar_subquery()
    roster_changed_at = sa.select(sa.func.max(r.changed_at)).where(r.connection == c.connection).scalar_subquery()
    erased_at = sa.select(sa.func.max(x.erased_at)).where(x.connection == c.connection).scalar_subquery()
    latest = (
        sa.select(s.started_at, s.state, s.error_code)
        .where(s.connection == c.connection)
        .order_by(s.started_at.desc())
        .limit(1)
        .lateral("latest")
    )
    is_guarded = latest.c.error_code == "GoalsGuardError"
    # Without a roster nothing has changed since the connection was added.
    changed_at = sa.case(
        (is_guarded, sa.func.greatest(c.created_at, roster_changed_at, erased_at)),
        else_=sa.func.greatest(c.updated_at, imported_at),
    )
    query = (
        sa.select(c.connection, changed_at, latest.c.started_at)
        .join_from(_CONNECTIONS, latest, sa.true())
        .where(c.enabled, latest.c.state == "failed", latest.c.error_code == any_of(failed_with))
        .order_by(c.connection)
    )
    return [FailedSync(*row) for row in conn.execute(query)]


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

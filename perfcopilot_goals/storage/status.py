"""How one connection stands, and what its next sync costs."""

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from perfcopilot_goals.domain.limits import PAGE_SIZE
from perfcopilot_goals.schemas.tables import sql_table
from perfcopilot_goals.storage.sync_log import read_failed_sync, read_last_route, read_last_sync, read_source
from perfcopilot_goals.storage.users_check import read_users_check

_CONNECTIONS = sql_table("connections")
_EMPLOYEES = sql_table("employees")
_ROWS = sql_table("mapped_goal_rows")
_BLOCKS = sql_table("prompt_blocks")


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

"""What people ask about the stored data: a connection's status, the cost of its next sync, one person's block."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from perfcopilot_goals.domain.limits import PAGE_SIZE
from perfcopilot_goals.domain.sync import LastSync
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.schemas.sql_tables import any_of, sql_table
from perfcopilot_goals.storage.employees import no_such_employee
from perfcopilot_goals.storage.sync_log import read_last_route, read_last_sync, read_source
from perfcopilot_goals.storage.users_check import read_users_check

_CONNECTIONS = sql_table("connections")
_EMPLOYEES = sql_table("employees")
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
class StoredBlock:
    """One employee's block, with what a reader has to know about its age."""

    connection: str
    employee_id: str
    block: str
    goals_owned: int
    goals_listed: int
    key_results_listed: int
    truncated: bool
    citations: list[dict[str, Any]]
    reason: str
    synced_at: dt.datetime
    run_id: str
    roster_changed: bool


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
    c, now = _CONNECTIONS.c, sa.func.clock_timestamp()
    counts = conn.execute(
        sa.select(
            c.enabled,
            _count(_ROWS, connection, _ROWS.c.kind == "goal"),
            _count(_ROWS, connection, _ROWS.c.kind == "key_result"),
            _count(_EMPLOYEES, connection),
            _count(_EMPLOYEES, connection, _EMPLOYEES.c.asana_user_gid.is_(None)),
            _count(_BLOCKS, connection, _BLOCKS.c.truncated),
            now,
        ).where(c.connection == connection)
    ).one()
    enabled, goals, key_results, employees, unmapped, truncated, now = counts
    complete = read_last_sync(conn, connection, "complete")
    latest = read_last_sync(conn, connection)
    walked = read_source(conn, connection, "subgoals")
    notes = walked.notes if walked else {}
    failed = latest if latest and latest.state == "failed" else None
    return ConnectionStatus(
        connection=connection,
        enabled=enabled,
        last_complete=complete.synced_at if complete else None,
        age_seconds=round((now - complete.synced_at).total_seconds(), 1) if complete else None,
        goals=goals,
        key_results=key_results,
        employees=employees,
        unmapped=unmapped,
        truncated=truncated,
        hidden_subgoals=notes.get("hidden_subgoals", 0),
        unread_lists=notes.get("unread_lists", 0),
        failed_at=failed.finished_at if failed else None,
        failed_with=failed.error_code if failed else None,
    )


def read_last_syncs(conn: sa.Connection, failed_with: Collection[str] | None = None) -> list[LastSync]:
    """Every enabled connection with its latest sync and its latest complete one, by one statement.

    With `failed_with`, only the connections whose latest sync failed with one of these errors: then only their rosters
    and earlier syncs are read.

    A roster that was imported after the last change of the settings counts as a change of them. That is so if its
    oldest entry is newer than they are.
    """
    c, s, e = _CONNECTIONS.c, _SYNCS.c, _EMPLOYEES.c
    imported_at = sa.select(sa.func.min(e.updated_at)).where(e.connection == c.connection).scalar_subquery()
    latest = (
        sa.select(s.started_at, s.state, s.error_code)
        .where(s.connection == c.connection)
        .order_by(s.started_at.desc())
        .limit(1)
        .lateral("latest")
    )
    query = (
        sa.select(c.connection, sa.func.greatest(c.updated_at, imported_at), *latest.c)
        .outerjoin_from(_CONNECTIONS, latest, sa.true())
        .where(c.enabled)
        .order_by(c.connection)
    )
    if failed_with is not None:
        query = query.where(latest.c.state == "failed", latest.c.error_code == any_of(failed_with))
    return [LastSync(*row) for row in conn.execute(query)]


def read_truncated(conn: sa.Connection) -> dict[str, dict[str, int]]:
    """Connections with truncated blocks: for each, how many goals its employees with such a block own, by id."""
    b = _BLOCKS.c
    owned = sa.func.jsonb_object_agg(b.employee_id, b.goals_owned)
    query = sa.select(b.connection, owned).where(b.truncated).group_by(b.connection).order_by(b.connection)
    return dict(conn.execute(query).tuples().all())


def read_block(conn: sa.Connection, connection: str, employee_id: str) -> StoredBlock:
    """The stored block of one employee, or `GoalsConfigError` saying why there is none."""
    b, e = _BLOCKS.c, _EMPLOYEES.c
    query = (
        sa.select(*b, (e.updated_at > b.synced_at).label("roster_changed"))
        .join_from(_BLOCKS, _EMPLOYEES, sa.and_(b.connection == e.connection, b.employee_id == e.employee_id))
        .where(b.connection == connection, b.employee_id == employee_id, e.asana_user_gid.is_not(None))
    )
    block = conn.execute(query).mappings().first()
    if block is None:
        raise no_block(conn, connection, employee_id)
    return StoredBlock(**block)


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
    return Plan(_pages(listed), owned, int(further), probes, user_pages, is_guess=listed == 0)


def _pages(objects: int) -> int:
    """How many requests it takes to list this many objects; an empty list takes one as well."""
    return max(1, -(-objects // PAGE_SIZE))


def no_block(conn: sa.Connection, connection: str, employee_id: str) -> GoalsConfigError:
    """The error that says why the employee has no block."""
    e = _EMPLOYEES.c
    query = sa.select(e.asana_user_gid).where(e.connection == connection, e.employee_id == employee_id)
    row = conn.execute(query).first()
    if row is None:
        return no_such_employee(connection, employee_id)
    if row[0] is None:
        return GoalsConfigError(
            f"employee {employee_id} is not mapped to an Asana user, so there is no block",
            connection=connection,
            action=f"Map them: perfcopilot-goals employee map {connection} {employee_id} GID",
        )
    return GoalsConfigError(
        f"there is no block for employee {employee_id} yet",
        connection=connection,
        action="Next: perfcopilot-goals sync {connection}",
    )


def _count(table: sa.Table, connection: str, *conditions: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    counted = sa.select(sa.func.count()).select_from(table).where(table.c.connection == connection, *conditions)
    return counted.scalar_subquery()

"""What people ask about the stored data: a connection's status, the cost of its next sync, one person's block."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from psycopg import sql
from psycopg.rows import class_row

from perfcopilot_goals.domain.sync import LastSync
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.schemas import SCHEMA
from perfcopilot_goals.storage.database import driver
from perfcopilot_goals.storage.employees import no_such_employee
from perfcopilot_goals.storage.sync_log import read_last_route, read_last_sync, read_source
from perfcopilot_goals.storage.users_check import read_users_check

PAGE_SIZE = 100


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
    counts = (
        driver(conn)
        .execute(
            sql.SQL(
                "select c.enabled, "
                "(select count(*) from {rows} r where r.connection = c.connection and kind = 'goal'), "
                "(select count(*) from {rows} r where r.connection = c.connection and kind = 'key_result'), "
                "(select count(*) from {employees} e where e.connection = c.connection), "
                "(select count(*) from {employees} e where e.connection = c.connection and asana_user_gid is null), "
                "(select count(*) from {blocks} b where b.connection = c.connection and truncated), clock_timestamp() "
                "from {connections} c where c.connection = %s"
            ).format(
                rows=_table("mapped_goal_rows"),
                employees=_table("employees"),
                blocks=_table("prompt_blocks"),
                connections=_table("connections"),
            ),
            [connection],
        )
        .fetchone()
    )
    assert counts is not None
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


def read_last_syncs(conn: sa.Connection) -> list[LastSync]:
    """Every enabled connection with its latest sync and its latest complete one, by one statement.

    A roster that was imported after the last change of the settings counts as a change of them. That is so if its
    oldest entry is newer than they are.
    """
    query = sql.SQL(
        "select c.connection, c.created_at, greatest(c.updated_at, (select min(e.updated_at) from {employees} e "
        "where e.connection = c.connection)) as updated_at, latest.started_at, latest.state, latest.error_code, "
        "(select max(synced_at) from {syncs} s where s.connection = c.connection and s.state = 'complete' "
        "and s.counts -> 'tables' ? 'prompt_blocks') as complete_at "
        "from {connections} c left join lateral (select started_at, state, error_code from {syncs} s "
        "where s.connection = c.connection order by started_at desc limit 1) latest on true "
        "where c.enabled order by c.connection"
    ).format(syncs=_table("syncs"), connections=_table("connections"), employees=_table("employees"))
    with driver(conn).cursor(row_factory=class_row(LastSync)) as cursor:
        return cursor.execute(query).fetchall()


def read_truncated(conn: sa.Connection) -> dict[str, dict[str, int]]:
    """Connections with truncated blocks: for each, how many goals its employees with such a block own, by id."""
    query = sql.SQL(
        "select connection, jsonb_object_agg(employee_id, goals_owned) from {} where truncated "
        "group by connection order by connection"
    )
    return dict(driver(conn).execute(query.format(_table("prompt_blocks"))).fetchall())


def read_block(conn: sa.Connection, connection: str, employee_id: str) -> StoredBlock:
    """The stored block of one employee, or `GoalsConfigError` saying why there is none."""
    query = sql.SQL(
        "select b.*, e.updated_at > b.synced_at as roster_changed from {} b join {} e using (connection, employee_id) "
        "where connection = %s and employee_id = %s and e.asana_user_gid is not null"
    ).format(_table("prompt_blocks"), _table("employees"))
    with driver(conn).cursor(row_factory=class_row(StoredBlock)) as cursor:
        block = cursor.execute(query, [connection, employee_id]).fetchone()
    if block is None:
        raise _no_block(conn, connection, employee_id)
    return block


def read_plan(conn: sa.Connection, connection: str, route: str) -> Plan:
    """The requests of the connection's next sync, if Asana still has what it had last time."""
    counts = (
        driver(conn)
        .execute(
            sql.SQL(
                "select (select count(*) from {raw} where connection = %(c)s), "
                "(select count(*) from {owned} where connection = %(c)s), "
                "(select coalesce(sum((goals - 1) / {page}), 0)::integer from "
                "(select count(*) as goals from {subgoals} where connection = %(c)s group by goal_gid) as by_goal)"
            ).format(
                raw=_table("raw_workspace_goals"),
                owned=_table("owned_goals"),
                subgoals=_table("subgoals"),
                page=sql.Literal(PAGE_SIZE),
            ),
            {"c": connection},
        )
        .fetchone()
    )
    assert counts is not None
    listed, owned, further = counts
    last_route = read_last_route(conn, connection)
    probes = 1 if route == "auto" and last_route is None and owned else 0
    check = read_users_check(conn, connection)
    user_pages = _pages(check.users) if check.is_due else 0
    return Plan(_pages(listed), owned, further, probes, user_pages, is_guess=listed == 0)


def _pages(objects: int) -> int:
    """How many requests it takes to list this many objects; an empty list takes one as well."""
    return max(1, -(-objects // PAGE_SIZE))


def _no_block(conn: sa.Connection, connection: str, employee_id: str) -> GoalsConfigError:
    """The error that says why the employee has no block."""
    query = sql.SQL("select asana_user_gid from {} where connection = %s and employee_id = %s").format(
        _table("employees")
    )
    row = driver(conn).execute(query, [connection, employee_id]).fetchone()
    if row is None:
        return no_such_employee(connection, employee_id)
    if row[0] is None:
        return GoalsConfigError(
            f"employee {employee_id} is not mapped to an Asana user, so there is no block",
            connection=connection,
            action=f"Map them: perfcopilot-goals employee map {{connection}} {employee_id} GID",
        )
    return GoalsConfigError(
        f"there is no block for employee {employee_id} yet",
        connection=connection,
        action="Make it: perfcopilot-goals sync {connection}",
    )


def _table(name: str) -> sql.Identifier:
    return sql.Identifier(SCHEMA, name)

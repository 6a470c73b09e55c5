"""The result of comparing the mapping with Asana's users: when, on `connections`; the conflicts, on `employees`.

The users' names and e-mails are never stored. Nothing here moves an `updated_at`, which says when people changed a
setting or the roster. `employees.note_users` records which users are gone.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from psycopg import sql
from psycopg.types.json import Jsonb

from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.errors import GoalsGuardError
from perfcopilot_goals.schemas import SCHEMA
from perfcopilot_goals.storage.database import driver

_CONNECTIONS = sql.Identifier(SCHEMA, "connections")
_EMPLOYEES = sql.Identifier(SCHEMA, "employees")


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
    query = sql.SQL(
        "select users_checked_at, coalesce(users_seen, (select count(*) from {} e where e.connection = c.connection)), "
        "check_users and coalesce((users_checked_at at time zone 'UTC')::date "
        "< (clock_timestamp() at time zone 'UTC')::date, true) from {} c where connection = %s"
    ).format(_EMPLOYEES, _CONNECTIONS)
    row = driver(conn).execute(query, [connection]).fetchone()
    return UsersCheck(*row) if row else UsersCheck(None, 0, is_due=False)


def record_users_check(
    conn: sa.Connection, connection: Connection, *, users: int, conflicts: Mapping[str, str]
) -> None:
    """Record a comparison: how many users there were, and the kind of each conflict by employee id.

    `connection` is as it was when its users were fetched. `GoalsGuardError` if it has another workspace by now.
    """
    recorded = (
        driver(conn)
        .execute(
            sql.SQL(
                "update {} set users_checked_at = clock_timestamp(), users_seen = %s "
                "where connection = %s and workspace_gid is not distinct from %s and base_url = %s returning true"
            ).format(_CONNECTIONS),
            [users, connection.connection, connection.workspace_gid, connection.base_url],
        )
        .fetchone()
    )
    if recorded is None:
        raise GoalsGuardError(
            "the workspace was changed while its users were being fetched; nothing was recorded about them",
            connection=connection.connection,
        )
    driver(conn).execute(
        sql.SQL(
            "update {} set mapping_conflict = %(kinds)s ->> employee_id where connection = %(connection)s "
            "and mapping_conflict is distinct from %(kinds)s ->> employee_id"
        ).format(_EMPLOYEES),
        {"kinds": Jsonb(dict(conflicts)), "connection": connection.connection},
    )


def read_mapping_conflicts(conn: sa.Connection, connection: str) -> list[str]:
    """Ids of the employees whose mapping contradicted the e-mails at the last comparison."""
    query = sql.SQL(
        "select employee_id from {} where connection = %s and mapping_conflict is not null "
        'order by employee_id collate "C"'
    ).format(_EMPLOYEES)
    return [employee_id for (employee_id,) in driver(conn).execute(query, [connection])]


def forget_users_check(conn: sa.Connection, connection: str) -> None:
    """Drop the conflicts and the moment, so that the next sync compares again.

    For when the comparison is out of date: the workspace changed, or somebody was erased whom a conflict may be about.
    """
    driver(conn).execute(
        sql.SQL("update {} set users_checked_at = null, users_seen = null where connection = %s").format(_CONNECTIONS),
        [connection],
    )
    query = sql.SQL("update {} set mapping_conflict = null where connection = %s and mapping_conflict is not null")
    driver(conn).execute(query.format(_EMPLOYEES), [connection])


def forget_gone_users(conn: sa.Connection, connection: str) -> None:
    """Drop the record of whose Asana user is gone: it is about another workspace."""
    query = sql.SQL("update {} set asana_gone_at = null where connection = %s and asana_gone_at is not null")
    driver(conn).execute(query.format(_EMPLOYEES), [connection])

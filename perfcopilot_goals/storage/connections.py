"""The table `connections`: which workspaces are synced, with whose token and how."""

import re
from dataclasses import asdict, fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.domain.sync import SLICE_TABLES, VERSION_TABLES
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.schemas.tables import sql_table
from perfcopilot_goals.storage.audit_log import forget_subjects
from perfcopilot_goals.storage.locks import lock_slices
from perfcopilot_goals.storage.users_check import forget_gone_users, forget_users_check

_CONNECTIONS = sql_table("connections")
_COLUMNS = [_CONNECTIONS.c[f.name] for f in fields(Connection)]


def check_name(name: str) -> str:
    """The name as given, or `GoalsConfigError`: it becomes a partition key, and those are hard to change later."""
    if re.fullmatch("[a-z0-9][a-z0-9_-]{0,62}", name):
        return name
    raise GoalsConfigError(
        f"a connection's name is 1 to 63 of a-z, 0-9, _ and -, and begins with a letter or digit; {name[:80]!r} is not"
    )


def read_connections(conn: sa.Connection) -> list[Connection]:
    """All connections, by name."""
    query = sa.select(*_COLUMNS).order_by(_CONNECTIONS.c.connection)
    return [Connection(*row) for row in conn.execute(query)]


def read_enabled(conn: sa.Connection) -> list[str]:
    """The enabled connections, by name."""
    query = sa.select(_CONNECTIONS.c.connection).where(_CONNECTIONS.c.enabled).order_by(_CONNECTIONS.c.connection)
    return list(conn.scalars(query))


def read_connection(conn: sa.Connection, name: str) -> Connection:
    """The connection of that name, or `GoalsConfigError`."""
    found = conn.execute(sa.select(*_COLUMNS).where(_CONNECTIONS.c.connection == name)).first()
    if found is None:
        raise GoalsConfigError(
            f"there is no connection {name[:80]!r}",
            action="perfcopilot-goals connection list shows all of them; connection add, or the admin page, makes one. "
            "A partition that somebody added in the Dagster UI makes none, and goes by itself",
        )
    return Connection(*found)


def has_connection(conn: sa.Connection, name: str) -> bool:
    """Whether there is a connection of that name."""
    return bool(conn.scalar(sa.select(sa.exists().where(_CONNECTIONS.c.connection == name))))


def add_connection(conn: sa.Connection, connection: Connection) -> None:
    """Insert the connection, or raise `GoalsConfigError` if its name is taken."""
    row = asdict(connection) | {"created_at": sa.func.now(), "updated_at": sa.func.now()}
    insert = postgresql.insert(_CONNECTIONS).values(row).on_conflict_do_nothing()
    if conn.execute(insert.returning(_CONNECTIONS.c.connection)).first() is None:
        raise GoalsConfigError(
            "connection {connection} exists already",
            connection=connection.connection,
            action="Change it: perfcopilot-goals connection set {connection} …",
        )


def set_connection(conn: sa.Connection, name: str, changes: dict[str, Any]) -> Connection:
    """Change these columns and return the connection; `updated_at` moves only if a value really changed.

    If the workspace changes, what is known about the old one's users is dropped.
    """
    before = read_connection(conn, name)
    changes = {column: value for column, value in changes.items() if getattr(before, column) != value}
    if not changes:
        return before
    is_another_workspace = bool(changes.keys() & {"workspace_gid", "base_url"})
    if is_another_workspace:
        # A check of the users and an erasure write to the same rows in another order. The lock keeps them apart.
        lock_slices(conn, name)
    update = sa.update(_CONNECTIONS).where(_CONNECTIONS.c.connection == name)
    conn.execute(update.values(changes | {"updated_at": sa.func.now()}))
    if is_another_workspace:
        forget_users_check(conn, name)
        forget_gone_users(conn, name)
    return read_connection(conn, name)


def remove_connection(conn: sa.Connection, name: str) -> int:
    """Delete the connection with its roster, slices, versions and sync log; returns how many rows of slices that were.

    Rows left behind would come back to life with a new connection of the same name. What the audit log has of it stays,
    without the ids of its people.
    """
    read_connection(conn, name)
    lock_slices(conn, name)
    forget_subjects(conn, name)
    removed = {
        table.name: conn.execute(sa.delete(table).where(table.c.connection == name)).rowcount
        for table in map(sql_table, (*SLICE_TABLES, *VERSION_TABLES, "syncs", "employees", "connections"))
    }
    return sum(removed[table] for table in SLICE_TABLES)

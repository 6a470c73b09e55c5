"""The table `connections`: which workspaces are synced, with whose token and how."""

import re
from dataclasses import fields
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.domain.sync import SLICE_TABLES
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.storage.database import SCHEMA
from perfcopilot_goals.storage.locks import lock_slices
from perfcopilot_goals.storage.users_check import forget_gone_users, forget_users_check

_COLUMNS = sql.SQL(", ").join(sql.Identifier(f.name) for f in fields(Connection))
_TABLE = sql.Identifier(SCHEMA, "connections")


def check_name(name: str) -> str:
    """The name as given, or `GoalsConfigError`: it is a partition key, and those are hard to mend later."""
    if re.fullmatch("[a-z0-9][a-z0-9_-]{0,62}", name):
        return name
    raise GoalsConfigError(
        f"a connection's name is 1 to 63 of a-z, 0-9, _ and -, and begins with a letter or digit; {name[:80]!r} is not"
    )


def read_connections(database: psycopg.Connection) -> list[Connection]:
    """All connections, by name."""
    query = sql.SQL("select {} from {} order by connection").format(_COLUMNS, _TABLE)
    with database.cursor(row_factory=class_row(Connection)) as cursor:
        return cursor.execute(query).fetchall()


def read_connection(database: psycopg.Connection, name: str) -> Connection:
    """The connection of that name, or `GoalsConfigError`."""
    query = sql.SQL("select {} from {} where connection = %s").format(_COLUMNS, _TABLE)
    with database.cursor(row_factory=class_row(Connection)) as cursor:
        found = cursor.execute(query, [name]).fetchone()
    if found is None:
        raise GoalsConfigError(
            f"there is no connection {name[:80]!r}; perfcopilot-goals connection list shows those there are, "
            "connection add makes one"
        )
    return found


def has_connection(database: psycopg.Connection, name: str) -> bool:
    """Whether there is a connection of that name."""
    query = sql.SQL("select true from {} where connection = %s").format(_TABLE)
    return database.execute(query, [name]).fetchone() is not None


def add_connection(database: psycopg.Connection, connection: Connection) -> None:
    """A new row, or `GoalsConfigError` where the name is taken."""
    names = [f.name for f in fields(Connection)]
    query = sql.SQL(
        "insert into {} ({}, created_at, updated_at) values ({}, now(), now()) on conflict do nothing returning true"
    ).format(_TABLE, _COLUMNS, sql.SQL(", ").join(sql.Placeholder(name) for name in names))
    values = {name: getattr(connection, name) for name in names}
    if database.execute(query, values).fetchone() is None:
        name = connection.connection
        raise GoalsConfigError(
            f"connection {name} exists already; change it: perfcopilot-goals connection set {name} …"
        )


def set_connection(database: psycopg.Connection, name: str, changes: dict[str, Any]) -> Connection:
    """The connection with these columns changed; `updated_at` moves only if one really did.

    With another workspace, what was found out about the users of the former one is dropped.
    """
    before = read_connection(database, name)
    changes = {column: value for column, value in changes.items() if getattr(before, column) != value}
    if not changes:
        return before
    is_another_workspace = bool(changes.keys() & {"workspace_gid", "base_url"})
    if is_another_workspace:
        # A check of the users and an erasure write to the same rows, in another order, behind the same lock.
        lock_slices(database, name)
    assignments = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(column), sql.Placeholder(column)) for column in changes
    )
    query = sql.SQL("update {} set {}, updated_at = now() where connection = {}").format(
        _TABLE, assignments, sql.Placeholder("connection")
    )
    database.execute(query, {**changes, "connection": name})
    if is_another_workspace:
        forget_users_check(database, name)
        forget_gone_users(database, name)
    return read_connection(database, name)


def remove_connection(database: psycopg.Connection, name: str) -> int:
    """The connection with its roster, slices and sync log gone; returns how many rows of the slices that were.

    Rows that stayed behind would come back to life with a new connection of the same name.
    """
    read_connection(database, name)
    lock_slices(database, name)
    removed = 0
    for table in SLICE_TABLES:
        query = sql.SQL("delete from {} where connection = %s").format(sql.Identifier(SCHEMA, table))
        removed += database.execute(query, [name]).rowcount
    for table in ("syncs", "employees", "connections"):
        query = sql.SQL("delete from {} where connection = %s").format(sql.Identifier(SCHEMA, table))
        database.execute(query, [name])
    return removed

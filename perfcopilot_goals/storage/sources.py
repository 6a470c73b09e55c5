"""The two tables that people write, as they stand for each connection: what a sensor looks at to notice a change."""

import datetime as dt
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from perfcopilot_goals.storage.database import SCHEMA


@dataclass(frozen=True)
class SourceState:
    """An enabled connection: when its settings and its roster changed last, and how many employees it has."""

    connection: str
    connection_changed_at: dt.datetime
    has_workspace_gid: bool
    employees: int
    mapped: int
    employees_changed_at: dt.datetime | None

    @property
    def versions(self) -> dict[str, str]:
        """Per table a text that is another one whenever the table's rows of this connection are."""
        return {
            "connections": self.connection_changed_at.isoformat(),
            "employees": f"{self.employees} {self.mapped} {self.employees_changed_at}",
        }


def read_sources(database: psycopg.Connection) -> list[SourceState]:
    """Every enabled connection, by one statement."""
    query = sql.SQL(
        "select c.connection, c.updated_at as connection_changed_at, c.workspace_gid is not null as has_workspace_gid, "
        "count(e.employee_id) as employees, count(e.asana_user_gid) as mapped, max(e.updated_at) as "
        "employees_changed_at from {} c left join {} e using (connection) where c.enabled "
        "group by c.connection, c.updated_at, c.workspace_gid order by c.connection"
    ).format(sql.Identifier(SCHEMA, "connections"), sql.Identifier(SCHEMA, "employees"))
    with database.cursor(row_factory=class_row(SourceState)) as cursor:
        return cursor.execute(query).fetchall()

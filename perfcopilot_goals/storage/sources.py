"""The state of the two tables that people write, by connection. A sensor reads it to notice a change."""

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from perfcopilot_goals.schemas.sql_tables import sql_table

_CONNECTIONS = sql_table("connections")
_EMPLOYEES = sql_table("employees")


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
        """A text for each table that changes whenever the connection's rows of the table do."""
        return {
            "connections": self.connection_changed_at.isoformat(),
            "employees": f"{self.employees} {self.mapped} {self.employees_changed_at}",
        }


def read_sources(conn: sa.Connection) -> list[SourceState]:
    """Every enabled connection, by one statement."""
    c, e = _CONNECTIONS.c, _EMPLOYEES.c
    query = (
        sa.select(
            c.connection,
            c.updated_at,
            c.workspace_gid.is_not(None),
            sa.func.count(e.employee_id),
            sa.func.count(e.asana_user_gid),
            sa.func.max(e.updated_at),
        )
        .outerjoin_from(_CONNECTIONS, _EMPLOYEES, c.connection == e.connection)
        .where(c.enabled)
        .group_by(c.connection, c.updated_at, c.workspace_gid)
        .order_by(c.connection)
    )
    return [SourceState(*row) for row in conn.execute(query)]

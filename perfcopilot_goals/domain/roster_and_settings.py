"""The roster and the settings of a connection, which people change: when they did, and how many employees there are."""

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True)
class RosterAndSettings:
    """One connection: when its roster and its settings changed, and how many employees it has.

    `employees_changed_at` is the newest row's; None if there are none. `roster_changed_at` also counts a removal.
    """

    connection: str
    enabled: bool
    has_workspace_gid: bool
    connection_changed_at: dt.datetime
    roster_changed_at: dt.datetime
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

    def versions_since(self, moment: dt.datetime) -> dict[str, str]:
        """Those of the tables that changed after this moment."""
        changed_at = {"connections": self.connection_changed_at, "employees": self.roster_changed_at}
        return {table: version for table, version in self.versions.items() if changed_at[table] > moment}

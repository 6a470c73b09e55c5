"""The roster and the settings of a connection, which people change: when they did, and how many employees there are."""

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True)
class RosterAndSettings:
    """One enabled connection: when its roster and its settings changed, and how many employees it has.

    `employees_changed_at` is the newest row's; None if there are none. `roster_changed_at` also counts a removal.
    """

    connection: str
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
        """Those of the tables that may have changed unobserved after this moment.

        With new settings the roster, too: a disabled connection, which somebody may have enabled, is not observed.
        """
        if self.connection_changed_at > moment:
            return self.versions
        return {"employees": self.versions["employees"]} if self.roster_changed_at > moment else {}

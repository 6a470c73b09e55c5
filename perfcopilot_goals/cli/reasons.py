"""`status --employees`: why each employee's block is as it is."""

import datetime as dt
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from perfcopilot_goals.cli.session import print_json, print_table
from perfcopilot_goals.cli.terminal import echo

if TYPE_CHECKING:
    import sqlalchemy as sa

    from perfcopilot_goals.storage.reasons import EmployeeStatus

COLUMNS = ("connection", "employee_id", "reason", "goals", "key results", "age")
SHOWN_IN_JSON = ("connection", "employee_id", "goals", "goals_owned", "key_results", "synced_at", "age_seconds")


def show_employees(database: "sa.Connection", name: str | None, as_json: bool) -> None:
    """Print the employees of the connection, or of all, one a line, and how many there are of each reason."""
    from perfcopilot_goals.core.reasons import reason_now
    from perfcopilot_goals.storage.reasons import read_employee_standings

    statuses = read_employee_standings(database, name)
    reasons = [reason_now(s.block_reason, is_mapped=s.is_mapped, is_gone=s.is_gone) for s in statuses]
    if as_json:
        print_json([_figures(s) | {"reason": reason} for s, reason in zip(statuses, reasons, strict=True)])
        return
    rows = [_row(s) | {"reason": reason} for s, reason in zip(statuses, reasons, strict=True)]
    print_table(rows, COLUMNS, "No employees yet: perfcopilot-goals employee import NAME FILE.csv")
    if rows:
        echo(", ".join(f"{reason}: {count}" for reason, count in Counter(reasons).most_common()))
    if changed := sum(s.roster_changed for s in statuses):
        echo(f"The roster's entries of {changed} changed after their blocks were made: perfcopilot-goals sync")


def _figures(status: "EmployeeStatus") -> dict[str, Any]:
    every = asdict(status)
    return {name: every[name] for name in (*SHOWN_IN_JSON, "roster_changed")}


def _row(status: "EmployeeStatus") -> dict[str, Any]:
    cut = status.goals is not None and status.goals_owned != status.goals
    age = status.age_seconds
    return asdict(status) | {
        "goals": f"{status.goals} of {status.goals_owned}" if cut else status.goals,
        "key results": status.key_results,
        "age": None if age is None else str(dt.timedelta(seconds=int(age))),
    }

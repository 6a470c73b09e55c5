"""The roster: as people read it, as a file that they import or export, and what the mapping lacks."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from perfcopilot_goals.core.reports import find_reports
from perfcopilot_goals.core.roster import RosterFile, decode_roster, parse_roster, refusal_of_lines, render_roster
from perfcopilot_goals.core.roster_changes import Changes, plan_import
from perfcopilot_goals.domain.audit import IMPORTED_ROSTER
from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.errors import GoalsConfigError, GoalsError
from perfcopilot_goals.storage.audit_log import add_audit_entry
from perfcopilot_goals.storage.connections import read_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import (
    import_employees,
    read_employees,
    read_erased,
    read_rosters,
    remove_employees,
)
from perfcopilot_goals.storage.locks import lock_roster
from perfcopilot_goals.storage.roster import (
    Page,
    Person,
    RosterRow,
    Waiting,
    read_conflicts,
    read_people,
    read_roster_page,
    read_unmapped,
    read_waiting,
)

# Named here for the rooms that may not import storage.
__all__ = ["Page", "RosterRow", "Waiting"]

# Half a million employees. A larger file is no roster.
ROSTER_BYTES = 64 * 2**20


@dataclass(frozen=True)
class RosterImport:
    """What an import did, or would do in a dry run.

    `removed` are employee ids. `bad` says what is wrong with each line that was left out. `erased` is how many lines
    were left out because their people were erased. `unmapped` is how many of the others have no Asana user.
    """

    file: RosterFile
    changes: Changes
    removed: Sequence[str]
    bad: dict[int, str]
    erased: int
    unmapped: int


def list_employees(database: Database, name: str) -> list[Employee]:
    """The connection's roster, by employee id; `GoalsConfigError` if there is no such connection."""
    with database.connect("reading the roster") as conn:
        read_connection(conn, name)
        return read_employees(conn, name)


def list_unmapped(database: Database, name: str) -> list[RosterRow]:
    """The connection's employees without an Asana user; `GoalsConfigError` if there is no such connection."""
    with database.connect("reading the roster") as conn:
        read_connection(conn, name)
        return read_unmapped(conn, name)


def list_roster(database: Database, connection: str, page: Page, *, is_mapped: bool) -> tuple[list[RosterRow], int]:
    """A page of the mapped or unmapped employees, and how many the search finds."""
    with database.connect("reading the roster", snapshot=True) as conn:
        read_connection(conn, connection)
        return read_roster_page(conn, connection, page, is_mapped=is_mapped)


def list_conflicts(database: Database, connection: str) -> list[RosterRow]:
    """Mapped employees whom the e-mails contradict, by the last comparison with Asana's users."""
    with database.connect("reading the roster") as conn:
        return read_conflicts(conn, connection)


def list_waiting(database: Database, connection: str) -> Waiting:
    """Goals whose owner is no employee, as of the latest list of goals."""
    with database.connect("reading the goals") as conn:
        return read_waiting(conn, connection)


def list_reports(database: Database, email: str) -> dict[str, frozenset[str]]:
    """By connection, whoever reports to this address, directly or through others. Only connections with any."""
    with database.connect("reading the rosters") as conn:
        rosters = read_rosters(conn)
    reports = {name: find_reports(email, roster) for name, roster in rosters.items()}
    return {name: employee_ids for name, employee_ids in reports.items() if employee_ids}


def list_people(
    database: Database, connection: str, page: Page, only: Collection[str] | None = None
) -> tuple[list[Person], int]:
    """A page of the connection's employees, and how many the search finds. `only` names the ids that may be seen."""
    with database.connect("reading the roster", snapshot=True) as conn:
        return read_people(conn, connection, page, only)


def read_roster_file(path: Path) -> str:
    """The text of a roster's file; `GoalsConfigError` if it is too large or not text."""
    with path.open("rb") as file:
        content = file.read(ROSTER_BYTES + 1)
    if len(content) > ROSTER_BYTES:
        raise GoalsConfigError(
            f"{path.name} is larger than {ROSTER_BYTES // 2**20} MiB, so it is no roster; nothing was imported"
        )
    return decode_roster(content, path.name)


def export_roster(database: Database, connection: str) -> str:
    """The roster as a CSV file that imports again without a change; `GoalsConfigError` for an unknown connection."""
    with database.connect("reading the roster") as conn:
        read_connection(conn, connection)
        return render_roster(read_employees(conn, connection))


def import_roster(
    database: Database,
    connection: str,
    text: str,
    *,
    skip_bad: bool = False,
    replaces: bool = False,
    dry_run: bool = False,
    actor: str | None = None,
) -> RosterImport:
    """Adds and changes the employees in the file; with `replaces`, removes the employees who are not in it.

    Imports all lines or, with `GoalsConfigError`, none. A bad line is an error unless `skip_bad`. With `dry_run`
    nothing is written. If `actor` is given, the audit log gets an entry.
    """
    with database.connect("importing the roster") as conn:
        read_connection(conn, connection)
        try:
            done = _import(conn, connection, text, skip_bad=skip_bad, replaces=replaces, dry_run=dry_run)
        except GoalsError as error:
            error.about(connection)
            raise
        if not dry_run:
            subject = [*done.changes.added, *done.changes.changed, *done.removed]
            add_audit_entry(conn, connection, actor, IMPORTED_ROSTER, subject)
    return done


def _import(
    conn: sa.Connection, connection: str, text: str, *, skip_bad: bool, replaces: bool, dry_run: bool
) -> RosterImport:
    if replaces and skip_bad:
        raise GoalsConfigError("a replace that skips bad lines would remove their employees; nothing was changed")
    file = parse_roster(text)
    lock_roster(conn, connection)
    erased = read_erased(conn, connection)
    lines = {n: erased.without_manager(line) for n, line in file.lines.items() if not erased.has_person(line)}
    before = read_employees(conn, connection)
    changes = plan_import(before, lines, replaces=replaces, has_managers=file.has_managers)
    bad = file.bad | changes.bad
    if bad and not skip_bad:
        raise refusal_of_lines(bad)
    removed = changes.absent if replaces else []
    if removed and not lines:
        raise GoalsConfigError("the file names nobody, and --replace would remove all; nothing was changed")
    if not dry_run:
        remove_employees(conn, connection, removed)
        import_employees(conn, connection, changes.written)
    known = {employee.employee_id for employee in before if employee.asana_user_gid}
    unmapped = [n for n, line in lines.items() if not line.asana_user_gid and line.employee_id not in known]
    return RosterImport(file, changes, removed, bad, len(file.lines) - len(lines), len(unmapped))

"""`employee import`: a roster's file, shown before it counts if told so."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perfcopilot_goals.cli.session import Session, printable
from perfcopilot_goals.errors import GoalsConfigError

if TYPE_CHECKING:
    from perfcopilot_goals.core.roster import RosterFile
    from perfcopilot_goals.core.roster_changes import Changes


@click.command("import")
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--skip-bad", is_flag=True, help="Import the good lines and name the others.")
@click.option("--replace", "replaces", is_flag=True, help="Remove the employees who are not in the file.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.pass_obj
def import_(session: Session, name: str, file: Path, *, skip_bad: bool, replaces: bool, dry_run: bool) -> None:
    """Add and change employees from a CSV: employee_id,full_name,email,asana_user_gid and, optional, manager_email.

    Other columns are ignored. A bad line is named and nothing is imported. An empty asana_user_gid leaves the mapping
    as it is; employee unmap takes one back. A file without manager_email leaves the managers as they are. Nobody is
    removed without --replace.
    """
    from perfcopilot_goals.core.roster import parse_roster, refusal_of_lines
    from perfcopilot_goals.core.roster_changes import plan_import
    from perfcopilot_goals.storage.connections import read_connection
    from perfcopilot_goals.storage.employees import import_employees, read_employees, remove_employees
    from perfcopilot_goals.storage.erased import read_erased
    from perfcopilot_goals.storage.locks import lock_roster

    if replaces and skip_bad:
        raise click.UsageError("--replace with --skip-bad would remove the employees of bad lines; choose one")
    roster = parse_roster(_read(file))
    with session.database.connect("importing the roster") as database:
        read_connection(database, name)
        lock_roster(database, name)
        erased = read_erased(database, name)
        lines = {n: erased.without_manager(line) for n, line in roster.lines.items() if not erased.has_person(line)}
        before = read_employees(database, name)
        changes = plan_import(before, lines, replaces=replaces, has_managers=roster.has_managers)
        bad = roster.bad | changes.bad
        if bad and not skip_bad:
            raise refusal_of_lines(bad)
        removed = changes.absent if replaces else []
        if removed and not lines:
            raise GoalsConfigError(f"{file.name} names nobody, and --replace would remove all; nothing was changed")
        if not dry_run:
            remove_employees(database, name, removed)
            import_employees(database, name, changes.written)
    if dry_run:
        _show(name, changes, removed)
    else:
        _tell(name, changes, removed)
    if left_out := len(roster.lines) - len(lines):
        click.echo(f"{left_out} were left out: they were erased from {name}.")
    _note(name, roster, changes, bad, replaces=replaces)


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError as error:
        place = error.start
    # Raised out here: the decoder's error holds the file's content, and would come along as the context.
    raise GoalsConfigError(f"{file.name} is not UTF-8 (byte {place}); save it as CSV UTF-8. Nothing was imported")


def _show(name: str, changes: "Changes", removed: Sequence[str]) -> None:
    click.echo(f"{name}: nothing was changed. An import of this file would be:")
    for what, ids in (
        ("added", changes.added),
        ("changed", changes.changed),
        ("removed", removed),
        ("another Asana user than before", changes.remapped),
    ):
        click.echo(f"  {what}: {len(ids)}" + (f" ({printable(', '.join(ids))})" if ids else ""))
    click.echo(f"  as they were: {changes.unchanged}")


def _tell(name: str, changes: "Changes", removed: Sequence[str]) -> None:
    done = f"{len(changes.added)} added, {len(changes.changed)} changed, {changes.unchanged} as they were"
    click.echo(f"{name}: {done}" + (f", {len(removed)} removed." if removed else "."))
    if removed:
        click.echo(f"The blocks of those removed disappear with the next sync: perfcopilot-goals sync {name}")


def _note(name: str, roster: "RosterFile", changes: "Changes", bad: Mapping[int, str], *, replaces: bool) -> None:
    """What else is to be known of the file; bad lines go to stderr."""
    for number, problem in sorted(bad.items()):
        click.echo(f"left out, line {number}: {problem}", err=True)
    if roster.ignored:
        click.echo(f"Ignored columns: {printable(', '.join(roster.ignored))}")
    if changes.kept:
        click.echo(
            f"{len(changes.kept)} kept the Asana user that they are mapped to; the file leaves it empty. "
            f"To take one back: perfcopilot-goals employee unmap {name} EMPLOYEE"
        )
    if changes.absent and not replaces and not bad:
        click.echo(f"{len(changes.absent)} employees are not in the file and stay; --replace removes them.")
    kept = set(changes.kept)
    if unmapped := sum(e.asana_user_gid is None and e.employee_id not in kept for e in roster.lines.values()):
        click.echo(f"{unmapped} of them are not mapped to an Asana user: perfcopilot-goals employee unmapped {name}")

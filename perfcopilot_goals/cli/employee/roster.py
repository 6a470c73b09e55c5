"""`employee import` and `employee list`."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from perfcopilot_goals import services
from perfcopilot_goals.cli.session import Session, as_json, pass_session, print_json, print_table
from perfcopilot_goals.cli.terminal import echo
from perfcopilot_goals.core.roster_changes import Changes
from perfcopilot_goals.domain.ids import show_ids

COLUMNS = ("employee_id", "full_name", "email", "asana_user_gid")


@click.command("list")
@click.argument("name")
@as_json
@pass_session
def list_(session: Session, name: str, as_json: bool) -> None:
    """List the roster of a connection."""
    rows = [asdict(employee) for employee in services.roster.list_employees(session.database, name)]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, COLUMNS, f"{name} has no employees yet: perfcopilot-goals employee import {name} FILE.csv")


@click.command("import", short_help="Add and change employees from a CSV file.")
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--skip-bad", is_flag=True, help="Import the good lines and name the others.")
@click.option("--replace", "replaces", is_flag=True, help="Remove the employees who are not in the file.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@pass_session
def import_(session: Session, name: str, file: Path, *, skip_bad: bool, replaces: bool, dry_run: bool) -> None:
    """Add and change employees from a CSV: employee_id,full_name,email,asana_user_gid and, optional, manager_email.

    Other columns are ignored. If a line is bad, it is named and nothing is imported. An empty asana_user_gid keeps the
    mapping; `employee unmap` removes it. A file without manager_email keeps the managers. Only --replace removes
    employees who are not in the file.
    """
    if replaces and skip_bad:
        raise click.UsageError("--replace with --skip-bad would remove the employees of bad lines; choose one")
    text = services.roster.read_roster_file(file)
    done = services.roster.import_roster(
        session.database, name, text, skip_bad=skip_bad, replaces=replaces, dry_run=dry_run
    )
    if dry_run:
        _show_plan(name, done.changes, done.removed)
    else:
        _show_result(name, done.changes, done.removed)
    if done.erased:
        echo(f"{done.erased} were left out: they were erased from {name}.")
    _show_remarks(name, done, replaces=replaces)


def _show_plan(name: str, changes: Changes, removed: Sequence[str]) -> None:
    echo(f"{name}: nothing was changed. An import of this file would be:")
    for what, ids in (
        ("added", changes.added),
        ("changed", changes.changed),
        ("removed", removed),
        ("another Asana user than before", changes.remapped),
    ):
        echo(f"  {what}: {len(ids)}" + (f" ({', '.join(ids)})" if ids else ""))
    echo(f"  as they were: {changes.unchanged}")


def _show_result(name: str, changes: Changes, removed: Sequence[str]) -> None:
    done = f"{len(changes.added)} added, {len(changes.changed)} changed, {changes.unchanged} as they were"
    echo(f"{name}: {done}" + (f", {len(removed)} removed." if removed else "."))
    if removed:
        echo(f"Their blocks are gone. Their goals disappear with the next sync: perfcopilot-goals sync {name}")
    if changes.remapped:
        echo(
            f"Another Asana user than before: {len(changes.remapped)} ({show_ids(changes.remapped)}). Their blocks are "
            f"gone, and the next sync makes new ones: perfcopilot-goals sync {name}"
        )


def _show_remarks(name: str, done: "services.roster.RosterImport", *, replaces: bool) -> None:
    """Prints what else a person should know about the file; bad lines go to stderr."""
    for number, problem in sorted(done.bad.items()):
        echo(f"left out, line {number}: {problem}", err=True)
    if done.file.ignored:
        echo(f"Ignored columns: {', '.join(done.file.ignored)}")
    if done.changes.kept:
        echo(
            f"{len(done.changes.kept)} kept their Asana user, because the file leaves it empty. "
            f"To unlink one: perfcopilot-goals employee unmap {name} EMPLOYEE"
        )
    if done.changes.absent and not replaces and not done.bad:
        echo(f"{len(done.changes.absent)} employees are not in the file and stay; --replace removes them.")
    if done.unmapped:
        echo(f"{done.unmapped} of them are not mapped to an Asana user: perfcopilot-goals employee unmapped {name}")

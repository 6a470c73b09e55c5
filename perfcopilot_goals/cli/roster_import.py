"""`employee import`: a roster's file, shown before it counts if told so."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from perfcopilot_goals.cli.session import Session
from perfcopilot_goals.cli.terminal import echo

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
    from perfcopilot_goals.services.roster_import import import_roster, read_roster_file

    if replaces and skip_bad:
        raise click.UsageError("--replace with --skip-bad would remove the employees of bad lines; choose one")
    done = import_roster(
        session.database, name, read_roster_file(file), skip_bad=skip_bad, replaces=replaces, dry_run=dry_run
    )
    if dry_run:
        _show(name, done.changes, done.removed)
    else:
        _tell(name, done.changes, done.removed)
    if done.erased:
        echo(f"{done.erased} were left out: they were erased from {name}.")
    _note(name, done.file, done.changes, done.bad, replaces=replaces)


def _show(name: str, changes: "Changes", removed: Sequence[str]) -> None:
    echo(f"{name}: nothing was changed. An import of this file would be:")
    for what, ids in (
        ("added", changes.added),
        ("changed", changes.changed),
        ("removed", removed),
        ("another Asana user than before", changes.remapped),
    ):
        echo(f"  {what}: {len(ids)}" + (f" ({', '.join(ids)})" if ids else ""))
    echo(f"  as they were: {changes.unchanged}")


def _tell(name: str, changes: "Changes", removed: Sequence[str]) -> None:
    done = f"{len(changes.added)} added, {len(changes.changed)} changed, {changes.unchanged} as they were"
    echo(f"{name}: {done}" + (f", {len(removed)} removed." if removed else "."))
    if removed:
        echo(f"The blocks of those removed disappear with the next sync: perfcopilot-goals sync {name}")


def _note(name: str, roster: "RosterFile", changes: "Changes", bad: Mapping[int, str], *, replaces: bool) -> None:
    """What else is to be known of the file; bad lines go to stderr."""
    for number, problem in sorted(bad.items()):
        echo(f"left out, line {number}: {problem}", err=True)
    if roster.ignored:
        echo(f"Ignored columns: {', '.join(roster.ignored)}")
    if changes.kept:
        echo(
            f"{len(changes.kept)} kept the Asana user that they are mapped to; the file leaves it empty. "
            f"To take one back: perfcopilot-goals employee unmap {name} EMPLOYEE"
        )
    if changes.absent and not replaces and not bad:
        echo(f"{len(changes.absent)} employees are not in the file and stay; --replace removes them.")
    kept = set(changes.kept)
    if unmapped := sum(e.asana_user_gid is None and e.employee_id not in kept for e in roster.lines.values()):
        echo(f"{unmapped} of them are not mapped to an Asana user: perfcopilot-goals employee unmapped {name}")

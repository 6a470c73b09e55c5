"""`employee import`, `list` and `erase`: who is on the roster of a connection."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from perfcopilot_goals import services
from perfcopilot_goals.cli.session import Session, as_json, pass_session, print_json, print_table
from perfcopilot_goals.cli.terminal import echo, printable
from perfcopilot_goals.core.roster_changes import Changes
from perfcopilot_goals.domain.ids import show_ids

COLUMNS = ("employee_id", "full_name", "email", "asana_user_gid")
# The exit code if a text that was searched for after an erasure is still there.
FOUND = 1


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


@click.command("erase", short_help="Remove a person for good, wherever they are.")
@click.argument("name")
@click.argument("employee_id", metavar="EMPLOYEE")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--verify",
    "canaries",
    metavar="TEXT",
    multiple=True,
    help="Afterwards search database and local files for these texts (a name, an e-mail address, a goal's title). "
    "Exit code 1 if one is found.",
)
@click.argument("more_canaries", nargs=-1, metavar="[TEXT]...")
@as_json
@pass_session
def erase(
    session: Session,
    name: str,
    employee_id: str,
    yes: bool,
    canaries: tuple[str, ...],
    more_canaries: tuple[str, ...],
    as_json: bool,
) -> None:
    """Remove a person: roster, goals, block, and their ids in Dagster's history. They do not come back.

    If a goal of theirs is a key result of somebody else's goal, it stays in that review, without its owner.
    """
    if more_canaries and not canaries:
        raise click.UsageError("one employee at a time; texts to search for come after --verify")
    canaries += more_canaries
    if services.erasure.has_doubtful_mapping(session.database, name, employee_id):
        echo(
            f"{employee_id} may be mapped to somebody else's Asana user. Then that person's goals are erased and kept "
            f"out for good. Look first: perfcopilot-goals employee suggest {name}",
            err=True,
        )
    if not yes:
        click.confirm(f"Erase {printable(employee_id)} from {name}? This cannot be undone", abort=True, err=True)
    done = services.erasure.erase_person(session.database, session.settings, name, employee_id)
    if not as_json:
        echo(*(f"  {place}: {count}" for place, count in done.removed.items()))
    echo(f"Erased {employee_id} from {name}.", err=as_json)
    for line in _remarks(name, done):
        echo(line, err=True)
    leftovers = services.erasure.scan_for_leftovers(session.database, session.settings, canaries)
    if as_json:
        told = {key: getattr(done.erasure, key) for key in ("is_unmapped", "is_email_shared", "running_syncs")}
        print_json({"connection": name, "removed": done.removed, "found": leftovers, **told})
    for text, places in leftovers.items():
        echo(f"Still found, text {text!r}: {', '.join(places)}", err=True)
    if canaries and not leftovers:
        echo(f"None of the {len(canaries)} texts was found.", err=True)
    if leftovers:
        sys.exit(FOUND)
    sys.exit(done.not_cleaned.exit_code if done.not_cleaned else 0)


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


def _remarks(name: str, person: "services.erasure.ErasedPerson") -> Iterator[str]:
    if person.not_cleaned:
        yield (
            f"{person.not_cleaned} They are erased all the same, but Postgres may still keep their deleted rows, and "
            "values of them in its statistics. Next: run VACUUM (ANALYZE) in Postgres, then this command again."
        )
    if person.erasure.is_unmapped:
        yield (
            "They were not mapped to an Asana user, so their goals, if any, could not be told from others'. Those may "
            "still be in raw_workspace_goals, and a later sync would bring them again."
        )
    if person.erasure.is_email_shared:
        yield "Somebody else has the same e-mail address, so it does not keep anybody off the roster."
    if person.erasure.running_syncs:
        yield (
            f"A sync of {name} was under way. It cannot write any more, and fails. "
            f"Run another one: perfcopilot-goals sync {name}"
        )

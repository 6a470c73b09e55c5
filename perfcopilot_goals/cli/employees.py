"""`employee …`: the roster of a connection."""

from dataclasses import asdict
from pathlib import Path

import click

from perfcopilot_goals.cli.session import Session, as_json, print_json, print_table
from perfcopilot_goals.errors import GoalsConfigError

COLUMNS = ("employee_id", "full_name", "email", "asana_user_gid")


@click.group()
def employee() -> None:
    """The roster: who works here, and who they are in Asana."""


@employee.command("import")
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def import_(session: Session, name: str, file: Path) -> None:
    """Add and change employees from a CSV: employee_id,full_name,email,asana_user_gid. Nobody is removed."""
    from perfcopilot_goals.core.roster import read_roster
    from perfcopilot_goals.storage.connections import read_connection
    from perfcopilot_goals.storage.employees import import_employees

    try:
        roster = read_roster(file.read_text("utf-8"))
    except UnicodeDecodeError as error:
        raise GoalsConfigError(
            f"{file.name} is not UTF-8 (byte {error.start}); save it as CSV UTF-8. Nothing was imported"
        ) from None
    with session.database.connect("importing the roster") as database:
        read_connection(database, name)
        done = import_employees(database, name, roster)
    click.echo(f"{name}: {done.added} added, {done.changed} changed, {done.unchanged} as they were.")
    if done.erased:
        click.echo(f"{done.erased} were left out: they were erased from {name}.")
    unmapped = sum(person.asana_user_gid is None for person in roster)
    if unmapped:
        click.echo(f"{unmapped} of them are not mapped to an Asana user: perfcopilot-goals employee unmapped {name}")


@employee.command("list")
@click.argument("name")
@as_json
@click.pass_obj
def list_(session: Session, name: str, as_json: bool) -> None:
    """List the roster of a connection."""
    _list(session, name, as_json, unmapped_only=False)


@employee.command("unmapped")
@click.argument("name")
@as_json
@click.pass_obj
def unmapped(session: Session, name: str, as_json: bool) -> None:
    """List the employees of whom it is not known who they are in Asana."""
    _list(session, name, as_json, unmapped_only=True)


@employee.command("map")
@click.argument("name")
@click.argument("employee_id", metavar="EMPLOYEE")
@click.argument("gid")
@click.pass_obj
def map_(session: Session, name: str, employee_id: str, gid: str) -> None:
    """Say which Asana user an employee is."""
    from perfcopilot_goals.core.roster import check_gid

    _map(session, name, employee_id, check_gid(gid, "the Asana user's GID"))
    click.echo(f"{employee_id} is Asana user {gid}. The next sync brings the goals: perfcopilot-goals sync {name}")


@employee.command("unmap")
@click.argument("name")
@click.argument("employee_id", metavar="EMPLOYEE")
@click.pass_obj
def unmap(session: Session, name: str, employee_id: str) -> None:
    """Take back which Asana user an employee is."""
    _map(session, name, employee_id, None)
    click.echo(f"{employee_id} is not mapped any more. The next sync drops the block: perfcopilot-goals sync {name}")


def _map(session: Session, name: str, employee_id: str, gid: str | None) -> None:
    from perfcopilot_goals.storage.connections import read_connection
    from perfcopilot_goals.storage.employees import map_employee

    with session.database.connect("changing the roster") as database:
        read_connection(database, name)
        map_employee(database, name, employee_id, gid)


def _list(session: Session, name: str, as_json: bool, *, unmapped_only: bool) -> None:
    from perfcopilot_goals.storage.connections import read_connection
    from perfcopilot_goals.storage.employees import read_employees

    with session.database.connect("reading the roster") as database:
        read_connection(database, name)
        people = read_employees(database, name)
    rows = [asdict(person) for person in people if not unmapped_only or person.asana_user_gid is None]
    if as_json:
        print_json(rows)
    elif unmapped_only:
        print_table(rows, COLUMNS[:3], f"Every employee of {name} is mapped.")
    else:
        print_table(rows, COLUMNS, f"{name} has no employees yet: perfcopilot-goals employee import {name} FILE.csv")

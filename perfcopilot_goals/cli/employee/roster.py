"""`employee …`: the roster of a connection."""

from dataclasses import asdict

import click

from perfcopilot_goals.cli.erasing import erase
from perfcopilot_goals.cli.roster_import import import_
from perfcopilot_goals.cli.session import Session, as_json, print_json, print_table
from perfcopilot_goals.cli.suggesting import suggest
from perfcopilot_goals.cli.terminal import echo
from perfcopilot_goals.cli.unmapped import unmapped

COLUMNS = ("employee_id", "full_name", "email", "asana_user_gid")


@click.group()
def employee() -> None:
    """The roster: who works here, and who they are in Asana."""


for command in (import_, unmapped, suggest, erase):
    employee.add_command(command)


@employee.command("list")
@click.argument("name")
@as_json
@click.pass_obj
def list_(session: Session, name: str, as_json: bool) -> None:
    """List the roster of a connection."""
    from perfcopilot_goals.storage.connections import read_connection
    from perfcopilot_goals.storage.employees import read_employees

    with session.database.connect("reading the roster") as database:
        read_connection(database, name)
        rows = [asdict(person) for person in read_employees(database, name)]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, COLUMNS, f"{name} has no employees yet: perfcopilot-goals employee import {name} FILE.csv")


@employee.command("map")
@click.argument("name")
@click.argument("employee_id", metavar="EMPLOYEE")
@click.argument("gid")
@click.pass_obj
def map_(session: Session, name: str, employee_id: str, gid: str) -> None:
    """Say which Asana user an employee is."""
    from perfcopilot_goals.core.roster import check_gid

    _map(session, name, employee_id, check_gid(gid, "the Asana user's GID"))
    echo(f"{employee_id} is Asana user {gid}. The next sync brings the goals: perfcopilot-goals sync {name}")


@employee.command("unmap")
@click.argument("name")
@click.argument("employee_id", metavar="EMPLOYEE")
@click.pass_obj
def unmap(session: Session, name: str, employee_id: str) -> None:
    """Take back which Asana user an employee is."""
    _map(session, name, employee_id, None)
    echo(f"{employee_id} is not mapped any more. The next sync drops the block: perfcopilot-goals sync {name}")


def _map(session: Session, name: str, employee_id: str, gid: str | None) -> None:
    from perfcopilot_goals.storage.connections import read_connection
    from perfcopilot_goals.storage.employees import map_employee

    with session.database.connect("changing the roster") as database:
        read_connection(database, name)
        map_employee(database, name, employee_id, gid)

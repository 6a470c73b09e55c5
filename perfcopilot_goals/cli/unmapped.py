"""`employee unmapped`: who has no Asana user yet, and its mirror, whose goals wait for an employee."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from perfcopilot_goals.cli.session import Session, as_json, print_json, print_table
from perfcopilot_goals.cli.terminal import echo

if TYPE_CHECKING:
    from perfcopilot_goals.storage.unmapped import Waiting

COLUMNS = ("employee_id", "full_name", "email", "unchanged since")
OWNER_COLUMNS = ("asana_user_gid", "goals")
OWNERS_SHOWN = 10


@click.command("unmapped")
@click.argument("name")
@click.option("--owners", is_flag=True, help="Every Asana user with goals who is no employee, also with --json.")
@as_json
@click.pass_obj
def unmapped(session: Session, name: str, owners: bool, as_json: bool) -> None:
    """List the employees of whom it is not known who they are in Asana, and the goals that wait for an employee.

    An employee's entry is as it is since the moment shown; they are unmapped at least that long.
    """
    from perfcopilot_goals.storage.connections import read_connection
    from perfcopilot_goals.storage.unmapped import read_unmapped, read_waiting

    with session.database.connect("reading the roster") as database:
        read_connection(database, name)
        people = [asdict(person) for person in read_unmapped(database, name)]
        waiting = read_waiting(database, name)
    if as_json:
        print_json({"employees": people, **asdict(waiting)} if owners else people)
        return
    rows = [person | {"unchanged since": f"{person['unchanged_since']:%Y-%m-%d}"} for person in people]
    print_table(rows, COLUMNS, f"Every employee of {name} is mapped.")
    if people:
        echo(f"Who they may be in Asana: perfcopilot-goals employee suggest {name}")
    echo("")
    _tell_waiting(name, waiting, every=owners)


def _tell_waiting(name: str, waiting: "Waiting", *, every: bool) -> None:
    if waiting.listed_at is None:
        echo(f"Whose goals wait is known after the first sync: perfcopilot-goals sync {name}")
        return
    shown = waiting.owners if every else waiting.owners[:OWNERS_SHOWN]
    print_table([asdict(owner) for owner in shown], OWNER_COLUMNS, "Every owner of a goal is an employee.")
    if len(shown) < len(waiting.owners):
        echo(f"… and {len(waiting.owners) - len(shown)} more: --owners")
    echo(
        f"{sum(owner.goals for owner in waiting.owners)} goals of {len(waiting.owners)} Asana users who are nobody's "
        f"employee, {waiting.goals_without_owner} goals without an owner, as of {waiting.listed_at:%Y-%m-%d %H:%M} UTC"
    )

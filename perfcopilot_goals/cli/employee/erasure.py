"""`employee erase`: one person removed from everything that is kept, for good."""

import sys
from typing import TYPE_CHECKING

import click

from perfcopilot_goals.cli.session import Session, as_json, print_json
from perfcopilot_goals.cli.terminal import echo, printable

if TYPE_CHECKING:
    from perfcopilot_goals.storage.erasure import Erasure

FOUND = 1


@click.command("erase")
@click.argument("name")
@click.argument("employee_id", metavar="EMPLOYEE")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--verify",
    "canaries",
    metavar="TEXT",
    multiple=True,
    help="Afterwards search database and local files for these texts (a name, an e-mail address, a goal's title); "
    "exit code 1 where one is found.",
)
@click.argument("more_canaries", nargs=-1, metavar="[TEXT]...")
@as_json
@click.pass_obj
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

    A goal of theirs that is a key result of somebody else's goal stays in that review, without its owner.
    """
    from perfcopilot_goals.services.erasure import erase_person
    from perfcopilot_goals.storage.connections import read_connection
    from perfcopilot_goals.storage.erasure_scan import find_traces
    from perfcopilot_goals.storage.users_check import read_mapping_conflicts

    if more_canaries and not canaries:
        raise click.UsageError("one employee at a time; texts to search for come after --verify")
    canaries += more_canaries
    with session.database.connect("reading the connection") as database:
        read_connection(database, name)
        is_doubtful = employee_id in read_mapping_conflicts(database, name)
    if is_doubtful:
        echo(
            f"{employee_id} may be mapped to somebody else's Asana user, whose goals are then erased and kept out for "
            f"good. Look first: perfcopilot-goals employee suggest {name}",
            err=True,
        )
    if not yes:
        click.confirm(f"Erase {printable(employee_id)} from {name}? This cannot be undone", abort=True, err=True)
    done = erase_person(session.database, session.settings, name, employee_id)
    traces = find_traces(session.database, session.settings, canaries) if canaries else {}
    if as_json:
        print_json({"connection": name, "removed": done.removed, "found": traces})
    else:
        for place, count in done.removed.items():
            echo(f"  {place}: {count}")
        echo(f"Erased {employee_id} from {name}.")
    for line in (*_remarks(name, done.erasure), *_told(traces)):
        echo(line, err=True)
    if canaries and not traces:
        echo(f"None of the {len(canaries)} texts was found.", err=True)
    sys.exit(FOUND if traces else 0)


def _remarks(name: str, done: "Erasure") -> list[str]:
    remarks = []
    if done.is_unmapped:
        remarks.append(
            "They were not mapped to an Asana user, so goals of theirs, if there are any, could not be told from "
            "others' and may stand in raw_workspace_goals; a later sync would bring those again."
        )
    if done.is_email_shared:
        remarks.append("Somebody else has the same e-mail address, so it does not bar anybody from the roster.")
    if done.running_syncs:
        remarks.append(
            f"A sync of {name} was under way. It cannot write any more and fails; run another one: "
            f"perfcopilot-goals sync {name}"
        )
    return remarks


def _told(traces: dict[str, list[str]]) -> list[str]:
    return [f"Still found, text {canary!r}: {', '.join(places)}" for canary, places in traces.items()]

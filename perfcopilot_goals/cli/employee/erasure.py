"""`employee erase`: removes one person from everything that is kept, for good."""

import sys

import click

from perfcopilot_goals import services
from perfcopilot_goals.cli.session import Session, as_json, pass_session, print_json
from perfcopilot_goals.cli.terminal import echo, printable

FOUND = 1


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


def _remarks(name: str, person: "services.erasure.ErasedPerson") -> list[str]:
    remarks, done = [], person.erasure
    if person.not_cleaned:
        remarks.append(
            f"{person.not_cleaned} They are erased all the same, but Postgres may still keep their deleted rows, and "
            "values of them in its statistics. Next: run VACUUM (ANALYZE) in Postgres, then this command again."
        )
    if done.is_unmapped:
        remarks.append(
            "They were not mapped to an Asana user, so their goals, if any, could not be told from others'. Those may "
            "still be in raw_workspace_goals, and a later sync would bring them again."
        )
    if done.is_email_shared:
        remarks.append("Somebody else has the same e-mail address, so it does not keep anybody off the roster.")
    if done.running_syncs:
        remarks.append(
            f"A sync of {name} was under way. It cannot write any more, and fails. "
            f"Run another one: perfcopilot-goals sync {name}"
        )
    return remarks

"""`employee unmapped`, `suggest`, `map` and `unmap`: who the employees are in Asana."""

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from perfcopilot_goals import services
from perfcopilot_goals.cli.session import Session, as_json, pass_session, print_json, print_table
from perfcopilot_goals.cli.terminal import echo, show_line
from perfcopilot_goals.core.suggestions import COLLISION, EXACT, HINT, KINDS, NOTHING

if TYPE_CHECKING:
    from perfcopilot_goals.core.mapping_conflicts import MappingConflict

PERSON_COLUMNS = ("employee_id", "full_name", "email", "asana_user_gid")
UNMAPPED_COLUMNS = ("employee_id", "full_name", "email", "unchanged since")
OWNER_COLUMNS = ("asana_user_gid", "goals")
SUGGESTION_COLUMNS = ("employee_id", "full_name", "suggestion", "asana name", "how sure", "why")
OWNERS_SHOWN = 10


@click.command("unmapped", short_help="List employees without an Asana user.")
@click.argument("name")
@click.option("--owners", is_flag=True, help="Show every Asana user with goals who is no employee, also with --json.")
@as_json
@pass_session
def unmapped(session: Session, name: str, owners: bool, as_json: bool) -> None:
    """List employees without an Asana user, and the goals that wait for an employee.

    The date is when the row last changed: they are unmapped at least since then.
    """
    people = [
        {**{column: getattr(row, column) for column in PERSON_COLUMNS}, "unchanged_since": row.updated_at}
        for row in services.roster.list_unmapped(session.database, name)
    ]
    waiting = services.roster.list_waiting(session.database, name)
    if as_json:
        print_json({"employees": people, **asdict(waiting)} if owners else people)
        return
    rows = [person | {"unchanged since": f"{person['unchanged_since']:%Y-%m-%d}"} for person in people]
    print_table(rows, UNMAPPED_COLUMNS, f"Every employee of {name} is mapped.")
    if people:
        echo(f"Who they may be in Asana: perfcopilot-goals employee suggest {name}")
    echo("")
    _show_waiting(name, waiting, every=owners)


@click.command("suggest", short_help="Suggest Asana users for unmapped employees.")
@click.argument("name")
@click.option("--apply", is_flag=True, help="Map the exact matches: same e-mail, unique on both sides.")
@as_json
@pass_session
def suggest(session: Session, name: str, apply: bool, as_json: bool) -> None:
    """Ask Asana for its users, and suggest one for each unmapped employee.

    Also lists mapped employees whose e-mails say that they may be somebody else. Waits while a sync uses the same
    token. You decide on hints and collisions: employee map.
    """
    done = services.mapping.suggest_mapping(session.database, session.settings, name, apply=apply, on_wait=show_line)
    suggestions, applied, seen = done.suggestions, done.applied, done.seen
    found = Counter(suggestion.kind for suggestion in suggestions)
    counts = {kind: found[kind] for kind in KINDS}
    if as_json:
        figures = {"users": seen.users, "hidden_emails": seen.hidden_emails, "applied": applied, "counts": counts}
        rows = {"suggestions": list(map(asdict, suggestions)), "conflicts": list(map(asdict, seen.conflicts))}
        print_json({"connection": name, **figures, "gone": seen.gone, **rows})
        return
    print_table([_row(asdict(s)) for s in suggestions], SUGGESTION_COLUMNS, f"Every employee of {name} is mapped.")
    if suggestions:
        sure = f"{applied} applied" if apply else f"{counts[EXACT]} exact, which --apply maps"
        echo(
            f"{name}: {sure}; {counts[HINT]} hints, {counts[COLLISION]} collisions, {counts[NOTHING]} not found "
            f"among {seen.users} Asana users. Decide on the others: perfcopilot-goals employee map {name} EMPLOYEE GID"
        )
    if hidden := seen.hidden_emails:
        echo(f"Asana does not show this token the e-mails of {hidden} users; they can only be hints.")
    if seen.gone:
        echo(f"Mapped to users who are not in the workspace any more: {', '.join(seen.gone)}")
    if seen.conflicts:
        _show_conflicts(name, seen.conflicts)
    if applied:
        echo(f"The next sync brings their goals: perfcopilot-goals sync {name}")


@click.command("map")
@click.argument("name")
@click.argument("employee_id", metavar="EMPLOYEE")
@click.argument("gid")
@pass_session
def map_(session: Session, name: str, employee_id: str, gid: str) -> None:
    """Link an employee to their Asana user."""
    gid = gid.strip()
    before = services.mapping.set_mapping(session.database, name, employee_id, gid)
    if before not in (None, gid):
        echo(f"{employee_id} was Asana user {before}. The block with that user's goals is gone.")
    echo(f"{employee_id} is Asana user {gid}. The next sync brings the goals: perfcopilot-goals sync {name}")


@click.command("unmap")
@click.argument("name")
@click.argument("employee_id", metavar="EMPLOYEE")
@pass_session
def unmap(session: Session, name: str, employee_id: str) -> None:
    """Unlink an employee from their Asana user."""
    if services.mapping.set_mapping(session.database, name, employee_id, None) is None:
        echo(f"{employee_id} was not mapped to an Asana user. Nothing was changed.")
        return
    echo(
        f"{employee_id} is not mapped any more, so the block is gone. The next sync drops the goals: "
        f"perfcopilot-goals sync {name}"
    )


def _show_waiting(name: str, waiting: "services.roster.Waiting", *, every: bool) -> None:
    if waiting.listed_at is None:
        echo(f"Which goals wait for an employee is known after the first sync: perfcopilot-goals sync {name}")
        return
    shown = waiting.owners if every else waiting.owners[:OWNERS_SHOWN]
    print_table([asdict(owner) for owner in shown], OWNER_COLUMNS, "Every owner of a goal is an employee.")
    if len(shown) < len(waiting.owners):
        echo(f"… and {len(waiting.owners) - len(shown)} more: --owners")
    echo(
        f"{sum(owner.goals for owner in waiting.owners)} goals of {len(waiting.owners)} Asana users who are no "
        f"employees, {waiting.goals_without_owner} goals without an owner, as of {waiting.listed_at:%Y-%m-%d %H:%M} UTC"
    )


def _show_conflicts(name: str, conflicts: list["MappingConflict"]) -> None:
    echo("Employees who may be mapped to somebody else's Asana user, and then have that person's goals:")
    for conflict in conflicts:
        signs = []
        if conflict.other_employee_ids:
            signs.append(f"that user has the e-mail of {', '.join(conflict.other_employee_ids)}")
        if conflict.other_gids:
            signs.append(f"{conflict.employee_id} has the e-mail of user {', '.join(conflict.other_gids)}")
        echo(f"  {conflict.employee_id} is mapped to {conflict.gid}: {', and '.join(signs)}")
    echo(
        f"If a mapping is wrong: perfcopilot-goals employee unmap {name} EMPLOYEE, then employee map, or import a "
        "corrected file. If an e-mail is wrong, correct it in the roster."
    )


def _row(suggestion: dict[str, Any]) -> dict[str, Any]:
    score = "" if suggestion["score"] is None else f" {suggestion['score']:.2f}"
    return suggestion | {
        "suggestion": suggestion["gid"],
        "asana name": suggestion["asana_name"],
        "how sure": f"{suggestion['kind']}{score}",
    }

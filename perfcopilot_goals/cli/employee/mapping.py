"""`employee suggest`: who the unmapped employees may be in Asana, and the sure ones mapped if told so."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from perfcopilot_goals.cli.progress import tell_line
from perfcopilot_goals.cli.session import Session, as_json, print_json, print_table
from perfcopilot_goals.cli.terminal import echo

if TYPE_CHECKING:
    from perfcopilot_goals.core.mapping_conflicts import MappingConflict

COLUMNS = ("employee_id", "full_name", "suggestion", "asana name", "how sure", "why")


@click.command("suggest")
@click.argument("name")
@click.option("--apply", is_flag=True, help="Map the exact ones: same e-mail, unique on both sides.")
@as_json
@click.pass_obj
def suggest(session: Session, name: str, apply: bool, as_json: bool) -> None:
    """Ask Asana who its users are, and say which of them the unmapped employees may be.

    Also names mapped employees who may be somebody else by their e-mails. Waits while a sync uses the same token. Hints
    and collisions are for you to decide: employee map.
    """
    from perfcopilot_goals.core.suggestions import COLLISION, EXACT, HINT, KINDS, NOTHING
    from perfcopilot_goals.services.mapping import suggest_mapping

    done = suggest_mapping(session.database, session.settings, name, apply=apply, on_wait=tell_line)
    suggestions, applied, seen = done.suggestions, done.applied, done.seen
    counts = {kind: sum(s.kind == kind for s in suggestions) for kind in KINDS}
    if as_json:
        rows = {
            "suggestions": [asdict(suggestion) for suggestion in suggestions],
            "conflicts": [asdict(conflict) for conflict in seen.conflicts],
        }
        figures = {"users": seen.users, "applied": applied, "counts": counts, "gone": seen.gone}
        print_json({"connection": name, **figures, **rows})
        return
    print_table([_row(asdict(s)) for s in suggestions], COLUMNS, f"Every employee of {name} is mapped.")
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
        _tell_conflicts(name, seen.conflicts)
    if applied:
        echo(f"The next sync brings their goals: perfcopilot-goals sync {name}")


def _tell_conflicts(name: str, conflicts: list["MappingConflict"]) -> None:
    echo("Employees who may be mapped to somebody else's Asana user, and then have that person's goals:")
    for conflict in conflicts:
        signs = []
        if conflict.other_employee_ids:
            signs.append(f"that user has the e-mail of {', '.join(conflict.other_employee_ids)}")
        if conflict.other_gids:
            signs.append(f"{conflict.employee_id} has the e-mail of user {', '.join(conflict.other_gids)}")
        echo(f"  {conflict.employee_id} is mapped to {conflict.gid}: {', and '.join(signs)}")
    echo(
        f"Where a mapping is wrong: perfcopilot-goals employee unmap {name} EMPLOYEE, then employee map, or import a "
        "corrected file. Where an e-mail is wrong, correct it in the roster."
    )


def _row(suggestion: dict[str, Any]) -> dict[str, Any]:
    score = "" if suggestion["score"] is None else f" {suggestion['score']:.2f}"
    return suggestion | {
        "suggestion": suggestion["gid"],
        "asana name": suggestion["asana_name"],
        "how sure": f"{suggestion['kind']}{score}",
    }

"""`employee suggest`: who the unmapped employees may be in Asana, and the sure ones mapped if told so."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from perfcopilot_goals.cli.progress import tell_line
from perfcopilot_goals.cli.session import Session, as_json, print_json, print_table
from perfcopilot_goals.cli.terminal import echo

if TYPE_CHECKING:
    from perfcopilot_goals.core.suggestions import AsanaUser
    from perfcopilot_goals.domain.connection import Connection

COLUMNS = ("employee_id", "full_name", "suggestion", "asana name", "how sure", "why")


@click.command("suggest")
@click.argument("name")
@click.option("--apply", is_flag=True, help="Map the exact ones: same e-mail, unique on both sides.")
@as_json
@click.pass_obj
def suggest(session: Session, name: str, apply: bool, as_json: bool) -> None:
    """Ask Asana who its users are, and say which of them the unmapped employees may be.

    Waits while a sync uses the same token. Hints and collisions are for you to decide: employee map.
    """
    from perfcopilot_goals.core.suggestions import COLLISION, EXACT, HINT, KINDS, NOTHING, suggest_users
    from perfcopilot_goals.storage.connections import read_connection
    from perfcopilot_goals.storage.employees import map_unmapped, note_users, read_employees
    from perfcopilot_goals.storage.erased import read_erased
    from perfcopilot_goals.storage.locks import lock_roster

    with session.database.connect("reading the connection") as database:
        connection = read_connection(database, name)
    users = _fetch_users(session, connection)
    with session.database.connect("matching the roster") as database:
        lock_roster(database, name)
        erased = read_erased(database, name)
        users = [user for user in users if not erased.has_user(user.gid)]
        suggestions = suggest_users(read_employees(database, name), users)
        exact = {s.employee_id: s.gid for s in suggestions if s.kind == EXACT and s.gid}
        applied = map_unmapped(database, name, exact) if apply else 0
        gone = note_users(database, name, [user.gid for user in users])
    counts = {kind: sum(s.kind == kind for s in suggestions) for kind in KINDS}
    if as_json:
        rows = [asdict(suggestion) for suggestion in suggestions]
        figures = {"users": len(users), "applied": applied, "counts": counts, "gone": gone}
        print_json({"connection": name, **figures, "suggestions": rows})
        return
    print_table([_row(asdict(s)) for s in suggestions], COLUMNS, f"Every employee of {name} is mapped.")
    if suggestions:
        sure = f"{applied} applied" if apply else f"{counts[EXACT]} exact, which --apply maps"
        echo(
            f"{name}: {sure}; {counts[HINT]} hints, {counts[COLLISION]} collisions, {counts[NOTHING]} not found "
            f"among {len(users)} Asana users. Decide on the others: perfcopilot-goals employee map {name} EMPLOYEE GID"
        )
    if hidden := sum(user.email is None for user in users):
        echo(f"Asana does not show this token the e-mails of {hidden} users; they can only be hints.")
    if gone:
        echo(f"Mapped to users who are not in the workspace any more: {', '.join(gone)}")
    if applied:
        echo(f"The next sync brings their goals: perfcopilot-goals sync {name}")


def _fetch_users(session: Session, connection: "Connection") -> "list[AsanaUser]":
    """The workspace's users, asked at the token's pace once no sync uses it. No request if a setting is missing."""
    from perfcopilot_goals.asana.users import fetch_users
    from perfcopilot_goals.core.suggestions import parse_users
    from perfcopilot_goals.services.sync_access import open_client, require_workspace

    workspace_gid = require_workspace(connection)
    with open_client(session.database, connection, session.settings, on_wait=tell_line) as client:
        return parse_users(fetch_users(client, workspace_gid))


def _row(suggestion: dict[str, Any]) -> dict[str, Any]:
    score = "" if suggestion["score"] is None else f" {suggestion['score']:.2f}"
    return suggestion | {
        "suggestion": suggestion["gid"],
        "asana name": suggestion["asana_name"],
        "how sure": f"{suggestion['kind']}{score}",
    }

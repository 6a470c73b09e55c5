"""`prompt`: an employee's block, as it is, as it was at an earlier moment, or all of its versions."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from perfcopilot_goals import services
from perfcopilot_goals.cli.session import Session, as_json, pass_session, print_json, print_table
from perfcopilot_goals.cli.terminal import echo

if TYPE_CHECKING:
    from perfcopilot_goals.core.history import HistoryEntry

VERSION_COLUMNS = ("visible from", "visible to", "goals", "key results", "reason", "statuses", "changed")
# How many ids of each kind a line of the history shows; `--json` has all of them.
IDS_SHOWN = 5


@click.command("prompt")
@click.argument("name")
@click.argument("employee_id", metavar="EMPLOYEE")
@click.option(
    "--as-of",
    metavar="WHEN",
    help="Print the block that readers got then. WHEN is a date, which means its end in UTC, or an instant with its "
    "zone: 2026-03-12T17:00Z.",
)
@click.option("--history", is_flag=True, help="List the versions of the block, and what changed from one to the next.")
@as_json
@pass_session
def prompt(session: Session, name: str, employee_id: str, as_of: str | None, history: bool, as_json: bool) -> None:
    """Print an employee's stored [GOALS] block. If the block may be out of date, stderr says why."""
    if as_of is not None and history:
        raise click.UsageError("say --as-of or --history")
    if as_of is not None:
        _show_past(session, name, employee_id, as_of, as_json)
    elif history:
        _show_history(session, name, employee_id, as_json)
    else:
        _show_present(session, name, employee_id, as_json)


def _show_present(session: Session, name: str, employee_id: str, as_json: bool) -> None:
    stored, failed_with = services.prompts.find_prompt(session.database, name, employee_id)
    if as_json:
        print_json({**asdict(stored), "failed_with": failed_with})
    else:
        echo(*stored.block.split("\n"))
    if failed_with:
        echo(f"The last sync of {name} failed ({failed_with}); this block is of an earlier one.", err=True)
    if stored.roster_changed:
        echo(
            f"The roster's entry of {employee_id} changed after this block was made. "
            f"Next: perfcopilot-goals sync {name}",
            err=True,
        )


def _show_past(session: Session, name: str, employee_id: str, when: str, as_json: bool) -> None:
    found = services.prompts.find_past_block(session.database, name, employee_id, when)
    if as_json:
        print_json({"as_of": found.as_of, "is_so_far": found.is_so_far, **asdict(found.version)})
    else:
        echo(*found.version.block.split("\n"))
    if found.is_so_far:
        echo("That day is not over; this is the present block.", err=True)


def _show_history(session: Session, name: str, employee_id: str, as_json: bool) -> None:
    entries = services.prompts.list_versions(session.database, name, employee_id)
    if as_json:
        print_json([asdict(entry.version) | _entry_json(entry) for entry in entries])
    else:
        print_table([_version_row(entry) for entry in entries], VERSION_COLUMNS, "")


def _entry_json(entry: "HistoryEntry") -> dict[str, Any]:
    changes = entry.changes and asdict(entry.changes)
    return {"statuses": entry.statuses, "changes": changes, "is_after_gap": entry.is_after_gap}


def _version_row(entry: "HistoryEntry") -> dict[str, Any]:
    version = entry.version
    is_cut = version.goals_owned != version.goals_listed
    return {
        "visible from": f"{version.visible_from:%Y-%m-%d %H:%M:%S} UTC",
        "visible to": f"{version.visible_to:%Y-%m-%d %H:%M:%S} UTC" if version.visible_to else None,
        "goals": f"{version.goals_listed} of {version.goals_owned}" if is_cut else version.goals_listed,
        "key results": version.key_results_listed,
        "reason": version.reason,
        "statuses": ", ".join(f"{count} {status}" for status, count in entry.statuses.items()) or None,
        "changed": "; ".join(_changes(entry)) or None,
    }


def _changes(entry: "HistoryEntry") -> Iterator[str]:
    """What changed, in words, with a few ids of each kind."""
    if entry.is_after_gap:
        yield "no block before"
    if entry.changes is None:
        return
    for name, (before, after) in entry.changes.counts.items():
        yield f"{name} {before} to {after}"
    statuses = [f"{s.key_result_gid or s.goal_gid} {s.before} to {s.after}" for s in entry.changes.statuses]
    for what, ids in (("added", entry.changes.added), ("removed", entry.changes.removed), ("status", statuses)):
        if ids:
            more = f" and {len(ids) - IDS_SHOWN} more" if len(ids) > IDS_SHOWN else ""
            yield f"{what} {', '.join(ids[:IDS_SHOWN])}{more}"
    if entry.changes.is_of_text_only and not entry.is_after_gap:
        yield "names or their order"

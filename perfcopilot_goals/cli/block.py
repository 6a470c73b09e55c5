"""An employee's block: `prompt` prints it, `receipt` what its sync brought, `verify` whether it is what was stored."""

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from perfcopilot_goals import services
from perfcopilot_goals.cli.session import Session, as_json, pass_session, print_json, print_table
from perfcopilot_goals.cli.terminal import echo, show_line
from perfcopilot_goals.domain.actions import what_to_do
from perfcopilot_goals.domain.ids import goal_permalink, show_ids
from perfcopilot_goals.domain.limits import LARGEST_FILE, STALE_AFTER
from perfcopilot_goals.domain.sync import Sync

if TYPE_CHECKING:
    from perfcopilot_goals.core.history import HistoryEntry

VERSION_COLUMNS = ("visible from", "visible to", "goals", "key results", "reason", "statuses", "changed")
# How many ids of each kind a line of the history shows; `--json` has all of them.
IDS_SHOWN = 5
# The exit code if a block is not as stored.
DOES_NOT_VERIFY = 8

_SHOWN_OF_VERSION = ("sha256", "visible_from", "visible_to", "first_synced_at", "last_synced_at", "run_id")
# Why a present block may be old or incomplete.
_DOUBTS = ("age_seconds", "workspace_changed", "roster_changed", "incomplete_goals")
_REASONS = {
    "as_stored": "is as stored",
    "rows_differ": "is not what the stored rows give",
    "version_differs": "is not what the history has, or is not what the history's digest is of",
    "in_no_version": "is no version that was stored",
}


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
    """Print an employee's stored [GOALS] block. If it may be out of date or incomplete, stderr says why."""
    if as_of is not None and history:
        raise click.UsageError("say --as-of or --history")
    if as_of is not None:
        _show_past(session, name, employee_id, as_of, as_json)
    elif history:
        _show_history(session, name, employee_id, as_json)
    else:
        _show_present(session, name, employee_id, as_json)


@click.command("receipt")
@click.argument("name")
@click.option("--run", "run_id", metavar="R", help="The run's id; without it, the sync that wrote the present blocks.")
@as_json
@pass_session
def receipt(session: Session, name: str, run_id: str | None, as_json: bool) -> None:
    """Print the receipt of a sync: what Asana listed, what became of each goal, what was left out and why."""
    content, unfinished = services.status.find_receipt(session.database, name, run_id)
    if as_json:
        print_json({**content, **_unfinished_json(unfinished)})
    else:
        rows = services.status.receipt_rows(content, digests=True)
        width = max(len(label) for label, _ in rows)
        echo(*(f"{label:<{width}}  {text}" for label, text in rows))
    if unfinished:
        echo(f"{_describe(unfinished)}; this receipt is of an earlier one.", err=True)


@click.command("verify")
@click.argument("name")
@click.argument("employee_id", metavar="EMPLOYEE")
@click.option("--as-of", metavar="WHEN", help="Verify the block that readers got then: a date or an instant.")
@click.option("--block", "file", type=click.File("rb"), metavar="FILE", help="A file with a block in it; - is stdin.")
@click.option("--live", is_flag=True, help="Ask Asana what has changed of the cited goals, one request each.")
@as_json
@pass_session
def verify(
    session: Session, name: str, employee_id: str, as_of: str | None, file: BinaryIO | None, live: bool, as_json: bool
) -> None:
    """Check that a block is what was stored: exit code 0 if it is, 8 if not.

    Without options the stored block is built again from its rows. A block in a file is looked for in the history, and
    if it is not there, each of its lines is.
    """
    if as_of is not None and file is not None:
        raise click.UsageError("say --as-of or --block")
    if file is not None:
        found = services.verify.verify_file(session.database, name, employee_id, file.read(LARGEST_FILE + 1))
    elif as_of is not None:
        found = services.verify.verify_past(session.database, name, employee_id, as_of)
    else:
        found = services.verify.verify_present(session.database, name, employee_id)
    if live:
        found = services.verify.check_live(session.database, session.settings, found, on_wait=show_line)
    if as_json:
        print_json(_verification_json(found))
    else:
        echo(*_verification_text(found))
    if not found.verifies:
        sys.exit(DOES_NOT_VERIFY)


def _show_present(session: Session, name: str, employee_id: str, as_json: bool) -> None:
    stored, unfinished = services.prompts.find_prompt(session.database, name, employee_id)
    if as_json:
        print_json({**asdict(stored), **_unfinished_json(unfinished)})
    else:
        echo(*stored.block.split("\n"))
    for line in _doubts(stored, unfinished):
        echo(line, err=True)


def _unfinished_json(unfinished: Sync | None) -> dict[str, Any]:
    return {
        "failed_with": unfinished.error_code if unfinished else None,
        "running_since": unfinished.started_at if unfinished and unfinished.state == "running" else None,
    }


def _describe(unfinished: Sync) -> str:
    """How the latest sync ended, or that it has not; without a full stop."""
    if unfinished.state == "failed":
        return f"The last sync of {unfinished.connection} failed ({unfinished.error_code})"
    return f"A sync of {unfinished.connection} began at {unfinished.started_at:%Y-%m-%d %H:%M} UTC and has not ended"


def _doubts(stored: "services.prompts.StoredBlock", unfinished: Sync | None) -> Iterator[str]:
    """Why the block may be out of date or incomplete."""
    name = stored.connection
    # Said once. After a sync that failed, it is what its error says.
    sync = "" if unfinished else f" Next: perfcopilot-goals sync {name}"
    if unfinished:
        yield f"{_describe(unfinished)}; this block is of an earlier one. {what_to_do(unfinished)}"
    if stored.age_seconds > STALE_AFTER.total_seconds():
        hours = stored.age_seconds / 3600
        age = f"{hours:.0f} hours" if hours < 72 else f"{hours / 24:.0f} days"
        yield f"This block is of {stored.synced_at:%Y-%m-%d %H:%M} UTC, {age} ago.{sync}"
    if stored.workspace_changed:
        yield (
            f"The workspace of {name} was changed after this block was made; these goals are the former "
            f"workspace's.{sync}"
        )
    if stored.roster_changed:
        yield f"The roster's entry of {stored.employee_id} changed after this block was made.{sync}"
    if goals := stored.incomplete_goals:
        of = f"{len(goals)} goal{'s' if len(goals) > 1 else ''} ({show_ids(goals)})"
        yield (
            f"Key results may be missing: Asana did not show all those of {of}. "
            "The token's user may lack access to them."
        )


def _show_past(session: Session, name: str, employee_id: str, when: str, as_json: bool) -> None:
    found = services.prompts.find_past_block(session.database, name, employee_id, when)
    stored, unfinished = found.present or (None, None)
    if as_json:
        doubts: dict[str, Any] = {}
        if stored:
            doubts = {field: getattr(stored, field) for field in _DOUBTS} | _unfinished_json(unfinished)
        print_json({"as_of": found.as_of, "is_so_far": found.is_so_far, **doubts, **asdict(found.version)})
    else:
        echo(*found.version.block.split("\n"))
    if stored:
        echo("That day is not over; this is the present block.", *_doubts(stored, unfinished), err=True)


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


def _verification_json(found: "services.verify.Verification") -> dict[str, Any]:
    told = asdict(found) | {"verifies": found.verifies}
    if found.version is not None:
        version = {name: told["version"][name] for name in _SHOWN_OF_VERSION}
        told["version"] = version | {"is_present": found.version.visible_to is None}
    for line in told["lines"]:
        gid = line["key_result_gid"] or line["goal_gid"]
        line["permalink"] = goal_permalink(gid) if gid else None
    for goal in told["live"] or ():
        goal["changes"] = {name: {"was": was, "is": now} for name, (was, now) in goal["changes"].items()}
    return told


def _verification_text(found: "services.verify.Verification") -> Iterator[str]:
    what = "the block in the file" if found.compared == "file" else f"the block of {found.employee_id}"
    yield f"{found.connection}: {what} {_REASONS[found.reason]} (SHA-256 {found.sha256})"
    if found.version is not None:
        until = f"until {found.version.visible_to:%Y-%m-%d %H:%M:%S} UTC" if found.version.visible_to else "until now"
        near = "" if found.verifies else "compared with "
        yield f"{near}version of {found.version.visible_from:%Y-%m-%d %H:%M:%S} UTC {until}, run {found.version.run_id}"
    counts = Counter(line.result for line in found.lines)
    yield ", ".join(f"{result}: {count}" for result, count in counts.items())
    for line in found.lines:
        yield f"{line.line or '-':>5}  {line.result:<14} {line.text}"
        if line.closest is not None:
            yield f"{'':>5}  {'was':<14} {'the same but for blanks' if line.differs == ('blanks',) else line.closest}"
        if gid := line.key_result_gid or line.goal_gid:
            other = f", version of {line.version}" if line.result == "other_version" else ""
            yield f"{'':>5}  {'':<14} goal {gid}{other}, {goal_permalink(gid)}"
    if found.live is not None:
        yield f"Asked Asana about {len(found.live)} cited goals. Goals that are new there are not looked for."
    for goal in found.live or ():
        changes = ", ".join(f"{name} {was!r} is now {now!r}" for name, (was, now) in goal.changes.items())
        yield f"in Asana now: {goal.gid} {goal.result}" + (f": {changes}" if changes else "")

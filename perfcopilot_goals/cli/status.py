"""`status` and `plan`: what is stored, and what the next sync will cost."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from perfcopilot_goals import services
from perfcopilot_goals.cli.session import Session, as_json, pass_session, print_json, print_table
from perfcopilot_goals.cli.terminal import echo

CONNECTION_COLUMNS = (
    *("connection", "last complete", "age", "goals", "key results", "employees"),
    *("unmapped", "truncated", "hidden sub-goals", "unread lists", "failed"),
)
EMPLOYEE_COLUMNS = ("connection", "employee_id", "reason", "goals", "key results", "incomplete", "age")


@click.command("status")
@click.argument("name", required=False)
@click.option("--employees", is_flag=True, help="Show why each employee's block is as it is, and how old.")
@as_json
@pass_session
def status(session: Session, name: str | None, employees: bool, as_json: bool) -> None:
    """Show each connection, or the one named: its last complete sync, what is in it, and what failed last."""
    if employees:
        _show_employees(session, name, as_json)
        return
    statuses = services.status.describe_connections(session.database, name)
    if as_json:
        print_json([asdict(status) for status in statuses])
    else:
        lines = [_connection_row(status) for status in statuses]
        print_table(lines, CONNECTION_COLUMNS, "No connections yet. Add one: perfcopilot-goals connection add NAME")
        echo(*(line for status in statuses for line in _remarks(status)))


@click.command("plan")
@click.argument("name")
@as_json
@pass_session
def plan(session: Session, name: str, as_json: bool) -> None:
    """Show how many requests the next sync will send, and how long that takes at the token's limit."""
    planned = services.status.plan_sync(session.database, name)
    parts = planned.parts
    if as_json:
        figures = {"requests": parts.requests, "seconds": round(planned.seconds, 1)}
        limit = {"requests_per_minute": planned.requests_per_minute}
        print_json({"connection": name, **figures, **limit, **asdict(parts)})
        return
    if parts.is_guess:
        echo(f"{name}: never synced, so it is not known how many goals there are; the first page is one request.")
    echo(
        f"{name}: {parts.requests} requests ({parts.list_pages} pages of goals, {parts.walks} goals walked, "
        f"{parts.further_pages} further pages of sub-goals, {parts.route_probes} to find the sub-goal route, "
        f"{parts.user_pages} pages of users), "
        f"{planned.seconds:.0f} s at {planned.requests_per_minute:,} requests a minute"
    )


def _connection_row(status: "services.status.ConnectionStatus") -> dict[str, Any]:
    row = asdict(status)
    name = status.connection if status.enabled else f"{status.connection} (disabled)"
    complete = f"{status.last_complete:%Y-%m-%d %H:%M} UTC" if status.last_complete else "never"
    failed = f"{status.failed_with} at {status.failed_at:%Y-%m-%d %H:%M}" if status.failed_at else None
    return row | {
        "connection": name,
        "last complete": complete,
        "age": _age(status.age_seconds),
        "key results": status.key_results,
        "hidden sub-goals": status.hidden_subgoals,
        "unread lists": status.unread_lists,
        "failed": failed,
    }


def _remarks(status: "services.status.ConnectionStatus") -> Iterator[str]:
    name, sync = status.connection, f" Next: perfcopilot-goals sync {status.connection}"
    if status.what_to_do:
        sync, how = "", f"failed with {status.failed_with}"
        if status.running_since:
            how = f"began at {status.running_since:%Y-%m-%d %H:%M} UTC and has not ended"
        yield f"{name}: the latest sync {how}. {status.what_to_do}"
    if status.workspace_changed:
        yield f"{name}: the stored goals are the former workspace's; it was changed after the last complete sync.{sync}"


def _show_employees(session: Session, name: str | None, as_json: bool) -> None:
    """Print the employees, one a line, and how many there are of each reason."""
    blocks = services.status.explain_blocks(session.database, name)
    if as_json:
        print_json([asdict(block) for block in blocks])
        return
    empty = f"No employees yet: perfcopilot-goals employee import {name or 'NAME'} FILE.csv"
    print_table([_employee_row(block) for block in blocks], EMPLOYEE_COLUMNS, empty)
    if blocks:
        counts = Counter(block.reason for block in blocks)
        echo(", ".join(f"{reason}: {count}" for reason, count in counts.most_common()))
    if lacking := [block.connection for block in blocks if block.incomplete_goals]:
        echo(
            f"Employees with goals whose key results Asana did not all show: {len(lacking)}. The token's user may "
            "lack access to them."
        )
    if changed := [block.connection for block in blocks if block.roster_changed]:
        echo(
            f"The roster's entries of {len(changed)} changed after their blocks were made. A sync brings them up to "
            f"date: perfcopilot-goals sync {' '.join(dict.fromkeys(changed))}"
        )


def _employee_row(block: "services.status.EmployeeStatus") -> dict[str, Any]:
    is_cut = block.goals is not None and block.goals_owned != block.goals
    return asdict(block) | {
        "goals": f"{block.goals} of {block.goals_owned}" if is_cut else block.goals,
        "key results": block.key_results,
        "incomplete": len(block.incomplete_goals) or None,
        "age": _age(block.age_seconds),
    }


def _age(seconds: float | None) -> str | None:
    return None if seconds is None else str(dt.timedelta(seconds=int(seconds)))

"""`status`, `plan` and `prompt`: what is there."""

import datetime as dt
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from perfcopilot_goals.cli.reasons import show_employees
from perfcopilot_goals.cli.session import Session, as_json, print_json, print_table
from perfcopilot_goals.cli.terminal import echo

if TYPE_CHECKING:
    from perfcopilot_goals.storage.overview import ConnectionStatus

COLUMNS = (
    *("connection", "last complete", "age", "goals", "key results", "employees"),
    *("unmapped", "truncated", "hidden sub-goals", "unread lists", "failed"),
)


@click.command("status")
@click.argument("name", required=False)
@click.option("--employees", is_flag=True, help="Per employee: why their block is as it is, and how old.")
@as_json
@click.pass_obj
def status(session: Session, name: str | None, employees: bool, as_json: bool) -> None:
    """How each connection stands, or the one named: its last complete sync, what is in it, and what failed last."""
    from perfcopilot_goals.storage.connections import read_connection, read_connections
    from perfcopilot_goals.storage.overview import read_connection_status

    with session.database.connect("reading the status") as database:
        rows = [read_connection(database, name)] if name else read_connections(database)
        if employees:
            show_employees(database, name, as_json)
            return
        statuses = [read_connection_status(database, row.connection) for row in rows]
    if as_json:
        print_json([asdict(status) for status in statuses])
    else:
        lines = [_status_row(status) for status in statuses]
        print_table(lines, COLUMNS, "No connections yet. Add one: perfcopilot-goals connection add NAME")


@click.command("plan")
@click.argument("name")
@as_json
@click.pass_obj
def plan(session: Session, name: str, as_json: bool) -> None:
    """How many requests the next sync will send, and how long that takes at the token's limit."""
    from perfcopilot_goals.asana.pacing import SYSTEM_CLOCK, Pacer
    from perfcopilot_goals.storage.connections import read_connection
    from perfcopilot_goals.storage.overview import read_plan

    with session.database.connect("reading the plan") as database:
        row = read_connection(database, name)
        planned = read_plan(database, name, row.subgoal_route)
    seconds = Pacer(row.requests_per_minute, SYSTEM_CLOCK).seconds_for(planned.requests)
    if as_json:
        figures = {"requests": planned.requests, "seconds": round(seconds, 1)}
        print_json({"connection": name, **figures, **asdict(planned)})
        return
    if planned.is_guess:
        echo(f"{name}: never synced, so it is not known how many goals there are; the first page is one request.")
    echo(
        f"{name}: {planned.requests} requests ({planned.list_pages} pages of goals, {planned.walks} goals walked, "
        f"{planned.further_pages} further pages of sub-goals, {planned.route_probes} to find the sub-goal route, "
        f"{planned.user_pages} pages of users), "
        f"{seconds:.0f} s at {row.requests_per_minute:,} requests a minute"
    )


@click.command("prompt")
@click.argument("name")
@click.argument("employee_id", metavar="EMPLOYEE")
@as_json
@click.pass_obj
def prompt(session: Session, name: str, employee_id: str, as_json: bool) -> None:
    """Print an employee's stored [GOALS] block. What a reader should know of its age goes to stderr."""
    from perfcopilot_goals.storage.connections import read_connection
    from perfcopilot_goals.storage.overview import read_block, read_connection_status

    with session.database.connect("reading the block") as database:
        read_connection(database, name)
        block = read_block(database, name, employee_id)
        status = read_connection_status(database, name)
    if as_json:
        print_json(asdict(block))
    else:
        echo(*block.block.split("\n"))
    if status.failed_with:
        echo(f"The last sync of {name} failed ({status.failed_with}); this block is of an earlier one.", err=True)
    if block.roster_changed:
        echo(f"The roster's entry of {employee_id} changed after this block was made: sync {name}.", err=True)


def _status_row(status: "ConnectionStatus") -> dict[str, Any]:
    row = asdict(status)
    name = status.connection if status.enabled else f"{status.connection} (disabled)"
    complete = f"{status.last_complete:%Y-%m-%d %H:%M} UTC" if status.last_complete else "never"
    age = str(dt.timedelta(seconds=int(status.age_seconds))) if status.age_seconds is not None else None
    failed = f"{status.failed_with} at {status.failed_at:%Y-%m-%d %H:%M}" if status.failed_at else None
    return row | {
        "connection": name,
        "last complete": complete,
        "age": age,
        "key results": status.key_results,
        "hidden sub-goals": status.hidden_subgoals,
        "unread lists": status.unread_lists,
        "failed": failed,
    }

"""`sync`: the job for some connections, in this process, on the Dagster instance."""

import sys
import time
from typing import TYPE_CHECKING

import click

from perfcopilot_goals.cli.progress import TerminalProgress
from perfcopilot_goals.cli.session import Session
from perfcopilot_goals.errors import GoalsError

if TYPE_CHECKING:
    from perfcopilot_goals.defs.runs import Outcome


@click.command("sync")
@click.argument("names", nargs=-1, metavar="NAME…")
@click.option("--all", "every", is_flag=True, help="Every enabled connection.")
@click.option("--allow-empty", is_flag=True, help="Let tables that had goals become empty.")
@click.pass_obj
def sync(session: Session, names: tuple[str, ...], every: bool, allow_empty: bool) -> None:
    """Bring the goals of these connections from Asana, and render the blocks.

    Each connection is tried, also after another one failed; the exit code is the first failure's.
    """
    if bool(names) == every:
        raise click.UsageError("name the connections to sync, or say --all")
    codes = sync_connections(session, names, every=every, allow_empty=allow_empty)
    sys.exit(next((code for code in codes if code), 0))


def sync_connections(session: Session, names: tuple[str, ...], *, every: bool, allow_empty: bool) -> list[int]:
    """Sync one connection after the other, telling of each; returns their exit codes."""
    from perfcopilot_goals.storage.connections import read_connections

    if every:
        with session.database.connect("reading the connections") as database:
            names = tuple(row.connection for row in read_connections(database) if row.enabled)
        if not names:
            click.echo("No connection is enabled; nothing to sync.")
    codes = []
    with session.instance() as instance:
        from perfcopilot_goals.defs.runs import Runner

        progress = TerminalProgress()
        runner = Runner(instance, session.settings, session.database, report=progress, debug=session.debug)
        for name in dict.fromkeys(names):
            began = time.monotonic()
            try:
                outcome = runner.sync(name, allow_empty=allow_empty)
            except GoalsError as error:
                progress.clear()
                click.echo(str(error), err=True)
                codes.append(error.exit_code)
                continue
            progress.clear()
            _tell(outcome, time.monotonic() - began)
            codes.append(outcome.exit_code)
    return codes


def _tell(outcome: "Outcome", seconds: float) -> None:
    if outcome.failure:
        click.echo(outcome.failure, err=True)
        return
    rows = outcome.rows
    click.echo(
        f"{outcome.connection}: {rows['owned_goals']} goals and {rows['subgoals']} key results of "
        f"{rows['prompt_blocks']} employees, {outcome.requests} requests, {seconds:.1f} s"
    )
    for check in outcome.flagged:
        click.echo(f"  {check.severity} {check.name}: {check.count}" + (f" ({check.ids})" if check.ids else ""))

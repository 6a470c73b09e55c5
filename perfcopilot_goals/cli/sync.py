"""`sync`: the job for some connections, on the Dagster instance; connections with tokens of their own side by side."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING

import click

from perfcopilot_goals.cli.progress import TerminalProgress
from perfcopilot_goals.cli.session import Session
from perfcopilot_goals.cli.terminal import echo
from perfcopilot_goals.cli.workers import Work, work_together
from perfcopilot_goals.errors import GoalsError
from perfcopilot_goals.startup import starting

if TYPE_CHECKING:
    from perfcopilot_goals.defs.runs import Outcome, Runner

PRELOAD = ("perfcopilot_goals.defs.instance", "perfcopilot_goals.defs.runs")


@click.command("sync")
@click.argument("names", nargs=-1, metavar="NAME…")
@click.option("--all", "every", is_flag=True, help="Every enabled connection.")
@click.option("--allow-empty", is_flag=True, help="Let goals and key results go that Asana no longer shows.")
@click.pass_obj
def sync(session: Session, names: tuple[str, ...], every: bool, allow_empty: bool) -> None:
    """Bring the goals of these connections from Asana, and render the blocks.

    Each connection is tried, also after another one failed; the exit code is the first failure's. Those that share a
    token take turns, others are synced side by side.
    """
    if bool(names) == every:
        raise click.UsageError("name the connections to sync, or say --all")
    codes = sync_connections(session, names, every=every, allow_empty=allow_empty)
    sys.exit(next((code for code in codes if code), 0))


def sync_connections(session: Session, names: Sequence[str], *, every: bool, allow_empty: bool) -> list[int]:
    """Sync these connections, telling of each; returns their exit codes."""
    from perfcopilot_goals.storage.connections import read_connections

    with session.database.connect("reading the connections") as database:
        token_of = {row.connection: row.token_ref for row in read_connections(database) if row.enabled or not every}
    if every:
        names = list(token_of)
        if not names:
            echo("No connection is enabled; nothing to sync.")
            return []
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        groups.setdefault(token_of.get(name, ""), []).append(name)
    if len(groups) == 1:
        (group,) = groups.values()
        with _open_runner(session, allow_empty, draws=True) as work:
            return work(group)
    codes = work_together(list(groups.values()), partial(_open_in_worker, session.debug, allow_empty), PRELOAD)
    return [codes[name] for name in dict.fromkeys(names)]


def _open_in_worker(debug: bool, allow_empty: bool) -> AbstractContextManager[Work]:
    return _open_runner(Session(debug), allow_empty, draws=False)


@contextmanager
def _open_runner(session: Session, allow_empty: bool, *, draws: bool) -> Iterator[Work]:
    """What syncs in this process need. A bar is drawn only where no other process writes beside it."""
    with session.instance() as instance:
        with starting():
            from perfcopilot_goals.defs.runs import Runner

        progress = TerminalProgress(draws=draws)
        runner = Runner(instance, session.settings, session.database, report=progress, debug=session.debug)
        yield lambda names: [_sync(runner, name, allow_empty, progress) for name in names]


def _sync(runner: "Runner", name: str, allow_empty: bool, progress: TerminalProgress) -> int:
    began = time.monotonic()
    try:
        outcome = runner.sync(name, allow_empty=allow_empty)
    except GoalsError as error:
        progress.clear()
        echo(*error.lines, err=True)
        return error.exit_code
    progress.clear()
    _tell(outcome, time.monotonic() - began)
    return outcome.exit_code


def _tell(outcome: "Outcome", seconds: float) -> None:
    if outcome.failure:
        echo(outcome.failure, err=True)
        return
    rows = outcome.rows
    lines = [
        f"{outcome.connection}: {rows['owned_goals']} goals and {rows['subgoals']} key results of "
        f"{rows['prompt_blocks']} employees, {outcome.requests} requests, {seconds:.1f} s"
    ]
    for check in outcome.flagged:
        lines.append(f"  {check.severity} {check.name}: {check.count}" + (f" ({check.ids})" if check.ids else ""))
    # At once, so that the lines of two processes do not mix.
    echo(*lines)

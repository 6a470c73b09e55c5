"""`sync`: runs the job for some connections on the Dagster instance, side by side if their tokens differ."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import click

from perfcopilot_goals import services
from perfcopilot_goals.cli.instance import RUNNER_MODULES, open_runner
from perfcopilot_goals.cli.session import Session, pass_session
from perfcopilot_goals.cli.terminal import TerminalProgress, echo, show_error
from perfcopilot_goals.cli.workers import Work, work_together
from perfcopilot_goals.errors import GoalsStoreError

if TYPE_CHECKING:
    from perfcopilot_goals.defs.runs import Outcome, Runner


@click.command("sync")
@click.argument("names", nargs=-1, metavar="NAME…")
@click.option("--all", "every", is_flag=True, help="Sync every enabled connection.")
@click.option("--allow-empty", is_flag=True, help="Accept that goals and key results are gone which were there before.")
@pass_session
def sync(session: Session, names: tuple[str, ...], every: bool, allow_empty: bool) -> None:
    """Bring the goals of these connections from Asana, and render the blocks.

    All connections are tried; the exit code is the first failure's. Connections that share a token take turns, others
    are synced side by side.
    """
    if bool(names) == every:
        raise click.UsageError("name the connections to sync, or say --all")
    codes = sync_connections(session, names, every=every, allow_empty=allow_empty)
    sys.exit(next((code for code in codes if code), 0))


def sync_connections(session: Session, names: Sequence[str], *, every: bool, allow_empty: bool) -> list[int]:
    """Syncs these connections and prints how each ended; returns their exit codes."""
    connections = services.connections.list_connections(session.database)
    if every:
        names = [connection.connection for connection in connections if connection.enabled]
        if not names:
            echo("No connection is enabled; nothing to sync.")
            return []
    groups = services.sync_access.group_by_token(names, connections)
    if len(groups) == 1:
        with _open_work(session, allow_empty, draws=True) as work:
            return work(groups[0])
    codes = work_together(groups, partial(_open_in_worker, session.debug, allow_empty), RUNNER_MODULES)
    return [codes[name] for name in dict.fromkeys(names)]


@contextmanager
def _open_in_worker(debug: bool, allow_empty: bool) -> Iterator[Work]:
    try:
        with _open_work(Session(debug), allow_empty, draws=False) as work:
            yield work
    except Exception as error:
        # Left to `multiprocessing`, it would be printed as a traceback, which may quote data.
        sys.exit(show_error(error, debug=debug))


@contextmanager
def _open_work(session: Session, allow_empty: bool, *, draws: bool) -> Iterator[Work]:
    """A function that syncs connections by name and returns their exit codes. `draws`: whether it shows a bar."""
    progress = TerminalProgress(draws=draws)
    with open_runner(session, progress) as runner:
        yield lambda names: [_sync(session, runner, name, allow_empty, progress) for name in names]


def _sync(session: Session, runner: "Runner", name: str, allow_empty: bool, progress: TerminalProgress) -> int:
    began = time.monotonic()
    try:
        outcome = runner.sync(name, allow_empty=allow_empty)
    except Exception as error:
        # Whatever it is, the other connections are tried.
        progress.clear()
        if isinstance(error, GoalsStoreError):
            error.about(name)
        return show_error(error, debug=session.debug)
    progress.clear()
    _show(outcome, time.monotonic() - began)
    return outcome.exit_code


def _show(outcome: "Outcome", seconds: float) -> None:
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
    # In one piece, so that the lines of two processes do not mix.
    echo(*lines)

"""`retention`: old history deleted."""

import datetime as dt
from dataclasses import asdict

import click

from perfcopilot_goals.cli.session import Session, as_json, print_json
from perfcopilot_goals.cli.terminal import echo


@click.command("retention")
@click.option("--days", required=True, type=int, metavar="N", help="Keep what ended within so many days, at least 1.")
@click.option("--dry-run", is_flag=True, help="Count and delete nothing.")
@as_json
@click.pass_obj
def retention(session: Session, days: int, dry_run: bool, as_json: bool) -> None:
    """Delete old history: the sync log, Dagster's runs with their events, ticks of sensors and schedules, what both
    printed.

    Blocks and goals are of the last sync and stay, with the history that they came from.
    """
    from perfcopilot_goals.services.retention import cutoff_of, purge

    cutoff = cutoff_of(days, dt.datetime.now(dt.UTC))
    with session.instance() as instance:
        from perfcopilot_goals.defs.retention import InstanceRuns

        done = purge(InstanceRuns(instance), session.database, session.settings, cutoff, dry_run=dry_run)
    if as_json:
        print_json({"before": cutoff, "dry_run": dry_run, **asdict(done)})
    else:
        verb = "Would delete" if dry_run else "Deleted"
        echo(
            f"{verb} {done.syncs} syncs, {done.runs} runs, {done.ticks} ticks and {done.files} files "
            f"from before {cutoff:%Y-%m-%d}."
        )

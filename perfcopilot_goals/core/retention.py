"""Which history is old enough to delete: a pure decision over the sync log.

The syncs that the present rows came from stay, however old they are. Without them the next sync could not tell what it
replaces, and nobody could tell how fresh a block is. `storage` deletes, and `defs` deletes Dagster's runs.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from itertools import pairwise

from perfcopilot_goals.domain.limits import RETENTION_DAYS
from perfcopilot_goals.domain.sync import SLICE_TABLES, Sync
from perfcopilot_goals.errors import GoalsConfigError


def cutoff_of(days: int, now: dt.datetime) -> dt.datetime:
    """The moment this many days before now, or `GoalsConfigError`: within a day, a running sync could count as old."""
    if days in RETENTION_DAYS:
        return now - dt.timedelta(days=days)
    raise GoalsConfigError(
        f"history is kept for whole days, at least {RETENTION_DAYS.start} and at most {RETENTION_DAYS.stop - 1:,}; "
        f"{days} was asked for, and nothing was deleted"
    )


def choose_expired(syncs: Iterable[Sync], cutoff: dt.datetime) -> list[Sync]:
    """The syncs that ended before the cutoff and that nothing present depends on.

    A sync that runs stays. So do these of each connection: the latest one, and the last to write each table. Of the
    complete ones, the latest stays, the latest that wrote blocks with what it made them from, and the latest that found
    a sub-goal route.
    """
    by_connection: dict[str, list[Sync]] = {}
    for sync in sorted(syncs, key=lambda sync: sync.started_at):
        by_connection.setdefault(sync.connection, []).append(sync)
    return [
        sync
        for history, needed in ((history, _needed(history)) for history in by_connection.values())
        for sync in history
        if sync.state != "running" and (sync.finished_at or sync.started_at) < cutoff and sync.run_id not in needed
    ]


def _needed(history: list[Sync]) -> set[str]:
    """The run ids to keep of one connection. Its syncs come in the order in which they began."""
    complete = [sync for sync in history if sync.state == "complete"]
    with_blocks = [sync for sync in complete if "prompt_blocks" in _written(sync)]
    with_route = [sync for sync in complete if sync.subgoal_route is not None]
    needed = {found[-1].run_id for found in (history, complete, with_blocks, with_route) if found}
    latest: dict[str, tuple[dt.datetime, str]] = {}
    for sync in history:
        for table, moment in _written(sync).items():
            latest[table] = max(latest.get(table, (moment, sync.run_id)), (moment, sync.run_id))
    needed |= {run_id for _, run_id in latest.values()}
    return needed | {run_id for blocks in with_blocks[-1:] for run_id in _made_from(blocks, history)}


def _made_from(blocks: Sync, history: list[Sync]) -> Iterator[str]:
    """The runs whose rows the blocks of this sync are made from, back to the list of goals."""
    by_run = {sync.run_id: sync for sync in history}
    sync: Sync | None = blocks
    for table, source in pairwise(reversed(SLICE_TABLES)):
        entry = sync.counts.get("tables", {}).get(table, {}) if sync else {}
        run_id = entry.get("inputs", {}).get(source, "")
        yield run_id
        sync = by_run.get(run_id)


def _written(sync: Sync) -> dict[str, dt.datetime]:
    tables = sync.counts.get("tables", {})
    return {table: dt.datetime.fromisoformat(entry["written_at"]) for table, entry in tables.items()}

"""What schedule and sensors decide: which partitions there should be, what to sync now, what again, what is stale."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from perfcopilot_goals.domain.sync import LastSync

# Failures that somebody mends by a setting. Anything else is over with time, or needs another program.
MENDED_BY_A_SETTING = frozenset({"GoalsConfigError", "AsanaAccessError"})
# A day and a half: a daily sync may be late or fail once before anybody is called.
STALE_AFTER = dt.timedelta(hours=36)


@dataclass(frozen=True)
class PartitionChange:
    """Partitions to add and to remove, each in order."""

    add: list[str]
    remove: list[str]


def decide_partitions(
    enabled: Collection[str] | None, existing: Collection[str], in_flight: Collection[str]
) -> PartitionChange:
    """Add what is enabled and missing at once; remove the rest only when no run of it is in flight.

    `enabled` is None where it could not be read, which is no reason to remove anything.
    """
    if enabled is None:
        return PartitionChange([], [])
    add = sorted(set(enabled) - set(existing))
    return PartitionChange(add, sorted(set(existing) - set(enabled) - set(in_flight)))


def decide_syncs(enabled: Iterable[str], queued: Collection[str]) -> list[str]:
    """What a tick syncs: all that is enabled, but for what still waits in the queue since an earlier tick.

    A waiting run will fetch later than now, so another one would bring nothing newer; and a thousand connections whose
    syncs take longer than the time between two ticks would queue up without end.
    """
    return [name for name in enabled if name not in queued]


def find_mended(connections: Iterable[LastSync]) -> list[LastSync]:
    """Connections whose settings changed after their latest sync failed for want of a right one."""
    return [
        last
        for last in connections
        if last.state == "failed"
        and last.error_code in MENDED_BY_A_SETTING
        and last.started_at is not None
        and last.updated_at > last.started_at
    ]


def find_stale(connections: Iterable[LastSync], now: dt.datetime) -> list[str]:
    """Connections without a complete sync for longer than `STALE_AFTER`, new ones counted from when they were added."""
    return [last.connection for last in connections if now - (last.complete_at or last.created_at) > STALE_AFTER]


# connection -> table -> a text that is another one whenever the table's rows of that connection are
Versions = Mapping[str, Mapping[str, str]]


def find_changed(now: Versions, seen: Versions, limit: int) -> list[tuple[str, str]]:
    """Connection and table of what is not as it was seen last, in order, so many at most."""
    changed = [
        (connection, table)
        for connection, versions in sorted(now.items())
        for table, version in sorted(versions.items())
        if seen.get(connection, {}).get(table) != version
    ]
    return changed[:limit]

"""What the schedule and the sensors decide: which partitions exist, what to sync, what to sync again."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from perfcopilot_goals.domain.sync import FailedSync

# Failures that a corrected setting mends, and what a guard refused, which a change of the roster may mend. Any other
# passes with time, or needs a new version of the program.
MENDED_BY_A_CHANGE = frozenset({"GoalsConfigError", "AsanaAccessError", "GoalsGuardError"})


@dataclass(frozen=True)
class PartitionChange:
    """Partitions to add and to remove, each list sorted."""

    add: list[str]
    remove: list[str]


def decide_partitions(
    enabled: Collection[str], existing: Collection[str], in_flight: Collection[str]
) -> PartitionChange:
    """Add an enabled connection at once. Remove any other only while no run of it is in flight."""
    add = sorted(set(enabled) - set(existing))
    return PartitionChange(add, sorted(set(existing) - set(enabled) - set(in_flight)))


def decide_syncs(enabled: Iterable[str], queued: Collection[str]) -> list[str]:
    """The connections that a tick syncs: all that are enabled, except those whose run still waits in the queue.

    A waiting run will fetch later than now, so a second run would bring nothing newer. With a thousand connections,
    whose syncs take longer than the time between two ticks, the queue would grow without end.
    """
    return [name for name in enabled if name not in queued]


def find_mended(failed: Iterable[FailedSync]) -> list[FailedSync]:
    """Connections where something changed, after their latest sync began, that may mend its failure."""
    return [sync for sync in failed if sync.updated_at > sync.started_at]

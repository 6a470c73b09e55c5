"""What the schedule and the sensors decide: which partitions exist, what to sync, what to sync again, what to observe.

A change of settings or of a roster is noted with the time at which its transaction began, and seen when it commits. So
each look goes back by `OVERLAP`, and remembers what it saw in that time. The first look goes back to the beginning.
"""

import datetime as dt
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace

from perfcopilot_goals.domain.connection import RosterAndSettings
from perfcopilot_goals.domain.sync import FailedSync

# Failures that a corrected setting mends, and what a guard refused, which a change of the roster may mend. Any other
# passes with time, or needs a new version of the program.
MENDED_BY_A_CHANGE = frozenset({"GoalsConfigError", "AsanaAccessError", "GoalsGuardError"})
# As long as a transaction of ours can last: `CONNECTION_SECONDS` of the storage.
OVERLAP = dt.timedelta(minutes=15)
_BEGINNING = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)

# connection -> table -> a text that changes whenever the rows of that connection in that table change
Versions = Mapping[str, Mapping[str, str]]


def decide_partitions(
    enabled: Collection[str], existing: Collection[str], in_flight: Collection[str]
) -> tuple[list[str], list[str]]:
    """Partitions to add and to remove, each sorted.

    An enabled connection's is added at once. Any other is removed only while no run of it is in flight.
    """
    return sorted(set(enabled) - set(existing)), sorted(set(existing) - set(enabled) - set(in_flight))


def decide_syncs(enabled: Iterable[str], queued: Collection[str]) -> list[str]:
    """The connections that a tick syncs: all that are enabled, except those whose run still waits in the queue.

    A waiting run will fetch later than now, so a second run would bring nothing newer. With a thousand connections,
    whose syncs take longer than the time between two ticks, the queue would grow without end.
    """
    return [name for name in enabled if name not in queued]


def find_mended(failed: Iterable[FailedSync]) -> list[FailedSync]:
    """Connections where something changed, after their latest sync began, that may mend its failure."""
    return [sync for sync in failed if sync.updated_at > sync.started_at]


@dataclass(frozen=True)
class Observed:
    """What was observed so far.

    Every change that was committed `before` then, and what was `seen` of those that are read again.
    """

    before: dt.datetime = _BEGINNING
    seen: Versions = field(default_factory=dict)

    @property
    def since(self) -> dt.datetime:
        """The moment after which changes have to be read again."""
        return self.before - OVERLAP


def parse_observed(cursor: str | None) -> Observed:
    """What the cursor says. Begins anew if there is none, or none of this form."""
    try:
        given = json.loads(cursor or "")
        return Observed(dt.datetime.fromisoformat(given["before"]), given["seen"])
    except (ValueError, KeyError, TypeError):
        return Observed()


def render_observed(observed: Observed) -> str:
    """The cursor."""
    return json.dumps(asdict(observed), default=dt.datetime.isoformat)


def observe_changes(
    observed: Observed, states: Iterable[RosterAndSettings], now: dt.datetime, limit: int
) -> tuple[list[tuple[str, str]], Observed]:
    """What changed since, as (connection, table), at most `limit`; what is left over is read again at the next tick.

    `states` are the enabled connections that changed after `observed.since`.
    """
    found = list(states)
    versions = {state.connection: state.versions_since(observed.since) for state in found}
    changed = [
        (name, table)
        for name, tables in sorted(versions.items())
        for table, version in sorted(tables.items())
        if observed.seen.get(name, {}).get(table) != version
    ][:limit]
    if len(changed) == limit:
        seen = {name: dict(tables) for name, tables in observed.seen.items()}
        for name, table in changed:
            seen.setdefault(name, {})[table] = versions[name][table]
        return changed, replace(observed, seen=seen)
    recent = {state.connection: state.versions_since(now - OVERLAP) for state in found}
    return changed, Observed(before=now, seen={name: tables for name, tables in recent.items() if tables})

"""What the schedule and the sensors decide: which partitions exist, what to sync, what to sync again, what to observe.

Settings and rosters are observed in two passes. The first goes through all connections by name, some at each tick. From
then on only changes are read. A change is noted with the time at which its transaction began, and seen when it commits.
So each look goes back by `OVERLAP`, and remembers what it saw in that time.
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

# connection -> table -> a text that changes whenever the rows of that connection in that table change
Versions = Mapping[str, Mapping[str, str]]


def decide_partitions(
    enabled: Collection[str], existing: Collection[str], in_flight: Collection[str]
) -> tuple[list[str], list[str]]:
    """Partitions to add, at once if enabled; and any others to remove, only while no run of theirs is in flight."""
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

    `until`: all changes that were committed before it. `after`: the first pass has come to this connection; None when
    it is over. `seen`: versions from the last `OVERLAP`. `disabled`: observed as a whole when they are enabled.
    """

    until: dt.datetime
    after: str | None = ""
    seen: Versions = field(default_factory=dict)
    disabled: tuple[str, ...] = ()

    @property
    def since(self) -> dt.datetime:
        """The moment after which changes have to be read again."""
        return self.until - OVERLAP


def parse_observed(cursor: str | None, now: dt.datetime) -> Observed:
    """What the cursor says. Begins anew if there is none, or none of this form."""
    try:
        given = json.loads(cursor or "")
        until = dt.datetime.fromisoformat(given["until"])
        return Observed(until, given["after"], given["seen"], tuple(given["disabled"]))
    except (ValueError, KeyError, TypeError):
        return Observed(now)


def render_observed(observed: Observed) -> str:
    """The cursor."""
    return json.dumps(asdict(observed), default=dt.datetime.isoformat)


def observe_page(
    observed: Observed, page: list[RosterAndSettings], limit: int
) -> tuple[list[tuple[str, str]], Observed]:
    """The first pass: observes every table of these connections. A page of less than `limit` is the last one."""
    enabled = {state.connection: state.versions for state in page if state.enabled}
    recent = {state.connection: state.versions_since(observed.since) for state in page if state.enabled}
    return [(name, table) for name, versions in enabled.items() for table in versions], replace(
        observed,
        after=page[-1].connection if len(page) == limit else None,
        seen={**observed.seen, **{name: versions for name, versions in recent.items() if versions}},
        disabled=(*observed.disabled, *(state.connection for state in page if not state.enabled)),
    )


def observe_changes(
    observed: Observed, states: Iterable[RosterAndSettings], now: dt.datetime, limit: int
) -> tuple[list[tuple[str, str]], Observed]:
    """What changed since, at most `limit` slices; what is left over is read again at the next tick.

    `states` are the connections that changed after `observed.since`, and those that were disabled.
    """
    found = list(states)
    enabled = [state for state in found if state.enabled]
    # Whatever happened to a connection while it was disabled has not been observed.
    changes = {
        state.connection: state.versions
        if state.connection in observed.disabled
        else state.versions_since(observed.since)
        for state in enabled
    }
    changed = find_changed(changes, observed.seen, limit)
    seen = {name: dict(tables) for name, tables in observed.seen.items()}
    for name, table in changed:
        seen.setdefault(name, {})[table] = changes[name][table]
    if len(changed) == limit:
        return changed, replace(observed, seen=seen)
    recent = {state.connection: state.versions_since(now - OVERLAP) for state in enabled}
    return changed, Observed(
        until=now,
        after=None,
        seen={name: versions for name, versions in recent.items() if versions},
        disabled=tuple(state.connection for state in found if not state.enabled),
    )


def find_changed(now: Versions, seen: Versions, limit: int) -> list[tuple[str, str]]:
    """The slices that changed since they were last seen, as (connection, table), sorted; at most `limit`."""
    changed = [
        (connection, table)
        for connection, versions in sorted(now.items())
        for table, version in sorted(versions.items())
        if seen.get(connection, {}).get(table) != version
    ]
    return changed[:limit]

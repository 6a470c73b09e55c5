"""What the sensor of settings and rosters has observed, and what it observes next.

A change is noted with the time at which its transaction began, and seen when it commits. So each look goes back by
`OVERLAP`, and remembers what it saw in that time. The first look goes back to the beginning.
"""

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace

from perfcopilot_goals.domain.roster_and_settings import RosterAndSettings

# As long as a transaction of ours can last: `CONNECTION_SECONDS` of the storage.
OVERLAP = dt.timedelta(minutes=15)
_BEGINNING = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)

# connection -> table -> a text that changes whenever the rows of that connection in that table change
Versions = Mapping[str, Mapping[str, str]]


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

"""The history of a block: which moment somebody asks for, and what changed from one version to the next."""

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from perfcopilot_goals.core.prompts import parse_line
from perfcopilot_goals.domain.block import BlockVersion
from perfcopilot_goals.errors import GoalsConfigError

_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_COUNTS = ("goals_owned", "goals_listed", "key_results_listed", "reason")

# A goal's gid, and the key result's if the line is about one.
LineKey = tuple[str, str | None]


@dataclass(frozen=True)
class AsOf:
    """A moment to look back at, in UTC; `day_began` is when the day began, if a date was asked for."""

    instant: dt.datetime
    day_began: dt.datetime | None = None


@dataclass(frozen=True)
class LineStatus:
    """A line whose status changed."""

    goal_gid: str
    key_result_gid: str | None
    before: str
    after: str


@dataclass(frozen=True)
class Changes:
    """What a version has that the one before had not. `counts` has old and new value by name; ids are Asana's."""

    counts: Mapping[str, tuple[int | str, int | str]] = field(default_factory=dict)
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    statuses: tuple[LineStatus, ...] = ()

    @property
    def is_of_text_only(self) -> bool:
        """Whether nothing is told here, so that the names or their order changed."""
        return not (self.counts or self.added or self.removed or self.statuses)


@dataclass(frozen=True)
class HistoryEntry:
    """A version, how many of its lines have each status, and what changed; None for the first version that is kept.

    `is_after_gap`: there was no block just before.
    """

    version: BlockVersion
    statuses: Mapping[str, int]
    changes: Changes | None
    is_after_gap: bool


def parse_as_of(text: str) -> AsOf:
    """The moment that the text names: an instant with its zone, or a date, which means its last moment in UTC."""
    given = text.strip()
    instant: dt.datetime | None = None
    try:
        if _DATE.fullmatch(given):
            day = dt.date.fromisoformat(given)
            began = dt.datetime.combine(day, dt.time.min, dt.UTC)
            return AsOf(dt.datetime.combine(day, dt.time.max, dt.UTC), began)
        # Python reads no further than a zero byte.
        if _DATE.match(given) and given.isprintable():
            instant = dt.datetime.fromisoformat(given.upper())
        if instant and instant.tzinfo:
            return AsOf(instant.astimezone(dt.UTC))
    except (ValueError, OverflowError):
        instant = None
    problem = "has no time zone" if instant else "is neither a date nor an instant"
    raise GoalsConfigError(
        f"{given[:80]!r} {problem}",
        action="Write a date such as 2026-03-12, which means its end in UTC, or an instant with its zone such as "
        "2026-03-12T17:00Z or 2026-03-12T18:00+01:00",
    )


def format_instant(moment: dt.datetime) -> str:
    """The moment in UTC, exact, in a form that `parse_as_of` takes."""
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def describe_history(versions: Iterable[BlockVersion]) -> list[HistoryEntry]:
    """Each version with what changed since the one before. They are one employee's, the oldest first."""
    kept = list(versions)
    entries = []
    for before, version in zip([None, *kept], kept, strict=False):
        is_after_gap = before is not None and before.visible_to != version.visible_from
        changes = _compare(before, version) if before else None
        entries.append(HistoryEntry(version, Counter(_statuses(version).values()), changes, is_after_gap))
    return entries


def _compare(before: BlockVersion, after: BlockVersion) -> Changes:
    pairs = {name: (getattr(before, name), getattr(after, name)) for name in _COUNTS}
    old, new = dict.fromkeys(_lines(before)), dict.fromkeys(_lines(after))
    was, is_now = _statuses(before), _statuses(after)
    return Changes(
        counts={name: (one, other) for name, (one, other) in pairs.items() if one != other},
        added=tuple(key_result or goal for goal, key_result in new if (goal, key_result) not in old),
        removed=tuple(key_result or goal for goal, key_result in old if (goal, key_result) not in new),
        statuses=tuple(
            LineStatus(*key, was[key], is_now[key]) for key in is_now if key in was and was[key] != is_now[key]
        ),
    )


def _lines(version: BlockVersion) -> Iterator[LineKey]:
    return ((citation["goal_gid"], citation["key_result_gid"]) for citation in version.citations)


def _statuses(version: BlockVersion) -> dict[LineKey, str]:
    """The status of each cited line. A line of the form before kind and status stood first has none."""
    lines = version.block.split("\n")
    found = {
        key: parse_line(lines[citation["line"] - 1]).status
        for key, citation in zip(_lines(version), version.citations, strict=True)
        if citation["line"] <= len(lines)
    }
    return {key: status for key, status in found.items() if status}

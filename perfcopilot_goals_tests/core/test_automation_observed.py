"""What the sensor of settings and rosters observes: everything once, then what changed, each change once."""

import datetime as dt

import pytest

from perfcopilot_goals.core.automation import OVERLAP, Observed, observe_changes, parse_observed, render_observed
from perfcopilot_goals.domain.connection import RosterAndSettings

NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
YESTERDAY = NOON - dt.timedelta(days=1)


def state(
    name: str = "acme",
    *,
    settings_at: dt.datetime = YESTERDAY,
    roster_at: dt.datetime = YESTERDAY,
    employees: int = 5,
) -> RosterAndSettings:
    return RosterAndSettings(name, True, settings_at, roster_at, employees, employees, YESTERDAY)


@pytest.mark.parametrize("limit", [3, 5, 10, 100])
def test_the_first_looks_observe_everything_once_some_at_each_tick(limit: int) -> None:
    everything = [state(f"c{number}") for number in range(5)]
    observed, seen, looks = Observed(), [], 0
    while observed.before != NOON:
        changed, observed = observe_changes(observed, everything, NOON, limit)
        assert len(changed) <= limit
        seen += changed
        looks += 1
    assert seen == [(f"c{number}", table) for number in range(5) for table in ("connections", "employees")]
    assert looks == 10 // limit + 1
    assert observed.seen == {}, "nothing is remembered of what changed long ago"


def test_what_changes_between_the_first_looks_is_observed_again() -> None:
    first, observed = observe_changes(Observed(), [state("a"), state("b")], NOON, 2)
    moved = state("a", roster_at=NOON + MINUTE, employees=6)
    second, _ = observe_changes(observed, [moved, state("b")], NOON + 2 * MINUTE, 10)
    assert first == [("a", "connections"), ("a", "employees")]
    assert second == [("a", "employees"), ("b", "connections"), ("b", "employees")]


def test_a_change_is_observed_once_and_forgotten_when_no_look_goes_back_that_far() -> None:
    observed, moved = Observed(NOON), state(roster_at=NOON + MINUTE)
    changed, observed = observe_changes(observed, [moved], NOON + 2 * MINUTE, 10)
    assert changed == [("acme", "employees")]
    changed, observed = observe_changes(observed, [moved], NOON + 3 * MINUTE, 10)
    assert (changed, list(observed.seen)) == ([], ["acme"])
    _, observed = observe_changes(observed, [moved], NOON + 2 * MINUTE + OVERLAP, 10)
    assert observed.seen == {}


def test_changes_beyond_one_ticks_limit_are_left_for_the_next() -> None:
    moved = [state(f"c{number}", roster_at=NOON + MINUTE) for number in range(5)]
    first, observed = observe_changes(Observed(NOON), moved, NOON + 30 * MINUTE, 3)
    assert observed.before == NOON, "the next tick reads the same changes again"
    second, observed = observe_changes(observed, moved, NOON + 31 * MINUTE, 3)
    assert first + second == [(f"c{number}", "employees") for number in range(5)]
    assert observed.before == NOON + 31 * MINUTE


def test_a_connection_with_new_settings_is_observed_as_a_whole() -> None:
    """It may have been enabled, and what happens to a disabled one is not observed."""
    changed, _ = observe_changes(Observed(NOON), [state(settings_at=NOON + MINUTE)], NOON + 2 * MINUTE, 10)
    assert changed == [("acme", "connections"), ("acme", "employees")]


def test_the_cursor_keeps_what_was_observed_and_stays_small() -> None:
    observed = Observed(NOON, {"acme": {"employees": "5 5 None"}})
    assert parse_observed(render_observed(observed)) == observed
    assert parse_observed("nonsense") == Observed()
    many = [state(f"c{number}") for number in range(10_000)]
    _, observed = observe_changes(Observed(), many, NOON, 20_001)
    assert len(render_observed(observed)) < 200

"""What the sensor of settings and rosters observes: everything once, then what changed, each change once."""

import datetime as dt

from perfcopilot_goals.core.automation import (
    OVERLAP,
    Observed,
    find_changed,
    observe_changes,
    observe_page,
    parse_observed,
    render_observed,
)
from perfcopilot_goals.domain.connection import RosterAndSettings

NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
YESTERDAY = NOON - dt.timedelta(days=1)


def state(
    name: str = "acme",
    *,
    enabled: bool = True,
    settings_at: dt.datetime = YESTERDAY,
    roster_at: dt.datetime = YESTERDAY,
    employees: int = 5,
) -> RosterAndSettings:
    return RosterAndSettings(name, enabled, True, settings_at, roster_at, employees, employees, YESTERDAY)


def test_the_first_pass_goes_through_all_connections_page_by_page() -> None:
    everything = [state(f"c{number}") for number in range(5)]
    observed, seen = Observed(NOON), []
    for begin in (0, 2, 4):
        assert observed.after == ("" if begin == 0 else f"c{begin - 1}")
        changed, observed = observe_page(observed, everything[begin : begin + 2], 2)
        seen += changed
    assert seen == [(f"c{number}", table) for number in range(5) for table in ("connections", "employees")]
    assert observed.after is None
    assert observed.seen == {}, "nothing is remembered of what changed long ago"


def test_a_page_that_ends_exactly_with_the_last_connection_leads_to_an_empty_one() -> None:
    _, observed = observe_page(Observed(NOON), [state("a"), state("b")], 2)
    assert observed.after == "b"
    changed, observed = observe_page(observed, [], 2)
    assert (changed, observed.after) == ([], None)


def test_a_change_is_observed_once_and_forgotten_when_no_look_goes_back_that_far() -> None:
    observed, moved = Observed(NOON, after=None), state(settings_at=NOON + MINUTE)
    changed, observed = observe_changes(observed, [moved], NOON + 2 * MINUTE, 10)
    assert changed == [("acme", "connections")]
    changed, observed = observe_changes(observed, [moved], NOON + 3 * MINUTE, 10)
    assert (changed, list(observed.seen)) == ([], ["acme"])
    _, observed = observe_changes(observed, [moved], NOON + 2 * MINUTE + OVERLAP, 10)
    assert observed.seen == {}


def test_changes_beyond_one_ticks_limit_are_left_for_the_next() -> None:
    moved = [state(f"c{number}", roster_at=NOON + MINUTE) for number in range(5)]
    first, observed = observe_changes(Observed(NOON, after=None), moved, NOON + 30 * MINUTE, 3)
    assert observed.until == NOON, "the next tick reads the same changes again"
    second, observed = observe_changes(observed, moved, NOON + 31 * MINUTE, 3)
    assert first + second == [(f"c{number}", "employees") for number in range(5)]
    assert observed.until == NOON + 31 * MINUTE


def test_a_change_during_the_first_pass_is_observed_after_it() -> None:
    _, observed = observe_page(Observed(NOON), [state()], 2)
    changed, _ = observe_changes(observed, [state(roster_at=NOON + MINUTE, employees=6)], NOON + 2 * MINUTE, 10)
    assert changed == [("acme", "employees")]


def test_a_connection_is_observed_as_a_whole_when_it_is_enabled() -> None:
    _, observed = observe_page(Observed(NOON), [state(enabled=False)], 2)
    assert observed.disabled == ("acme",)
    changed, observed = observe_changes(observed, [state(settings_at=NOON + MINUTE)], NOON + 2 * MINUTE, 10)
    assert changed == [("acme", "connections"), ("acme", "employees")]
    assert observed.disabled == ()


def test_the_cursor_keeps_what_was_observed_and_stays_small() -> None:
    observed = Observed(NOON, None, {"acme": {"employees": "5 5 None"}}, ("asleep",))
    assert parse_observed(render_observed(observed), YESTERDAY) == observed
    assert parse_observed("nonsense", NOON) == Observed(NOON)
    many = [state(f"c{number}") for number in range(10_000)]
    _, observed = observe_page(Observed(NOON), many, 10_001)
    assert len(render_observed(observed)) < 200


def test_only_slices_that_differ_from_the_last_look_are_changed() -> None:
    now = {"acme": {"connections": "1", "employees": "5"}, "globex": {"connections": "1"}}
    assert find_changed(now, {}, 10) == [("acme", "connections"), ("acme", "employees"), ("globex", "connections")]
    assert find_changed(now, now, 10) == []
    assert find_changed(now, {**now, "acme": {"connections": "1", "employees": "4"}}, 10) == [("acme", "employees")]
    assert find_changed({}, now, 10) == []


def test_slices_beyond_one_ticks_limit_are_left_for_the_next() -> None:
    now = {f"c{number}": {"connections": "1"} for number in range(7)}
    first = find_changed(now, {}, 5)
    seen = {name: now[name] for name, _ in first}
    assert len(first) == 5
    assert find_changed(now, seen, 5) == [("c5", "connections"), ("c6", "connections")]

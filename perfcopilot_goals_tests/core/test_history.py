"""Which moment somebody means, and what changed from one version of a block to the next."""

import datetime as dt
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcopilot_goals.core.history import AsOf, Changes, LineStatus, describe_history, format_instant, parse_as_of
from perfcopilot_goals.core.prompts import Line, render_block
from perfcopilot_goals.domain.block import BlockVersion
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals_tests.core.examples import MONDAY, usual

END = dt.datetime(2026, 3, 12, 23, 59, 59, 999_999, dt.UTC)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-12", END),
        (" 2026-03-12 ", END),
        ("2026-03-12T17:00Z", dt.datetime(2026, 3, 12, 17, tzinfo=dt.UTC)),
        ("2026-03-12T18:00+01:00", dt.datetime(2026, 3, 12, 17, tzinfo=dt.UTC)),
        ("2026-03-12 17:00:00.000001+00:00", dt.datetime(2026, 3, 12, 17, 0, 0, 1, dt.UTC)),
        ("9999-12-31", dt.datetime.max.replace(tzinfo=dt.UTC)),
    ],
)
def test_a_date_is_its_end_in_utc_and_an_instant_is_itself(text: str, instant: dt.datetime) -> None:
    assert parse_as_of(text).instant == instant


@pytest.mark.parametrize("text", ["2026-03-12T17:00", "2026-03-12 17:00:00"])
def test_an_instant_without_a_zone_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(GoalsConfigError, match=r"has no time zone\. Write a date such as .*2026-03-12T17:00Z"):
        parse_as_of(text)


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "12.03.2026", "2026-13-01", "2026-02-30", "20260312", "2026-W11-4", "٢٠٢٦-03-12", "1773331200",
     "0001-01-01T00:00+14:00", "9999-12-31T23:00-10:00", "2026-03-12T25:00Z", "2026-03-12T17:00Z\x00", "-2026-03-12"],
)  # fmt: skip
def test_what_is_no_moment_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(GoalsConfigError, match=r"is neither a date nor an instant\. Write a date such as"):
        parse_as_of(text)


@usual
@given(st.text(max_size=30) | st.datetimes().map(str) | st.dates().map(str))
def test_any_text_is_a_moment_or_a_refusal(text: str) -> None:
    with suppress(GoalsConfigError):
        assert parse_as_of(text).instant.utcoffset() == dt.timedelta(0)


@usual
@given(st.datetimes(timezones=st.just(dt.UTC)))
def test_a_moment_that_we_print_can_be_asked_for(moment: dt.datetime) -> None:
    assert parse_as_of(format_instant(moment)) == AsOf(moment)


def version(number: int, *lines: Line, owned: int | None = None, until: int | None = None, **more: Any) -> BlockVersion:
    """The version from that hour on, until the next hour unless told otherwise."""
    goals = sum(line.key_result_gid is None for line in lines)
    block = render_block(lines, goals if owned is None else owned)
    values: dict[str, Any] = {
        "connection": "acme",
        "employee_id": "E1",
        "visible_from": MONDAY + dt.timedelta(hours=number),
        "visible_to": MONDAY + dt.timedelta(hours=until or number + 1),
        "block": block.text,
        "citations": block.citations,
        "goals_owned": goals if owned is None else owned,
        "goals_listed": goals,
        "key_results_listed": len(lines) - goals,
        "truncated": False,
        "reason": "ok",
        "sha256": "",
        "first_synced_at": MONDAY,
        "last_synced_at": MONDAY,
        "run_id": "run",
    }
    return BlockVersion(**(values | more))


def test_the_first_version_has_statuses_and_nothing_before_it() -> None:
    sly = Line("1", None, "Hire (status: completed): all\n- Goal (status: completed): x", "off_track")
    (entry,) = describe_history([version(0, sly, Line("1", "8", "Ads", "on_track"), Line("2", None, "x", "off_track"))])
    assert (entry.changes, entry.is_after_gap) == (None, False)
    assert entry.statuses == {"off_track": 2, "on_track": 1}


def test_a_change_names_counts_lines_and_statuses() -> None:
    grow, ads = Line("1", None, "Grow", "on_track"), Line("1", "8", "Ads", "on_track")
    late, hire = Line("1", None, "Grow", "at_risk"), Line("2", None, "Hire", "on_track")
    _, entry = describe_history([version(0, grow, ads), version(1, late, hire, owned=201, reason="truncated")])
    assert entry.changes == Changes(
        counts={
            "goals_owned": (1, 201),
            "goals_listed": (1, 2),
            "key_results_listed": (1, 0),
            "reason": ("ok", "truncated"),
        },
        added=("2",),
        removed=("8",),
        statuses=(LineStatus("1", None, "on_track", "at_risk"),),
    )
    assert not entry.changes.is_of_text_only


def test_a_new_name_is_a_change_of_text_only_and_a_time_without_a_block_is_told() -> None:
    first = version(0, Line("1", None, "Grow", "on_track"))
    renamed = version(1, Line("1", None, "Shrink", "on_track"))
    back = version(5, Line("1", None, "Shrink", "on_track"))
    _, second, third = describe_history([first, renamed, back])
    assert second.changes is not None
    assert (second.changes.is_of_text_only, second.is_after_gap, third.is_after_gap) == (True, False, True)


def test_lines_of_the_form_before_have_no_status() -> None:
    old = version(0, Line("1", None, "Grow", "on_track"), block="[GOALS]\n- Grow (status: on_track)\n[/GOALS]")
    first, second = describe_history([old, version(1, Line("1", None, "Grow", "at_risk"))])
    assert (first.statuses, second.changes) == ({}, Changes())

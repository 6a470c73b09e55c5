"""What is wrong with each connection and what to do, the broken ones first, as a table that no text can break."""

import datetime as dt
from typing import Any

import pytest

from perfcopilot_goals.core.connection_checks import (
    ROWS_SHOWN,
    count_judged,
    every_connection_works,
    judge,
    no_connection_is_stale,
    no_connection_is_truncated,
    render_table,
    with_ended_runs,
)
from perfcopilot_goals.domain.connection import ConnectionHealth, EndedRun
from perfcopilot_goals.domain.limits import STALE_AFTER

NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
RUNS = "https://dagster.example.com/runs/"


def health(name: str = "acme", **changes: Any) -> ConnectionHealth:
    """A connection whose sync an hour ago was complete, but for the changes."""
    sound: dict[str, Any] = {
        "has_workspace_gid": True,
        "has_roster": True,
        "run_id": "0123456789ab",
        "state": "complete",
        "started_at": NOON - HOUR,
        "complete_at": NOON - HOUR,
    }
    return ConnectionHealth(connection=name, **(sound | changes))


NEW: dict[str, Any] = {"run_id": None, "state": None, "started_at": None, "complete_at": None}


@pytest.mark.parametrize(
    ("changes", "problem", "action"),
    [
        pytest.param({}, "works", "", id="works"),
        pytest.param(
            {"state": "failed", "error_code": "AsanaAccessError", "remedy": "Renew the token"},
            "AsanaAccessError",
            "Renew the token",
            id="failed-with-a-remedy",
        ),
        pytest.param(
            {"state": "failed", "error_code": "Interrupted"}, "Interrupted", "perfcopilot-goals sync acme", id="killed"
        ),
        pytest.param({"state": "failed", "error_code": "KeyError"}, "KeyError", "Report it", id="a-defect"),
        pytest.param(
            {"state": "failed", "error_code": "GoalsStoreError"}, "GoalsStoreError", "run's page", id="without-a-remedy"
        ),
        pytest.param(
            {"has_roster": False}, "no roster", "perfcopilot-goals employee import acme FILE.csv", id="no-roster"
        ),
        pytest.param(NEW, "never synced", "perfcopilot-goals sync acme", id="never-synced"),
        pytest.param(
            NEW | {"has_workspace_gid": False}, "never synced", "or the job set_workspace in the UI", id="no-workspace"
        ),
        pytest.param(NEW | {"state": "running"}, "first sync is running", "Wait", id="first-sync"),
        pytest.param({"state": "running"}, "works", "", id="a-later-sync-runs"),
        pytest.param(
            {"workspace_changed": True, "unread": 3},
            "its goals are of the former workspace",
            "perfcopilot-goals sync acme",
            id="another-workspace",
        ),
        pytest.param(
            {"workspace_changed": True, "has_workspace_gid": False},
            "its goals are of the former workspace",
            "or the job set_workspace in the UI",
            id="no-workspace-any-more",
        ),
        pytest.param(
            {"workspace_changed": True, "state": "running"},
            "its goals are of the former workspace",
            "Wait",
            id="the-other-workspace-is-being-read",
        ),
        pytest.param({"unread": 3}, "3 lists of sub-goals unread", "every_subgoal_list_was_read", id="unread"),
    ],
)
def test_each_state_of_a_connection_has_its_word_and_its_remedy(
    changes: dict[str, Any], problem: str, action: str
) -> None:
    (one,) = judge([health(**changes)])
    assert one.problem == problem
    assert action in one.action
    assert every_connection_works([one]).passed is (problem == "works")


def test_the_broken_come_first_and_are_counted_by_kind() -> None:
    judged = judge(
        [
            health("a-works"),
            health("b-unread", unread=1),
            health("c-changed", workspace_changed=True),
            health("d-never", **NEW),
            health("e-roster", has_roster=False),
            health("f-failed", state="failed", error_code="AsanaAccessError"),
            health("g-failed", state="failed", error_code="AsanaAccessError"),
        ]
    )
    assert [s.health.connection[0] for s in judged] == list("fgedcba")
    assert count_judged(judged) == {
        "connections": 7,
        "failed": 2,
        "without_roster": 1,
        "never_synced": 1,
        "with_changed_workspace": 1,
        "with_unread_lists": 1,
    }
    assert every_connection_works(judged).ids == [one.health.connection for one in judged[:-1]]


@pytest.mark.parametrize(
    ("complete_at", "is_stale"),
    [
        pytest.param(NOON - STALE_AFTER + HOUR, False, id="fresh"),
        pytest.param(NOON - STALE_AFTER - HOUR, True, id="too-old"),
        pytest.param(None, True, id="never-completed-is-stale-at-once"),
    ],
)
def test_a_connection_is_stale_without_a_complete_sync_for_long(
    complete_at: dt.datetime | None, is_stale: bool
) -> None:
    result = no_connection_is_stale([health(complete_at=complete_at)], NOON)
    assert result.ids == (["acme"] if is_stale else [])


def test_more_than_ten_say_how_many_more() -> None:
    result = no_connection_is_truncated({f"c{number:03}": 2 for number in range(50)})
    assert result.shown.startswith("c000: 2, ")
    assert result.shown.endswith("c009: 2, … and 40 more")
    assert (result.count, len(result.ids)) == (50, 50)


@pytest.mark.parametrize(
    ("known", "ended", "becomes"),
    [
        pytest.param({"state": "running", "run_id": "r1"}, ("r1", NOON), "failed", id="the-log-says-running"),
        pytest.param({"run_id": "r1"}, ("r2", NOON), "failed", id="the-log-never-heard-of-it"),
        pytest.param(NEW, ("r2", NOON), "failed", id="the-first"),
        pytest.param({"run_id": "r2"}, ("r1", NOON - 2 * HOUR), "complete", id="synced-since"),
        pytest.param({"run_id": "r1", "state": "running"}, ("r0", NOON - 2 * HOUR), "running", id="runs-again"),
    ],
)
def test_a_run_that_died_without_a_word_counts_as_failed_unless_something_later_is_known(
    known: dict[str, Any], ended: tuple[str, dt.datetime], becomes: str
) -> None:
    (after,) = with_ended_runs([health(**known)], [EndedRun("acme", *ended), EndedRun("gone", "r9", NOON)])
    assert after.state == becomes
    assert (after.run_id == ended[0]) is (becomes == "failed")


def test_the_table_has_a_row_for_each_connection_with_a_link_to_its_run() -> None:
    failed = health("zeta", state="failed", error_code="AsanaAccessError", remedy="Renew the token")
    table = render_table(judge([health(), failed, health("new", **NEW)]), NOON, RUNS).split("\n")
    assert table[0] == "| connection | last complete | age | error or state | what to do | run |"
    assert table[2] == (
        f"| zeta | 2026-03-02 11:00 UTC | 1 h | AsanaAccessError | Renew the token | [01234567]({RUNS}0123456789ab) |"
    )
    assert table[3].startswith("| new | never |  | never synced | Sync it: perfcopilot-goals sync new")
    assert table[4] == f"| acme | 2026-03-02 11:00 UTC | 1 h | works |  | [01234567]({RUNS}0123456789ab) |"


@pytest.mark.parametrize(
    "hostile",
    [
        "a | b | c",
        "a\n| b |",
        "<img src=x onerror=alert(1)>",
        "[click](https://evil.example.com)",
        "![x](https://evil.example.com/x.png)",
        "`code` *bold* __bold__ ~~gone~~",
        "\\| \\",
        "&lt;b&gt;",
        "a\r\n\r\n# heading",
    ],
)
def test_no_text_leaves_its_cell(hostile: str) -> None:
    failed = health(state="failed", error_code="GoalsConfigError", remedy=hostile)
    *_, row = render_table(judge([failed]), NOON, RUNS).split("\n")
    assert row.startswith("| acme | 2026-03-02 11:00 UTC | 1 h | GoalsConfigError |")
    # Pipes that are no escaped text are the seven around six cells.
    plain = row.replace("\\\\", "")
    assert plain.count("|") - plain.count("\\|") == 7
    cell = row.split(" | ")[4] if "a |" not in hostile else ""
    assert "<" not in row
    for mark in ("[", "`", "*", "~", "#"):
        assert cell.count(mark) == cell.count(f"\\{mark}")


def test_job_names_and_options_stay_readable_in_a_remedy() -> None:
    (one,) = judge([health(**NEW, has_workspace_gid=False)])
    table = render_table([one], NOON, RUNS)
    assert "perfcopilot-goals connection set acme --workspace-gid GID, or the job set_workspace in the UI" in table


def test_a_table_of_many_ends_with_how_many_more_there_are() -> None:
    table = render_table(judge(health(f"c{number:04}") for number in range(ROWS_SHOWN + 40)), NOON, RUNS)
    assert table.endswith("… and 40 more: `perfcopilot-goals status`")
    assert table.count("\n| c") == ROWS_SHOWN


def test_without_connections_the_table_says_how_to_add_one() -> None:
    assert "perfcopilot-goals connection add NAME" in render_table([], NOON, RUNS)

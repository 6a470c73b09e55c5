"""The lines of a block beside Asana's present goals."""

from dataclasses import replace
from typing import Any

import pytest

from perfcopilot_goals.core.block_comparison import STANDS, LineResult
from perfcopilot_goals.core.live_goals import CHANGED, GONE, NOT_SHOWN, UNCHANGED, LiveGoal, compare_live
from perfcopilot_goals.errors import AsanaContractError
from perfcopilot_goals_tests.core.examples import CANARY, error_texts, goal_json, owner, update, without

GOAL = LineResult(2, STANDS, "- Goal (status: at_risk): Grow web traffic", goal_gid="101")
KEY_RESULT = replace(GOAL, text="  - KR (status: at_risk): Grow web traffic", goal_gid="100", key_result_gid="101")


def compare(line: LineResult, now: dict[str, Any] | int, owner_gid: str | None = "11") -> LiveGoal:
    (found,) = compare_live([line], {"101": now}, owner_gid)
    return found


def test_a_goal_that_reads_as_before_is_unchanged() -> None:
    as_it_was = goal_json("101", owner=owner("11"), current_status_update=update("behind"))
    assert compare(GOAL, as_it_was).result == UNCHANGED
    assert compare(GOAL, as_it_was | {"name": "Grow\u200b  web traffic"}).result == UNCHANGED


def test_what_changed_is_told_as_a_block_shows_it() -> None:
    now = goal_json("101", name="Grow [more]", owner=owner("12"), current_status_update=update("done"))
    found = compare(GOAL, now)
    assert found.result == CHANGED
    assert found.changes == {
        "name": ("Grow web traffic", "Grow (more)"),
        "status": ("at_risk", "completed"),
        "owner": ("11", "12"),
    }
    assert found.permalink == "https://app.asana.com/0/goal/101"


def test_owners_of_key_results_and_of_unmapped_employees_goals_are_not_compared() -> None:
    now = goal_json("101", owner=owner("12"), current_status_update=update("behind"))
    assert compare(KEY_RESULT, now).result == UNCHANGED
    assert compare(GOAL, now, owner_gid=None).result == UNCHANGED
    assert compare(GOAL, now | {"owner": None}).changes == {"owner": ("11", None)}


def test_a_goal_is_gone_with_404_and_not_shown_with_403() -> None:
    assert compare(GOAL, 404).result == GONE
    assert compare(GOAL, 403).result == NOT_SHOWN


def test_a_goal_that_is_cited_twice_is_told_once_and_as_changed_if_one_line_is() -> None:
    now = goal_json("101", owner=owner("12"), current_status_update=update("behind"))
    found = compare_live([KEY_RESULT, GOAL], {"101": now}, "11")
    assert [(goal.gid, goal.result) for goal in found] == [("101", CHANGED)]


@pytest.mark.parametrize("field", ["name", "owner", "current_status_update"])
def test_a_field_that_did_not_come_is_an_error_that_tells_no_text(field: str) -> None:
    now = goal_json("101", name=CANARY, owner=owner("11", CANARY), current_status_update=update("behind"))
    with pytest.raises(AsanaContractError, match=f"GET /goals/101: object 101: field {field}") as raised:
        compare(GOAL, without(now, field))
    assert CANARY not in error_texts(raised.value)

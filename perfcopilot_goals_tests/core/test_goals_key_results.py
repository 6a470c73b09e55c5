"""From Asana's sub-goals to rows of `subgoals`."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcopilot_goals.core.goals import parse_subgoals
from perfcopilot_goals.errors import AsanaContractError
from perfcopilot_goals.schemas.tables import stamp, validate
from perfcopilot_goals_tests.core.examples import (
    CANARY,
    MONDAY,
    attempt,
    error_texts,
    goal_json,
    json_values,
    nearly_goals,
    owner,
    records,
    update,
    usual,
    without,
)


def test_a_subgoal_becomes_a_row_under_its_parent_with_every_column() -> None:
    child = goal_json(
        "9", name="Publish", owner=owner("12"), due_on="2026-06-30", current_status_update=update("missed")
    )
    assert records(parse_subgoals({"1": [child]}).rows) == [
        {
            "goal_gid": "1",
            "subgoal_gid": "9",
            "position": 0,
            "name": "Publish",
            "owner_gid": "12",
            "due_on": dt.date(2026, 6, 30),
            "start_on": None,
            "status_type": "missed",
        }
    ]


def test_no_subgoals_are_a_frame_with_the_tables_types() -> None:
    empty = parse_subgoals({"1": [], "2": []})
    assert (len(empty.rows), empty.notes["repeated_subgoals"]) == (0, 0)
    assert empty.rows.dtypes.to_dict() == parse_subgoals({"1": [goal_json("9")]}).rows.dtypes.to_dict()
    validate("subgoals", stamp(empty.rows, "acme", MONDAY, "run-1"))


def test_parents_and_children_stay_in_the_order_in_which_they_came() -> None:
    rows = parse_subgoals({"2": [goal_json("9"), goal_json("8")], "1": [goal_json("7")]}).rows
    assert list(zip(rows["goal_gid"], rows["subgoal_gid"], rows["position"], strict=True)) == [
        ("2", "9", 0),
        ("2", "8", 1),
        ("1", "7", 0),
    ]


def test_a_child_that_came_twice_keeps_its_first_place_and_its_last_content() -> None:
    found = parse_subgoals({"1": [goal_json("9", name="old"), goal_json("8"), goal_json("9", name="new")]})
    assert found.notes["repeated_subgoals"] == 1
    assert [(row["subgoal_gid"], row["name"]) for row in records(found.rows)] == [
        ("9", "new"),
        ("8", "Grow web traffic"),
    ]


def test_a_child_of_two_parents_is_two_rows_and_no_repeat() -> None:
    found = parse_subgoals({"1": [goal_json("9")], "2": [goal_json("9")]})
    assert found.notes["repeated_subgoals"] == 0
    assert list(found.rows["goal_gid"]) == ["1", "2"]


def test_a_goal_listed_under_itself_is_not_its_own_key_result() -> None:
    rows = parse_subgoals({"1": [goal_json("1"), goal_json("9")], "9": [goal_json("1")]}).rows
    assert list(zip(rows["goal_gid"], rows["subgoal_gid"], rows["position"], strict=True)) == [
        ("1", "9", 0),
        ("9", "1", 0),
    ]


@pytest.mark.parametrize("field", ["gid", "name", "owner", "due_on", "start_on", "current_status_update"])
def test_a_field_that_vanished_breaks_the_contract(field: str) -> None:
    with pytest.raises(AsanaContractError):
        parse_subgoals({"1": [goal_json("8"), without(goal_json("9"), field)]})


@pytest.mark.parametrize(
    ("route", "request_"),
    [("goal_relationships", "GET /goal_relationships of goal 100"), ("subgoals", "GET /goals/100/subgoals")],
)
@pytest.mark.fault("C33")
def test_a_subgoal_of_another_shape_is_reported_with_request_object_and_field(route: str, request_: str) -> None:
    with pytest.raises(AsanaContractError) as refused:
        parse_subgoals({"99": [goal_json("8")], "100": [goal_json("9", due_on=CANARY)]}, route=route)
    assert str(refused.value).startswith(
        f"AsanaContractError: {request_}: object 9: field due_on is other text, not a date written YYYY-MM-DD; no "
        "block was changed. Run it again; "
    )
    assert CANARY not in error_texts(refused.value)


def test_subgoals_need_no_notes() -> None:
    assert len(parse_subgoals({"1": [without(without(goal_json("9"), "html_notes"), "workspace")]}).rows) == 1


@usual
@given(st.lists(nearly_goals() | st.dictionaries(st.sampled_from(["gid", "name"]), json_values), max_size=4))
def test_any_objects_are_rows_that_fit_the_table_or_a_broken_contract_that_quotes_nothing(
    sent: list[dict[str, Any]],
) -> None:
    found = attempt(lambda: parse_subgoals({"100": sent}))
    if isinstance(found, AsanaContractError):
        assert found.text.startswith("GET /goal_relationships of goal 100: ")
        assert CANARY not in error_texts(found)
    else:
        assert len(found.rows) + found.notes["repeated_subgoals"] == len(sent)
        validate("subgoals", stamp(found.rows, "acme", MONDAY, "run-1"))

"""Whose goal it is: by gid only, the first 200 in the order of Asana's list, counted exactly."""

import random

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcopilot_goals.core.goals import parse_goals, select_owned_goals
from perfcopilot_goals.schemas.tables import stamp, validate
from perfcopilot_goals_tests.core.examples import MONDAY, WORKSPACE, goal_json, owner, records, usual

CAP = 200


def raw(*owners: str | None) -> pd.DataFrame:
    """Goals 1, 2, 3, … of these owners, in this order."""
    goals = [goal_json(str(n), owner=None if gid is None else owner(gid)) for n, gid in enumerate(owners, start=1)]
    return parse_goals(goals, WORKSPACE).rows


def test_an_owned_goal_keeps_what_it_has_and_gets_its_employee_and_rank() -> None:
    goal = goal_json("5", name="Grow", owner=owner("11"), html_notes="<body/>", due_on="2026-06-30")
    (row,) = records(select_owned_goals(parse_goals([goal], WORKSPACE).rows, {"11": "E-1"}))
    assert {name: row[name] for name in ("goal_gid", "employee_id", "owned_rank", "owned_total", "truncated")} == {
        "goal_gid": "5",
        "employee_id": "E-1",
        "owned_rank": 1,
        "owned_total": 1,
        "truncated": False,
    }
    assert (row["name"], row["description"], str(row["due_on"])) == ("Grow", "<body/>", "2026-06-30")
    assert row["start_on"] is None
    assert row["status_type"] is None


@pytest.mark.parametrize(
    ("total", "listed", "truncated"),
    [(1, 1, False), (199, 199, False), (200, 200, False), (201, 200, True), (243, 200, True)],
)  # fmt: skip
def test_the_first_200_of_an_employee_are_listed_and_more_is_truncated(
    total: int, listed: int, truncated: bool
) -> None:
    rows = select_owned_goals(raw(*["11"] * total, "12"), {"11": "E-1", "12": "E-2"})
    mine = rows[rows["employee_id"] == "E-1"]
    assert list(mine["goal_gid"]) == [str(n) for n in range(1, listed + 1)]
    assert list(mine["owned_rank"]) == list(range(1, listed + 1))
    assert set(mine["owned_total"]) == {total}
    assert set(mine["truncated"]) == {truncated}
    assert list(rows.loc[rows["employee_id"] == "E-2", ["owned_rank", "owned_total", "truncated"]].iloc[0]) == [
        1,
        1,
        False,
    ]


def test_the_order_is_that_of_asanas_list_whatever_the_order_of_the_rows() -> None:
    goals = raw("11", "12", "11", "11")
    backwards = goals.iloc[::-1]
    for given_rows in (goals, backwards):
        rows = select_owned_goals(given_rows, {"11": "E-1", "12": "E-2"})
        mine = rows[rows["employee_id"] == "E-1"]
        assert list(zip(mine["goal_gid"], mine["owned_rank"], strict=True)) == [("1", 1), ("3", 2), ("4", 3)]


@pytest.mark.fault("B15")
def test_two_people_with_the_same_name_keep_their_goals_apart_and_a_renamed_one_keeps_theirs() -> None:
    goals = [
        goal_json("1", owner=owner("11", "Sam Lee")),
        goal_json("2", owner=owner("12", "Sam Lee")),
        goal_json("3", owner=owner("11", "Sam Lee-Smith")),
    ]
    rows = select_owned_goals(parse_goals(goals, WORKSPACE).rows, {"11": "E-1", "12": "E-2"})
    assert list(zip(rows["goal_gid"], rows["employee_id"], strict=True)) == [("1", "E-1"), ("2", "E-2"), ("3", "E-1")]


def test_gids_that_are_equal_as_numbers_are_different_people() -> None:
    rows = select_owned_goals(raw("011", "11", "0011"), {"11": "E-1"})
    assert list(rows["goal_gid"]) == ["2"]


@pytest.mark.fault("B14")
def test_a_goal_of_nobody_or_of_a_stranger_belongs_to_no_employee() -> None:
    assert select_owned_goals(raw(None, "99", None), {"11": "E-1"}).empty
    assert select_owned_goals(raw(None, "99"), {}).empty


@pytest.mark.parametrize("owners", [[], [None], ["11"]], ids=["no-goals", "nobodys", "somebodys"])
def test_the_types_are_the_tables_with_and_without_rows(owners: list[str | None]) -> None:
    rows = select_owned_goals(raw(*owners), {"11": "E-1"})
    assert {name: str(dtype) for name, dtype in rows.dtypes.items()} == {
        "goal_gid": "object",
        "employee_id": "object",
        "owned_rank": "int64",
        "owned_total": "int64",
        "truncated": "bool",
        "name": "object",
        "description": "object",
        "due_on": "object",
        "start_on": "object",
        "status_type": "object",
    }
    validate("owned_goals", stamp(rows, "acme", MONDAY, "run-1"))


COUNTS = st.one_of(st.integers(0, 3), st.integers(195, 205), st.integers(0, 450))


@usual
@given(st.fixed_dictionaries(dict.fromkeys(("11", "12", "13", "99", ""), COUNTS)), st.integers(0, 2**32))
def test_listed_is_exactly_the_smaller_of_owned_and_cap_and_truncated_says_which(
    counts: dict[str, int], seed: int
) -> None:
    owners = [gid or None for gid, count in counts.items() for _ in range(count)]
    random.Random(seed).shuffle(owners)
    employee_of = {"11": "E-1", "12": "E-2", "13": "E-3", "14": "E-4"}
    rows = select_owned_goals(raw(*owners), employee_of)
    for gid, employee in employee_of.items():
        mine = rows[rows["employee_id"] == employee]
        theirs = [str(n) for n, whose in enumerate(owners, start=1) if whose == gid]
        assert list(mine["goal_gid"]) == theirs[:CAP]
        assert list(mine["owned_rank"]) == list(range(1, min(len(theirs), CAP) + 1))
        assert set(mine["owned_total"]) <= {len(theirs)}
        assert set(mine["truncated"]) <= {len(theirs) > CAP}
    assert set(rows["employee_id"]) <= set(employee_of.values())

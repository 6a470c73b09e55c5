"""Status words, and goals with their key results as PerfCopilot uses them."""

from collections import Counter

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcopilot_goals.core.mapping import KNOWN_WORDS, STATUS_OF, map_status
from perfcopilot_goals.domain.block import STATUSES
from perfcopilot_goals_tests.core.examples import World, goal_json, owner, records, sync, update, usual, worlds

# The product's rule, word for word.
WORDS = {
    "completed": ["achieved", "completed", "done"],
    "at_risk": ["at_risk", "behind", "partial"],
    "off_track": ["off_track", "missed", "dropped"],
}


@pytest.mark.parametrize(("word", "status"), [(word, status) for status, words in WORDS.items() for word in words])
def test_a_word_of_the_rule_has_its_status(word: str, status: str) -> None:
    assert map_status(word) == status


def test_there_are_no_other_words_and_on_track_is_known() -> None:
    assert set(STATUS_OF) == {word for words in WORDS.values() for word in words}
    assert set(STATUS_OF) | {"on_track"} == KNOWN_WORDS


@pytest.mark.parametrize(
    "word",
    [None, "", "on_track", "Achieved", "DONE", "done ", " done", "at risk", "at-risk", "off_track\n", "complete",
     "on_hold", "green", "dοne", "ｄｏｎｅ", "missed\u200b"],
    ids=ascii,
)  # fmt: skip
def test_anything_else_or_nothing_is_on_track_because_the_match_is_exact(word: str | None) -> None:
    assert map_status(word) == "on_track"


@usual
@given(st.text())
def test_every_text_has_one_of_the_four_statuses(word: str) -> None:
    expected = next((status for status, words in WORDS.items() if word in words), "on_track")
    assert map_status(word) == expected
    assert expected in STATUSES


def family() -> World:
    """Goals 1 and 3 are E-2's, 2 is E-1's. 9 is a child of 1 and of 2; 3 is an owned sub-goal of 1."""
    goals = [
        goal_json("1", name="One", owner=owner("12"), html_notes="why", current_status_update=update("partial")),
        goal_json("2", name="Two", owner=owner("11"), due_on="2026-06-30", start_on="2026-01-01"),
        goal_json("3", name="Three", owner=owner("12"), current_status_update=update("Odd")),
    ]
    shared = goal_json("9", name="Nine", owner=owner("99"), current_status_update=update("missed"), due_on="2026-05-31")
    return World(goals, {"1": [shared, goals[2]], "2": [shared]}, {"E-1": "11", "E-2": "12"})


def laid_out(rows: pd.DataFrame) -> list[tuple[object, ...]]:
    return [(r["employee_id"], r["position"], r["kind"], r["goal_gid"], r["row_gid"]) for r in records(rows)]


def test_key_results_follow_their_goal_and_positions_run_through_each_employee() -> None:
    assert laid_out(sync(family())["mapped_goal_rows"]) == [
        ("E-1", 0, "goal", "2", "2"),
        ("E-1", 1, "key_result", "2", "9"),
        ("E-2", 0, "goal", "1", "1"),
        ("E-2", 1, "key_result", "1", "9"),
        ("E-2", 2, "key_result", "1", "3"),
        ("E-2", 3, "goal", "3", "3"),
    ]


def test_the_layout_does_not_depend_on_the_order_in_which_rows_were_read_back() -> None:
    from perfcopilot_goals.core.mapping import map_rows

    slices = sync(family())
    backwards = map_rows(slices["owned_goals"].iloc[::-1], slices["subgoals"].iloc[::-1])
    assert laid_out(backwards) == laid_out(slices["mapped_goal_rows"])


def test_a_row_has_the_raw_word_beside_the_status_and_a_key_result_has_no_description() -> None:
    by_gids = {(r["goal_gid"], r["row_gid"]): r for r in records(sync(family())["mapped_goal_rows"])}
    goal, child, odd = by_gids["1", "1"], by_gids["1", "9"], by_gids["3", "3"]
    assert (goal["name"], goal["description"], goal["status_type"], goal["status"]) == (
        "One",
        "why",
        "partial",
        "at_risk",
    )
    assert (child["name"], child["description"], child["status_type"]) == ("Nine", None, "missed")
    assert (child["status"], str(child["due_on"]), child["start_on"]) == ("off_track", "2026-05-31", None)
    assert (odd["status_type"], odd["status"]) == ("Odd", "on_track")
    dated = by_gids["2", "2"]
    assert (str(dated["due_on"]), str(dated["start_on"]), dated["status_type"]) == ("2026-06-30", "2026-01-01", None)


def test_nothing_owned_is_a_frame_with_the_tables_types() -> None:
    empty = sync(World([]))["mapped_goal_rows"]
    assert empty.empty
    assert empty.dtypes.to_dict() == sync(family())["mapped_goal_rows"].dtypes.to_dict()


@usual
@given(worlds())
def test_every_owned_goal_and_every_subgoal_is_exactly_one_row_of_the_owner(world: World) -> None:
    slices = sync(world)
    owned, subgoals, rows = (slices[name] for name in ("owned_goals", "subgoals", "mapped_goal_rows"))
    whose = dict(zip(owned["goal_gid"], owned["employee_id"], strict=True))
    expected = Counter(("goal", gid, gid, employee) for gid, employee in whose.items())
    expected.update(("key_result", r["goal_gid"], r["subgoal_gid"], whose[r["goal_gid"]]) for r in records(subgoals))
    assert Counter((r["kind"], r["goal_gid"], r["row_gid"], r["employee_id"]) for r in records(rows)) == expected


@usual
@given(worlds())
def test_positions_count_from_0_without_a_gap_and_goals_are_in_list_order(world: World) -> None:
    rows = sync(world)["mapped_goal_rows"]
    order = [goal["gid"] for goal in world.goals]
    for _, mine in rows.groupby("employee_id"):
        assert list(mine["position"]) == list(range(len(mine)))
        goals = list(mine.loc[mine["kind"] == "goal", "goal_gid"])
        assert goals == sorted(goals, key=order.index)
        # A key result comes after its goal, with only its siblings between.
        assert list(dict.fromkeys(mine["goal_gid"])) == goals
        assert list(mine["goal_gid"]) == sorted(mine["goal_gid"], key=goals.index)

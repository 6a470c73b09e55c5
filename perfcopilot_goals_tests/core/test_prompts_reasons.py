"""Why an employee's block is as it is, in one word."""

import pytest

from perfcopilot_goals.core.prompts import count_reasons, reason_now, reason_of_block, render_blocks
from perfcopilot_goals.domain.block import BLOCK_REASONS, REASONS, BlockHistory
from perfcopilot_goals_tests.core.examples import World, goal_json, owner, sync


@pytest.mark.parametrize(
    ("goals_owned", "had_goals", "is_gone", "reason"),
    [
        (201, True, False, "truncated"),
        (200, True, True, "ok"),
        (1, False, False, "ok"),
        (0, False, False, "owns_no_goals"),
        (0, True, False, "had_goals_before"),
        (0, False, True, "asana_user_gone"),
        (0, True, True, "asana_user_gone"),
    ],
)
def test_a_block_has_one_reason(goals_owned: int, had_goals: bool, is_gone: bool, reason: str) -> None:
    assert reason_of_block(goals_owned, had_goals=had_goals, is_gone=is_gone) == reason
    assert reason in BLOCK_REASONS


@pytest.mark.parametrize(
    ("block_reason", "is_mapped", "is_gone", "reason"),
    [
        (None, False, False, "unmapped"),
        ("ok", False, False, "unmapped"),
        (None, True, False, "not_synced"),
        (None, True, True, "not_synced"),
        ("ok", True, True, "ok"),
        ("truncated", True, False, "truncated"),
        ("owns_no_goals", True, False, "owns_no_goals"),
        ("had_goals_before", True, False, "had_goals_before"),
        ("had_goals_before", True, True, "asana_user_gone"),
        ("owns_no_goals", True, True, "asana_user_gone"),
        ("asana_user_gone", True, False, "owns_no_goals"),
    ],
)
def test_what_is_known_since_the_block_was_made_changes_the_reason(
    block_reason: str | None, is_mapped: bool, is_gone: bool, reason: str
) -> None:
    assert reason_now(block_reason, is_mapped=is_mapped, is_gone=is_gone) == reason
    assert reason in REASONS


def test_every_block_is_rendered_with_its_reason_and_the_text_does_not_depend_on_it() -> None:
    goals = [goal_json(str(n), owner=owner("11")) for n in range(201)] + [goal_json("900", owner=owner("12"))]
    mapping: dict[str, str | None] = {f"E-{n}": f"1{n}" for n in range(1, 6)}
    slices = sync(World(goals, {}, mapping))
    block_history = BlockHistory(had_goals=frozenset({"E-2", "E-4", "E-5"}), gone=frozenset({"E-5"}))
    blocks = render_blocks(slices["mapped_goal_rows"], {"E-1": 201, "E-2": 1}, mapping, block_history)
    assert list(blocks["reason"]) == ["truncated", "ok", "owns_no_goals", "had_goals_before", "asana_user_gone"]
    assert blocks.drop(columns="reason").equals(slices["prompt_blocks"].drop(columns="reason"))


def test_reasons_are_counted_with_zeros() -> None:
    assert count_reasons(["ok", "ok", "truncated"]) == {
        "reason_ok": 2,
        "reason_truncated": 1,
        "reason_owns_no_goals": 0,
        "reason_had_goals_before": 0,
        "reason_asana_user_gone": 0,
    }

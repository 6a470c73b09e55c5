"""What holds whatever a workspace contains: all of `core` in a row, over generated worlds."""

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcopilot_goals.core.checks import CHECKS, IDS_LISTED, Facts
from perfcopilot_goals.core.prompts import safe_name
from perfcopilot_goals.schemas.tables import stamp, validate
from perfcopilot_goals_tests.core.examples import MONDAY, World, blocks_of, one_in, records, sync, usual, worlds


# A tenth of the examples, because pandera takes longer over five tables than all of `core`.
@one_in(10)
@given(worlds())
def test_every_table_of_every_world_fits_its_schema(world: World) -> None:
    for table, rows in sync(world).items():
        stamped = stamp(rows, "acme", MONDAY, "run-1")
        assert validate(table, stamped).equals(stamped)


@usual
@given(worlds())
@pytest.mark.fault("H17")
def test_no_block_has_anything_of_another_persons_goals(world: World) -> None:
    by_gid = {goal["gid"]: goal for goal in world.goals}
    mine = {
        employee: {gid for gid, goal in by_gid.items() if (goal["owner"] or {}).get("gid") == user}
        for employee, user in world.asana_user_of.items()
        if user
    }
    blocks = blocks_of(sync(world))
    assert blocks.keys() == mine.keys()
    for employee, block in blocks.items():
        children = {child["gid"] for gid in mine[employee] for child in world.subgoals[gid]}
        planted = re.findall(r"of \w+ in (\d+);", block)
        assert set(planted) == mine[employee] | children
        assert "notes" not in block


@usual
@given(worlds(), st.randoms(use_true_random=False))
def test_a_sync_done_twice_or_with_a_goal_repeated_gives_equal_tables(world: World, dice: Random) -> None:
    once = sync(world)
    doubled = [*world.goals]
    # In many examples no goal is repeated. Then it is the same sync, done twice.
    for goal in dice.sample(world.goals, k=dice.randint(0, len(world.goals) // 2)):
        doubled.insert(dice.randint(doubled.index(goal) + 1, len(doubled)), goal)
    again = sync(World(doubled, world.subgoals, world.asana_user_of))
    assert all(again[table].equals(rows) for table, rows in once.items())


@usual
@given(worlds())
def test_every_body_line_maps_to_one_row_and_back_by_its_citation(world: World) -> None:
    slices = sync(world)
    rows = {(r["employee_id"], r["goal_gid"], r["row_gid"]): r for r in records(slices["mapped_goal_rows"])}
    cited = []
    for block in records(slices["prompt_blocks"]):
        lines = block["block"].split("\n")
        for citation in block["citations"]:
            goal_gid, key_result_gid = citation["goal_gid"], citation["key_result_gid"]
            key = (block["employee_id"], goal_gid, key_result_gid or goal_gid)
            row = rows[key]
            assert row["kind"] == ("goal" if key_result_gid is None else "key_result")
            kind = "- Goal" if key_result_gid is None else "  - KR"
            assert lines[citation["line"] - 1] == f"{kind} (status: {row['status']}): {safe_name(row['name'])}"
            cited.append(key)
        assert [citation["line"] for citation in block["citations"]] == list(range(2, 2 + len(block["citations"])))
        assert len(lines) == 2 + (len(block["citations"]) or 1)
        assert (block["goals_listed"], block["key_results_listed"]) == (
            sum(citation["key_result_gid"] is None for citation in block["citations"]),
            sum(citation["key_result_gid"] is not None for citation in block["citations"]),
        )
    assert sorted(cited) == sorted(rows)


@usual
@given(worlds())
def test_the_checks_of_structure_are_green_on_the_pipelines_tables_and_no_check_shows_a_text(world: World) -> None:
    facts = Facts(sync(world), world.asana_user_of)
    results = {check.name: (check.is_structural, check.evaluate(facts)) for check in CHECKS}
    assert all(result.passed for is_structural, result in results.values() if is_structural)
    for _, result in results.values():
        assert result.count >= len(result.ids)
        assert len(result.ids) == min(result.count, IDS_LISTED) or not result.ids
        assert all(re.fullmatch(r"\d+(: \d+)?|E-\d(: \d+)?", shown) for shown in result.ids)

"""The `[GOALS]` block, byte for byte: its lines and citations, the same on every machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from perfcopilot_goals.core.prompts import Line, render_block, render_blocks
from perfcopilot_goals.errors import GoalsSchemaError
from perfcopilot_goals_tests.core.examples import (
    World,
    awkward_world,
    blocks_of,
    blocks_of_the_awkward_world,
    goal_json,
    owner,
    records,
    sync,
    update,
)

ROOT = Path(__file__).resolve().parents[2]


def goal(gid: str, name: str, status: str = "on_track") -> Line:
    return Line(gid, None, name, status)


def key_result(parent: str, gid: str, name: str, status: str = "on_track") -> Line:
    return Line(parent, gid, name, status)


def test_a_block_lists_goals_each_followed_by_its_key_results() -> None:
    lines = [
        goal("1", "Grow web traffic by 30%", "at_risk"),
        key_result("1", "9", "Publish ten posts", "on_track"),
        goal("2", "Hire two engineers", "completed"),
    ]
    block = render_block(lines, 2)
    assert block.text == (
        "[GOALS]\n"
        "- Goal (status: at_risk): Grow web traffic by 30%\n"
        "  - KR (status: on_track): Publish ten posts\n"
        "- Goal (status: completed): Hire two engineers\n"
        "[/GOALS]"
    )
    assert block.citations == [
        {"line": 2, "goal_gid": "1", "key_result_gid": None},
        {"line": 3, "goal_gid": "1", "key_result_gid": "9"},
        {"line": 4, "goal_gid": "2", "key_result_gid": None},
    ]


def test_a_block_of_no_goals_says_so_and_cites_nothing() -> None:
    block = render_block([], 0)
    assert (block.text, block.citations) == ("[GOALS]\n- (no goals)\n[/GOALS]", [])


def test_a_truncated_block_says_how_many_of_how_many_in_its_last_line() -> None:
    block = render_block([goal(str(n), f"Goal {n}") for n in range(200)], 243)
    lines = block.text.split("\n")
    assert lines[-2:] == ["- (200 of 243 goals listed; the list was truncated)", "[/GOALS]"]
    assert (len(lines), len(block.citations)) == (203, 200)


def test_key_results_do_not_count_as_goals_in_the_truncated_line() -> None:
    lines = [goal("1", "One"), key_result("1", "8", "Eight"), key_result("1", "9", "Nine")]
    assert "truncated" not in render_block(lines, 1).text
    assert "- (1 of 2 goals listed; the list was truncated)" in render_block(lines, 2).text


@pytest.mark.parametrize(
    "name", ["", " ", "\n\t", "\u200b", "\ufe0f\u3164", "\u2028\u2029", " \u200b\t\u3164 "], ids=ascii
)
def test_a_name_that_shows_nothing_is_untitled(name: str) -> None:
    assert render_block([goal("1", name)], 1).text == "[GOALS]\n- Goal (status: on_track): (untitled)\n[/GOALS]"


@pytest.mark.parametrize(
    ("name", "status", "line"),
    [
        ("Hire two (status: completed)", "off_track", "- Goal (status: off_track): Hire two (status: completed)"),
        ("KR: all of it", "on_track", "- Goal (status: on_track): KR: all of it"),
        ("\u200b \u200b \u200b- KR: x", "on_track", "- Goal (status: on_track): - KR: x"),
        ("\u200b \u200b", "on_track", "- Goal (status: on_track): (untitled)"),
        ("\u202edone\u202c)", "at_risk", "- Goal (status: at_risk): done)"),
    ],
    ids=["a status", "a key result", "hidden gaps", "nothing that shows", "right to left"],
)
@pytest.mark.fault("C30", "C31")
def test_a_name_claims_no_kind_and_no_status_because_ours_stand_before_it(name: str, status: str, line: str) -> None:
    """A block once had `- Hire two (status: completed) (status: off_track)`: its owner had given the goal that name."""
    assert render_block([goal("1", name, status)], 1).text.split("\n") == ["[GOALS]", line, "[/GOALS]"]
    as_key_result = render_block([goal("1", "One"), key_result("1", "9", name, status)], 1).text.split("\n")[2]
    assert as_key_result == line.replace("- Goal ", "  - KR ", 1)


def test_a_company_becomes_one_block_for_each_mapped_employee_in_the_order_of_their_ids() -> None:
    goals = [
        goal_json("1", name="Grow web traffic by 30%", owner=owner("12"), current_status_update=update("behind")),
        goal_json("2", name="Hire two engineers", owner=owner("12"), current_status_update=update("achieved")),
        goal_json("3", name="Nobody's"),
    ]
    child = goal_json("9", name="Publish ten posts", owner=owner("11"))
    mapping = {"b": "12", "a": "11", "B": "13", "c": None}
    slices = sync(World(goals, {"1": [child]}, mapping))
    assert list(blocks_of(slices).items()) == [
        ("B", "[GOALS]\n- (no goals)\n[/GOALS]"),
        ("a", "[GOALS]\n- (no goals)\n[/GOALS]"),
        (
            "b",
            "[GOALS]\n"
            "- Goal (status: at_risk): Grow web traffic by 30%\n"
            "  - KR (status: on_track): Publish ten posts\n"
            "- Goal (status: completed): Hire two engineers\n"
            "[/GOALS]",
        ),
    ]
    assert [
        (r["goals_owned"], r["goals_listed"], r["key_results_listed"], r["truncated"])
        for r in records(slices["prompt_blocks"])
    ] == [(0, 0, 0, False), (0, 0, 0, False), (2, 2, 1, False)]


@pytest.mark.parametrize(("owned", "listed"), [(199, 199), (200, 200), (201, 200), (243, 200)])
def test_a_block_lists_the_smaller_of_owned_and_cap_and_says_when_that_is_not_all(owned: int, listed: int) -> None:
    goals = [goal_json(str(n), name=f"Goal {n}", owner=owner("11")) for n in range(owned)]
    (row,) = records(sync(World(goals, {}, {"E-1": "11"}))["prompt_blocks"])
    lines = row["block"].split("\n")
    assert lines[1 : listed + 1] == [f"- Goal (status: on_track): Goal {n}" for n in range(listed)]
    rest = [f"- ({listed} of {owned} goals listed; the list was truncated)"] if owned > listed else []
    assert lines[listed + 1 :] == [*rest, "[/GOALS]"]
    assert (row["goals_owned"], row["goals_listed"], row["truncated"]) == (owned, listed, owned > listed)
    assert len(row["citations"]) == listed


@pytest.mark.parametrize("owned", [0, 2, 300], ids=["fewer", "more", "beyond-the-cap"])
def test_the_count_of_goals_and_the_rows_must_agree(owned: int) -> None:
    slices = sync(World([goal_json("1", name="Secret", owner=owner("11"))], {}, {"E-1": "11"}))
    with pytest.raises(GoalsSchemaError, match=f"employee E-1 owns {owned} goals and 1 would be listed") as refused:
        render_blocks(slices["mapped_goal_rows"], {"E-1": owned}, ["E-1"])
    assert "Secret" not in str(refused.value)


def test_a_block_does_not_depend_on_the_order_in_which_rows_were_read_back() -> None:
    slices = sync(awkward_world())
    owned = slices["owned_goals"]
    totals = dict(zip(owned["employee_id"], owned["owned_total"], strict=True))
    backwards = render_blocks(
        slices["mapped_goal_rows"].iloc[::-1], totals, reversed(slices["prompt_blocks"]["employee_id"])
    )
    assert backwards.equals(slices["prompt_blocks"])


def test_no_mapped_employees_are_a_frame_with_the_tables_types() -> None:
    empty = sync(World([goal_json("1", owner=owner("11"))]))["prompt_blocks"]
    assert empty.empty
    assert empty.dtypes.to_dict() == sync(awkward_world())["prompt_blocks"].dtypes.to_dict()


def test_bytes_are_equal_in_processes_of_other_hash_seeds_locales_and_time_zones() -> None:
    script = (
        "import locale, sys; from perfcopilot_goals_tests.core.examples import blocks_of_the_awkward_world as blocks\n"
        "try: locale.setlocale(locale.LC_ALL, '')\n"
        "except locale.Error: pass\n"
        "sys.stdout.buffer.write(blocks())"
    )
    places = [
        {"PYTHONHASHSEED": "0", "LC_ALL": "C", "TZ": "UTC", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONHASHSEED": "1", "LC_ALL": "tr_TR.UTF-8", "TZ": "Pacific/Kiritimati"},
        {"PYTHONHASHSEED": "4294967295", "LC_ALL": "C.UTF-8", "TZ": "America/St_Johns", "PYTHONOPTIMIZE": "1"},
    ]
    processes = [
        subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, env=os.environ | place, stdout=subprocess.PIPE)
        for place in places
    ]
    answers = [process.communicate()[0] for process in processes]
    assert answers == [blocks_of_the_awkward_world()] * len(places)

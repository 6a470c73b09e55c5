"""A block held against its stored versions, line by line."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from perfcopilot_goals.core.block_comparison import (
    CHANGED,
    MISSING,
    MOVED,
    NEVER_EXISTED,
    OTHER_VERSION,
    STANDS,
    Version,
    choose_version,
    compare_block,
)
from perfcopilot_goals.core.prompts import Line, render_block
from perfcopilot_goals_tests.core.examples import one_in, texts

LINES = [
    Line("101", None, "Grow web traffic by 30%", "at_risk"),
    Line("101", "201", "Publish ten posts", "on_track"),
    Line("102", None, "Hire two engineers", "completed"),
    Line("103", None, "Keep the shop calm", "on_track"),
]


def version(key: str, lines: list[Line], owned: int = 0) -> Version:
    block = render_block(lines, owned)
    return Version(key, block.text, block.citations)


def told(block: str, reference: Version, *others: Version) -> list[tuple[Any, ...]]:
    """The lines that do not just stand in the version."""
    results = compare_block(block, reference, others)
    return [(r.line, r.result, r.text, r.goal_gid, r.key_result_gid) for r in results if r.result != STANDS]


def test_a_changed_an_invented_and_a_missing_line_are_told_apart() -> None:
    stored = version("now", LINES)
    block = (
        stored.text.replace("(status: at_risk): Grow", "(status: completed): Grow")
        .replace("- Goal (status: completed): Hire two engineers\n", "")
        .replace("[/GOALS]", "- Goal (status: completed): Won the Nobel prize\n[/GOALS]")
    )
    assert told(block, stored) == [
        (2, CHANGED, "- Goal (status: completed): Grow web traffic by 30%", "101", None),
        (5, NEVER_EXISTED, "- Goal (status: completed): Won the Nobel prize", None, None),
        (None, MISSING, "- Goal (status: completed): Hire two engineers", "102", None),
    ]
    changed = compare_block(block, stored)[1]
    assert changed.closest == "- Goal (status: at_risk): Grow web traffic by 30%"
    assert changed.differs == ("status",)


def test_a_line_says_what_was_changed_of_it() -> None:
    stored = version("now", LINES)
    for new, differs in {
        "- Goal (status: at_risk): Grow web traffic by 3%": ("name",),
        "  - KR (status: at_risk): Grow web traffic by 30%": ("kind",),
        "- Goal (status: on_track): Grow web traffic by 33%": ("status", "name"),
        "Grow web traffic by 30%": ("kind", "status"),
    }.items():
        (result,) = [
            r for r in compare_block(stored.text.replace(stored.text.split("\n")[1], new), stored) if r.differs
        ]
        assert (result.result, result.differs) == (CHANGED, differs)


def test_a_line_of_an_earlier_version_is_told_and_its_goal_is_not_missing() -> None:
    earlier = version("March", [Line("101", None, "Grow web traffic by 20%", "on_track"), *LINES[1:]])
    stored = version("May", LINES)
    block = stored.text.replace(stored.text.split("\n")[1], earlier.text.split("\n")[1])
    (result,) = [r for r in compare_block(block, stored, [earlier]) if r.result != STANDS]
    assert (result.result, result.version, result.goal_gid) == (OTHER_VERSION, "March", "101")


def test_lines_in_another_order_are_moved_and_neither_missing_nor_new() -> None:
    stored = version("now", LINES)
    first, *middle, last = stored.text.split("\n")
    assert told("\n".join([first, middle[3], *middle[:3], last]), stored) == [
        (2, MOVED, "- Goal (status: on_track): Keep the shop calm", "103", None)
    ]


def test_equal_lines_count_as_often_as_they_stand() -> None:
    twice = [Line("101", None, "Same", "on_track"), Line("102", None, "Same", "on_track")]
    stored = version("now", twice)
    line = "- Goal (status: on_track): Same"
    assert told(f"[GOALS]\n{line}\n[/GOALS]", stored) == [(None, MISSING, line, "102", None)]
    thrice = told("\n".join(["[GOALS]", *[line] * 3, "[/GOALS]"]), stored, version("before", twice))
    assert thrice == [(4, NEVER_EXISTED, line, None, None)]


def test_a_false_last_line_about_truncation_is_told() -> None:
    stored = version("now", LINES, owned=243)
    block = stored.text.replace("- (3 of 243 goals listed; the list was truncated)\n", "")
    assert told(block, stored) == [(None, MISSING, "- (3 of 243 goals listed; the list was truncated)", None, None)]


def test_the_version_with_the_most_common_lines_is_chosen_and_of_two_such_the_latest() -> None:
    one, two, three = version("1", LINES[:2]), version("2", LINES), version("3", LINES)
    assert choose_version(one.text, [one, two, three]) is three
    assert choose_version(one.text, [one, version("4", LINES[2:])]) is one
    assert choose_version(one.text, []) is None


_names = st.lists(texts, max_size=6)


@given(_names, _names)
@one_in(2)
def test_every_line_is_told_once_and_every_missing_one_too(given_names: list[str], stored_names: list[str]) -> None:
    stored = version("now", [Line(str(n), None, name, "on_track") for n, name in enumerate(stored_names)])
    block = version("given", [Line(str(n), None, name, "on_track") for n, name in enumerate(given_names)]).text
    results = compare_block(block, stored, [stored])
    told_lines = [r for r in results if r.line is not None]
    assert [r.text for r in told_lines] == block.split("\n")
    assert [r.line for r in told_lines] == list(range(1, len(told_lines) + 1))
    accounted = [r.closest or r.text for r in results if r.result in (STANDS, MOVED, CHANGED, MISSING)]
    assert sorted(accounted) == sorted(stored.text.split("\n"))
    assert (block == stored.text) == all(r.result == STANDS for r in results)

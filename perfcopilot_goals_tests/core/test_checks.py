"""Each check, green and red: the exact count, the limit, at most ten ids, and never a text."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pandas as pd
import pytest

from perfcopilot_goals.core.checks import CHECKS, CheckResult, Facts
from perfcopilot_goals.domain.sync import SLICE_TABLES
from perfcopilot_goals.schemas.tables import frame
from perfcopilot_goals_tests.core.examples import CANARY, World, goal_json, owner, sync, update

RAW, OWNED, SUBGOALS, ROWS, BLOCKS = SLICE_TABLES
CHECK = {check.name: check for check in CHECKS}

# Section 8 of the contract: the checks of each table, and which of them are structural.
CATALOGUE = {
    RAW: ["workspace_has_goals", "goals_did_not_collapse", "every_goal_has_an_owner", "every_owner_is_an_employee"],
    OWNED: [
        "every_employee_is_mapped",
        "every_mapping_agrees_with_asana",
        "no_employee_is_truncated",
        "no_description_is_truncated",
    ],
    SUBGOALS: ["every_subgoal_list_was_read", "no_subgoal_is_hidden"],
    ROWS: ["every_status_word_is_known", "status_agrees_with_asana", "no_goal_was_lost"],
    BLOCKS: ["every_mapped_employee_has_a_block", "no_block_is_truncated"],
}
STRUCTURAL = {"no_goal_was_lost", "every_mapped_employee_has_a_block"}


def test_the_catalogue_is_the_contracts() -> None:
    assert {table: [c.name for c in CHECKS if c.table == table] for table in SLICE_TABLES} == CATALOGUE
    assert {check.name for check in CHECKS if check.is_structural} == STRUCTURAL
    assert all(check.description and "\n" not in check.description for check in CHECKS)


def world(**changes: Any) -> World:
    """A healthy world: two employees, three goals, a shared key result. Every text is the canary."""

    def goal(gid: str, whose: str, **more: Any) -> dict[str, Any]:
        return goal_json(gid, name=CANARY, html_notes=CANARY, owner=owner(whose, CANARY), **more)

    goals = [
        goal("1", "11", current_status_update=update("on_track"), status="green"),
        goal("2", "11", current_status_update=update("behind"), status="yellow"),
        goal("3", "12", current_status_update=update("achieved"), status="achieved"),
    ]
    child = goal("9", "99", current_status_update=update("missed"))
    return replace(World(goals, {"1": [child], "3": [child]}, {"E-1": "11", "E-2": "12"}), **changes)


Change = Callable[[pd.DataFrame], pd.DataFrame]


def facts(
    of: World | None = None,
    unread: list[str] | None = None,
    hidden: dict[str, int] | None = None,
    slices: Mapping[str, Change] = MappingProxyType({}),
) -> Facts:
    """What a sync of the world left; `slices` change a table afterwards, by a function of its rows."""
    made = sync(of or world())
    changed = {table: slices[table](rows) if table in slices else rows for table, rows in made.items()}
    return Facts(changed, (of or world()).asana_user_of, unread or [], hidden or {})


def goals(count: int, **changes: Any) -> World:
    """So many goals, gids from 1."""
    return world(goals=[goal_json(str(n), name=CANARY, **changes) for n in range(1, count + 1)], subgoals={})


def drop(column: str, *values: str) -> Change:
    return lambda rows: rows[~rows[column].isin(values)]


def double(column: str, value: str) -> Change:
    return lambda rows: pd.concat([rows, rows[rows[column] == value]], ignore_index=True)


def give_away(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(employee_id=rows["employee_id"].mask(rows["row_gid"] == "1", "E-2"))


def gids(count: int) -> list[str]:
    return [str(n) for n in range(1, count + 1)]


def described(chars: int, count: int) -> World:
    mine, theirs = owner("11"), owner("99")
    long = [goal_json(str(n), name=CANARY, owner=mine, html_notes="x" * chars) for n in range(1, count + 1)]
    return world(
        goals=[*long, goal_json("900", owner=theirs, html_notes="x" * 5_000), goal_json("901", owner=mine)],
        subgoals={},
    )


def crowd(*counts: int) -> World:
    """Employees E-01, E-02, … who own so many goals each."""
    users = {f"E-{n:02}": str(10 + n) for n in range(1, len(counts) + 1)}
    owners = [gid for gid, count in zip(users.values(), counts, strict=True) for _ in range(count)]
    return World([goal_json(str(n), name=CANARY, owner=owner(gid)) for n, gid in enumerate(owners, 1)], {}, {**users})


def worded(word: str, status: str | None, count: int = 1) -> World:
    mine = {"owner": owner("11"), "current_status_update": update(word), "status": status}
    return world(goals=[goal_json(str(n), name=CANARY, **mine) for n in range(1, count + 1)], subgoals={})


def disagreeing(*employee_ids: str) -> Facts:
    return replace(facts(), mapping_conflicts=employee_ids)


NOBODY = World([])

RED: list[tuple[str, str, Facts, int, list[str], int | None]] = [
    ("workspace_has_goals", "no-goals", facts(NOBODY), 1, [], None),
    ("goals_did_not_collapse", "to-less-than-half", replace(facts(goals(4)), goals_before=9), 5, [], None),
    (
        "every_goal_has_an_owner",
        "one",
        facts(world(goals=[*world().goals, goal_json("4", name=CANARY)])),
        1,
        ["4"],
        None,
    ),
    ("every_goal_has_an_owner", "twelve", facts(goals(12)), 12, gids(12), None),
    ("every_owner_is_an_employee", "one", facts(world(asana_user_of={"E-1": "11", "E-2": None})), 1, ["12: 1"], None),
    (
        "every_owner_is_an_employee",
        "most-goals-first",
        facts(replace(crowd(1, 3, 2), asana_user_of={})),
        3,
        ["12: 3", "13: 2", "11: 1"],
        None,
    ),
    (
        "every_owner_is_an_employee",
        "twelve",
        facts(replace(crowd(*[1] * 12), asana_user_of={})),
        12,
        [f"{10 + n}: 1" for n in range(1, 13)],
        None,
    ),
    ("every_employee_is_mapped", "one", facts(world(asana_user_of={"E-2": None, "E-1": "11"})), 1, ["E-2"], None),
    (
        "every_employee_is_mapped",
        "twelve-by-id",
        facts(World([], {}, {f"E-{n:02}": None for n in range(12, 0, -1)})),
        12,
        [f"E-{n:02}" for n in range(1, 13)],
        None,
    ),
    ("every_mapping_agrees_with_asana", "two-by-id", disagreeing("E-2", "E-1"), 2, ["E-1", "E-2"], None),
    ("every_mapping_agrees_with_asana", "twelve", disagreeing(*map("E-{:02}".format, range(1, 13))), 12,
     [f"E-{n:02}" for n in range(1, 13)], None),
    ("no_employee_is_truncated", "201", facts(crowd(200, 201, 1)), 1, ["E-02: 201"], 200),
    ("no_employee_is_truncated", "243-and-201", facts(crowd(243, 201)), 2, ["E-01: 243", "E-02: 201"], 200),
    ("no_description_is_truncated", "1001", facts(described(1_001, 1)), 1, ["1"], 1_000),
    ("no_description_is_truncated", "twelve", facts(described(2_000, 12)), 12, gids(12), 1_000),
    ("every_subgoal_list_was_read", "two", facts(unread=["3", "1"]), 2, ["3", "1"], None),
    ("every_subgoal_list_was_read", "twelve", facts(unread=gids(12)), 12, gids(12), None),
    ("no_subgoal_is_hidden", "by-parent", facts(hidden={"3": 2, "1": 1}), 2, ["3: 2", "1: 1"], None),
    (
        "no_subgoal_is_hidden",
        "twelve",
        facts(hidden={str(n): n for n in range(1, 13)}),
        12,
        [f"{n}: {n}" for n in range(1, 13)],
        None,
    ),
    ("every_status_word_is_known", "odd", facts(worded("Achieved", None)), 1, ["1"], None),
    ("every_status_word_is_known", "twelve", facts(worded("?", None, 12)), 12, gids(12), None),
    (
        "every_status_word_is_known",
        "key-result",
        facts(world(subgoals={"1": [goal_json("9", current_status_update=update("?"))]})),
        1,
        ["9"],
        None,
    ),
    ("status_agrees_with_asana", "red", facts(worded("on_track", "red")), 1, ["1"], None),
    ("status_agrees_with_asana", "closed", facts(worded("on_track", "missed", 12)), 12, gids(12), None),
    ("status_agrees_with_asana", "no-update", facts(worded("", "yellow")), 1, ["1"], None),
    ("no_goal_was_lost", "goal", facts(slices={ROWS: drop("row_gid", "2")}), 1, ["2"], None),
    ("no_goal_was_lost", "child-of-two", facts(slices={ROWS: drop("row_gid", "9")}), 2, ["9", "9"], None),
    ("no_goal_was_lost", "goal-and-child", facts(slices={ROWS: drop("goal_gid", "1")}), 2, ["1", "9"], None),
    ("no_goal_was_lost", "twice", facts(slices={ROWS: double("row_gid", "2")}), 1, ["2"], None),
    ("no_goal_was_lost", "too-many", facts(slices={OWNED: drop("goal_gid", "2")}), 1, ["2"], None),
    ("no_goal_was_lost", "another-persons", facts(slices={ROWS: give_away}), 1, ["1"], None),
    ("no_goal_was_lost", "twelve", facts(goals(12, owner=owner("11")), slices={ROWS: drop("kind", "goal")}), 12,
     sorted(map(str, range(1, 13))), None),
    ("every_mapped_employee_has_a_block", "one", facts(slices={BLOCKS: drop("employee_id", "E-2")}), 1, ["E-2"], None),
    (
        "every_mapped_employee_has_a_block",
        "twelve",
        facts(crowd(*[1] * 12), slices={BLOCKS: lambda rows: rows.iloc[:0]}),
        12,
        [f"E-{n:02}" for n in range(1, 13)],
        None,
    ),
    ("no_block_is_truncated", "201-of-three", facts(crowd(200, 201, 1)), 1, ["E-02: 201"], 200),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "found", "count", "ids", "limit"),
    [(name, found, count, ids, limit) for name, _, found, count, ids, limit in RED],
    ids=[f"{name}-{case}" for name, case, *_ in RED],
)
def test_a_red_check_counts_exactly_and_names_each(
    name: str, found: Facts, count: int, ids: list[str], limit: int | None
) -> None:
    result = CHECK[name].evaluate(found)
    assert replace(result, as_of=None) == CheckResult(count, ids, limit)
    assert not result.passed
    assert CANARY not in repr(result)


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, ""),
        (1, "E-01"),
        (10, ", ".join(f"E-{n:02}" for n in range(1, 11))),
        (11, ", ".join(f"E-{n:02}" for n in range(1, 11)) + ", … and 1 more"),
        (2_000, ", ".join(f"E-{n:02}" for n in range(1, 11)) + ", … and 1,990 more"),
    ],
    ids=["none", "one", "ten", "eleven", "two thousand"],
)
def test_people_read_ten_ids_and_how_many_more_there_are(count: int, shown: str) -> None:
    unmapped: dict[str, str | None] = {f"E-{n:02}": None for n in range(1, count + 1)}
    result = CHECK["every_employee_is_mapped"].evaluate(facts(World([], {}, unmapped)))
    assert (result.count, result.shown, len(result.ids)) == (count, shown, min(count, 1_000))


def test_every_check_has_a_red_case() -> None:
    assert {name for name, *_ in RED} == set(CHECK)


@pytest.mark.fault("B41")
def test_a_check_of_the_mapping_says_when_asanas_users_were_looked_at() -> None:
    """Green because nobody has looked must not read like green because all is well."""
    check = CHECK["every_mapping_agrees_with_asana"]
    moment = dt.datetime(2026, 3, 2, 5, 17, 59, 123_456, tzinfo=dt.UTC)
    assert check.evaluate(facts()).as_of == "never"
    assert check.evaluate(replace(facts(), users_checked_at=moment)).as_of == "2026-03-02T05:17:59+00:00"
    assert check.evaluate(replace(facts(), users_checked_at=moment)).passed


HEALTHY = facts()


@pytest.mark.parametrize("name", CHECK)
def test_a_healthy_company_is_green(name: str) -> None:
    result = CHECK[name].evaluate(HEALTHY)
    assert (result.passed, result.count, result.ids) == (True, 0, [])


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("no_employee_is_truncated", facts(crowd(199, 200))),
        ("no_block_is_truncated", facts(crowd(199, 200))),
        ("no_description_is_truncated", facts(described(1_000, 2))),
        ("every_status_word_is_known", facts(goals(2, owner=owner("11")))),
        ("status_agrees_with_asana", facts(worded("?", None))),
        ("status_agrees_with_asana", facts(worded("partial", "yellow"))),
        ("status_agrees_with_asana", facts(worded("dropped", "dropped"))),
        ("every_mapped_employee_has_a_block", facts(world(asana_user_of={"E-1": "11", "E-2": None, "E-3": ""}))),
    ],
    ids=["200", "200-in-block", "1000-characters", "no-words", "asana-says-nothing", "colour", "closed", "unmapped"],
)
def test_at_its_limit_a_check_is_still_green(name: str, found: Facts) -> None:
    assert CHECK[name].evaluate(found).passed


@pytest.mark.parametrize("name", CHECK)
def test_of_empty_slices_only_a_workspace_without_goals_is_red(name: str) -> None:
    nothing = Facts({table: frame(table, []) for table in SLICE_TABLES}, {})
    assert CHECK[name].evaluate(nothing).passed == (name != "workspace_has_goals")


@pytest.mark.parametrize("name", CHECK)
def test_a_check_says_which_slices_it_reads_and_reads_no_other(name: str) -> None:
    check = CHECK[name]
    only = Facts(
        {table: HEALTHY.slices[table][list(columns)] for table, columns in check.reads.items()}, HEALTHY.asana_user_of
    )
    assert check.evaluate(only).passed

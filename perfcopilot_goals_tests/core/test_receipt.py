"""The receipt's equations: they hold for any world, and a planted loss breaks them."""

import datetime as dt
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcopilot_goals.core.goals import parse_goals, parse_subgoals, select_owned_goals
from perfcopilot_goals.core.mapping import map_rows
from perfcopilot_goals.core.prompts import render_blocks
from perfcopilot_goals.core.receipt import (
    EQUATIONS,
    build_receipt,
    count_blocks,
    count_owners,
    receipt_markdown,
    receipt_rows,
    require_balance,
)
from perfcopilot_goals.domain.sync import SLICE_TABLES, Sync
from perfcopilot_goals.errors import GoalsGuardError
from perfcopilot_goals_tests.core.examples import CANARY, MONDAY, WORKSPACE, World, goal_json, one_in, owner, worlds

RAW, OWNED, SUBGOALS, ROWS, BLOCKS = SLICE_TABLES


def entries(world: World, erased: str | None = None) -> dict[str, dict[str, Any]]:
    """What a sync of this world records of each table. The last goal of the list comes twice."""
    goals = parse_goals([*world.goals, *world.goals[-1:]], WORKSPACE, lambda gid: gid is not None and gid == erased)
    owned = select_owned_goals(goals.rows, world.employee_of)
    lists = {gid: world.subgoals.get(gid, []) for gid in owned["goal_gid"]}
    found = parse_subgoals(lists)
    rows = map_rows(owned, found.rows)
    totals = dict(zip(owned["employee_id"], owned["owned_total"], strict=True))
    blocks = render_blocks(rows, totals, world.employee_of.values())
    owners = count_owners(goals.rows, owned, world.employee_of)
    walk = {
        "lists_walked": len(owned),
        "lists_read": len(lists),
        "refused_403": 0,
        "refused_404": 0,
        "refused": [],
        "subgoals_listed": sum(map(len, lists.values())),
        "hidden": [],
        "hidden_subgoals": 0,
    }
    notes: dict[str, tuple[pd.DataFrame, dict[str, Any]]] = {
        RAW: (goals.rows, {"list_pages": 1, **goals.notes, **owners}),
        OWNED: (owned, {"goals": len(goals.rows), **owners}),
        SUBGOALS: (found.rows, {**walk, **found.notes}),
        ROWS: (rows, {"goals": len(owned), "key_results": len(found.rows)}),
        BLOCKS: (blocks, count_blocks(blocks, rows, world.asana_user_of)),
    }
    return {name: {"rows": len(rows), "notes": {**noted, "sha256": "0" * 64}} for name, (rows, noted) in notes.items()}


def sync(tables: dict[str, dict[str, Any]]) -> Sync:
    ended = MONDAY + dt.timedelta(seconds=4.5)
    counts = {"tables": tables}
    return Sync("acme", "run-1", MONDAY, MONDAY, ended, "complete", None, 12, 1, "goal_relationships", counts)


def as_postgres_keeps_it(value: Any) -> Any:
    """JSON whose objects have their names in another order."""
    if isinstance(value, dict):
        return {name: as_postgres_keeps_it(value[name]) for name in sorted(value, key=lambda name: (len(name), name))}
    return [as_postgres_keeps_it(item) for item in value] if isinstance(value, list) else value


def company() -> World:
    """Ada owns 201 goals, a stranger one, nobody one; Ben is unmapped, and Cy was erased."""
    goals = [goal_json(str(1000 + n), name=CANARY, owner=owner("11")) for n in range(201)]
    goals += [
        goal_json("1", owner=owner("99")),
        goal_json("2"),
        goal_json("3", owner=owner("13")),
        goal_json("4", owner=owner("12")),
    ]
    child = goal_json("900", name=CANARY)
    return World(goals, {"1000": [child, child, goals[0]]}, {"E1": "11", "E2": None, "E4": "12"})


def test_a_receipt_says_what_became_of_every_goal() -> None:
    receipt = build_receipt(sync(entries(company(), erased="13")))
    assert receipt is not None
    assert receipt["goals"] == {
        "pages": 1,
        "listed": 205,
        "owned": 201,
        "beyond_cap": 1,
        "ownerless": 1,
        "strangers": 1,
        "erased": 1,
        "repeated": 1,
    }
    assert receipt["result"] == "complete but for"
    assert receipt["but_for"] == {
        "employees_truncated": {
            "count": 1,
            "ids": [{"employee_id": "E1", "goals_owned": 201, "goals_listed": 200}],
        },
        "employees_unmapped": {"count": 1, "ids": ["E2"]},
    }
    assert {table: entry["rows"] for table, entry in receipt["tables"].items()} == dict(
        zip(SLICE_TABLES, (204, 201, 1, 202, 2), strict=True)
    )
    assert (receipt["requests"], receipt["rejected"], receipt["seconds"]) == (12, 1, 4.5)


def test_a_receipt_is_complete_where_nothing_is_missing() -> None:
    world = World([goal_json("1", owner=owner("11"))], {}, {"E1": "11"})
    receipt = build_receipt(sync(entries(world)))
    assert receipt is not None
    assert (receipt["result"], receipt["but_for"]) == ("complete", {})


def test_a_receipt_names_refused_lists_and_hidden_sub_goals() -> None:
    tables = entries(company())
    tables[SUBGOALS]["notes"] |= {
        "lists_read": 199,
        "refused_403": 1,
        "refused_404": 1,
        "refused": [{"goal_gid": "1001", "status": 403}, {"goal_gid": "1002", "status": 404}],
        "hidden": [{"goal_gid": "1003", "count": 2}],
        "hidden_subgoals": 2,
    }
    receipt = build_receipt(sync(tables))
    assert receipt is not None
    told = dict(receipt_rows(as_postgres_keeps_it(receipt), digests=True))
    assert told["lists of sub-goals"] == "201 walked, 199 read, 1 with 403, 1 with 404 refused"
    assert told["but for goals whose key results Asana did not show"] == "2: 1001 (403), 1002 (404)"
    assert told["but for goals with hidden sub-goals"] == "1: 1003 (2 hidden)"
    assert told["but for employees whose block is truncated"] == "1: E1 (200 of 201)"
    assert told[RAW] == f"205 rows, SHA-256 {'0' * 64}"


def test_a_receipt_in_the_ui_has_no_digest_and_no_text() -> None:
    receipt = build_receipt(sync(entries(company())))
    assert receipt is not None
    shown = receipt_markdown(receipt)
    assert "0" * 64 not in shown
    assert CANARY not in shown + str(receipt)
    assert "| goals listed | 205 (pages: 1, repeated: 1) = 201 + 1 + 1 + 2 + 0 |" in shown


def test_an_id_that_markdown_would_act_upon_is_not_shown_in_the_ui() -> None:
    tables = entries(company())
    tables[BLOCKS]["notes"]["unmapped"] = ["E_3", "E4 | <b>", "E5\n| x |"]
    receipt = build_receipt(sync(tables))
    assert receipt is not None
    hidden = "(an id that is not shown here)"
    assert f"| but for employees without an Asana user | 3: E_3, {hidden}, {hidden} |" in receipt_markdown(receipt)


def test_a_receipt_names_a_thousand_ids_and_counts_the_others() -> None:
    tables = entries(company())
    tables[BLOCKS]["notes"]["unmapped"] = [f"E{n}" for n in range(1_500)]
    receipt = build_receipt(sync(tables))
    assert receipt is not None
    unmapped = receipt["but_for"]["employees_unmapped"]
    assert (unmapped["count"], len(unmapped["ids"])) == (1_500, 1_000)
    assert dict(receipt_rows(receipt, digests=True))["but for employees without an Asana user"].endswith("1,490 more")


@pytest.mark.parametrize("table", SLICE_TABLES)
def test_a_loss_in_any_table_is_refused_before_that_table_is_written(table: str) -> None:
    entry = entries(company())[table]
    require_balance(table, entry["notes"], entry["rows"])
    if table == BLOCKS:
        entry["notes"]["key_results_listed"] -= 1
        rows = entry["rows"]
    else:
        rows = entry["rows"] - 1
    with pytest.raises(GoalsGuardError, match=f"{table} was not written, because the sync's counts do not add up"):
        require_balance(table, entry["notes"], rows)


def test_a_goal_that_the_selection_loses_is_refused_before_anything_is_written() -> None:
    """The list is counted by owner already before the first table is written."""
    world = company()
    raw = parse_goals(world.goals, WORKSPACE)
    owned = select_owned_goals(raw.rows, world.employee_of)
    lost = owned[owned["employee_id"] != "E4"]
    notes = {**raw.notes, **count_owners(raw.rows, lost, world.employee_of)}
    with pytest.raises(GoalsGuardError, match=r"is 204, but listed is 205"):
        require_balance(RAW, notes, len(raw.rows))


@pytest.mark.parametrize(
    ("table", "count"),
    [(OWNED, "goals"), (SUBGOALS, "lists_walked"), (ROWS, "goals"), (ROWS, "key_results"), (BLOCKS, "lines")],
)
def test_rows_that_are_lost_between_two_steps_are_refused_with_the_blocks(table: str, count: str) -> None:
    tables = entries(company())
    tables[table]["notes"][count] -= 1
    with pytest.raises(GoalsGuardError, match=f"{table} read"):
        build_receipt(sync(tables))


def test_a_run_that_wrote_only_some_tables_has_no_receipt() -> None:
    tables = entries(company())
    assert build_receipt(sync({BLOCKS: tables[BLOCKS]})) is None
    assert build_receipt(sync({name: {"rows": 0, "notes": {}} for name in SLICE_TABLES})) is None


@given(worlds(), st.sampled_from([None, "11", "12", "13"]))
@one_in(2)
def test_the_equations_hold_for_any_world(world: World, erased: str | None) -> None:
    tables = entries(world, erased)
    for table in EQUATIONS:
        require_balance(table, tables[table]["notes"], tables[table]["rows"])
    receipt = build_receipt(sync(tables))
    assert receipt is not None
    goals = receipt["goals"]
    assert goals["listed"] == len(world.goals)
    parts = ("owned", "beyond_cap", "ownerless", "strangers", "erased")
    assert sum(goals[part] for part in parts) == goals["listed"]

"""The declared tables, compared with those that the contract names."""

import pytest

from perfcopilot_goals.domain.sync import SLICE_TABLES
from perfcopilot_goals.schemas.dictionary import render
from perfcopilot_goals.schemas.tables import TABLES, Column, frame, own_columns, stamp, validate
from perfcopilot_goals_tests.core.examples import MONDAY

SLICE = ["connection", "synced_at", "run_id"]
# Table -> key, and the columns that not every table has. "?" marks those that may be null.
CONTRACT: dict[str, tuple[str, str]] = {
    "raw_workspace_goals": (
        "connection goal_gid",
        "goal_gid position name owner_gid? html_notes? html_notes_chars? due_on? start_on? status_type? asana_status?",
    ),
    "owned_goals": (
        "connection goal_gid",
        "goal_gid employee_id owned_rank owned_total truncated name description? due_on? start_on? status_type?",
    ),
    "subgoals": (
        "connection goal_gid subgoal_gid",
        "goal_gid subgoal_gid position name owner_gid? due_on? start_on? status_type?",
    ),
    "mapped_goal_rows": (
        "connection goal_gid row_gid",
        "goal_gid row_gid employee_id kind position name description? start_on? due_on? status_type? status",
    ),
    "prompt_blocks": (
        "connection employee_id",
        "employee_id block goals_owned goals_listed key_results_listed truncated citations reason",
    ),
    "block_versions": (
        "connection employee_id visible_from",
        "employee_id visible_from visible_to? block citations goals_owned goals_listed key_results_listed truncated "
        "reason sha256 first_synced_at last_synced_at run_id",
    ),
    "goal_versions": (
        "connection goal_gid row_gid visible_from",
        "goal_gid row_gid visible_from visible_to? employee_id kind name start_on? due_on? status_type? status "
        "first_synced_at last_synced_at run_id",
    ),
    "connections": (
        "connection",
        "workspace_gid? token_ref base_url requests_per_minute subgoal_route enabled created_at updated_at "
        "check_users users_checked_at? users_seen?",
    ),
    "employees": (
        "connection employee_id",
        "employee_id full_name email asana_user_gid? updated_at asana_gone_at? mapping_conflict? manager_email?",
    ),
    "roster_changes": ("connection", "changed_at"),
    "syncs": (
        "connection run_id",
        "run_id synced_at started_at finished_at? state error_code? requests throttled subgoal_route? counts receipt?",
    ),
    "erased": ("connection kind digest", "kind digest erased_at"),
    "erasure_keys": ("connection", "key"),
    "audit_log": ("connection entry", "entry at actor action subject"),
}
COLUMNS = [(name, column) for name, table in TABLES.items() for column in table.columns]


def test_the_tables_are_the_contracts_and_the_slices_come_first() -> None:
    assert list(TABLES) == list(CONTRACT)
    assert tuple(CONTRACT)[:5] == SLICE_TABLES


@pytest.mark.parametrize("name", CONTRACT)
def test_a_table_has_the_contracts_key_columns_and_nulls(name: str) -> None:
    table = TABLES[name]
    key, columns = CONTRACT[name]
    ours = ["connection", "synced_at", "run_id"] if name in SLICE_TABLES else ["connection"]
    assert list(table.key) == key.split()
    assert [c.name for c in table.columns[: len(ours)]] == ours
    assert sorted(c.name + "?" * c.nullable for c in table.columns[len(ours) :]) == sorted(columns.split())
    assert own_columns(name) == [c.name for c in table.columns if c.name not in SLICE]


@pytest.mark.parametrize("name", CONTRACT)
def test_a_table_says_what_one_row_is(name: str) -> None:
    grain = TABLES[name].grain
    assert grain.startswith("One row per ")
    assert "\n" not in grain
    assert grain in render()


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=[f"{table}.{column.name}" for table, column in COLUMNS])
def test_a_column_is_described_and_its_type_fits_its_name(table: str, column: Column) -> None:
    assert column.description.endswith(".")
    assert f"| `{column.name}` | {column.pg_type} |" in render()
    by_ending = {"_at": "timestamp with time zone", "_on": "date", "_gid": "text", "_id": "text", "_chars": "integer"}
    for ending, pg_type in by_ending.items():
        assert not column.name.endswith(ending) or column.pg_type == pg_type
    if column.name in TABLES[table].key:
        assert not column.nullable


def test_the_fields_asked_of_asana_are_those_of_the_products_rules() -> None:
    subgoal = ["name", "owner", "due_on", "start_on", "current_status_update.status_type"]
    goal = ["name", "owner", "html_notes", "due_on", "start_on", "current_status_update.status_type", "status"]
    assert {name: table.asana_fields for name, table in TABLES.items() if table.asana_fields} == {
        "raw_workspace_goals": goal,
        "subgoals": subgoal,
    }


@pytest.mark.parametrize("name", CONTRACT)
def test_no_rows_have_the_declared_types_and_are_valid(name: str) -> None:
    table = TABLES[name]
    empty = stamp(frame(name, []), "acme", MONDAY, "r") if name in SLICE_TABLES else frame(name, [], table.column_names)
    assert list(empty.columns) == table.column_names
    assert {column: str(dtype) for column, dtype in empty.dtypes.items()} == {c.name: c.dtype for c in table.columns}
    checked = validate(name, empty)
    assert checked.empty
    assert checked.dtypes.to_dict() == empty.dtypes.to_dict()

"""The code location: it loads, whole, without asking anybody, and describes what it has."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from perfcopilot_goals.defs.build import build_definitions
from perfcopilot_goals.domain.sync import SLICE_TABLES
from perfcopilot_goals.schemas.tables import TABLES
from perfcopilot_goals.settings import load_settings

ROOT = load_settings({}).project_root


def test_the_definitions_are_loadable() -> None:
    made = build_definitions(load_settings({}))
    dg.Definitions.validate_loadable(made)
    assert {key.path[-1] for key in made.resolve_job_def("sync_goals").asset_layer.executable_asset_keys} == {
        *SLICE_TABLES
    }


def test_dagster_validates_them_without_a_database(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(tmp_path),
        "PERFCOPILOT_DATABASE_URL": "postgresql://user:hunter2canary@127.0.0.1:1/db",
        "PERFCOPILOT_HOME": str(tmp_path / "state"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Validation successful for code location perfcopilot_goals" in done.stdout + done.stderr
    assert "hunter2canary" not in done.stdout + done.stderr
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("table", [*SLICE_TABLES, "connections", "employees"])
def test_an_asset_shows_its_grain_and_every_column_with_its_description(
    definitions: dg.Definitions, table: str
) -> None:
    spec = definitions.resolve_asset_graph().get(dg.AssetKey(table))
    assert spec.description == TABLES[table].grain
    columns = spec.metadata["dagster/column_schema"].columns
    assert [(c.name, c.type, c.constraints.nullable) for c in columns] == [
        (c.name, c.pg_type, c.nullable) for c in TABLES[table].columns
    ]
    assert all(column.description for column in columns)
    key = [column.name for column in columns if column.constraints.other == ["part of the key"]]
    assert set(key) == set(TABLES[table].key)


def test_the_graph_is_that_of_the_contract(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    parents = {table: {key.path[-1] for key in graph.get(dg.AssetKey(table)).parent_keys} for table in SLICE_TABLES}
    assert parents == {
        "raw_workspace_goals": {"connections"},
        "owned_goals": {"raw_workspace_goals", "employees"},
        "subgoals": {"connections", "owned_goals"},
        "mapped_goal_rows": {"owned_goals", "subgoals"},
        "prompt_blocks": {"mapped_goal_rows", "owned_goals", "employees"},
    }


def test_a_backfill_is_left_to_dagsters_default_of_one_run_for_each_connection(definitions: dg.Definitions) -> None:
    """With a policy the runs of a backfill had no `dagster/partition`, and every one of them failed."""
    graph = definitions.resolve_asset_graph()
    assert [graph.get(dg.AssetKey(table)).backfill_policy for table in SLICE_TABLES] == [None] * 5


def test_the_five_have_a_code_version_so_that_the_ui_can_call_their_rows_outdated(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    assert all(graph.get(dg.AssetKey(table)).code_version for table in SLICE_TABLES)


def test_only_the_steps_that_ask_asana_are_in_its_pool(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    pools = {table: graph.get(dg.AssetKey(table)).pools for table in SLICE_TABLES}
    assert [table for table in SLICE_TABLES if pools[table] == {"asana"}] == ["raw_workspace_goals", "subgoals"]
    assert {pool for of_table in pools.values() for pool in of_table or ()} == {"asana"}


def test_loading_warns_of_nothing(tmp_path: Path) -> None:
    """Betas and previews that are used on purpose would stand at the head of every run's log."""
    script = "import perfcopilot_goals.definitions"
    environment = {**os.environ, "PERFCOPILOT_HOME": str(tmp_path / "state"), "PYTHONWARNINGS": "default"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert "perfcopilot_goals" not in done.stderr
    assert "Warning" not in done.stderr


def test_every_asset_is_partitioned_by_connection(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    for table in [*SLICE_TABLES, "connections", "employees"]:
        partitions = graph.get(dg.AssetKey(table)).partitions_def
        assert isinstance(partitions, dg.DynamicPartitionsDefinition)
        assert partitions.name == "connections"

"""The Dagster UI of `dev`, driven as the page drives it: through GraphQL, with the real web server and daemon."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from perfcopilot_goals.core.checks import CHECKS
from perfcopilot_goals.domain.sync import SLICE_TABLES
from perfcopilot_goals.sandbox import Sandbox
from perfcopilot_goals.schemas.tables import own_columns
from perfcopilot_goals_tests.cli.command import TOKEN, Cli, environment
from perfcopilot_goals_tests.cli.small_company import connect, small_company
from perfcopilot_goals_tests.end_to_end.service import Service

RUN_SECONDS = 120.0

ASSETS = """{ assetNodes { assetKey { path } isPartitioned partitionStats { numMaterialized numPartitions }
  assetChecksOrError { ... on AssetChecks { checks { name description } } } } }"""
PARTITIONS = """{ assetNodeOrError(assetKey: {path: ["prompt_blocks"]}) { ... on AssetNode { partitionKeys } } }"""


@pytest.fixture
def ui(tmp_path: Path, database_url: str) -> Iterator[Service]:
    """A running `dev` without the sample company."""
    with Service(environment(tmp_path, PERFCOPILOT_DATABASE_URL=database_url), tmp_path / "dev.log") as service:
        yield service


def rows_of(database_url: str) -> dict[str, list[Any]]:
    """Every slice of the connection, without what differs between two syncs of the same goals."""
    with psycopg.connect(database_url) as conn:
        return {
            table: conn.execute(
                f"select {', '.join(own_columns(table))} from perfcopilot_goals.{table} order by 1, 2"
            ).fetchall()
            for table in SLICE_TABLES
        }


@pytest.mark.fault("H10")
def test_a_partition_materialized_in_the_ui_lands_the_rows_that_the_command_line_lands(
    cli: Cli, roster: Path, database_url: str, ui: Service
) -> None:
    with Sandbox(small_company(), token=TOKEN) as asana:
        connect(cli, asana, roster)
        assert cli("sync", "acme").returncode == 0
        by_command_line = rows_of(database_url)

        nodes = {node["assetKey"]["path"][-1]: node for node in ui.ask(ASSETS)["assetNodes"]}
        assert set(SLICE_TABLES) <= set(nodes)
        assert all(nodes[table]["isPartitioned"] for table in SLICE_TABLES)
        checks = {
            check["name"]: check["description"]
            for table in SLICE_TABLES
            for check in nodes[table]["assetChecksOrError"]["checks"]
        }
        assert {check.name: check.description for check in CHECKS}.items() <= checks.items()
        over_all = {check["name"] for check in nodes["connections"]["assetChecksOrError"]["checks"]}
        assert over_all == {"every_connection_works", "no_connection_is_truncated", "no_connection_is_stale"}
        assert ui.ask(PARTITIONS)["assetNodeOrError"]["partitionKeys"] == ["acme"]
        assert nodes["prompt_blocks"]["partitionStats"]["numMaterialized"] == 1

        with psycopg.connect(database_url) as conn:
            for table in SLICE_TABLES:
                conn.execute(f"delete from perfcopilot_goals.{table}")
        assert ui.wait_for_end(ui.launch("acme"), RUN_SECONDS) == "SUCCESS"
    assert rows_of(database_url) == by_command_line

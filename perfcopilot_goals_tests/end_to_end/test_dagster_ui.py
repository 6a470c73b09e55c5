"""The Dagster UI of `dev`, driven as the page drives it: through GraphQL, with the real web server and daemon."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from perfcopilot_goals.core.verdicts import CHECKS
from perfcopilot_goals.sandbox import Sandbox
from perfcopilot_goals.schemas.rows import SLICE_TABLES
from perfcopilot_goals.schemas.tables import own_columns
from perfcopilot_goals_tests.end_to_end.conftest import TOKEN, Cli, environment
from perfcopilot_goals_tests.end_to_end.test_command_line import connect, roster, small_company

__all__ = ["roster"]

STARTING_SECONDS = 120.0
RUN_SECONDS = 120.0

ASSETS = """{ assetNodes { assetKey { path } isPartitioned partitionStats { numMaterialized numPartitions }
  assetChecksOrError { ... on AssetChecks { checks { name description } } } } }"""
PARTITIONS = """{ assetNodeOrError(assetKey: {path: ["prompt_blocks"]}) { ... on AssetNode { partitionKeys } } }"""
LAUNCH = """mutation($execution: ExecutionParams!) { launchPipelineExecution(executionParams: $execution) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  ... on InvalidSubsetError { message } ... on RunConfigValidationInvalid { errors { message } } } }"""
STATUS = """query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"""

GraphQL = Callable[..., dict[str, Any]]


def wait_for(what: Callable[[], Any], seconds: float) -> Any:
    end = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.5)
    return value


@pytest.fixture
def ui(tmp_path: Path, database_url: str) -> Iterator[GraphQL]:
    """A running `dev` without the sample company; asks it by GraphQL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (tmp_path / "dev.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "perfcopilot_goals.cli", "dev", "--no-demo", "--port", str(port)],
        env=environment(tmp_path, PERFCOPILOT_DATABASE_URL=database_url),
        stdout=log,
        stderr=subprocess.STDOUT,
    )

    def ask(query: str, **variables: Any) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            answer: dict[str, Any] = json.load(response)
        assert "errors" not in answer, answer
        return answer["data"]  # type: ignore[no-any-return]

    def is_up() -> bool:
        assert process.poll() is None, (tmp_path / "dev.log").read_text()
        try:
            return bool(ask("{ version }"))
        except OSError:
            return False

    try:
        wait_for(is_up, STARTING_SECONDS)
        yield ask
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        log.close()


def rows_of(database_url: str) -> dict[str, list[Any]]:
    """Every slice of the connection, without what differs between two syncs of the same goals."""
    with psycopg.connect(database_url) as database:
        return {
            table: database.execute(
                f"select {', '.join(own_columns(table))} from perfcopilot_goals.{table} order by 1, 2"
            ).fetchall()
            for table in SLICE_TABLES
        }


@pytest.mark.fault("H10")
def test_a_partition_materialized_in_the_ui_lands_the_rows_that_the_command_line_lands(
    cli: Cli, roster: Path, database_url: str, ui: GraphQL
) -> None:
    with Sandbox(small_company(), token=TOKEN) as asana:
        connect(cli, asana, roster)
        assert cli("sync", "acme").returncode == 0
        by_command_line = rows_of(database_url)

        nodes = {node["assetKey"]["path"][-1]: node for node in ui(ASSETS)["assetNodes"]}
        assert set(SLICE_TABLES) <= set(nodes)
        assert all(nodes[table]["isPartitioned"] for table in SLICE_TABLES)
        checks = {
            check["name"]: check["description"]
            for table in SLICE_TABLES
            for check in nodes[table]["assetChecksOrError"]["checks"]
        }
        assert {check.name: check.description for check in CHECKS}.items() <= checks.items()
        assert checks["no_connection_is_truncated"]
        assert checks["no_connection_is_stale"]
        assert ui(PARTITIONS)["assetNodeOrError"]["partitionKeys"] == ["acme"]
        assert nodes["prompt_blocks"]["partitionStats"]["numMaterialized"] == 1

        with psycopg.connect(database_url) as database:
            for table in SLICE_TABLES:
                database.execute(f"delete from perfcopilot_goals.{table}")
        selection = [{"path": [table]} for table in SLICE_TABLES]
        launched = ui(
            LAUNCH,
            execution={
                "selector": {
                    "repositoryLocationName": "perfcopilot_goals",
                    "repositoryName": "__repository__",
                    "pipelineName": "__ASSET_JOB",
                    "assetSelection": selection,
                    "assetCheckSelection": None,
                },
                "mode": "default",
                "executionMetadata": {"tags": [{"key": "dagster/partition", "value": "acme"}]},
            },
        )["launchPipelineExecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run_id = launched["run"]["runId"]

        def ended() -> str | None:
            status: str = ui(STATUS, id=run_id)["runOrError"]["status"]
            return status if status in ("SUCCESS", "FAILURE", "CANCELED") else None

        assert wait_for(ended, RUN_SECONDS) == "SUCCESS"
    assert rows_of(database_url) == by_command_line

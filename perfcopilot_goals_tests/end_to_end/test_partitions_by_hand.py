"""What people press on a partition by hand in the Dagster UI: add, delete, report a materialization."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from perfcopilot_goals.sandbox import Sandbox
from perfcopilot_goals_tests.cli.command import TOKEN, Cli, environment
from perfcopilot_goals_tests.cli.small_company import connect, small_company
from perfcopilot_goals_tests.end_to_end.service import Service, wait_for

pytestmark = pytest.mark.long

RUN_SECONDS = 120.0
# The sensor looks once a minute; a busy machine takes longer.
SENSOR_SECONDS = 180.0
FRESH_SECONDS = 20.0
REPOSITORY = {"repositoryLocationName": "perfcopilot_goals", "repositoryName": "__repository__"}
ADD = """mutation($selector: RepositorySelector!, $key: String!) {
  addDynamicPartition(repositorySelector: $selector, partitionsDefName: "connections", partitionKey: $key) {
    __typename } }"""
DELETE = """mutation($selector: RepositorySelector!, $keys: [String!]!) {
  deleteDynamicPartitions(repositorySelector: $selector, partitionsDefName: "connections", partitionKeys: $keys) {
    __typename } }"""
REPORT = """mutation($params: ReportRunlessAssetEventsParams!) { reportRunlessAssetEvents(eventParams: $params) {
  __typename ... on PythonError { message } } }"""
PARTITIONS = """{ assetNodeOrError(assetKey: {path: ["prompt_blocks"]}) { ... on AssetNode { partitionKeys } } }"""


@pytest.fixture
def ui(cli: Cli, roster: Path, tmp_path: Path, database_url: str) -> Iterator[Service]:
    """A running `dev` with the connection `acme`, which has not been synced."""
    with Sandbox(small_company(), token=TOKEN) as asana:
        connect(cli, asana, roster)
        with Service(environment(tmp_path, PERFCOPILOT_DATABASE_URL=database_url), tmp_path / "dev.log") as service:
            yield service


def partitions(ui: Service) -> list[str]:
    return ui.ask(PARTITIONS)["assetNodeOrError"]["partitionKeys"]  # type: ignore[no-any-return]


def test_partitions_by_hand_change_no_connection_and_hide_none(ui: Service) -> None:
    assert wait_for(lambda: partitions(ui), SENSOR_SECONDS, ui.log) == ["acme"]

    # A tick between the two would take the partition away before its run begins, so the sensor is off meanwhile. It is
    # switched off soon after a tick, when none is under way and the next is not due.
    wait_for(lambda: time.time() - ui.last_tick("connections_sensor") < FRESH_SECONDS, SENSOR_SECONDS, ui.log)
    ui.stop_sensor("connections_sensor")
    ui.ask(ADD, selector=REPOSITORY, key="typo")
    run = ui.launch("typo")
    assert ui.wait_for_end(run, RUN_SECONDS) == "FAILURE"
    step, why = ui.failure(run)
    assert step == "raw_workspace_goals"
    assert "there is no connection 'typo'" in why
    assert "connection add, or the admin page, makes one" in why
    ui.start_sensor("connections_sensor")
    wait_for(lambda: partitions(ui) == ["acme"], SENSOR_SECONDS, ui.log)
    assert not any("typo" in keys for keys in ui.partitions("raw_workspace_goals").values())

    ui.ask(DELETE, selector=REPOSITORY, keys=["acme"])
    wait_for(lambda: partitions(ui) == ["acme"], SENSOR_SECONDS, ui.log)

    reported = time.time()
    told = {"eventType": "ASSET_MATERIALIZATION", "assetKey": {"path": ["prompt_blocks"]}, "partitionKeys": ["acme"]}
    response = ui.ask(REPORT, params=told)["reportRunlessAssetEvents"]
    assert response["__typename"] == "ReportRunlessAssetEventsSuccess", response
    # Dagster shows the partition as materialized. Who is really up to date, the checks say.
    assert ui.partitions("prompt_blocks")["materialized"] == ["acme"]
    assert ui.wait_for_end(ui.launch_job("check_connections", None), RUN_SECONDS) == "SUCCESS"
    for name in ("every_connection_works", "no_connection_is_stale"):
        check = ui.check("connections", name)
        assert check
        assert check["timestamp"] > reported
        assert not check["success"]
        assert "acme" in str(check["metadata"])

"""A sync of the command line in the UI: it stands in the timeline, and *Re-execute all* runs it again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from perfcopilot_goals.sandbox import Sandbox
from perfcopilot_goals_tests.cli.command import TOKEN, Cli, environment
from perfcopilot_goals_tests.cli.small_company import connect, small_company
from perfcopilot_goals_tests.end_to_end.service import Service

RUN_SECONDS = 120.0
ORIGIN = """query($id: ID!) { runOrError(runId: $id) { ... on Run {
  hasReExecutePermission repositoryOrigin { repositoryLocationName repositoryName } } } }"""
# What the timeline asks: the runs of each job of the code location.
TIMELINE = """{ repositoryOrError(repositorySelector: {
  repositoryLocationName: "perfcopilot_goals", repositoryName: "__repository__"}) { ... on Repository {
  pipelines { name runs(limit: 5) { runId } } } } }"""
REEXECUTE = """mutation($parameters: ReexecutionParams!) { launchPipelineReexecution(reexecutionParams: $parameters) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""


@pytest.fixture
def ui(tmp_path: Path, database_url: str) -> Iterator[Service]:
    """A running `dev` without the sample company."""
    with Service(environment(tmp_path, PERFCOPILOT_DATABASE_URL=database_url), tmp_path / "dev.log") as service:
        yield service


def test_a_sync_of_the_command_line_is_in_the_timeline_and_can_be_executed_again(
    cli: Cli, roster: Path, ui: Service
) -> None:
    """It failed with `CheckError: Expected non-None value: None`: such a run had no origin."""
    with Sandbox(small_company(), token=TOKEN) as asana:
        connect(cli, asana, roster)
        assert cli("sync", "acme").returncode == 0
        (run,) = ui.runs("acme")
        origin = ui.ask(ORIGIN, id=run["runId"])["runOrError"]["repositoryOrigin"]
        assert origin == {"repositoryLocationName": "perfcopilot_goals", "repositoryName": "__repository__"}
        jobs = {job["name"]: job["runs"] for job in ui.ask(TIMELINE)["repositoryOrError"]["pipelines"]}
        assert jobs["sync_goals"] == [{"runId": run["runId"]}]

        parameters = {"parentRunId": run["runId"], "strategy": "ALL_STEPS"}
        launched = ui.ask(REEXECUTE, parameters=parameters)["launchPipelineReexecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        again = launched["run"]["runId"]
        assert ui.wait_for_end(again, RUN_SECONDS) == "SUCCESS"
        (newest, first) = ui.runs("acme")
        assert (newest["runId"], first["runId"]) == (again, run["runId"])

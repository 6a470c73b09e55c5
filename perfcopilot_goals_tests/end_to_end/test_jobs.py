"""The jobs and the checks over all connections in the running service: launched and seen as the UI does, by GraphQL."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perfcopilot_goals.sandbox import Sandbox
from perfcopilot_goals_tests.cli.command import TOKEN, Cli, environment
from perfcopilot_goals_tests.cli.small_company import WORKSPACE, connect, small_company
from perfcopilot_goals_tests.end_to_end.service import Service, wait_for

RUN_SECONDS = 120.0
# Sensors look twice a minute; a busy machine takes longer.
SENSOR_SECONDS = 180.0
FORM = """query($selector: PipelineSelector!) { runConfigSchemaOrError(selector: $selector) {
  ... on RunConfigSchema { allConfigTypes { ... on CompositeConfigType { fields { name description } } } } } }"""


@pytest.fixture
def ui(tmp_path: Path, database_url: str) -> Iterator[Service]:
    """A running `dev` without the sample company."""
    with Service(environment(tmp_path, PERFCOPILOT_DATABASE_URL=database_url), tmp_path / "dev.log") as service:
        yield service


def log_of(ui: Service, run_id: str) -> str:
    return "\n".join(str(event.get("message")) for event in ui.events(run_id))


def form_of(ui: Service, job: str) -> dict[str, str]:
    """The described fields of the job's launchpad."""
    selector = {
        "repositoryLocationName": "perfcopilot_goals",
        "repositoryName": "__repository__",
        "pipelineName": job,
    }
    types = ui.ask(FORM, selector=selector)["runConfigSchemaOrError"]["allConfigTypes"]
    return {f["name"]: f["description"] for of_type in types for f in of_type.get("fields", []) if f["description"]}


def seen(ui: Service, success: bool, says: str) -> dict[str, Any]:
    """The first result of `every_connection_works` that is so and has this in its table."""

    def found() -> dict[str, Any] | None:
        check = ui.check("connections", "every_connection_works")
        return check if check and check["success"] is success and says in check["metadata"]["table"] else None

    return wait_for(found, SENSOR_SECONDS, ui.log)


def test_a_wrong_workspace_is_seen_found_and_mended_without_a_shell(cli: Cli, roster: Path, ui: Service) -> None:
    with Sandbox(small_company(), token=TOKEN) as asana:
        connect(cli, asana, roster)
        assert cli("connection", "set", "acme", "--workspace-gid", "404").returncode == 0
        broken = ui.launch("acme")
        assert ui.wait_for_end(broken, RUN_SECONDS) == "FAILURE"
        check = seen(ui, False, f"/runs/{broken})")
        assert (check["severity"], check["partition"]) == ("ERROR", None)
        told = check["metadata"]
        assert (told["count"], told["failed"], told["connections"], told["ids"]) == (1, 1, 1, "acme")
        assert "| acme | never |  | GoalsConfigError |" in told["table"]
        assert "the job set_workspace in the UI" in told["table"]
        # It is recorded a moment later.
        stale = wait_for(lambda: ui.check("connections", "no_connection_is_stale"), SENSOR_SECONDS, ui.log)
        assert stale["metadata"]["ids"] == "acme"

        inspected = ui.launch_job("inspect_connection", "acme")
        assert ui.wait_for_end(inspected, RUN_SECONDS) == "FAILURE"
        assert f"It sees workspace {WORKSPACE} (" in log_of(ui, inspected)
        assert "Asana knows no workspace 404 for this token" in ui.failure(inspected)[1]

        form = form_of(ui, "set_workspace")
        assert {"workspace_gid", "even_if_unseen", "enabled"} <= set(form)
        config = {"ops": {"change_connection": {"config": {"workspace_gid": WORKSPACE}}}}
        mended = ui.launch_job("set_workspace", "acme", config)
        assert ui.wait_for_end(mended, RUN_SECONDS) == "SUCCESS"
        healed = wait_for(
            lambda: [r for r in ui.runs("acme") if r["tags"].get("dagster/sensor_name") == "fixed_connection_sensor"],
            SENSOR_SECONDS,
            ui.log,
        )
        assert ui.wait_for_end(healed[0]["runId"], RUN_SECONDS) == "SUCCESS"
        seen(ui, True, "| works |")

        began = time.time()
        looked = ui.launch_job("check_connections", None)
        assert ui.wait_for_end(looked, RUN_SECONDS) == "SUCCESS"
        check = ui.check("connections", "every_connection_works") or {}
        # The latest result may be the sensor's, which may look once more; that the run had one, its own page says.
        assert (check["timestamp"] > began, check["success"]) == (True, True)
        assert "every_connection_works" in log_of(ui, looked)

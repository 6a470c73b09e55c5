"""The running service as a data team has it: `dev` in a process of its own, asked as the UI asks it, by GraphQL.

Add here what tests of the service ask or press; the mutations are those that the UI's pages send.
"""

import datetime as dt
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

from perfcopilot_goals.domain.sync import SLICE_TABLES

STARTING_SECONDS = 120.0
STOPPING_SECONDS = 60.0
ENDED = ("SUCCESS", "FAILURE", "CANCELED")

_REPOSITORY = {"repositoryLocationName": "perfcopilot_goals", "repositoryName": "__repository__"}
_RUNS = """query($filter: RunsFilter) { runsOrError(filter: $filter) { ... on Runs { results {
  runId status creationTime startTime endTime tags { key value } } } ... on PythonError { message } } }"""
_EVENTS = """query($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events {
  __typename ... on MessageEvent { message }
  ... on ExecutionStepFailureEvent { stepKey error { message } failureMetadata { description } } } } } }"""
_PARTITIONS = """query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode { partitionKeys
  assetPartitionStatuses { ... on DefaultPartitionStatuses {
    materializedPartitions failedPartitions unmaterializedPartitions materializingPartitions } } } } }"""
_LAUNCH = """mutation($execution: ExecutionParams!) { launchPipelineExecution(executionParams: $execution) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
_CHECKS = """query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
  assetChecksOrError { ... on AssetChecks { checks { name executionForLatestMaterialization { runId timestamp
    evaluation { success severity partition metadataEntries { label
      ... on MarkdownMetadataEntry { mdStr } ... on IntMetadataEntry { intValue }
      ... on TextMetadataEntry { text } ... on JsonMetadataEntry { jsonString } } } } } } } } } }"""
_BACKFILL = """mutation LaunchPartitionBackfill($backfillParams: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $backfillParams) { __typename
    ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
_BACKFILL_STATUS = """query($id: String!) { partitionBackfillOrError(backfillId: $id) {
  ... on PartitionBackfill { status error { message } } } }"""
_SENSOR = """query($selector: SensorSelector!) { sensorOrError(sensorSelector: $selector) {
  ... on Sensor { sensorState { id status ticks(limit: 1) { timestamp status } } } } }"""
_STOP_SENSOR = """mutation($id: String!) { stopSensor(id: $id) {
  ... on StopSensorMutationResult { instigationState { status } } ... on PythonError { message } } }"""
_START_SENSOR = """mutation($selector: SensorSelector!) { startSensor(sensorSelector: $selector) {
  ... on Sensor { sensorState { status } } ... on PythonError { message } } }"""
_SCHEDULE = """query($selector: ScheduleSelector!) { scheduleOrError(scheduleSelector: $selector) {
  ... on Schedule { scheduleState { id status ticks { tickId status timestamp runIds } } } } }"""
_STOP_SCHEDULE = """mutation($id: String!) { stopRunningSchedule(id: $id) {
  ... on ScheduleStateResult { scheduleState { status } } ... on PythonError { message } } }"""

Found = TypeVar("Found")


def wait_for(what: Callable[[], Found | None], seconds: float, told: Callable[[], object] = lambda: "") -> Found:
    """Whatever `what` first answers that is true; fails when that takes longer, with what `told` knows."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"waited {seconds} s in vain {told()}"
        time.sleep(0.3)
    return found


class Service:
    """Web server, daemon, code server and run workers on a free port; it can be stopped, killed and started again."""

    def __init__(self, environment: dict[str, str], log: Path, *options: str) -> None:
        """`options` are those of `dev`; without any, the sample company is left out."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        # Unless the test sets a schedule, it does not tick while the test runs, at whatever hour that is.
        hour = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=12)).hour
        self._environment = {"PERFCOPILOT_SYNC_CRON": f"17 {hour} * * *"} | environment
        self._log = log
        self._options = options or ("--no-demo",)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start, and return when the web server answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "perfcopilot_goals.cli", "dev", *self._options, "--port", str(self.port)],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_for(self._is_up, STARTING_SECONDS, self.log)

    def stop(self) -> None:
        """End it as Ctrl-C does, run workers too."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(STOPPING_SECONDS)
            self._process = None

    def kill(self) -> None:
        """End every process of it at once, as a loss of power does."""
        assert self._process is not None
        for pid in [self._process.pid, *descendants(self._process.pid)]:
            os.kill(pid, signal.SIGKILL)
        self._process.wait(STOPPING_SECONDS)
        self._process = None
        wait_for(lambda: not self._is_listening(), STOPPING_SECONDS)

    def log(self) -> str:
        return self._log.read_text("utf-8", "replace")

    def run_command(self, *arguments: str) -> str:
        """A command of ours beside the service, in the same environment; it has to succeed."""
        command = [sys.executable, "-m", "perfcopilot_goals.cli", *arguments]
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, check=False, timeout=STARTING_SECONDS
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables}).encode()
        address = f"http://127.0.0.1:{self.port}/graphql"
        request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            result: dict[str, Any] = json.load(response)
        assert "errors" not in result, result
        return result["data"]  # type: ignore[no-any-return]

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log()
        try:
            return bool(self.ask("{ version }"))
        except OSError:
            return False

    def _is_listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def runs(self, partition: str | None = None) -> list[dict[str, Any]]:
        """Runs, the newest first, with their tags as a mapping."""
        tags = [] if partition is None else [{"key": "dagster/partition", "value": partition}]
        results: list[dict[str, Any]] = self.ask(_RUNS, filter={"tags": tags})["runsOrError"]["results"]
        return [run | {"tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in results]

    def syncs(self) -> list[dict[str, Any]]:
        """The runs of connections. The checks over all of them have runs as well, once an hour."""
        return [run for run in self.runs() if "dagster/partition" in run["tags"]]

    def wait_for_end(self, run_id: str, seconds: float) -> str:
        """The status with which the run ended."""
        query = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"

        def ended() -> str | None:
            status: str = self.ask(query, id=run_id)["runOrError"]["status"]
            return status if status in ENDED else None

        return wait_for(ended, seconds, self.log)

    def events(self, run_id: str) -> list[dict[str, Any]]:
        """What the run's page lists."""
        return self.ask(_EVENTS, id=run_id)["logsForRun"]["events"]  # type: ignore[no-any-return]

    def failure(self, run_id: str) -> tuple[str, str]:
        """The step of the run that failed, and its text on the run's page."""
        (event,) = [e for e in self.events(run_id) if e["__typename"] == "ExecutionStepFailureEvent"]
        return event["stepKey"], event["failureMetadata"]["description"]

    def partitions(self, table: str) -> dict[str, list[str]]:
        """The asset's partitions by what the bar on its page shows, each list in order."""
        node = self.ask(_PARTITIONS, key={"path": [table]})["assetNodeOrError"]
        statuses: dict[str, list[str]] = node["assetPartitionStatuses"]
        return {name.removesuffix("Partitions"): sorted(keys) for name, keys in statuses.items()}

    def launch(self, partition: str) -> str:
        """Press Materialize for one partition of the five assets."""
        selector = _REPOSITORY | {
            "pipelineName": "__ASSET_JOB",
            "assetSelection": [{"path": [table]} for table in SLICE_TABLES],
            "assetCheckSelection": None,
        }
        tags = {"tags": [{"key": "dagster/partition", "value": partition}]}
        execution = {"selector": selector, "mode": "default", "executionMetadata": tags}
        launched = self.ask(_LAUNCH, execution=execution)["launchPipelineExecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return launched["run"]["runId"]  # type: ignore[no-any-return]

    def launch_job(self, job: str, partition: str | None, config: dict[str, Any] | None = None) -> str:
        """Press Launch run in the job's launchpad, with this config of its one step."""
        tags = [] if partition is None else [{"key": "dagster/partition", "value": partition}]
        execution = {
            "selector": _REPOSITORY | {"pipelineName": job},
            "mode": "default",
            "runConfigData": json.dumps(config or {}),
            "executionMetadata": {"tags": tags},
        }
        launched = self.ask(_LAUNCH, execution=execution)["launchPipelineExecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return launched["run"]["runId"]  # type: ignore[no-any-return]

    def check(self, asset: str, name: str) -> dict[str, Any] | None:
        """The latest result of a check without partitions, with its metadata as plain values."""
        checks = self.ask(_CHECKS, key={"path": [asset]})["assetNodeOrError"]["assetChecksOrError"]["checks"]
        (execution,) = [check["executionForLatestMaterialization"] for check in checks if check["name"] == name]
        if execution is None or execution["evaluation"] is None:
            return None
        evaluation: dict[str, Any] = execution["evaluation"]
        entries = {entry.pop("label"): entry for entry in evaluation["metadataEntries"]}
        told = {label: next(v for v in entry.values() if v is not None) for label, entry in entries.items()}
        return evaluation | {"metadata": told, "timestamp": execution["timestamp"], "runId": execution["runId"]}

    def backfill(self, partitions: list[str]) -> str:
        """Press Launch backfill for these partitions of the five assets."""
        parameters = {
            "partitionNames": partitions,
            "assetSelection": [{"path": [table]} for table in SLICE_TABLES],
            "fromFailure": False,
            "tags": [],
        }
        launched = self.ask(_BACKFILL, backfillParams=parameters)["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        return launched["backfillId"]  # type: ignore[no-any-return]

    def backfill_status(self, backfill_id: str) -> str:
        backfill = self.ask(_BACKFILL_STATUS, id=backfill_id)["partitionBackfillOrError"]
        assert backfill["error"] is None, backfill
        return backfill["status"]  # type: ignore[no-any-return]

    def last_tick(self, name: str) -> float:
        """When the sensor began to look last, as a Unix time; 0 if it has not, or is at it."""
        state = self.ask(_SENSOR, selector=_REPOSITORY | {"sensorName": name})["sensorOrError"]["sensorState"]
        return max((tick["timestamp"] for tick in state["ticks"] if tick["status"] != "STARTED"), default=0.0)

    def stop_sensor(self, name: str) -> None:
        """Switch it off on its page."""
        state = self.ask(_SENSOR, selector=_REPOSITORY | {"sensorName": name})["sensorOrError"]["sensorState"]
        stopped = self.ask(_STOP_SENSOR, id=state["id"])["stopSensor"]
        assert stopped == {"instigationState": {"status": "STOPPED"}}, stopped

    def start_sensor(self, name: str) -> None:
        """Switch it on again on its page."""
        started = self.ask(_START_SENSOR, selector=_REPOSITORY | {"sensorName": name})["startSensor"]
        assert started == {"sensorState": {"status": "RUNNING"}}, started

    def schedule(self) -> dict[str, Any]:
        """State and ticks, the newest first."""
        selector = _REPOSITORY | {"scheduleName": "sync_goals_schedule"}
        return self.ask(_SCHEDULE, selector=selector)["scheduleOrError"]["scheduleState"]  # type: ignore[no-any-return]

    def stop_schedule(self) -> None:
        """Switch it off on its page."""
        stopped = self.ask(_STOP_SCHEDULE, id=self.schedule()["id"])["stopRunningSchedule"]
        assert stopped == {"scheduleState": {"status": "STOPPED"}}, stopped


def descendants(pid: int) -> list[int]:
    """Every process below this one."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    found = [pid]
    for parent in found:
        found += [child for child, its_parent in pairs if its_parent == parent]
    return found[1:]

"""A thousand connections stand by: how much memory Dagster's processes use, and how long the ticks take.

The schedule's tick is evaluated as by the UI's *Test schedule*, which launches nothing.
"""

import time
from collections.abc import Iterator
from statistics import median
from typing import Any

from benchmarks.measuring import StandIn
from benchmarks.scale import Scale
from benchmarks.service import Service, dagster_dev
from benchmarks.workplace import workplace

TITLE = "Connections standing by"
SENSORS = ("connections_sensor", "fixed_connection_sensor", "roster_and_settings_sensor", "lost_retries_sensor")
REPOSITORY = {"repositoryLocationName": "perfcopilot_goals", "repositoryName": "__repository__"}
TICKS = """query($selector: SensorSelector!) { sensorOrError(sensorSelector: $selector) { ... on Sensor {
  sensorState { ticks(limit: 50) { status timestamp endTimestamp } } } } }"""
TEST_SCHEDULE = """mutation($selector: ScheduleSelector!, $timestamp: Float) {
  scheduleDryRun(selectorData: $selector, timestamp: $timestamp) { __typename
    ... on DryRunInstigationTick { evaluationResult { runRequests { runKey } error { message } } } } }"""


def run(scale: Scale) -> Iterator[dict[str, Any]]:
    """A row for each moment at which the service is measured."""
    names = [f"company-{number:04d}" for number in range(1, scale.standing + 1)]
    with workplace() as place:
        place.connect(names, StandIn("http://127.0.0.1:9/api/1.0", []))
        with dagster_dev(place, names) as service:
            began = time.monotonic()
            for minutes in scale.standing_minutes:
                time.sleep(max(0.0, began + 60 * minutes - time.monotonic()))
                tick = test_schedule(service, len(names))
                sensors = {f"{name}, seconds a tick": seconds_of(service, name) for name in SENSORS}
                figures = {"schedule's tick, seconds": round(tick, 2)} | sensors
                who = f"after {minutes} minutes"
                yield {"race": f"{len(names):,} connections", "who": who} | figures | service.memory()


def test_schedule(service: Service, requests: int) -> float:
    """How many seconds it takes to evaluate a tick that requests a run for each connection."""
    selector = REPOSITORY | {"scheduleName": "sync_goals_schedule"}
    began = time.perf_counter()
    ticked = service.ask(TEST_SCHEDULE, selector=selector, timestamp=time.time())["scheduleDryRun"]
    seconds = time.perf_counter() - began
    if len((ticked.get("evaluationResult") or {}).get("runRequests") or []) != requests:
        raise SystemExit(f"the schedule did not request {requests} runs: {ticked}")
    return seconds


def seconds_of(service: Service, sensor: str) -> float:
    """The median length of the sensor's ticks so far, in seconds."""
    state = service.ask(TICKS, selector=REPOSITORY | {"sensorName": sensor})["sensorOrError"]["sensorState"]
    ended = [tick["endTimestamp"] - tick["timestamp"] for tick in state["ticks"] if tick["endTimestamp"]]
    return round(float(median(ended)), 2)

"""Many connections stand by: memory of Dagster's processes, how long ticks take, and how much CPU the sensors use.

The connections have rosters and one complete sync each, and nothing changes. In the first minute,
`roster_and_settings_sensor` begins to observe them all. Then it is told that it has done so. The schedule's tick is
evaluated as by the UI's *Test schedule*, which launches nothing. The sensors' CPU is what the service and its Postgres
use with them, less what they use without.
"""

import datetime as dt
import time
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from benchmarks.scale import Scale
from benchmarks.service import Service, dagster_dev
from benchmarks.workplace import workplace
from perfcopilot_goals.core.automation import Observed, parse_observed, render_observed

TITLE = "Connections standing by"
EMPLOYEES = 50
SENSORS = (
    "connections_sensor",
    "fixed_connection_sensor",
    "connection_checks_sensor",
    "roster_and_settings_sensor",
    "lost_retries_sensor",
)
REPOSITORY = {"repositoryLocationName": "perfcopilot_goals", "repositoryName": "__repository__"}
# Ticks of the last minutes, so that the first ones, which see everything for the first time, do not count for ever.
TICKS = """query($selector: SensorSelector!, $after: Float) { sensorOrError(sensorSelector: $selector) { ... on Sensor {
  sensorState { ticks(afterTimestamp: $after) { status timestamp endTimestamp } } } } }"""
RECENT_SECONDS = 120.0
# A tick that takes longer fails.
TICK_SECONDS = 60.0
# A tick of the first pass, and the pause before it.
OBSERVING_SECONDS = 75.0
SET_CURSOR = """mutation($selector: SensorSelector!, $cursor: String) {
  setSensorCursor(sensorSelector: $selector, cursor: $cursor) { __typename } }"""
CURSOR = """query($selector: SensorSelector!) { sensorOrError(sensorSelector: $selector) { ... on Sensor {
  sensorState { typeSpecificData { ... on SensorData { lastCursor } } } } } }"""
STATE = """query($selector: SensorSelector!) { sensorOrError(sensorSelector: $selector) { ... on Sensor {
  sensorState { id selectorId } } } }"""
STOP = "mutation($id: String, $selector: String) { stopSensor(id: $id, jobSelectorId: $selector) { __typename } }"
TEST_SCHEDULE = """mutation($selector: ScheduleSelector!, $timestamp: Float) {
  scheduleDryRun(selectorData: $selector, timestamp: $timestamp) { __typename
    ... on DryRunInstigationTick { evaluationResult { runRequests { runKey } error { message } } } } }"""


def run(scale: Scale) -> Iterator[dict[str, Any]]:
    """A row for each number of connections and each moment at which the service is measured."""
    for count, minutes in scale.standing:
        yield from measure(count, minutes, scale.standing_window_seconds)


def measure(count: int, minutes: Sequence[int], window: float) -> Iterator[dict[str, Any]]:
    """The rows of one number of connections. The last one has the sensors' CPU."""
    with workplace() as place:
        names = place.seed(count, EMPLOYEES)
        with dagster_dev(place, names) as service:
            began = time.monotonic()
            for minute in minutes:
                time.sleep(max(0.0, began + 60 * minute - time.monotonic()))
                tick = test_schedule(service, len(names))
                sensors = {f"{name}, seconds a tick": seconds_of(service, name) for name in SENSORS}
                figures: dict[str, Any] = {"schedule's tick, seconds": round(tick, 2)} | sensors | service.memory()
                if minute == minutes[0]:
                    end_first_pass(service)
                if minute == minutes[-1]:
                    figures |= cpu_share(service, window) | count_ticks(service, began)
                yield {"race": f"{count:,} connections", "who": f"after {minute} minutes"} | figures


def test_schedule(service: Service, requests: int) -> float:
    """How many seconds it takes to evaluate a tick that requests a run for each connection."""
    selector = REPOSITORY | {"scheduleName": "sync_goals_schedule"}
    began = time.perf_counter()
    ticked = service.ask(TEST_SCHEDULE, selector=selector, timestamp=time.time())["scheduleDryRun"]
    seconds = time.perf_counter() - began
    if len((ticked.get("evaluationResult") or {}).get("runRequests") or []) != requests:
        raise SystemExit(f"the schedule did not request {requests} runs: {ticked}")
    return seconds


def seconds_of(service: Service, sensor: str) -> float | None:
    """The median length of the sensor's latest ticks, in seconds."""
    ended = durations(service, sensor, RECENT_SECONDS)
    return round(float(median(ended)), 2) if ended else None


def count_ticks(service: Service, began: float) -> dict[str, str]:
    """How many of all sensors' ticks since then ended within the minute that Dagster gives them."""
    ticks = [seconds for name in SENSORS for seconds in durations(service, name, time.monotonic() - began)]
    in_time = sum(seconds < TICK_SECONDS for seconds in ticks)
    return {"ticks within their minute": f"{in_time} of {len(ticks)}, the longest {max(ticks):.1f} s"}


def durations(service: Service, sensor: str, seconds: float) -> list[float]:
    """How many seconds each tick took that began within the last so many seconds; failed ones count as too long."""
    selector, after = REPOSITORY | {"sensorName": sensor}, time.time() - seconds
    ticks = service.ask(TICKS, selector=selector, after=after)["sensorOrError"]["sensorState"]["ticks"]
    return [
        max(tick["endTimestamp"] - tick["timestamp"], TICK_SECONDS if tick["status"] == "FAILURE" else 0)
        for tick in ticks
        if tick["endTimestamp"]
    ]


def end_first_pass(service: Service) -> None:
    """Let the sensor believe that it has observed every connection; that takes a while for thousands of them.

    A tick that is under way would put its own cursor in place of this one, so it is set until one stays for a tick.
    """
    cursor = render_observed(Observed(dt.datetime.now(dt.UTC)))
    selector = REPOSITORY | {"sensorName": "roster_and_settings_sensor"}
    while not is_first_pass_over(service, selector):
        service.ask(SET_CURSOR, selector=selector, cursor=cursor)
        time.sleep(OBSERVING_SECONDS)


def is_first_pass_over(service: Service, selector: dict[str, str]) -> bool:
    """Whether the sensor observes only changes by now."""
    state = service.ask(CURSOR, selector=selector)["sensorOrError"]["sensorState"]
    cursor = state["typeSpecificData"]["lastCursor"]
    return parse_observed(cursor).before != Observed().before


def cpu_share(service: Service, window: float) -> dict[str, float]:
    """Percent of one core that everything uses, and of that the sensors. They are stopped afterwards."""
    with_sensors = used_in(service, window)
    for sensor in SENSORS:
        state = service.ask(STATE, selector=REPOSITORY | {"sensorName": sensor})["sensorOrError"]["sensorState"]
        service.ask(STOP, id=state["id"], selector=state["selectorId"])
    without = used_in(service, window)
    return {"% of a core, all": round(with_sensors, 2), "% of a core, sensors": round(with_sensors - without, 2)}


def used_in(service: Service, seconds: float) -> float:
    """Percent of one core that the service and its Postgres use during the next seconds."""
    before, began = service.cpu_seconds(), time.monotonic()
    time.sleep(seconds)
    return 100 * (service.cpu_seconds() - before) / (time.monotonic() - began)

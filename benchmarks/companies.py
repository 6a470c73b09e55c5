"""Many small connections: one sync as a whole process, `sync --all`, and a backfill through Dagster's daemon, twice.

The floor is the time of one sync times the number of connections: what a loop over the command line would take.
"""

import time
from collections.abc import Iterator
from typing import Any

from benchmarks.measuring import stand_in
from benchmarks.scale import Scale
from benchmarks.service import Service, dagster_dev
from benchmarks.workplace import tokens, workplace
from perfcopilot_goals.domain.sync import SLICE_TABLES

TITLE = "Many small connections"
GOALS = 50
BACKFILL_SECONDS = 3_600.0
LAUNCH = """mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
STATE = """query($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"""


def run(scale: Scale) -> Iterator[dict[str, Any]]:
    """A row for each way."""
    names = [f"company-{number:03d}" for number in range(1, scale.connections + 1)]
    options = ("--latency-ms", str(scale.latency_ms), "--people", "5")
    with workplace() as place, stand_in(GOALS, *options, *tokens(names)) as asana:
        place.connect(names, asana)
        place.run("sync", names[0])
        one = min((place.run("sync", names[0]) for _ in range(scale.repeats)), key=lambda done: done.seconds)
        race = f"{len(names)} connections of {GOALS} goals"
        yield _row(f"1 connection of {GOALS} goals", "perfcopilot-goals sync", one.seconds, one.seconds, one.peak_mb)
        floor = one.seconds * len(names)
        every = place.run("sync", "--all")
        # No peak: it would be that of the process that hands out the work, not of those that do it.
        yield _row(race, "perfcopilot-goals sync --all", every.seconds, floor, None)
        with dagster_dev(place, names) as service:
            for who in ("backfill by the daemon", "the same once more"):
                yield _row(race, who, backfill(service, names), floor, None) | service.memory()


def _row(race: str, who: str, seconds: float, floor: float, peak_mb: float | None) -> dict[str, Any]:
    figures = {"floor": round(floor, 2), "seconds": round(seconds, 2), "ratio": round(seconds / floor, 3)}
    return {"race": race, "who": who, **figures, "peak MB": None if peak_mb is None else round(peak_mb)}


def backfill(service: Service, names: list[str]) -> float:
    """Launch a backfill as the UI does; returns the seconds until its end."""
    selection = [{"path": [table]} for table in SLICE_TABLES]
    began = time.perf_counter()
    launched = service.ask(LAUNCH, params={"assetSelection": selection, "partitionNames": names})
    backfill_id = launched["launchPartitionBackfill"]["backfillId"]
    while (status := _status(service, backfill_id)) == "REQUESTED" and time.perf_counter() - began < BACKFILL_SECONDS:
        time.sleep(0.5)
    if status != "COMPLETED_SUCCESS":
        raise SystemExit(f"the backfill ended as {status}")
    return time.perf_counter() - began


def _status(service: Service, backfill_id: str) -> str:
    return str(service.ask(STATE, id=backfill_id)["partitionBackfillOrError"]["status"])

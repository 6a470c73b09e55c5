"""Many small connections: one sync as a whole process, `sync --all`, and a backfill through Dagster's daemon.

The floor of the many is the one, so many times: what a loop over the command line would take.
"""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

from benchmarks.measuring import CLI, stand_in
from benchmarks.scale import Scale
from benchmarks.workplace import Workplace, tokens, workplace
from perfcopilot_goals.schemas.rows import SLICE_TABLES

TITLE = "Many small connections"
GOALS = 50
STARTING_SECONDS = 120.0
BACKFILL_SECONDS = 3_600.0
PARTITIONS = """{ assetNodeOrError(assetKey: {path: ["prompt_blocks"]}) { ... on AssetNode { partitionKeys } } }"""
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
        yield _row(race, "perfcopilot-goals sync --all", every.seconds, floor, every.peak_mb)
        yield _row(race, "backfill by the daemon", backfill(place, names), floor, None)


def _row(race: str, who: str, seconds: float, floor: float, peak_mb: float | None) -> dict[str, Any]:
    figures = {"floor": round(floor, 2), "seconds": round(seconds, 2), "ratio": round(seconds / floor, 3)}
    return {"race": race, "who": who, **figures, "peak MB": None if peak_mb is None else round(peak_mb)}


def backfill(place: Workplace, names: list[str]) -> float:
    """Seconds from the launch, as in the UI, to its end; web server and daemon are those of `dev`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [*CLI, "dev", "--no-demo", "--port", str(port)]
    dev = subprocess.Popen(command, env=place.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + STARTING_SECONDS
        while not set(names) <= set(_partitions(port)):
            if time.monotonic() > end:
                raise SystemExit("the web server did not come up with the partitions")
            time.sleep(0.5)
        selection = [{"path": [table]} for table in SLICE_TABLES]
        began = time.perf_counter()
        launched = ask(port, LAUNCH, params={"assetSelection": selection, "partitionNames": names})
        backfill_id = launched["launchPartitionBackfill"]["backfillId"]
        end = time.monotonic() + BACKFILL_SECONDS
        while (status := _status(port, backfill_id)) == "REQUESTED" and time.monotonic() < end:
            time.sleep(0.5)
        if status != "COMPLETED_SUCCESS":
            raise SystemExit(f"the backfill ended as {status}")
        return time.perf_counter() - began
    finally:
        os.kill(dev.pid, signal.SIGINT)
        dev.wait()


def ask(port: int, query: str, **variables: Any) -> dict[str, Any]:
    """The web server's answer to a query of its own pages."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        data: dict[str, Any] = json.load(response)["data"]
    return data


def _partitions(port: int) -> list[str]:
    try:
        keys: list[str] = ask(port, PARTITIONS)["assetNodeOrError"].get("partitionKeys", [])
    except OSError:
        return []
    return keys


def _status(port: int, backfill_id: str) -> str:
    return str(ask(port, STATE, id=backfill_id)["partitionBackfillOrError"]["status"])

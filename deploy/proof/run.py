"""The proof itself: a backfill of all connections over two workers, one of which is killed in the middle.

At the end the slices must be the ones that plain syncs make, and the sync log must agree with them.
"""

import argparse
import platform
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg
import requests

from perfcopilot_goals.domain.sync import SLICE_TABLES
from perfcopilot_goals.local_postgres import local_database_url, remove_local_postgres
from perfcopilot_goals.sandbox import Sandbox
from perfcopilot_goals.settings import load_settings
from proof.company import connect, content, incomplete, names, token_of, world_of, write_tokens
from proof.services import Services, wait_for

KEPT, KILLED = "one", "two"
BACKFILL_SECONDS = 3_600.0
LATENCY_SECONDS = 0.2

LAUNCH = """mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
STATE = """query($id: String!) { partitionBackfillOrError(backfillId: $id) {
  ... on PartitionBackfill { status } ... on PythonError { message } } }"""
RUNS = """query($filter: RunsFilter!) { runsOrError(filter: $filter) {
  ... on Runs { results { runId status parentRunId tags { key value } } } } }"""
PARTITIONS = """{ assetNodeOrError(assetKey: {path: ["prompt_blocks"]}) { ... on AssetNode { partitionKeys } } }"""

Ask = Callable[..., dict[str, Any]]


def asker(port: int) -> Ask:
    """Returns a function that asks the web server as its pages do."""

    def ask(query: str, **variables: Any) -> dict[str, Any]:
        asked = {"query": query, "variables": variables}
        payload: dict[str, Any] = requests.post(f"http://127.0.0.1:{port}/graphql", json=asked, timeout=60).json()
        assert "errors" not in payload, payload
        data: dict[str, Any] = payload["data"]
        return data

    return ask


def backfill(ask: Ask, services: Services, url: str, connections: list[str]) -> tuple[str, list[dict[str, Any]]]:
    """Launch a backfill, kill a worker in the middle of a sync, wait for the end; returns its status and all runs."""
    wait_for(
        "the partitions", lambda: set(connections) <= set(ask(PARTITIONS)["assetNodeOrError"]["partitionKeys"]), 120
    )
    selection = [{"path": [table]} for table in SLICE_TABLES]
    params = {"assetSelection": selection, "partitionNames": connections}
    launched = ask(LAUNCH, params=params)["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched
    by_backfill = {"tags": [{"key": "dagster/backfill", "value": launched["backfillId"]}]}

    def runs() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = ask(RUNS, filter=by_backfill)["runsOrError"]["results"]
        return found

    def has_ended() -> bool:
        status = ask(STATE, id=launched["backfillId"])["partitionBackfillOrError"]["status"]
        return status not in ("REQUESTED", "CANCELING", "FAILING") and all(
            run["status"] in ("SUCCESS", "FAILURE", "CANCELED") for run in runs()
        )

    began = time.monotonic()
    wait_for("a third of the runs", lambda: len(done(runs())) >= len(connections) // 3, BACKFILL_SECONDS)
    struck = wait_for("a sync on the worker", lambda: syncing(url) & services.runs_of(KILLED), BACKFILL_SECONDS)
    services.kill(KILLED)
    at = time.monotonic() - began
    before = services.runs_of(KILLED) & done(runs())
    print(
        f"worker {KILLED} killed after {at:.0f} s and {len(before)} runs, with {len(struck)} sync(s) under way",
        flush=True,
    )
    wait_for("the end of the backfill", has_ended, BACKFILL_SECONDS)
    print(f"backfill ended {time.monotonic() - began:.0f} s after its launch", flush=True)
    return ask(STATE, id=launched["backfillId"])["partitionBackfillOrError"]["status"], runs()


def done(runs: list[dict[str, Any]]) -> set[str]:
    """Ids of the runs that succeeded."""
    return {run["runId"] for run in runs if run["status"] == "SUCCESS"}


def syncing(url: str) -> set[str]:
    """Ids of the runs that are under way, as the sync log says."""
    with psycopg.connect(url) as conn:
        rows = conn.execute("select run_id from perfcopilot_goals.syncs where state = 'running'").fetchall()
    return {row[0] for row in rows}


def report(
    status: str,
    runs: list[dict[str, Any]],
    shares: dict[str, int],
    expected: dict[str, Any],
    found: dict[str, Any],
    wrong: list[str],
) -> int:
    """Print how it went; returns exit code 1 if anything is wrong."""
    retried = [run for run in runs if run["parentRunId"]]
    print(
        f"runs by worker: {shares}; by status: {dict(Counter(run['status'] for run in runs))}; retries: {len(retried)}"
    )
    print(f"the backfill says {status}; rows: { {table: len(rows) for table, rows in found.items()} }")
    wrong += [f"{table} differs from the plain syncs'" for table in SLICE_TABLES if expected[table] != found[table]]
    wrong += [f"worker {name} had no run" for name, share in shares.items() if share == 0]
    wrong += [] if retried else ["nothing was retried, so no run was struck"]
    print(f"{len(wrong)} things wrong", *wrong, sep="\n")
    return 1 if wrong else 0


def main() -> int:
    """Print the figures and what is wrong; returns exit code 1 if anything is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--connections", type=int, default=50)
    given = parser.parse_args()
    folder: Path = given.folder
    connections = names(given.connections)
    worlds = [world_of(number) for number in range(1, len(connections) + 1)]
    tokens = [token_of(name) for name in connections]
    versions = [f"{name} {version(name)}" for name in ("dagster", "dagster-celery", "celery", "redis")]
    print(f"Python {platform.python_version()}, {', '.join(versions)}, {len(connections)} connections", flush=True)
    # However this ends, the services and Postgres must end with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    settings = load_settings({"PERFCOPILOT_HOME": str(folder / "postgres")})
    write_tokens(folder / "tokens", connections)
    try:
        url = local_database_url(settings)
        plain_url = f"{url.rpartition('/')[0]}/plain"
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute("create database plain")
        environment = {
            "PERFCOPILOT_DATABASE_URL": url,
            "PERFCOPILOT_CODE_HOST": "127.0.0.1",
            "PERFCOPILOT_SYNC_CRON": "0 0 1 1 *",
            "PYTHONWARNINGS": "ignore",
        }
        with (
            Sandbox(*worlds, token=tokens[0], more_tokens=tokens[1:], latency_seconds=LATENCY_SECONDS) as asana,
            Services(folder, environment) as services,
        ):
            for each in (url, plain_url):
                connect(each, asana.base_url, folder / "tokens", connections)
            services.environment["PERFCOPILOT_BROKER_URL"] = services.start_broker()
            began = time.monotonic()
            plain = ("perfcopilot-goals", "sync", "--all")
            services.start("plain", *plain, home="plain", PERFCOPILOT_DATABASE_URL=plain_url)
            if services.processes["plain"].wait() != 0:
                raise SystemExit("the plain syncs failed; see plain.log")
            print(f"plain syncs of the same, one command: {time.monotonic() - began:.0f} s", flush=True)
            for worker in (KEPT, KILLED):
                services.start_worker(worker)
            status, runs = backfill(asker(services.start_dagster()), services, url, connections)
            shares = {worker: len(services.runs_of(worker) & {r["runId"] for r in runs}) for worker in (KEPT, KILLED)}
            expected, found = content(plain_url), content(url)
            wrong = incomplete(url, connections)
    finally:
        remove_local_postgres(settings)
    return report(status, runs, shares, expected, found, wrong)


if __name__ == "__main__":
    sys.exit(main())

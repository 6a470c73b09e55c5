"""Two ratios: a fetch against the time that its requests take at best, a load against a bare COPY of the same rows.

Absolute times say more about the machine than about the program, so only the ratios are worth quoting. The stand-in
Asana runs in a process of its own.
"""

import json
import math
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from perfcopilot_goals.asana.client import AsanaClient
from perfcopilot_goals.asana.listing import PAGE_SIZE, fetch_goals
from perfcopilot_goals.asana.transport import IN_FLIGHT
from perfcopilot_goals.asana.walk import walk_subgoals
from perfcopilot_goals.core.goals import list_goals
from perfcopilot_goals.schemas.rows import Connection
from perfcopilot_goals.schemas.tables import stamp, tables, validate
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals.storage.connections import add_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.ledger import begin_sync
from perfcopilot_goals.storage.migrate import ensure_migrated
from perfcopilot_goals.storage.own_server import own_database_url, remove_own_server
from perfcopilot_goals.storage.slices import Replacement, replace_slice

TOKEN, WORKSPACE = "sandbox-token", "1200000000000002"
GOALS, LATENCY_MS = 2_000, 80
ROWS = 50_000
UNLIMITED = 10_000_000
RAW = "raw_workspace_goals"
FIELDS = {table: tables()[table].asana_fields for table in (RAW, "subgoals")}


@contextmanager
def stand_in(goals: int, latency_ms: int) -> Iterator[str]:
    """The base URL of a stand-in Asana in a process of its own."""
    command = [sys.executable, "-m", "perfcopilot_goals.cli", "sandbox", "--port", "0", "--goals", str(goals)]
    process = subprocess.Popen([*command, "--latency-ms", str(latency_ms)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
    finally:
        process.terminate()
        process.wait()


def timed(what: Callable[[], object]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def bench_fetch(requests_per_minute: int) -> dict[str, float]:
    """List and walk of all goals; the floor is what the same requests take, 50 in flight always, or at the limit."""
    with stand_in(GOALS, LATENCY_MS) as base_url:
        client = AsanaClient(base_url, TOKEN, requests_per_minute=requests_per_minute)

        def fetch() -> None:
            goals = fetch_goals(client, WORKSPACE, FIELDS[RAW])
            gids = [goal["gid"] for goal in goals]
            walk_subgoals(client, gids, FIELDS["subgoals"], last_route="goal_relationships")

        seconds = timed(fetch)
        with urllib.request.urlopen(base_url.partition("/api")[0] + "/sandbox/stats") as stats:
            counted = json.load(stats)
        client.close()
    pages = math.ceil(GOALS / PAGE_SIZE)
    in_flight = (pages + GOALS / IN_FLIGHT) * LATENCY_MS / 1000
    at_limit = (pages + GOALS) * 60 / requests_per_minute
    floor = max(in_flight, at_limit)
    figures = {"seconds": seconds, "floor_seconds": floor, "ratio_to_floor": seconds / floor}
    return figures | {"requests": counted["requests"], "rejected": counted["rejected"]}


def bench_load(database: Database) -> dict[str, float]:
    """A slice of many rows through validation and replace, against COPY alone of the same values."""
    answer = {"name": "Grow web traffic by 30%", "owner": {"gid": "1"}, "html_notes": "<body>Why it matters</body>"}
    answer |= {
        "due_on": "2026-12-31",
        "start_on": None,
        "status": None,
        "current_status_update": {"status_type": "on_track"},
    }
    rows = list_goals(({"gid": str(gid), **answer} for gid in range(ROWS)), "77").rows
    with database.connect("preparing") as transaction:
        add_connection(
            transaction, Connection("bench", "77", "env:T", "https://app.asana.com", 1_500, "auto", enabled=True)
        )
        synced_at = begin_sync(transaction, "bench", "run")
    stamped = stamp(rows, "bench", synced_at, "run")
    replacement = Replacement("bench", "run", synced_at, inputs={}, notes={}, is_last=False)
    ours = timed(lambda: replace_slice(database, RAW, validate(RAW, stamped), replacement))
    values = [
        tuple(None if value is None else value for value in row) for row in stamped.itertuples(index=False, name=None)
    ]

    def copy() -> None:
        with psycopg.connect(database.url) as connection, connection.cursor() as cursor:
            cursor.execute("create table bare (like perfcopilot_goals.raw_workspace_goals including all)")
            with cursor.copy(f"copy bare ({', '.join(stamped.columns)}) from stdin") as stream:
                for row in values:
                    stream.write_row(row)

    bare = timed(copy)
    return {
        "seconds": ours,
        "bare_copy_seconds": bare,
        "share_of_bare_copy": bare / ours,
        "rows_per_second": ROWS / ours,
    }


def main() -> None:
    """Run all and print a line each."""
    for name, rate in (("fetch, no limit", UNLIMITED), ("fetch, 6,000 a minute", 6_000)):
        tell(f"{name}, {GOALS:,} goals at {LATENCY_MS} ms", bench_fetch(rate))
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings({"PERFCOPILOT_HOME": str(Path(folder) / "state")})
        try:
            database = Database(own_database_url(settings))
            ensure_migrated(database)
            tell(f"load of {ROWS:,} rows", bench_load(database))
        finally:
            remove_own_server(settings)


def tell(what: str, figures: dict[str, float]) -> None:
    """One line."""
    print(f"{what}: " + ", ".join(f"{name} {value:,.2f}" for name, value in figures.items()), flush=True)


if __name__ == "__main__":
    main()

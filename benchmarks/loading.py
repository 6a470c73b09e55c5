"""A slice is validated and replaced, against a bare COPY of the same values into a table with the same indexes."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import psycopg

from benchmarks.scale import Scale
from benchmarks.workplace import workplace
from perfcopilot_goals.core.goals import parse_goals
from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.schemas.tables import stamp, validate
from perfcopilot_goals.storage.connections import add_connection
from perfcopilot_goals.storage.slices import Replacement, replace_slice
from perfcopilot_goals.storage.sync_log import begin_sync

TITLE = "A slice loaded"
RAW = "raw_workspace_goals"
GOAL = {
    "name": "Grow web traffic by 30%",
    "owner": {"gid": "1"},
    "html_notes": "<body>" + "Agreed with the team in the planning week. " * 5 + "</body>",
    "due_on": "2026-12-31",
    "start_on": None,
    "status": None,
    "current_status_update": {"status_type": "on_track"},
}


def run(scale: Scale) -> Iterator[dict[str, Any]]:
    """A row for each way to load, with the best of the repeats."""
    rows = parse_goals(({"gid": str(gid), **GOAL} for gid in range(scale.rows)), "77").rows
    with workplace() as place:
        with place.database.connect("preparing") as conn:
            connection = Connection("bench", "77", "env:T", "https://app.asana.com", 1_500, "auto", enabled=True)
            add_connection(conn, connection)
            synced_at = begin_sync(conn, "bench", "run")
        stamped = stamp(rows, "bench", synced_at, "run")
        replacement = Replacement("bench", "run", synced_at, inputs={}, notes={}, is_last=False)
        values = list(stamped.astype(object).where(stamped.notna(), None).itertuples(index=False, name=None))

        replace = partial(replace_slice, place.database, RAW, validate(RAW, stamped), replacement)

        def validate_and_replace() -> None:
            replace_slice(place.database, RAW, validate(RAW, stamped), replacement)

        def copy() -> None:
            with psycopg.connect(place.database.url) as conn, conn.cursor() as cursor:
                cursor.execute("drop table if exists bare")
                cursor.execute("create table bare (like perfcopilot_goals.raw_workspace_goals including all)")
                with cursor.copy(f"copy bare ({', '.join(stamped.columns)}) from stdin") as stream:
                    for row in values:
                        stream.write_row(row)

        def empty() -> None:
            with psycopg.connect(place.database.url) as conn:
                conn.execute("truncate perfcopilot_goals.raw_workspace_goals")

        # All ways in each round, so that other load on the machine falls on all of them.
        times: dict[str, list[float]] = {}
        for _ in range(scale.repeats):
            empty()
            for who, what in (
                ("bare COPY", copy),
                ("replace_slice, nothing there before", replace),
                ("replace_slice, as many rows before", replace),
                ("validate and replace_slice", validate_and_replace),
            ):
                times.setdefault(who, []).append(timed(what))
        bare = min(times["bare COPY"])
        for who, seconds in times.items():
            yield _row(who, min(seconds), bare, scale.rows)


def timed(what: Callable[[], object]) -> float:
    """How many seconds the call takes."""
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def _row(who: str, seconds: float, floor: float, rows: int) -> dict[str, Any]:
    figures = {"seconds": round(seconds, 2), "ratio": round(seconds / floor, 2), "rows a second": round(rows / seconds)}
    return {"race": f"{rows:,} rows", "who": who, **figures}

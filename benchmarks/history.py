"""What history costs: a company synced every day, with some blocks changing each time.

In the 400 syncs only the two slices that have versions are replaced, by the storage layer; nothing is fetched. Then the
command line syncs a company of that size from a stand-in without latency or limit. No sync is faster than that one, so
in no other do the versions take a larger share.
"""

import datetime as dt
import random
import time
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

import pandas as pd
import sqlalchemy as sa

from benchmarks.measuring import stand_in
from benchmarks.scale import Scale
from benchmarks.workplace import Workplace, workplace
from perfcopilot_goals.core.prompts import render_blocks
from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.domain.sync import VERSION_TABLES
from perfcopilot_goals.schemas.tables import frame, stamp
from perfcopilot_goals.storage.connections import add_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.slices import Replacement, replace_slice
from perfcopilot_goals.storage.sync_log import begin_sync
from perfcopilot_goals.storage.versions import read_block_version_at

TITLE = "History of blocks and goals"
GOALS, KEY_RESULTS = 2, 1
CHANGED_PERCENT = 5
LOOKS_BACK = 200
NAME = "Grow web traffic by 30% in the northern region, as agreed with the team"


def run(scale: Scale) -> Iterator[dict[str, Any]]:
    """Rows for the first sync, the ones in between and the last ones, then for the tables and for looking back."""
    race = (
        f"{scale.employees:,} employees of {GOALS} goals with {KEY_RESULTS} key result, {scale.daily_syncs} syncs, "
        f"{CHANGED_PERCENT} % of blocks changed by each"
    )
    versions = _Stopwatch(VERSION_TABLES)
    company, times = _Company(scale.employees), []
    with workplace() as place:
        with place.database.connect("preparing") as conn:
            add_connection(conn, Connection("bench", "77", "env:T", "https://app.asana.com", 1_500, "auto", True))
        for number in range(scale.daily_syncs):
            times.append(_sync(place.database, company, number, versions))
            _pass_a_day(place.database)
            company.change()
        tenth = max(1, scale.daily_syncs // 10)
        for who, part in (("first sync", times[:1]), ("early", times[1 : 1 + tenth]), ("latest", times[-tenth:])):
            yield {"race": race, "who": f"{who}, both slices", **_figures(part)}
        for table in VERSION_TABLES:
            yield {"race": race, "who": table, **_sizes(place.database, table)}
        yield {"race": race, "who": "block as of an instant", **_looks_back(place.database, scale.employees)}
        whole = _whole_sync(place, scale.employees)
        share = round(100 * median(of_versions for _, of_versions in times[-tenth:]) / whole, 1)
        yield {"race": race, "who": "whole sync, no limit", "seconds": round(whole, 2), "versions, %": share}


class _Stopwatch:
    """Adds up the seconds of all statements that name one of these tables, with the time that their responses take."""

    def __init__(self, tables: Sequence[str]) -> None:
        self._tables, self._began, self.seconds = tables, 0.0, 0.0
        sa.event.listen(sa.Engine, "before_cursor_execute", self._start)
        sa.event.listen(sa.Engine, "after_cursor_execute", self._stop)

    def _start(self, *_: Any) -> None:
        self._began = time.perf_counter()

    def _stop(self, conn: sa.Connection, cursor: Any, statement: str, *_: Any) -> None:
        if any(table in statement for table in self._tables):
            self.seconds += time.perf_counter() - self._began


class _Company:
    """The mapped rows of so many employees; `change` gives one goal of some of them another status."""

    def __init__(self, employees: int) -> None:
        self._random = random.Random(7)
        self._statuses = [["on_track"] * GOALS for _ in range(employees)]

    def change(self) -> None:
        count = len(self._statuses) * CHANGED_PERCENT // 100
        for employee in self._random.sample(range(len(self._statuses)), count):
            goal = self._random.randrange(GOALS)
            is_on_track = self._statuses[employee][goal] == "on_track"
            self._statuses[employee][goal] = "at_risk" if is_on_track else "on_track"

    def rows(self) -> pd.DataFrame:
        return frame("mapped_goal_rows", self._rows())

    def blocks(self, rows: pd.DataFrame) -> pd.DataFrame:
        employees = [f"E{employee:06}" for employee in range(len(self._statuses))]
        return render_blocks(rows, dict.fromkeys(employees, GOALS), employees)

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        for employee, statuses in enumerate(self._statuses):
            for goal, status in enumerate(statuses):
                gid, who, place = f"{employee:08}{goal:04}", f"E{employee:06}", goal * (KEY_RESULTS + 1)
                yield gid, gid, who, "goal", place, f"{NAME} {gid}", NAME, None, None, status, status
                for number in range(1, KEY_RESULTS + 1):
                    row, status_type = f"9{number}{gid}", None
                    name, on_track = f"{NAME} {row}", "on_track"
                    yield gid, row, who, "key_result", place + number, name, None, None, None, status_type, on_track


def _sync(database: Database, company: _Company, number: int, versions: _Stopwatch) -> tuple[float, float]:
    """Replace both slices; returns the seconds that it took, and those of them that the versions took."""
    run_id, rows = f"run-{number}", company.rows()
    blocks, total = company.blocks(rows), 0.0
    with database.connect("entering the sync") as conn:
        synced_at = begin_sync(conn, "bench", run_id)
    versions.seconds = 0.0
    for table, made in (("mapped_goal_rows", rows), ("prompt_blocks", blocks)):
        replacement = Replacement("bench", run_id, synced_at, {}, {}, is_last=table == "prompt_blocks")
        stamped = stamp(made, "bench", synced_at, run_id)
        began = time.perf_counter()
        replace_slice(database, table, stamped, replacement)
        total += time.perf_counter() - began
    return total, versions.seconds


def _whole_sync(place: Workplace, employees: int) -> float:
    """Seconds of the command line's second sync of such a company: the first one has no rows to replace."""
    subgoals = employees * GOALS * KEY_RESULTS
    with stand_in(employees * GOALS + subgoals, "--subgoals", str(subgoals), "--people", str(employees)) as asana:
        place.connect(["whole"], asana)
        (place.folder / "whole").write_text("sandbox-token")
        return [place.run("sync", "whole").seconds for _ in range(2)][-1]


def _pass_a_day(database: Database) -> None:
    """Vacuum what the sync has written: autovacuum looks once a minute, and these syncs stand for days."""
    with database.connect("passing a day", autocommit=True) as conn:
        for table in ("mapped_goal_rows", "prompt_blocks", *VERSION_TABLES):
            conn.execute(sa.text(f"vacuum (analyze) perfcopilot_goals.{table}"))


def _figures(times: list[tuple[float, float]]) -> dict[str, Any]:
    seconds, of_versions = (median(part) for part in zip(*times, strict=True))
    return {"seconds": round(seconds, 2), "of these, versions": round(of_versions, 2)}


def _sizes(database: Database, table: str) -> dict[str, Any]:
    with database.connect("measuring") as conn:
        query = f"select count(*), pg_total_relation_size('perfcopilot_goals.{table}') from perfcopilot_goals.{table}"
        count, size = conn.execute(sa.text(query)).one()
    return {"rows": count, "MB": round(size / 2**20)}


def _looks_back(database: Database, employees: int) -> dict[str, Any]:
    """Milliseconds of a look back, the median and the slowest, at random instants of random employees."""
    chosen, took = random.Random(8), []
    with database.connect("looking back") as conn:
        query = "select min(visible_from), max(visible_from) from perfcopilot_goals.block_versions"
        first, last = conn.execute(sa.text(query)).one()
        for _ in range(LOOKS_BACK):
            instant: dt.datetime = first + (last - first) * chosen.random()
            began = time.perf_counter()
            read_block_version_at(conn, "bench", f"E{chosen.randrange(employees):06}", instant)
            took.append(1_000 * (time.perf_counter() - began))
    return {"ms": round(median(took), 2), "slowest ms": round(max(took), 2)}

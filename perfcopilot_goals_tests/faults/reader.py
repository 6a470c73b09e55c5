"""A reader of the tables, like the application: snapshot after snapshot, each compared with the sync log.

Add here what a reader must never see. What the tables may hold after a fault is in `company`.
"""

from typing import Any, Self

import psycopg

from perfcopilot_goals.core.prompts import Line, render_block
from perfcopilot_goals.domain.sync import SLICE_TABLES

_SYNC_LOG = """
select t.name, latest.run_id, latest.entry from unnest(%s::text[]) t (name) cross join lateral (
  select run_id, counts -> 'tables' -> t.name as entry from perfcopilot_goals.syncs
  where connection = %s and counts -> 'tables' ? t.name order by synced_at desc limit 1
) latest
"""
_ROWS = " union all ".join(
    f"select '{table}', run_id, count(*) from perfcopilot_goals.{table} where connection = %(name)s group by run_id"
    for table in SLICE_TABLES
)
_BLOCKS = "select employee_id, goals_owned, block, citations from perfcopilot_goals.prompt_blocks where connection = %s"
_LINES = """
select employee_id, goal_gid, case kind when 'key_result' then row_gid end, name, status
from perfcopilot_goals.mapped_goal_rows where connection = %s order by employee_id, position
"""


class Reader:
    """One session that stays open. It reads plain rows, not frames, so that 100,000 snapshots take only minutes."""

    def __init__(self, url: str) -> None:
        self._session = psycopg.connect(url)
        self._session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        self._session.read_only = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def contradictions(self, name: str) -> list[str]:
        """Where one snapshot of the connection contradicts the sync log.

        A table's rows must all be of the run that wrote it last by the sync log, and as many as it says. If the blocks
        were made from the present `mapped_goal_rows`, each block must be what these render to.
        """
        with self._session.transaction():
            sync_log = self._read(_SYNC_LOG, [[*SLICE_TABLES], name])
            written = {table: (run_id, entry) for table, run_id, entry in sync_log}
            found: dict[str, list[tuple[str, int]]] = {}
            for table, run_id, count in self._read(_ROWS, {"name": name}):
                found.setdefault(table, []).append((run_id, count))
            wrong = []
            for table, (run_id, entry) in written.items():
                rows = found.pop(table, [])
                expected = [(run_id, entry["rows"])] if entry["rows"] else []
                wrong += [] if rows == expected else [f"{table}: {rows}, the sync log says {expected}"]
            wrong += [f"{table}: {rows}, of which the sync log knows nothing" for table, rows in found.items()]
            if written and written["prompt_blocks"][1]["inputs"]["mapped_goal_rows"] == written["mapped_goal_rows"][0]:
                wrong += self._untrue_blocks(name)
        return wrong

    def _untrue_blocks(self, name: str) -> list[str]:
        lines: dict[str, list[Line]] = {}
        for employee_id, *line in self._read(_LINES, [name]):
            lines.setdefault(employee_id, []).append(Line(*line))
        blocks = self._read(_BLOCKS, [name])
        untrue = [
            f"the block of {employee_id} is not what its rows render to"
            for employee_id, owned, text, citations in blocks
            if (made := render_block(lines.pop(employee_id, []), owned)).text != text or made.citations != citations
        ]
        return untrue + [f"{employee_id} has rows and no block" for employee_id in lines]

    def _read(self, query: str, parameters: Any) -> list[tuple[Any, ...]]:
        return self._session.execute(query, parameters).fetchall()


def contradictions(url: str, name: str) -> list[str]:
    """What a reader finds now."""
    with Reader(url) as reader:
        return reader.contradictions(name)

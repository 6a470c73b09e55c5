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

# Open versions beside the slice: what is in one and not in the other, or differs in a byte.
_OPEN_BLOCKS = """
select coalesce(b.employee_id, v.employee_id) from
  (select * from perfcopilot_goals.prompt_blocks where connection = %(name)s) b full join
  (select * from perfcopilot_goals.block_versions where connection = %(name)s and visible_to is null) v
  using (employee_id)
where b.block is null or v.block is null or b.block <> v.block collate "C" or b.synced_at <> v.last_synced_at
  or v.sha256 <> encode(sha256(convert_to(b.block, 'UTF8')), 'hex')
  or (b.citations, b.goals_owned, b.goals_listed, b.key_results_listed, b.truncated, b.reason)
  <> (v.citations, v.goals_owned, v.goals_listed, v.key_results_listed, v.truncated, v.reason)
"""
_OPEN_GOALS = """
select coalesce(r.row_gid, v.row_gid) from
  (select * from perfcopilot_goals.mapped_goal_rows where connection = %(name)s) r full join
  (select * from perfcopilot_goals.goal_versions where connection = %(name)s and visible_to is null) v
  using (goal_gid, row_gid)
where r.name is null or v.name is null or r.synced_at <> v.last_synced_at
  or (r.employee_id, r.kind, r.name, r.start_on, r.due_on, r.status_type, r.status)
  is distinct from (v.employee_id, v.kind, v.name, v.start_on, v.due_on, v.status_type, v.status)
"""
# A version that begins before the one before it has ended, or that was closed by nothing.
_OVERLAPS = """
select {id} from (select *, lead(visible_from) over (partition by {key} order by visible_from) as next
  from perfcopilot_goals.{table} where connection = %(name)s) v
where visible_to > next or (visible_to is null and next is not null)
"""
_HISTORY = {
    "block_versions": _OVERLAPS.format(id="employee_id", key="employee_id", table="block_versions"),
    "goal_versions": _OVERLAPS.format(id="row_gid", key="goal_gid, row_gid", table="goal_versions"),
}


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
        were made from the present `mapped_goal_rows`, each block must be what these render to. The open versions must
        be the slices, byte for byte.
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
            wrong += self._untrue_versions(name)
        return wrong

    def history_contradictions(self, name: str) -> list[str]:
        """Where one snapshot of the open versions is not the slices."""
        with self._session.transaction():
            return self._untrue_versions(name)

    def overlaps(self, name: str) -> list[str]:
        """Where two versions of one block or goal were visible at once."""
        with self._session.transaction():
            return [
                f"{table}: versions of {i} overlap"
                for table, query in _HISTORY.items()
                for (i,) in self._read(query, {"name": name})
            ]

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

    def _untrue_versions(self, name: str) -> list[str]:
        return [
            f"{table}: the open version of {i} is not the slice's row"
            for table, query in (("block_versions", _OPEN_BLOCKS), ("goal_versions", _OPEN_GOALS))
            for (i,) in self._read(query, {"name": name})
        ]

    def _read(self, query: str, parameters: Any) -> list[tuple[Any, ...]]:
        return self._session.execute(query, parameters).fetchall()


def contradictions(url: str, name: str) -> list[str]:
    """What a reader finds now."""
    with Reader(url) as reader:
        return reader.contradictions(name) + reader.overlaps(name)

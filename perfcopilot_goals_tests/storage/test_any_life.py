"""Any life of a workspace, compared with a model: `as_of` answers what a reader got then, for every instant.

Goals are added, renamed, re-owned and deleted; employees are mapped, unmapped, moved to another Asana user, removed and
erased; syncs fail half-way; the database's clock is set back and forth. The model only notes what a reader of
`prompt_blocks` got after each step.
"""

import datetime as dt
import itertools
from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import psycopg
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from perfcopilot_goals.core.prompts import render_blocks
from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.errors import GoalsStoreError
from perfcopilot_goals.schemas.tables import frame
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import import_employees, map_employee, read_employees, remove_employees
from perfcopilot_goals.storage.erasure import erase_employee
from perfcopilot_goals.storage.versions import read_block_version_at, read_block_versions
from perfcopilot_goals_tests.core.examples import EXAMPLES, usual
from perfcopilot_goals_tests.faults.reader import Reader
from perfcopilot_goals_tests.storage.examples import add, empty, write

STEPS = 20
# The database's clock, moved by the test: `clock_timestamp` and `now` of this schema come before Postgres' own.
CLOCK = """
create schema clock;
create table clock.hands (shift interval not null);
insert into clock.hands values ('0');
create function clock.clock_timestamp() returns timestamptz volatile language sql as
  'select pg_catalog.clock_timestamp() + shift from clock.hands';
create function clock.now() returns timestamptz volatile language sql as 'select clock.clock_timestamp()';
do $$ begin execute format('alter database %I set search_path = clock, pg_catalog', current_database()); end $$;
"""
# Fails the last statement of a write, when slice and versions are written and not yet committed.
TRAP = """
create table public.trap (is_set boolean not null);
insert into public.trap values (false);
create function public.spring() returns trigger language plpgsql as $$ begin
  if (select is_set from public.trap) and new.counts is distinct from old.counts then
    raise exception 'full' using errcode = '53100';
  end if;
  return new;
end $$;
create trigger trap before update on perfcopilot_goals.syncs for each row execute function public.spring();
"""
# The latest moment of the blocks' versions, of all versions, and by the clock.
MOMENTS = """
select (select max(greatest(visible_from, visible_to)) from perfcopilot_goals.block_versions),
  (select max(at) from (select greatest(visible_from, visible_to) as at from perfcopilot_goals.block_versions
  union all select greatest(visible_from, visible_to) from perfcopilot_goals.goal_versions) moments), clock_timestamp()
"""
LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)
PEOPLE = {f"E{n}": f"1{n}" for n in range(4)}
employee_ids, gids = st.sampled_from(sorted(PEOPLE)), st.sampled_from([str(n) for n in range(101, 107)])


@dataclass(frozen=True)
class Goal:
    name: str
    owner: str
    status: str


goals = st.builds(Goal, st.sampled_from(["Grow", "Hire"]), employee_ids, st.sampled_from(["on_track", "at_risk"]))


def person(employee_id: str) -> Employee:
    return Employee(employee_id, "Ana", f"{employee_id}@example.com", PEOPLE[employee_id])


class Life(RuleBasedStateMachine):
    """One connection. `seen` has for each step its moment, and the blocks that a reader got from then on."""

    url: str

    @initialize()
    def begin(self) -> None:
        empty(self.url)
        with psycopg.connect(self.url, autocommit=True) as conn:
            conn.execute("update clock.hands set shift = '0'")
            conn.execute("update public.trap set is_set = false")
        self.database = Database(self.url)
        add(self.database, "acme")
        with self.database.connect("hiring") as conn:
            import_employees(conn, "acme", map(person, PEOPLE))
        self.goals: dict[str, Goal] = {}
        self.seen: list[tuple[dt.datetime, dict[str, tuple[str, Any]]]] = [(LONG_AGO, {})]
        self.latest = self.clock = LONG_AGO
        self.erased: set[str] = set()
        self.runs = itertools.count(1)
        self.synced_at = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)

    # Few rules, so that each comes often; a sync that changes nothing teaches nothing.

    @rule(gid=gids, goal=st.none() | goals)
    def change_a_goal(self, gid: str, goal: Goal | None) -> None:
        """Add it, rename it, give it to somebody else, change its status; or delete it."""
        self.goals.pop(gid, None)
        if goal:
            self.goals[gid] = goal

    @rule(employee_id=employee_ids, change=st.sampled_from(["map", "map", "unmap", "unmap", "move", "remove", "erase"]))
    def change_the_roster(self, employee_id: str, change: str) -> None:
        with self.database.connect("changing the roster") as conn:
            if change == "map":
                import_employees(conn, "acme", [person(employee_id)])
            elif change == "remove":
                remove_employees(conn, "acme", [employee_id])
            elif employee_id not in self.roster():
                return
            elif change == "unmap":
                map_employee(conn, "acme", employee_id, None)
            elif change == "move":  # to another Asana user, and "map" brings them back
                map_employee(conn, "acme", employee_id, f"2{PEOPLE[employee_id]}")
            elif employee_id != "E0":  # somebody must stay
                erase_employee(conn, "acme", employee_id)
                self.forget(employee_id)

    def forget(self, employee_id: str) -> None:
        """Nothing of them is left, so the changes that were theirs alone never were."""
        self.erased.add(employee_id)
        without = [(at, {e: b for e, b in blocks.items() if e != employee_id}) for at, blocks in self.seen]
        self.seen = [next(same) for _, same in groupby(without, key=lambda noted: noted[1])]

    @rule(fails_at=st.sampled_from([None, None, None, "mapped_goal_rows", "prompt_blocks"]))
    def sync(self, fails_at: str | None) -> None:
        """The last two assets of a sync, as of the present goals; it stops at the table where it fails."""
        mapping = {e: gid for e, gid in self.roster().items() if gid}
        rows = [
            (gid, gid, g.owner, "goal", place, g.name, None, None, None, g.status, g.status)
            for place, (gid, g) in enumerate(sorted(self.goals.items()))
            if g.owner in mapping
        ]
        mapped = frame("mapped_goal_rows", rows)
        owned = Counter(row[2] for row in rows)
        # Ahead of every clock: a sync that began before another one, by a clock that was set back, would be refused.
        self.synced_at += dt.timedelta(minutes=1)
        run_id = f"run-{next(self.runs)}"
        for table, made in (("mapped_goal_rows", mapped), ("prompt_blocks", render_blocks(mapped, owned, mapping))):
            self.set_trap(table == fails_at)
            try:
                more: dict[str, Any] = {"run_id": run_id, "synced_at": self.synced_at, "allow_empty": True}
                write(self.database, made, table=table, **more)
            except GoalsStoreError:
                assert table == fails_at
                return
            finally:
                self.set_trap(False)

    @rule(minutes=st.sampled_from([-90, -1, 1, 90]))
    def set_the_clock(self, minutes: int) -> None:
        with psycopg.connect(self.url) as conn:
            conn.execute("update clock.hands set shift = shift + %s", [dt.timedelta(minutes=minutes)])

    def set_trap(self, is_set: bool) -> None:
        with psycopg.connect(self.url) as conn:
            conn.execute("update public.trap set is_set = %s", [is_set])

    def roster(self) -> dict[str, str | None]:
        with self.database.connect("reading") as conn:
            return {e.employee_id: e.asana_user_gid for e in read_employees(conn, "acme")}

    @invariant()
    def what_a_reader_gets_is_noted(self) -> None:
        """With the moment that the versions have for it: later than any before, and by the clock where that is."""
        if not hasattr(self, "database"):
            return
        with psycopg.connect(self.url) as conn:
            rows = conn.execute("select employee_id, block, citations from perfcopilot_goals.prompt_blocks").fetchall()
            moment, latest, clock = conn.execute(MOMENTS).fetchone() or (None, None, None)
        now = {employee_id: (block, citations) for employee_id, block, citations in rows}
        if now != self.seen[-1][1]:
            assert moment > self.seen[-1][0]
            assert max(self.clock, self.latest) <= moment <= max(clock, self.latest + 3 * MICROSECOND)
            self.seen.append((moment, now))
        self.latest, self.clock = latest or LONG_AGO, clock

    @invariant()
    def the_open_versions_are_the_slices_and_none_overlap(self) -> None:
        if hasattr(self, "database"):
            with Reader(self.url) as reader:
                assert reader.history_contradictions("acme") + reader.overlaps("acme") == []

    def teardown(self) -> None:
        """Look back at every instant: from one change to the next the answer is the same, so at both ends of that."""
        if not hasattr(self, "database"):
            return
        ends = [at - MICROSECOND for at, _ in self.seen[1:]] + [self.seen[-1][0] + dt.timedelta(days=1)]
        with self.database.connect("looking back") as conn:
            for employee_id in PEOPLE:
                versions = read_block_versions(conn, "acme", employee_id)
                assert {v.visible_from for v in versions} | {v.visible_to for v in versions if v.visible_to} <= {
                    at for at, _ in self.seen
                }, "a version changed when a reader saw no change"
                for (at, blocks), end in zip(self.seen, ends, strict=True):
                    for instant in (at, end):
                        found = read_block_version_at(conn, "acme", employee_id, instant)
                        got = (found.block, found.citations) if found else None
                        assert got == blocks.get(employee_id), (employee_id, instant)


@pytest.mark.hypothesis
@pytest.mark.fault("E10", "H20")
def test_as_of_answers_what_a_reader_got_then_whatever_happened(fresh_url: str) -> None:
    """Runs a fiftieth of the usual examples, because each is some twenty transactions of a real Postgres."""
    with psycopg.connect(fresh_url, autocommit=True) as conn:
        conn.execute(CLOCK)
        conn.execute(TRAP)

    class AnyLife(Life):
        url = fresh_url

    run_state_machine_as_test(
        AnyLife, settings=settings(usual, max_examples=max(1, EXAMPLES // 50), stateful_step_count=STEPS)
    )

"""The storms: deaths at random moments, many of them. `python -m perfcopilot_goals_tests.faults.storm --help`.

A sync is a forked child, so that no kill costs a new import of everything. The stand-in Asana and Postgres live on in
other threads and processes. After each death every slice must be wholly old or new, and one more sync must heal all.
"""

import argparse
import os
import random
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dagster as dg
import psycopg

from perfcopilot_goals.local_postgres import local_database_url, remove_local_postgres
from perfcopilot_goals.sandbox import Sandbox
from perfcopilot_goals.settings import Settings, load_settings
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.migrate import ensure_migrated
from perfcopilot_goals_tests.faults.company import (
    NEW,
    OLD,
    ONE,
    TOKEN,
    TWO,
    Content,
    Syncs,
    become,
    both_states,
    company,
    content,
    mixed,
)
from perfcopilot_goals_tests.faults.reader import Reader, contradictions

# A little longer than a sync takes here, so that deaths fall before, within and after it.
LONGEST_SECONDS = 1.6


class Storm:
    """A company whose syncs are killed. In the database at `url`, both connections are in the old state."""

    def __init__(
        self, url: str, asana: Sandbox, states: dict[str, Content], seed: int, settings: Settings | None = None
    ) -> None:
        self.url = url
        self.settings = settings or load_settings()
        self.asana = asana
        self.random = random.Random(seed)
        self.states = states
        self.completed = 0

    def sync_whole(self, name: str = ONE) -> bool:
        """Run one sync in a child and let it finish; returns whether it succeeded."""
        return os.waitpid(self.start(name), 0)[1] == 0

    def start(self, name: str = ONE, then: Callable[[], bool] = lambda: False) -> int:
        """Start a child that syncs, again while `then` says so. Its exit status is 0 if the last sync succeeded."""
        pid = os.fork()
        if pid == 0:
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            status = 1
            try:
                with dg.DagsterInstance.ephemeral() as instance:
                    instance.add_dynamic_partitions("connections", [ONE, TWO])
                    syncs = Syncs(Database(self.url), instance)
                    status = 0 if syncs.run(name).success else 1
                    while then():
                        status = 0 if syncs.run(name).success else 1
            finally:
                os._exit(status)
        return pid

    def kill_once(self, number: int = signal.SIGKILL) -> list[str]:
        """Kill a sync at a random moment; returns what is wrong afterwards, and after one more sync."""
        target = self.random.choice([OLD, NEW])
        become(self.asana.world, target)
        pid = self.start()
        time.sleep(self.random.uniform(0, LONGEST_SECONDS))
        os.kill(pid, number)
        self.completed += os.waitpid(pid, 0)[1] == 0
        return self.check(target)

    def check(self, target: str) -> list[str]:
        """What is wrong with the slices now, and after the next sync."""
        wrong = mixed(self.url, self.states, ONE) + contradictions(self.url, ONE)
        wrong += [f"{TWO}: {table}" for table in mixed(self.url, {OLD: self.states[OLD]}, TWO)]
        if not self.sync_whole():
            wrong.append("the next sync failed")
        elif content(self.url, ONE) != self.states[target]:
            wrong.append("the next sync did not heal")
        return wrong


def kills(storm: Storm, count: int, tell: Callable[[str], None]) -> list[str]:
    """Send `count` SIGKILLs, each at a random moment of a sync; returns what went wrong."""
    wrong: list[str] = []
    for number in range(1, count + 1):
        wrong += [f"kill {number}: {what}" for what in storm.kill_once()]
        if number % 50 == 0 or number == count:
            tell(f"{number} kills, {storm.completed} of them too late, {len(wrong)} things wrong")
    return wrong


def stops(storm: Storm, count: int, tell: Callable[[str], None]) -> list[str]:
    """Stop Postgres `count` times, each at a random moment of a sync, and start it again; returns what went wrong."""
    wrong: list[str] = []
    for number in range(1, count + 1):
        target = storm.random.choice([OLD, NEW])
        become(storm.asana.world, target)
        pid = storm.start()
        time.sleep(storm.random.uniform(0, LONGEST_SECONDS))
        stop_at_once(storm.url)
        storm.completed += os.waitpid(pid, 0)[1] == 0
        assert local_database_url(storm.settings) == storm.url, "the server came back on another port"
        wrong += [f"stop {number}: {what}" for what in storm.check(target)]
        if number % 10 == 0 or number == count:
            tell(f"{number} stops, {storm.completed} of them without harm to the sync, {len(wrong)} things wrong")
    return wrong


def stop_at_once(url: str) -> None:
    """Do what `pg_ctl stop -m immediate` does: send SIGQUIT to the postmaster, and wait until it is gone."""
    with psycopg.connect(url, autocommit=True) as conn:
        row = conn.execute("show data_directory").fetchone()
    assert row is not None
    pid = int((Path(row[0]) / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGQUIT)
    with suppress(psycopg.OperationalError):
        while True:
            psycopg.connect(url).close()
            time.sleep(0.05)


def readers(storm: Storm, reads: int, tell: Callable[[str], None]) -> list[str]:
    """Take `reads` snapshots while syncs change the slices back and forth; returns the contradictions."""
    wrong: list[str] = []
    done, synced = os.pipe()
    pid = storm.start(then=lambda: os.write(synced, b".") == 1)
    try:
        with Reader(storm.url) as reader:
            for number in range(1, reads + 1):
                wrong += reader.contradictions(ONE)
                if select.select([done], [], [], 0)[0]:
                    storm.completed += len(os.read(done, 4096))
                    become(storm.asana.world, storm.random.choice([OLD, NEW]))
                if number % 5_000 == 0 or number == reads:
                    tell(f"{number} reads during {storm.completed} syncs, {len(wrong)} contradictions")
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return wrong


@contextmanager
def own_database() -> Iterator[tuple[str, Settings]]:
    """The storm's own Postgres: its URL, and the settings that start it again."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings({"PERFCOPILOT_HOME": str(Path(folder) / "state")})
        try:
            url = local_database_url(settings)
            ensure_migrated(Database(url))
            yield url, settings
        finally:
            remove_local_postgres(settings)


def main() -> int:
    """Run one storm and print how it went; returns exit code 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("storm", choices=["kills", "stops", "readers"])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    with own_database() as (url, settings), Sandbox(company(OLD), token=TOKEN) as asana:
        os.environ |= {"ASANA_ACCESS_TOKEN": TOKEN, "PERFCOPILOT_DATABASE_URL": url}
        with dg.DagsterInstance.ephemeral() as instance:
            states = both_states(Syncs(Database(url), instance), asana)
        storm = Storm(url, asana, states, given.seed, settings)
        run = {"kills": kills, "stops": stops, "readers": readers}[given.storm]
        wrong = run(storm, given.count, lambda line: print(line, flush=True))
        with psycopg.connect(url) as conn:
            open_transactions = conn.execute(
                "select count(*) from pg_stat_activity where state like 'idle in transaction%'"
            ).fetchone()
    print(f"{len(wrong)} things wrong, {open_transactions} transactions left open", *wrong[:20], sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

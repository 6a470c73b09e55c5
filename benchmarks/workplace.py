"""A place where the product runs: a local Postgres, a Dagster home, and connections to a stand-in Asana."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

from benchmarks.measuring import CLI, WORKSPACE, Measured, StandIn, measure
from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.local_postgres import keep_running, local_database_url, remove_local_postgres
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals.storage.connections import add_connection
from perfcopilot_goals.storage.database import Database, driver
from perfcopilot_goals.storage.employees import import_employees
from perfcopilot_goals.storage.migrate import ensure_migrated

CHECKOUT = Path(__file__).resolve().parents[1]
UNLIMITED = 10_000_000
_SEED: tuple[LiteralString, ...] = (
    """
    insert into perfcopilot_goals.connections (connection, workspace_gid, token_ref, base_url, requests_per_minute,
        subgoal_route, enabled, created_at, updated_at)
    select name, %(workspace)s, 'env:ASANA_ACCESS_TOKEN', 'http://127.0.0.1:9/api/1.0', 1500, 'goal_relationships',
        true, now() - interval '1 day', now() - interval '1 day'
    from unnest(%(names)s::text[]) name
    """,
    """
    insert into perfcopilot_goals.employees (connection, employee_id, full_name, email, asana_user_gid, updated_at)
    select name, 'E' || n, 'Person ' || n, 'e' || n || '@example.com', n::text, now() - interval '1 day'
    from unnest(%(names)s::text[]) name, generate_series(1, %(employees)s::int) n
    """,
    "update perfcopilot_goals.roster_changes set changed_at = now() - interval '1 day'",
    """
    insert into perfcopilot_goals.syncs (connection, run_id, synced_at, started_at, finished_at, state, counts)
    select name, name, moment, moment, moment, 'complete', '{"tables": {"prompt_blocks": {}}}'
    from unnest(%(names)s::text[]) name, (select now() - interval '20 hours') as m (moment)
    """,
)


@dataclass(frozen=True)
class Workplace:
    """The database, the folder and the environment that the product runs in."""

    database: Database
    folder: Path
    environment: dict[str, str]

    def connect(self, names: Sequence[str], asana: StandIn, requests_per_minute: int = UNLIMITED) -> None:
        """Add connections. Each one's token is its name, which the stand-in must accept: see `tokens`."""
        with self.database.connect("preparing the benchmark") as conn:
            for name in names:
                (self.folder / name).write_text(name)
                token, rate = f"file:{self.folder / name}", requests_per_minute
                row = Connection(name, WORKSPACE, token, asana.base_url, rate, "goal_relationships", enabled=True)
                add_connection(conn, row)
                import_employees(conn, name, asana.roster)

    def seed(self, count: int, employees: int) -> list[str]:
        """Add so many connections with rosters, each synced once, all of it a day ago; returns their names.

        By SQL, because one by one ten thousand take minutes.
        """
        names = [f"company-{number:05d}" for number in range(1, count + 1)]
        with self.database.connect("preparing the benchmark") as conn:
            cursor = driver(conn)
            for statement in _SEED:
                cursor.execute(statement, {"names": names, "employees": employees, "workspace": WORKSPACE})
        with self.database.connect("preparing the benchmark", autocommit=True) as conn:
            driver(conn).execute("analyze")
        return names

    def postgres_pid(self) -> int:
        """The server's first process."""
        with self.database.connect("looking for the server") as conn:
            row = driver(conn).execute("select pg_read_file('postmaster.pid')").fetchone()
        assert row is not None
        return int(row[0].split()[0])

    def run(self, *arguments: str) -> Measured:
        """Run a command of the product; `SystemExit` if it fails."""
        done = measure([*CLI, *arguments], self.environment)
        if done.code:
            raise SystemExit(f"{' '.join(arguments)} ended with {done.code}:\n{done.output}")
        return done


@contextmanager
def workplace() -> Iterator[Workplace]:
    """A new workplace, removed at the end."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = load_settings({"PERFCOPILOT_HOME": str(folder / "state")})
        home = folder / "dagster"
        home.mkdir()
        for file in ("dagster.yaml", "workspace.yaml"):
            shutil.copy(CHECKOUT / file, home)
        plain = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH") if name in os.environ}
        try:
            database = Database(local_database_url(settings))
            keep_running(settings)
            ensure_migrated(database)
            environment = {"PERFCOPILOT_HOME": str(settings.home), "DAGSTER_HOME": str(home)}
            yield Workplace(database, folder, plain | environment | {"PYTHONWARNINGS": "ignore"})
        finally:
            remove_local_postgres(settings)


def tokens(names: Sequence[str]) -> list[str]:
    """Options that make a stand-in accept these connections."""
    return [option for name in names for option in ("--token", name)]

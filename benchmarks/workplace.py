"""A place where the product runs: a local Postgres, a Dagster home, and connections to a stand-in Asana."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import CLI, WORKSPACE, Measured, StandIn, measure
from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.local_postgres import keep_running, local_database_url, remove_local_postgres
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals.storage.connections import add_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import import_employees
from perfcopilot_goals.storage.migrate import ensure_migrated

CHECKOUT = Path(__file__).resolve().parents[1]
UNLIMITED = 10_000_000


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

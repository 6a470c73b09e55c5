"""A company whose syncs can be broken: two connections, synced in the old state, in the test's own database."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import dagster as dg
import psycopg
import pytest

from perfcopilot_goals.local_postgres import local_database_url
from perfcopilot_goals.sandbox import Sandbox
from perfcopilot_goals.settings import Settings
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals_tests.clock import FakeClock
from perfcopilot_goals_tests.faults.company import NEW, TOKEN, Content, Syncs, become, both_states, company

_numbers = itertools.count(1)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Dagster uses its own deprecated attribute for every resource with another one nested in it."""
    item.add_marker(pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated"))


@dataclass
class Rig:
    """The company, its stand-in Asana, and fresh copies of the database as it was before the fault."""

    asana: Sandbox
    instance: dg.DagsterInstance
    states: dict[str, Content]
    fresh: Callable[[], str]
    use: Callable[[str], None]
    url: str = ""

    def begin(self) -> str:
        """Make a database with both in the old state, and move the world to the new one; returns the URL."""
        self.url = self.fresh()
        self.use(self.url)
        self.asana.faults = None
        become(self.asana.world, NEW)
        return self.url

    def syncs(self, url: str | None = None) -> Syncs:
        """Syncs that use this URL, which may lead through a proxy. Their waits take no time."""
        self.use(url or self.url)
        return Syncs(Database(self.url), self.instance, FakeClock())


@pytest.fixture(scope="session")
def _states(server: Settings, template: str) -> Iterator[tuple[Sandbox, dg.DagsterInstance, dict[str, Content], str]]:
    """Both states as syncs leave them, and the name of a template database in the old one."""
    admin = local_database_url(server)
    name = "template_of_faults"
    with psycopg.connect(admin, autocommit=True) as conn:
        conn.execute(f"create database {name} template {template}")
    url = f"{admin.rpartition('/')[0]}/{name}"
    with (
        pytest.MonkeyPatch.context() as patch,
        Sandbox(company(NEW), token=TOKEN) as asana,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        patch.setenv("PERFCOPILOT_DATABASE_URL", url)
        patch.setenv("ASANA_ACCESS_TOKEN", TOKEN)
        states = both_states(Syncs(Database(url), instance), asana)
        Database(url).close()  # a database that somebody is connected to cannot be copied
        yield asana, instance, states, name


@pytest.fixture
def rig(
    _states: tuple[Sandbox, dg.DagsterInstance, dict[str, Content], str],
    server: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Rig]:
    asana, instance, states, template = _states
    admin = local_database_url(server)
    made: list[str] = []

    def fresh() -> str:
        name = f"faults_{next(_numbers)}"
        with psycopg.connect(admin, autocommit=True) as conn:
            for old in made:
                conn.execute(f"drop database {old} with (force)")
            made[:] = [name]
            conn.execute(f"create database {name} template {template}")
        return f"{admin.rpartition('/')[0]}/{name}"

    monkeypatch.setenv("ASANA_ACCESS_TOKEN", TOKEN)
    yield Rig(asana, instance, states, fresh, lambda url: monkeypatch.setenv("PERFCOPILOT_DATABASE_URL", url))
    asana.faults, asana.latency_seconds = None, 0
    with psycopg.connect(admin, autocommit=True) as conn:
        for name in made:
            conn.execute(f"drop database {name} with (force)")

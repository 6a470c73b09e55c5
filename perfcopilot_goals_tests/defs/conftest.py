"""One database and one Dagster instance for the folder; each test has a connection of its own and no others' rows."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from perfcopilot_goals.defs.build import build_definitions
from perfcopilot_goals.local_postgres import local_database_url
from perfcopilot_goals.sandbox import Sandbox
from perfcopilot_goals.settings import Settings, load_settings
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals_tests.defs.running_instance import TOKEN, Running, small_world
from perfcopilot_goals_tests.storage.examples import empty


def pytest_itemcollected(item: pytest.Item) -> None:
    """Dagster calls its own deprecated attribute for every resource that has another one nested in it."""
    item.add_marker(pytest.mark.filterwarnings("ignore:InitResourceContext.dagster_run is deprecated"))


@pytest.fixture(scope="session")
def _shared_url(server: Settings, template: str) -> Iterator[str]:
    with psycopg.connect(local_database_url(server), autocommit=True) as admin:
        admin.execute(f"create database goals_of_defs template {template}")
        yield f"{local_database_url(server).rpartition('/')[0]}/goals_of_defs"
        admin.execute("drop database goals_of_defs with (force)")


@pytest.fixture
def database_url(_shared_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of a migrated database without rows, which is the one in use."""
    empty(_shared_url)
    monkeypatch.setenv("PERFCOPILOT_DATABASE_URL", _shared_url)
    return _shared_url


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    """A Dagster instance in memory: a sync takes half as long in it as in one on disk."""
    with dg.DagsterInstance.ephemeral(str(tmp_path_factory.mktemp("dagster"))) as instance:
        yield instance


@pytest.fixture(scope="session")
def definitions(_shared_url: str) -> dg.Definitions:
    """The definitions, loaded once as a code location does, which then serves many runs."""
    return build_definitions(load_settings({"PERFCOPILOT_DATABASE_URL": _shared_url}))


@pytest.fixture
def asana() -> Iterator[Sandbox]:
    with Sandbox(small_world(), token=TOKEN) as asana:
        yield asana


@pytest.fixture
def running(
    database: Database,
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    asana: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> Running:
    """A connection that could sync."""
    monkeypatch.setenv("ASANA_ACCESS_TOKEN", TOKEN)
    running = Running(database, instance, definitions, asana)
    running.connect()
    return running


@pytest.fixture
def real_instance(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """The instance of the checkout's dagster.yaml: in the Postgres of the test, its files in the test's folder."""
    monkeypatch.setenv("DAGSTER_HOME", str(load_settings({}).project_root))
    monkeypatch.setenv("PERFCOPILOT_HOME", str(tmp_path / "state"))
    with dg.DagsterInstance.get() as instance:
        yield instance


@pytest.fixture
def fresh_url(server: Settings, template: str) -> Iterator[str]:
    """URL of a migrated database of the test's own, in which Dagster was never."""
    with psycopg.connect(local_database_url(server), autocommit=True) as admin:
        admin.execute(f"create database goals_fresh template {template}")
        yield f"{local_database_url(server).rpartition('/')[0]}/goals_fresh"
        admin.execute("drop database goals_fresh with (force)")

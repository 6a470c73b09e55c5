"""A served page for each test, over an empty database, and the sample company's Asana."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from perfcopilot_goals.local_postgres import local_database_url
from perfcopilot_goals.sandbox import Sandbox, sample_company
from perfcopilot_goals.settings import Settings, load_settings
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals_tests.admin.serving import SECRET, Page, served
from perfcopilot_goals_tests.storage.examples import empty

TOKEN = "canary-token-77b1e0"


@pytest.fixture(scope="session")
def _shared_url(server: Settings, template: str) -> Iterator[str]:
    with psycopg.connect(local_database_url(server), autocommit=True) as admin:
        admin.execute(f"create database goals_of_admin template {template}")
        yield f"{local_database_url(server).rpartition('/')[0]}/goals_of_admin"
        admin.execute("drop database goals_of_admin with (force)")


@pytest.fixture
def database_url(_shared_url: str) -> str:
    """URL of a migrated database without rows."""
    empty(_shared_url)
    return _shared_url


@pytest.fixture
def serve(database: Database, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Serve the page with these variables of the environment."""
    with ExitStack() as stack:

        def start(**environment: str) -> Page:
            settings = load_settings({"PERFCOPILOT_HOME": str(tmp_path / "state")} | environment)
            return stack.enter_context(served(database, settings))

        yield start


@pytest.fixture
def page(serve: Callable[..., Page]) -> Page:
    """The local page."""
    return serve()


@pytest.fixture
def behind_proxy(serve: Callable[..., Page]) -> Page:
    """The page behind a login proxy. Its one administrator is hr@example.com."""
    return serve(PERFCOPILOT_ADMIN_PROXY_SECRET=SECRET, PERFCOPILOT_ADMINS="HR@example.com")


@pytest.fixture
def asana() -> Iterator[Sandbox]:
    """The sample company's Asana."""
    with Sandbox(sample_company(), token=TOKEN) as asana:
        yield asana

"""What tests share: one real Postgres for the session, a migrated database for each test, a sample company.

The server is the program's own, started as a user's would be, in a folder of the test session.
"""

import itertools
import os
import signal
from collections.abc import Iterator

import hypothesis
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from perfcopilot_goals.local_postgres import keep_running, local_database_url, remove_local_postgres
from perfcopilot_goals.settings import Settings, load_settings
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.migrate import ensure_migrated

_numbers = itertools.count(1)

# The same examples in every run, so that one that passed passes again; `make storm` looks for new ones. Here, because
# settings in a test's module take over what is in force when it is imported.
if "PERFCOPILOT_EXAMPLES" not in os.environ:
    hypothesis.settings.register_profile("steady", derandomize=True)
    hypothesis.settings.load_profile("steady")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`-k A5` also finds the tests that name the fault A5 by `@pytest.mark.fault`."""
    for item in items:
        for mark in item.iter_markers("fault"):
            item.extra_keyword_matches.update(mark.args)


@pytest.fixture(scope="session", autouse=True)
def _no_outside_settings() -> Iterator[None]:
    """Whatever the developer has configured, tests neither read nor touch."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("PERFCOPILOT_", "DAGSTER_", "ASANA_", "PG")):
                patch.delenv(name)
        yield


@pytest.fixture(scope="session", autouse=True)
def _interrupts_are_heard() -> None:
    """A shell has what runs in its background ignore SIGINT, and all that this starts would too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings whose local Postgres runs until the session ends."""
    settings = load_settings({"PERFCOPILOT_HOME": str(tmp_path_factory.mktemp("home") / "state")})
    _hash_once(local_database_url(settings))
    keep_running(settings)
    yield settings
    remove_local_postgres(settings)


def _hash_once(url: str) -> None:
    """The same password, hashed once and not 4,096 times: half the time of a connection, of which a sync opens 40."""
    given = conninfo_to_dict(url)
    user, password = str(given["user"]), str(given["password"])
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("set scram_iterations = 1")
        hashed = conn.pgconn.encrypt_password(password.encode(), user.encode(), b"scram-sha-256").decode()
        statement = sql.SQL("alter role {} password {}").format(sql.Identifier(user), sql.Literal(hashed))
        conn.execute(statement)


@pytest.fixture(scope="session")
def template(server: Settings) -> str:
    """Name of a migrated database that each test gets a copy of."""
    with psycopg.connect(local_database_url(server), autocommit=True) as conn:
        conn.execute("create database template_goals")
    database = Database(_url(server, "template_goals"))
    ensure_migrated(database)
    database.close()  # a database that somebody is connected to cannot be copied
    return "template_goals"


@pytest.fixture
def database_url(server: Settings, template: str) -> Iterator[str]:
    """URL of a migrated database without rows, dropped after the test."""
    name = f"goals_{next(_numbers)}"
    with psycopg.connect(local_database_url(server), autocommit=True) as conn:
        conn.execute(f"create database {name} template {template}")
        yield _url(server, name)
        Database(_url(server, name)).close()
        conn.execute(f"drop database {name} with (force)")


@pytest.fixture
def database(database_url: str) -> Database:
    """A migrated database without rows."""
    return Database(database_url)


def _url(server: Settings, name: str) -> str:
    return f"{local_database_url(server).rpartition('/')[0]}/{name}"

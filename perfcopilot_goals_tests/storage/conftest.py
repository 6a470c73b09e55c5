"""One database for the whole folder, emptied before each test, because a new one takes 0.3 s.

A test that changes tables or types, rather than rows, uses `fresh_url`.
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from perfcopilot_goals.local_postgres import local_database_url
from perfcopilot_goals.settings import Settings
from perfcopilot_goals_tests.storage.examples import empty

_numbers = itertools.count(1)


@contextmanager
def _made(server: Settings, more: str) -> Iterator[str]:
    name = f"storage_{next(_numbers)}"
    with psycopg.connect(local_database_url(server), autocommit=True) as admin:
        admin.execute(f"create database {name} {more}")
        yield f"{local_database_url(server).rpartition('/')[0]}/{name}"
        admin.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def _shared_url(server: Settings, template: str) -> Iterator[str]:
    with _made(server, f"template {template}") as url:
        yield url


@pytest.fixture
def database_url(_shared_url: str) -> str:
    """URL of a migrated database without rows."""
    empty(_shared_url)
    return _shared_url


@pytest.fixture
def fresh_url(server: Settings, template: str) -> Iterator[str]:
    """URL of a migrated database of the test's own."""
    with _made(server, f"template {template}") as url:
        yield url


@pytest.fixture
def empty_url(server: Settings) -> Iterator[str]:
    """URL of a database without any tables."""
    with _made(server, "") as url:
        yield url

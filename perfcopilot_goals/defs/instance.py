"""Where Dagster itself keeps its runs and logs: in the same Postgres as the goals, and in the folder for local state.

`dagster.yaml` names these classes. So any Dagster command in this checkout finds the database as the program does,
local Postgres included. Dagster passes a serialized reference to the instance from process to process; it holds no
password.

Dagster constructs these classes by itself and can hand them nothing of ours, so each loads the settings. Everything
else in this room gets them from `build_definitions`.
"""

import functools
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from perfcopilot_goals.startup import starting

with starting():
    import sqlalchemy.dialects

    # The path that dagster.yaml documents.
    from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
    from dagster._core.storage.root import LocalArtifactStorage
    from dagster._serdes import ConfigurableClassData
    from dagster_postgres import (
        DagsterPostgresStorage,
        PostgresEventLogStorage,
        PostgresRunStorage,
        PostgresScheduleStorage,
    )
    from dagster_postgres.utils import DagsterPostgresException
    from psycopg.conninfo import conninfo_to_dict
    from sqlalchemy import event

    from perfcopilot_goals.services.databases import open_migrated_database
    from perfcopilot_goals.settings import load_settings, make_home
    from perfcopilot_goals.storage.database import DAGSTER_SCHEMA, Database, as_store_errors, driver, has_table
    from perfcopilot_goals.storage.sessions import STATEMENT_SECONDS

Part = PostgresRunStorage | PostgresEventLogStorage | PostgresScheduleStorage
# How many connections each part of the storage keeps. Dagster keeps one. It needs two at a time to store an event with
# tags, such as an observation, and logging in for the second one was almost half of that event's cost.
KEPT_CONNECTIONS = 2
# The tables by which Dagster knows whether it was here before.
MAIN_TABLES = ("runs", "event_logs", "jobs")


def dagster_url(database: Database) -> str:
    """The database's URL for Dagster: with psycopg2, the only driver it works with, and with a schema of its own."""
    # libpq reads it, as it does for our own connections. SQLAlchemy stumbles over several hosts, or a socket's folder.
    given = {name: str(value) for name, value in conninfo_to_dict(database.url).items()}
    user, password, name = (given.pop(key, None) for key in ("user", "password", "dbname"))
    given["plugin"] = SchemaPlugin.NAME
    url = sqlalchemy.URL.create("postgresql+psycopg2", user, password, database=name, query=given)
    return url.render_as_string(hide_password=False)


class SchemaPlugin(sqlalchemy.CreateEnginePlugin):
    """Puts each connection of an engine into Dagster's schema, keeps some, and checks before a use that it is alive.

    Its errors do not quote parameters: Dagster prints those of an event that it could not store, ids and all.

    A URL asks for it by `?plugin=<NAME>`, so the product's own engines are left alone.

    A statement sets the schema, not `options` of the start-up. Some poolers refuse those; others ignore them, and
    Dagster would make its tables in `public`.
    """

    NAME = "perfcopilot_dagster_schema"

    def update_url(self, url: sqlalchemy.URL) -> sqlalchemy.URL:
        return url

    def handle_pool_kwargs(self, pool_cls: type[sqlalchemy.Pool], pool_args: dict[str, Any]) -> None:
        if "pool_size" in pool_args:
            pool_args |= {"pool_size": KEPT_CONNECTIONS, "pre_ping": True}

    def engine_created(self, engine: sqlalchemy.Engine) -> None:
        engine.hide_parameters = True
        event.listen(engine, "connect", _enter_schema, insert=True)


sqlalchemy.dialects.plugins.register(SchemaPlugin.NAME, __name__, SchemaPlugin.__name__)


def _enter_schema(conn: Any, _: object) -> None:
    with conn.cursor() as cursor:
        cursor.execute(f"set search_path = {DAGSTER_SCHEMA}")
    conn.commit()


class InstanceStorage(DagsterPostgresStorage):
    """Runs, events and schedules in the schema `perfcopilot_dagster` of the database in use."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        database = open_migrated_database(load_settings())
        with database.connect("opening Dagster's storage") as lock:
            # One process at a time: Dagster fails in some of several processes that open a new database together.
            driver(lock).execute(
                "select pg_advisory_xact_lock(hashtextextended('perfcopilot_goals dagster storage', 0))"
            )
            # Looked up here, because Dagster logs in three times for it, at every tick of a sensor.
            has_tables = all(has_table(lock, DAGSTER_SCHEMA, table) for table in MAIN_TABLES)
            url = dagster_url(database)
            storage = cls(url, should_autocreate_tables=not has_tables, inst_data=inst_data)
        for part in (storage._run_storage, storage._event_log_storage, storage._schedule_storage):
            part._engine = _kept_engine(os.getpid(), type(part), part.postgres_url)
        return storage


@contextmanager
def storage_as_store_errors(doing: str) -> Iterator[None]:
    """Errors of Dagster's storage become `GoalsStoreError`: their text quotes events."""
    with as_store_errors(doing):
        try:
            yield
        except DagsterPostgresException as error:
            # It gave up connecting, and the driver's error is the cause.
            raise (error.__cause__ or error) from None


# One for each part of the storage. A process that comes to use another database lets go of the earlier one's.
@functools.lru_cache(maxsize=3)
def _kept_engine(_: int, part: type[Part], url: str) -> sqlalchemy.Engine:
    """An engine that keeps its connections, the same one for all of the process's instances.

    Dagster keeps connections in its web server only. Without, a run of fifty goals logged in 370 times, which was half
    of its CPU, Postgres' included. And the code server opens an instance for each tick of a sensor: with an engine of
    its own, each would log in and compile its statements anew.
    """
    kept = part(url, should_autocreate_tables=False)
    kept.optimize_for_webserver(1_000 * STATEMENT_SECONDS, pool_recycle=3600, max_overflow=20)
    return kept._engine


class _InLocalState:
    """What Dagster makes without any configuration, with its files in the folder for local state."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        folder = make_home(load_settings()) / "dagster"
        folder.mkdir(mode=0o700, exist_ok=True)
        return cls(str(folder), inst_data=inst_data)  # type: ignore[call-arg]


class InstanceArtifacts(_InLocalState, LocalArtifactStorage):
    """Dagster's own files. Goals never pass through them."""


class InstanceComputeLogs(_InLocalState, LocalComputeLogManager):
    """What runs print."""

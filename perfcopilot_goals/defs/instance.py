"""Where Dagster itself keeps its runs and logs: the same Postgres as the goals, and the folder for local state.

`dagster.yaml` names these classes, so that any Dagster command in this checkout finds the database by the rules of this
program, local Postgres included, and the instance's serialized reference, which Dagster hands from process to process,
holds no password.
"""

import time
from collections.abc import Mapping
from typing import Any, Self

from perfcopilot_goals.startup import starting

with starting():
    import sqlalchemy.dialects
    import sqlalchemy.exc

    # The path that dagster.yaml documents.
    from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
    from dagster._core.storage.root import LocalArtifactStorage
    from dagster._serdes import ConfigurableClassData
    from dagster_postgres import DagsterPostgresStorage
    from psycopg.conninfo import conninfo_to_dict
    from sqlalchemy import event
    from sqlalchemy.pool import Pool

    from perfcopilot_goals.services.databases import open_migrated_database
    from perfcopilot_goals.settings import Settings, load_settings, make_home
    from perfcopilot_goals.storage.database import DAGSTER_SCHEMA, Database, driver
    from perfcopilot_goals.storage.sessions import STATEMENT_SECONDS

# For so long after a statement a connection is taken to be alive without asking it.
TRUSTED_SECONDS = 1.0


def dagster_url(database: Database) -> str:
    """The database as Dagster takes it: psycopg2, the only driver it works with, and a schema of its own."""
    # Read by libpq, as for our own connections: SQLAlchemy trips over several hosts and over a socket's folder.
    given = {name: str(value) for name, value in conninfo_to_dict(database.url).items()}
    user, password, name = (given.pop(key, None) for key in ("user", "password", "dbname"))
    given["plugin"] = SchemaPlugin.NAME
    url = sqlalchemy.URL.create("postgresql+psycopg2", user, password, database=name, query=given)
    return url.render_as_string(hide_password=False)


class SchemaPlugin(sqlalchemy.CreateEnginePlugin):
    """Lets each connection of an engine begin in Dagster's schema: a URL with `?plugin=<NAME>` asks for it.

    Said to the session and not as `options` of the start-up, which poolers refuse, or ignore, and then Dagster's tables
    would be made in `public`.
    """

    NAME = "perfcopilot_dagster_schema"

    def update_url(self, url: sqlalchemy.URL) -> sqlalchemy.URL:
        return url

    def engine_created(self, engine: sqlalchemy.Engine) -> None:
        event.listen(engine, "connect", _enter_schema, insert=True)


sqlalchemy.dialects.plugins.register(SchemaPlugin.NAME, __name__, SchemaPlugin.__name__)


def _enter_schema(connection: Any, _: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"set search_path = {DAGSTER_SCHEMA}")
    connection.commit()


class InstanceStorage(DagsterPostgresStorage):
    """Runs, events and schedules in the schema `perfcopilot_dagster` of the database in use."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        database = open_migrated_database(load_settings())
        with database.connect("opening Dagster's storage") as lock:
            # One at a time: of several processes that open a new database together, Dagster lets some fail.
            driver(lock).execute(
                "select pg_advisory_xact_lock(hashtextextended('perfcopilot_goals dagster storage', 0))"
            )
            storage = cls(dagster_url(database), inst_data=inst_data)
        _keep_connections(storage)
        return storage


def _keep_connections(storage: DagsterPostgresStorage) -> None:
    """Have each process keep its connections, as Dagster does in its web server only.

    A run of fifty goals logs in 370 times otherwise, which is half of the CPU that it takes, Postgres' included.
    """
    for part in (storage.run_storage, storage.event_log_storage, storage.schedule_storage):
        part.optimize_for_webserver(1_000 * STATEMENT_SECONDS, pool_recycle=3600, max_overflow=20)
    if not event.contains(Pool, "checkout", _ensure_alive):
        event.listen(Pool, "checkout", _ensure_alive)


def _ensure_alive(connection: Any, record: Any, _: object) -> None:
    """A kept connection may have ended with a Postgres that was restarted; the pool then opens another one."""
    now = time.monotonic()
    is_fresh = now - record.info.get("used_at", now) < TRUSTED_SECONDS
    record.info["used_at"] = now
    if not is_fresh:
        try:
            with connection.cursor() as cursor:
                cursor.execute("select 1")
        except Exception as error:
            raise sqlalchemy.exc.DisconnectionError from error


class InstanceArtifacts(LocalArtifactStorage):
    """Dagster's own files, in the folder for local state. Goals never pass through them."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        return cls(_dagster_folder(load_settings()), inst_data=inst_data)


class InstanceComputeLogs(LocalComputeLogManager):
    """What runs print, in the folder for local state."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        return cls(_dagster_folder(load_settings()), inst_data=inst_data)


def _dagster_folder(settings: Settings) -> str:
    folder = make_home(settings) / "dagster"
    folder.mkdir(mode=0o700, exist_ok=True)
    return str(folder)

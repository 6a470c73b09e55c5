"""Where Dagster itself keeps its runs and logs: the same Postgres as the goals, and the folder for local state.

`dagster.yaml` names these classes, so that any Dagster command in this checkout finds the database by the rules of this
program, own Postgres included, and the instance's serialized reference, which Dagster hands from process to process,
holds no password.
"""

from collections.abc import Mapping
from typing import Any, Self

import sqlalchemy
from dagster._core.storage.local_compute_log_manager import (
    LocalComputeLogManager,
)  # the path that dagster.yaml documents
from dagster._core.storage.root import LocalArtifactStorage
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from psycopg.conninfo import conninfo_to_dict

from perfcopilot_goals.settings import Settings, load_settings, make_home
from perfcopilot_goals.storage.database import DAGSTER_SCHEMA, Database, open_database
from perfcopilot_goals.storage.migrate import ensure_migrated


def dagster_url(database: Database) -> str:
    """The database as Dagster takes it: psycopg2, the only driver it works with, and a schema of its own."""
    # Read by libpq, as for our own connections: SQLAlchemy trips over several hosts and over a socket's folder.
    given = {name: str(value) for name, value in conninfo_to_dict(database.url).items()}
    user, password, name = (given.pop(key, None) for key in ("user", "password", "dbname"))
    given["options"] = f"{given.get('options', '')} -csearch_path={DAGSTER_SCHEMA}".strip()
    url = sqlalchemy.URL.create("postgresql+psycopg2", user, password, database=name, query=given)
    return url.render_as_string(hide_password=False)


class InstanceStorage(DagsterPostgresStorage):
    """Runs, events and schedules in the schema `perfcopilot_dagster` of the database in use."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        database = open_database(load_settings())
        ensure_migrated(database)
        with database.connect("opening Dagster's storage") as lock:
            # One at a time: of several processes that open a new database together, Dagster lets some fail.
            lock.execute("select pg_advisory_xact_lock(hashtextextended('perfcopilot_goals dagster storage', 0))")
            return cls(dagster_url(database), inst_data=inst_data)


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

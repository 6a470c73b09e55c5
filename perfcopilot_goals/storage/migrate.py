"""Brings the schema to the version that this code needs. The first process to come does it, under a lock.

Migrations are plain Alembic scripts in `migrations/versions`. Importing Alembic takes longer than most commands, so one
query finds out whether the database is already at `HEAD`.
"""

from pathlib import Path

import sqlalchemy as sa

from perfcopilot_goals.errors import NO_RIGHT, GoalsConfigError, GoalsStoreError
from perfcopilot_goals.schemas import SCHEMA
from perfcopilot_goals.storage.connect_errors import URL
from perfcopilot_goals.storage.database import DAGSTER_SCHEMA, Database, driver, has_table
from perfcopilot_goals.storage.sessions import LOCK_SECONDS

HEAD = "0008"
_LOCK = "select pg_advisory_xact_lock(hashtextextended('perfcopilot_goals migration', 0))"
_MIGRATIONS = Path(__file__).parent / "migrations"


def ensure_migrated(database: Database) -> None:
    """Create or upgrade the tables if they are not at `HEAD`. Processes that come at once do it only once.

    At `HEAD`, the only right that is needed is to read the version.
    """
    try:
        _ensure_migrated(database)
    except GoalsStoreError as error:
        if error.sqlstate != NO_RIGHT:
            raise
        raise GoalsStoreError(
            f"the tables are not at version {HEAD}, which this program needs, or cannot be read, and the role in use "
            f"may not change that (SQLSTATE {NO_RIGHT})",
            NO_RIGHT,
            action=f"Run perfcopilot-goals grants --apply with a {URL} of the role that owns the tables",
        ) from None


def _ensure_migrated(database: Database) -> None:
    with database.connect("reading the schema's version") as conn:
        if _read_version(conn) == HEAD:
            return
    with database.connect("migrating the schema", maintenance=True) as lock:
        # Held until the block ends. The upgrade below runs on a second connection.
        driver(lock).execute(_LOCK)
        version = _read_version(lock)
        if version == HEAD:
            return
        _check_known(version)
        with database.connect("creating the schemas") as conn:
            for name in (SCHEMA, DAGSTER_SCHEMA):
                # Looked up first: even "if not exists" needs the right to create schemas.
                if not sa.inspect(conn).has_schema(name):
                    conn.execute(sa.schema.CreateSchema(name))
        with database.connect("migrating the schema", maintenance=True) as conn:
            # Everybody who reads a table waits behind a migration that waits for it.
            driver(conn).execute(f"set local lock_timeout = '{LOCK_SECONDS}s'")
            _upgrade(conn)


def _read_version(conn: sa.Connection) -> str | None:
    """The migration that the tables are at; None if there are no tables yet."""
    if not has_table(conn, SCHEMA, "alembic_version"):
        return None
    version: str | None = conn.scalar(sa.select(sa.table("alembic_version", sa.column("version_num"), schema=SCHEMA)))
    return version


def _check_known(version: str | None) -> None:
    if version is not None and not any((_MIGRATIONS / "versions").glob(f"{version}_*.py")):
        raise GoalsConfigError(
            f"the database's tables are at version {version}, which this program does not know",
            action="Upgrade the program: it is older than the tables",
        )


def _upgrade(conn: sa.Connection) -> None:
    from alembic import command  # noqa: PLC0415  slow to import
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    # An object rather than a URL: Alembic would interpolate a URL, and its password may hold a %.
    config.attributes["conn"] = conn
    command.upgrade(config, "head")

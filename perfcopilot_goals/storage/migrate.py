"""The schema brought to the version that this code needs, by whoever comes first, under a lock.

Migrations are plain Alembic scripts in `migrations/versions`. Importing Alembic takes longer than most commands, so a
database that is already at `HEAD` is recognised by one query.
"""

from pathlib import Path

import sqlalchemy as sa
from psycopg import sql

from perfcopilot_goals.errors import GoalsConfigError, GoalsStoreError
from perfcopilot_goals.schemas import SCHEMA
from perfcopilot_goals.storage.database import DAGSTER_SCHEMA, Database, driver

HEAD = "0004"
_NO_RIGHT = "42501"
_LOCK = "select pg_advisory_xact_lock(hashtextextended('perfcopilot_goals migration', 0))"


def ensure_migrated(database: Database) -> None:
    """Create or upgrade the tables if they are not at `HEAD`; nothing is done twice, however many processes come.

    Where they are, no right but to read the version is needed.
    """
    try:
        _ensure_migrated(database)
    except GoalsStoreError as error:
        if error.sqlstate != _NO_RIGHT:
            raise
        raise GoalsStoreError(
            f"the tables are not at version {HEAD}, which this program needs, or cannot be read, and the role in use "
            f"may not change that (SQLSTATE {_NO_RIGHT}). Whoever owns them migrates: perfcopilot-goals grants --apply "
            "with a PERFCOPILOT_DATABASE_URL of that role",
            _NO_RIGHT,
        ) from None


def _ensure_migrated(database: Database) -> None:
    with database.connect("reading the schema's version") as conn:
        if _read_version(conn) == HEAD:
            return
    with database.connect("migrating the schema") as lock:
        # Held until the block ends; the upgrade below runs on a connection of its own.
        driver(lock).execute(_LOCK)
        version = _read_version(lock)
        if version == HEAD:
            return
        _check_known(version)
        with database.connect("creating the schemas") as conn:
            for name in (SCHEMA, DAGSTER_SCHEMA):
                # Asked first: even with "if not exists" this takes the right to create schemas.
                exists = driver(conn).execute("select to_regnamespace(%s) is not null", [name]).fetchone()
                if not exists or not exists[0]:
                    driver(conn).execute(sql.SQL("create schema {}").format(sql.Identifier(name)))
        with database.connect("migrating the schema") as conn:
            _upgrade(conn)


def _read_version(conn: sa.Connection) -> str | None:
    """The migration that the tables are at; None where there are none yet."""
    table = f"{SCHEMA}.alembic_version"
    exists = driver(conn).execute("select to_regclass(%s) is not null", [table]).fetchone()
    if not exists or not exists[0]:
        return None
    row = driver(conn).execute(sql.SQL("select version_num from {}").format(sql.SQL(table))).fetchone()
    return str(row[0]) if row else None


def _check_known(version: str | None) -> None:
    known = {path.stem.partition("_")[0] for path in (_migrations() / "versions").glob("[0-9]*.py")}
    if version is not None and version not in known:
        raise GoalsConfigError(
            f"the database's tables are at version {version}, which this program does not know: it is older than "
            "they are. Upgrade the program"
        )


def _upgrade(conn: sa.Connection) -> None:
    from alembic import command  # noqa: PLC0415  slow to import
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_migrations()))
    # Handed over as an object: a URL in Alembic's configuration would be interpolated, and its password may hold a %.
    config.attributes["conn"] = conn
    command.upgrade(config, "head")


def _migrations() -> Path:
    return Path(__file__).parent / "migrations"

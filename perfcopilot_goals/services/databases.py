"""The database in use, the configured one or the local Postgres; and its roles."""

from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.local_postgres import (
    keep_running,
    local_database_url,
    remove_local_postgres,
    stop_local_postgres,
)
from perfcopilot_goals.services.redaction import redact, redact_credentials
from perfcopilot_goals.settings import Settings
from perfcopilot_goals.storage.database import Database, parse_database_url
from perfcopilot_goals.storage.grants import make_roles, render_grants
from perfcopilot_goals.storage.migrate import ensure_migrated

# Named here for the rooms that may not import storage, and for commands whose help should not wait for psycopg.
__all__ = ["Database", "keep_running", "make_roles", "remove_local_postgres", "render_grants", "stop_local_postgres"]


def open_database(settings: Settings) -> Database:
    """The configured database; if none is configured, the local Postgres, which is started if it does not run."""
    if settings.database_url:
        return Database(parse_database_url(settings.database_url))
    return Database(local_database_url(settings))


def open_migrated_database(settings: Settings) -> Database:
    """The database in use, with its tables as this version needs them. Its password is kept out of logs."""
    database = open_database(settings)
    redact(database.password)
    redact_credentials(database.url)
    ensure_migrated(database)
    return database


def check_has_roles(settings: Settings) -> None:
    """Raise `GoalsConfigError` where the database in use is the local Postgres."""
    if settings.database_url is None:
        raise GoalsConfigError(
            "the local Postgres has one user and needs no roles",
            action="Set PERFCOPILOT_DATABASE_URL to grant rights in another database",
        )

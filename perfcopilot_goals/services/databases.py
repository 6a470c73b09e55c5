"""The database in use: the configured one, or the local Postgres."""

from perfcopilot_goals.local_postgres import local_database_url
from perfcopilot_goals.services.redaction import redact, redact_credentials
from perfcopilot_goals.settings import Settings
from perfcopilot_goals.storage.database import Database, parse_database_url
from perfcopilot_goals.storage.migrate import ensure_migrated

__all__ = ["Database", "open_database", "open_migrated_database"]


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

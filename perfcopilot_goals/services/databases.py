"""The database in use: the configured one, or the local Postgres."""

from perfcopilot_goals.settings import Settings
from perfcopilot_goals.storage.database import Database, parse_database_url


def open_database(settings: Settings) -> Database:
    """The configured database; where none is configured, the local Postgres, which is started if it does not run."""
    if settings.database_url:
        return Database(parse_database_url(settings.database_url))
    from perfcopilot_goals.local_postgres import local_database_url  # noqa: PLC0415  needed only without a URL

    return Database(local_database_url(settings))

"""Databases as earlier versions of the program left them."""

from alembic import command
from alembic.config import Config

from perfcopilot_goals.storage import migrate
from perfcopilot_goals.storage.database import Database, driver


def migrate_to(url: str, revision: str) -> None:
    """Migrate an empty database to this revision and no further."""
    config = Config()
    config.set_main_option("script_location", str(migrate._MIGRATIONS))
    with Database(url).connect("migrating") as conn:
        driver(conn).execute("create schema perfcopilot_goals")
        config.attributes["conn"] = conn
        command.upgrade(config, revision)

"""The database's roles: written out as SQL, or made."""

from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.settings import Settings
from perfcopilot_goals.storage.grants import make_roles, render_grants

__all__ = ["check_has_roles", "make_roles", "render_grants"]


def check_has_roles(settings: Settings) -> None:
    """Raise `GoalsConfigError` where the database in use is the local Postgres."""
    if settings.database_url is None:
        raise GoalsConfigError(
            "the local Postgres has one user and needs no roles",
            action="Set PERFCOPILOT_DATABASE_URL to grant rights in another database",
        )

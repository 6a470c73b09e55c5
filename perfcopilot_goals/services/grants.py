"""The database's roles: written out as SQL, or made."""

from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.settings import Settings
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.grants import ROLES, apply_grants, render_grants

__all__ = ["check_has_roles", "make_roles", "render_grants"]


def check_has_roles(settings: Settings) -> None:
    """Raise `GoalsConfigError` where the database in use is the local Postgres."""
    if settings.database_url is None:
        raise GoalsConfigError(
            "the local Postgres has one user and needs no roles",
            action="Set PERFCOPILOT_DATABASE_URL to grant rights in another database",
        )


def make_roles(database: Database, prefix: str, *, mapping_by_loader: bool = False) -> list[str]:
    """Make the roles and give them their rights, all or nothing; returns their names.

    The tables must be there, Dagster's too. With `mapping_by_loader` the job `match_employees` may map, too.
    """
    apply_grants(database, prefix, mapping_by_loader=mapping_by_loader)
    return [f"{prefix}_{role}" for role in ROLES]

"""`grants`: the database's roles."""

import click

from perfcopilot_goals.cli.session import Session
from perfcopilot_goals.cli.terminal import echo
from perfcopilot_goals.errors import GoalsConfigError


@click.command("grants")
@click.option("--print", "is_printed", is_flag=True, help="Print the SQL; no database is asked.")
@click.option("--apply", "is_applied", is_flag=True, help="Migrate the tables, then run it.")
@click.option("--prefix", default="perfcopilot", show_default=True, help="What the roles' names begin with.")
@click.pass_obj
def grants(session: Session, is_printed: bool, is_applied: bool, prefix: str) -> None:
    """Four roles for the database: owner, loader, application and analyst. Run it again after an upgrade.

    The owner migrates and changes connections and the roster, the loader syncs, the application reads blocks and
    goals, the analyst counts. They have no login: make yours members of them.
    """
    from perfcopilot_goals.storage.grants import ROLES, apply_grants, render_grants

    if is_printed == is_applied:
        raise click.UsageError("say --print or --apply")
    sql = render_grants(prefix)
    if is_printed:
        echo(*sql.rstrip("\n").split("\n"))
        return
    if session.settings.database_url is None:
        raise GoalsConfigError(
            "the local Postgres has one user and needs no roles; set PERFCOPILOT_DATABASE_URL to grant elsewhere"
        )
    # Dagster makes its tables when it is opened, which the loader may not.
    with session.instance():
        apply_grants(session.database, prefix)
    echo(f"Granted to {', '.join(f'{prefix}_{role}' for role in ROLES)}.")

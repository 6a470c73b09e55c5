"""`database-url` and `database-stop`."""

import click

from perfcopilot_goals.cli.session import Session, as_json, print_json
from perfcopilot_goals.cli.terminal import echo


@click.command("database-url")
@as_json
@click.pass_obj
def database_url(session: Session, as_json: bool) -> None:
    """Print the URL of the database in use, password included. Starts the local Postgres, which then stays."""
    if session.settings.database_url is None:
        from perfcopilot_goals.local_postgres import keep_running

        keep_running(session.settings)
    if as_json:
        print_json({"url": session.database.url, "own": session.settings.database_url is None})
    else:
        echo(session.database.url)


@click.command("database-stop")
@click.option("--delete", is_flag=True, help="Delete its data, and as root its folder outside the checkout, too.")
@click.pass_obj
def database_stop(session: Session, delete: bool) -> None:
    """Stop the local Postgres. Its data stays unless told otherwise."""
    from perfcopilot_goals.local_postgres import remove_local_postgres, stop_local_postgres

    if delete:
        remove_local_postgres(session.settings)
        echo("Deleted the local Postgres.")
        return

    echo(
        "Stopped the local Postgres."
        if stop_local_postgres(session.settings)
        else "The local Postgres was not running."
    )

"""`database-url` and `database-stop`."""

import click

from perfcopilot_goals.cli.session import Session, as_json, print_json


@click.command("database-url")
@as_json
@click.pass_obj
def database_url(session: Session, as_json: bool) -> None:
    """Print where the database in use is, password included. The own Postgres starts, and stays until it is stopped."""
    if session.settings.database_url is None:
        from perfcopilot_goals.storage.own_server import keep_running

        keep_running(session.settings)
    if as_json:
        print_json({"url": session.database.url, "own": session.settings.database_url is None})
    else:
        click.echo(session.database.url)


@click.command("database-stop")
@click.option("--delete", is_flag=True, help="Delete its data, and as root its folder outside the checkout, too.")
@click.pass_obj
def database_stop(session: Session, delete: bool) -> None:
    """Stop the own Postgres. Its data stays unless told otherwise."""
    from perfcopilot_goals.storage.own_server import remove_own_server, stop_own_server

    if delete:
        remove_own_server(session.settings)
        click.echo("Deleted the own Postgres.")
        return

    click.echo(
        "Stopped the own Postgres." if stop_own_server(session.settings) else "The own Postgres was not running."
    )

"""`connection …`: which workspaces are synced."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import click

from perfcopilot_goals.cli.session import Session, as_json, print_json, print_table
from perfcopilot_goals.errors import GoalsError
from perfcopilot_goals.settings import DEFAULT_TOKEN_REF, check_token_ref

ROUTES = click.Choice(["auto", "subgoals", "goal_relationships"])
COLUMNS = ("connection", "workspace_gid", "token_ref", "base_url", "requests_per_minute", "subgoal_route", "enabled")


@click.group()
def connection() -> None:
    """The Asana workspaces that are synced, each with its token."""


def _settings(function: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        [
            click.option("--workspace-gid", metavar="GID", help="The workspace's id in Asana, digits."),
            click.option("--token-ref", metavar="REF", help="Where the token is: env:NAME or file:/path."),
            click.option("--base-url", metavar="URL", help="Root of the API, if it is not Asana's."),
            click.option("--requests-per-minute", metavar="N", type=click.IntRange(1), help="The token's limit."),
            click.option("--subgoal-route", type=ROUTES, help="Where sub-goals are asked for; auto finds it."),
        ]
    ):
        function = option(function)
    return function


@connection.command("add")
@click.argument("name")
@_settings
@click.pass_obj
def add(session: Session, /, name: str, **given: Any) -> None:
    """Add a connection. The GID may follow later; until then a sync of it fails and says so."""
    from perfcopilot_goals.asana.address import DEFAULT_BASE_URL
    from perfcopilot_goals.defs.partitions import register_partitions
    from perfcopilot_goals.domain.connection import Connection
    from perfcopilot_goals.storage.connections import add_connection, check_name

    defaults = {
        "workspace_gid": None,
        "token_ref": DEFAULT_TOKEN_REF,
        "base_url": DEFAULT_BASE_URL,
        "requests_per_minute": 1_500,
        "subgoal_route": "auto",
    }
    row = Connection(connection=check_name(name), enabled=True, **(defaults | _checked(session, given)))
    with session.database.connect("adding the connection") as database:
        add_connection(database, row)
    with session.instance() as instance:
        register_partitions(instance, [name])
    click.echo(f"Added connection {name}. Next: perfcopilot-goals employee import {name} FILE.csv")


@connection.command("set")
@click.argument("name")
@_settings
@click.option("--enable/--disable", "enabled", default=None, help="Whether it is synced on schedule.")
@click.pass_obj
def set_(session: Session, /, name: str, **given: Any) -> None:
    """Change settings of a connection; what is not named stays."""
    from perfcopilot_goals.defs.partitions import register_partitions, unregister_partition
    from perfcopilot_goals.storage.connections import set_connection

    changes = _checked(session, given)
    if not changes:
        raise click.UsageError("name at least one setting to change")
    with session.database.connect("changing the connection") as database:
        after = set_connection(database, name, changes)
    with session.instance() as instance:
        if after.enabled:
            register_partitions(instance, [name])
        else:
            unregister_partition(instance, name)
    click.echo(f"Connection {name} is set. Next: perfcopilot-goals sync {name}")


@connection.command("list")
@as_json
@click.pass_obj
def list_(session: Session, as_json: bool) -> None:
    """List the connections with their settings."""
    from perfcopilot_goals.storage.connections import read_connections

    with session.database.connect("reading the connections") as database:
        rows = [asdict(row) for row in read_connections(database)]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, COLUMNS, "No connections yet. Add one: perfcopilot-goals connection add NAME")


@connection.command("check")
@click.argument("name")
@as_json
@click.pass_obj
def check(session: Session, name: str, as_json: bool) -> None:
    """Ask Asana whose token it is and whether it sees the workspace."""
    from perfcopilot_goals.asana.client import AsanaClient
    from perfcopilot_goals.asana.identity import fetch_identity
    from perfcopilot_goals.settings import load_token
    from perfcopilot_goals.storage.connections import read_connection

    with session.database.connect("reading the connection") as database:
        row = read_connection(database, name)
    token = load_token(row.token_ref, name)
    client = AsanaClient(row.base_url, token, allowed_hosts=session.settings.asana_hosts)
    try:
        identity = fetch_identity(client, row.workspace_gid)
    except GoalsError as error:
        raise error.about(name) from None
    finally:
        client.close()
    if as_json:
        print_json(asdict(identity))
        return
    click.echo(f"The token is that of {identity.user_name} (user {identity.user_gid}).")
    for gid, workspace in identity.workspaces.items():
        click.echo(f"  sees workspace {gid}  {workspace}{'  <- this connection' if gid == row.workspace_gid else ''}")
    if row.workspace_gid is None:
        click.echo(f"No workspace is set yet: perfcopilot-goals connection set {name} --workspace-gid GID")


@connection.command("remove")
@click.argument("name")
@click.pass_obj
def remove(session: Session, name: str) -> None:
    """Remove a connection with its roster, its goals and its history."""
    from perfcopilot_goals.defs.partitions import unregister_partition
    from perfcopilot_goals.storage.connections import remove_connection

    with session.database.connect("removing the connection") as database:
        rows = remove_connection(database, name)
    with session.instance() as instance:
        unregister_partition(instance, name)
    click.echo(f"Removed connection {name} and {rows} rows of goals.")


def _checked(session: Session, given: dict[str, Any]) -> dict[str, Any]:
    """The settings that were given, each of a form that can be right."""
    from perfcopilot_goals.asana.address import check_base_url
    from perfcopilot_goals.core.roster import check_gid

    settings = {name: value for name, value in given.items() if value is not None}
    if "workspace_gid" in settings:
        check_gid(settings["workspace_gid"], "the workspace GID")
    if "token_ref" in settings:
        check_token_ref(settings["token_ref"])
    if "base_url" in settings:
        settings["base_url"] = check_base_url(settings["base_url"], session.settings.asana_hosts)
    return settings

"""`connection …`: which workspaces are synced."""

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from perfcopilot_goals.cli.progress import tell_line
from perfcopilot_goals.cli.session import Session, as_json, print_json, print_table
from perfcopilot_goals.cli.terminal import echo

if TYPE_CHECKING:
    from perfcopilot_goals.services.connections import ConnectionCheck

ROUTES = click.Choice(["auto", "subgoals", "goal_relationships"])
COLUMNS = (
    "connection",
    "workspace_gid",
    "token_ref",
    "base_url",
    "requests_per_minute",
    "subgoal_route",
    "check_users",
    "enabled",
)


@click.group()
def connection() -> None:
    """The Asana workspaces that are synced, each with its token."""


def _settings(function: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        [
            click.option("--workspace-gid", metavar="GID", help="The workspace's id in Asana, digits."),
            click.option("--token-ref", metavar="REF", help="Where the token is: env:NAME or file:/path."),
            click.option("--base-url", metavar="URL", help="Root of the API, if it is not Asana's."),
            click.option("--requests-per-minute", metavar="N", type=int, help="The token's limit."),
            click.option("--subgoal-route", type=ROUTES, help="Where sub-goals are asked for; auto finds it."),
            click.option(
                "--check-users/--no-check-users",
                default=None,
                help="Whether a sync asks Asana once a day who its users are, to warn of employees mapped to the wrong "
                "one. A new connection does.",
            ),
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
    from perfcopilot_goals.defs.partitions import register_partitions
    from perfcopilot_goals.services.connections import create_connection

    create_connection(session.database, session.settings, name, _named(given))
    with session.instance() as instance:
        register_partitions(instance, [name])
    echo(f"Added connection {name}. Next: perfcopilot-goals employee import {name} FILE.csv")


@connection.command("set")
@click.argument("name")
@_settings
@click.option("--enable/--disable", "enabled", default=None, help="Whether it is synced on schedule.")
@click.pass_obj
def set_(session: Session, /, name: str, **given: Any) -> None:
    """Change settings of a connection; what is not named stays."""
    from perfcopilot_goals.defs.partitions import register_partitions, unregister_partition
    from perfcopilot_goals.services.connections import change_connection

    changes = _named(given)
    if not changes:
        raise click.UsageError("name at least one setting to change")
    after = change_connection(session.database, session.settings, name, changes)
    with session.instance() as instance:
        if after.enabled:
            register_partitions(instance, [name])
        else:
            unregister_partition(instance, name)
    echo(f"Connection {name} is set. Next: perfcopilot-goals sync {name}")


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
    """Ask Asana whose token it is, which workspaces it sees, and whether the connection's is among them.

    Waits while a sync uses the same token.
    """
    from perfcopilot_goals.services.connections import check_connection

    found = check_connection(session.database, session.settings, name, on_wait=tell_line)
    if as_json:
        settings = {"connection": name, "workspace_gid": found.workspace_gid, "workspace": found.workspace}
        error_code = type(found.error).__name__ if found.error else None
        print_json({**settings, "error_code": error_code, **asdict(found.identity)})
    else:
        _show_check(found)
    if found.error:
        raise found.error


def _show_check(found: "ConnectionCheck") -> None:
    token, gid = found.identity, found.workspace_gid
    echo(f"The token is that of {token.user_name} (user {token.user_gid}).")
    for seen, workspace in token.workspaces.items():
        echo(f"  sees workspace {seen}  {workspace}{'  <- this connection' if seen == gid else ''}")
    if not token.workspaces:
        echo("  sees no workspace")
    if found.workspace == "not_set":
        echo(f"No workspace is set yet: perfcopilot-goals connection set {found.connection} --workspace-gid GID")
    if found.workspace == "not_listed":
        echo(
            f"Workspace {gid} answers, but is not among those that the token sees; its user may be no member of it, "
            f"and then goals are missing. Is it the right one? perfcopilot-goals connection set {found.connection} "
            "--workspace-gid GID"
        )


@connection.command("remove")
@click.argument("name")
@click.pass_obj
def remove(session: Session, name: str) -> None:
    """Remove a connection with its roster, its goals and its history."""
    from perfcopilot_goals.defs.partitions import unregister_partition
    from perfcopilot_goals.services.connections import delete_connection

    rows = delete_connection(session.database, name)
    with session.instance() as instance:
        unregister_partition(instance, name)
    echo(f"Removed connection {name} and {rows} rows of goals.")


def _named(given: dict[str, Any]) -> dict[str, Any]:
    """The settings that were named."""
    return {name: value for name, value in given.items() if value is not None}

"""`connection …`: which workspaces are synced."""

from dataclasses import asdict
from typing import Any

import click

from perfcopilot_goals import services
from perfcopilot_goals.cli.instance import open_partitions
from perfcopilot_goals.cli.session import Session, as_json, pass_session, print_json, print_table
from perfcopilot_goals.cli.terminal import echo, show_line
from perfcopilot_goals.domain.connection import SUBGOAL_ROUTES

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
ROUTES = click.Choice(SUBGOAL_ROUTES)
# What both `add` and `set` take.
SETTINGS: list[click.Parameter] = [
    click.Option(["--workspace-gid"], metavar="GID", help="The workspace's id in Asana, digits."),
    click.Option(["--token-ref"], metavar="REF", help="Where the token is: env:NAME or file:/path."),
    click.Option(["--base-url"], metavar="URL", help="Root of the API, if it is not Asana's."),
    click.Option(["--requests-per-minute"], metavar="N", type=int, help="The token's rate limit."),
    click.Option(["--subgoal-route"], type=ROUTES, help="The API path that lists sub-goals; auto finds it."),
    click.Option(
        ["--check-users/--no-check-users"],
        default=None,
        help="Whether a sync asks Asana once a day for its users, to warn about employees mapped to the wrong one. "
        "A new connection does.",
    ),
]


@click.command("add", params=[*SETTINGS])
@click.argument("name")
@pass_session
def add(session: Session, /, name: str, **given: Any) -> None:
    """Add a connection. You can set the GID later; until then its syncs fail and say so."""
    with open_partitions(session) as set_partition:
        services.connections.create_connection(session.database, session.settings, name, _named(given))
        set_partition(name, exists=True)
    following = "employee import {} FILE.csv" if given["workspace_gid"] else "connection check {}"
    echo(f"Added connection {name}. Next: perfcopilot-goals {following.format(name)}")


@click.command("set", params=[*SETTINGS])
@click.argument("name")
@click.option("--enable/--disable", "enabled", default=None, help="Whether it is synced on schedule.")
@pass_session
def set_(session: Session, /, name: str, **given: Any) -> None:
    """Change settings of a connection. Settings that you do not name stay."""
    changes = _named(given)
    if not changes:
        raise click.UsageError("name at least one setting to change")
    with open_partitions(session) as set_partition:
        after = services.connections.change_connection(session.database, session.settings, name, changes)
        set_partition(name, exists=after.enabled)
    following = f" Next: perfcopilot-goals sync {name}" if after.enabled else " It is disabled, so nothing syncs it."
    echo(f"Connection {name} is set.{following}")


@click.command("list")
@as_json
@pass_session
def list_(session: Session, as_json: bool) -> None:
    """List the connections with their settings."""
    rows = [asdict(row) for row in services.connections.list_connections(session.database)]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, COLUMNS, "No connections yet. Add one: perfcopilot-goals connection add NAME")


@click.command("check", short_help="Ask Asana whose token it is and what it sees.")
@click.argument("name")
@as_json
@pass_session
def check(session: Session, name: str, as_json: bool) -> None:
    """Ask Asana whose token it is, which workspaces it sees, and whether the connection's workspace is one of them.

    Waits while a sync uses the same token.
    """
    found = services.connections.check_connection(session.database, session.settings, name, on_wait=show_line)
    if as_json:
        settings = {"connection": name, "workspace_gid": found.workspace_gid, "workspace": found.workspace}
        error_code = type(found.error).__name__ if found.error else None
        print_json({**settings, "error_code": error_code, **asdict(found.identity)})
    else:
        _show_check(found)
    if found.error:
        raise found.error


@click.command("remove")
@click.argument("name")
@pass_session
def remove(session: Session, name: str) -> None:
    """Remove a connection with its roster, its goals and its history."""
    with open_partitions(session) as set_partition:
        rows = services.connections.delete_connection(session.database, session.settings, name)
        set_partition(name, exists=False)
    echo(f"Removed connection {name} and {rows} rows of goals.")


@click.group("connection", commands=[add, check, list_, remove, set_])
def connection() -> None:
    """Add, change, check and remove connections: the Asana workspaces that are synced, each with its token."""


def _show_check(found: "services.connections.ConnectionCheck") -> None:
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
            f"Workspace {gid} answers, but is not among those that the token sees. If its user is no member of it, "
            f"goals are missing. To set another one: perfcopilot-goals connection set {found.connection} "
            "--workspace-gid GID"
        )


def _named(given: dict[str, Any]) -> dict[str, Any]:
    """The settings that the command line names."""
    return {name: value for name, value in given.items() if value is not None}

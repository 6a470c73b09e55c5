"""`employee …`: the roster of a connection, and who its employees are in Asana."""

import click

from perfcopilot_goals.cli.employee.mapping import map_, suggest, unmap, unmapped
from perfcopilot_goals.cli.employee.roster import erase, import_, list_


@click.group("employee", commands=[erase, import_, list_, map_, suggest, unmap, unmapped])
def employee() -> None:
    """Import the roster, and map its employees to their Asana users."""

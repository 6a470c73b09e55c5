"""The groups `connection …` and `employee …`. A new command of one is a function in a module and an entry here."""

import click

from perfcopilot_goals.cli.lazy_group import LazyGroup


@click.group(
    cls=LazyGroup,
    lazy={
        "add": ("perfcopilot_goals.cli.connection:add", "Add a connection."),
        "check": ("perfcopilot_goals.cli.connection:check", "Ask Asana whose token it is and what it sees."),
        "list": ("perfcopilot_goals.cli.connection:list_", "List the connections with their settings."),
        "remove": ("perfcopilot_goals.cli.connection:remove", "Remove a connection with its roster and goals."),
        "set": ("perfcopilot_goals.cli.connection:set_", "Change settings of a connection."),
    },
)
def connection() -> None:
    """Add, change, check and remove connections: the Asana workspaces that are synced, each with its token."""


@click.group(
    cls=LazyGroup,
    lazy={
        "erase": ("perfcopilot_goals.cli.employee.erasure:erase", "Remove a person for good, wherever they are."),
        "import": ("perfcopilot_goals.cli.employee.roster:import_", "Add and change employees from a CSV file."),
        "list": ("perfcopilot_goals.cli.employee.roster:list_", "List the roster."),
        "map": ("perfcopilot_goals.cli.employee.mapping:map_", "Link an employee to their Asana user."),
        "suggest": ("perfcopilot_goals.cli.employee.mapping:suggest", "Suggest Asana users for unmapped employees."),
        "unmap": ("perfcopilot_goals.cli.employee.mapping:unmap", "Unlink an employee from their Asana user."),
        "unmapped": ("perfcopilot_goals.cli.employee.mapping:unmapped", "List employees without an Asana user."),
    },
)
def employee() -> None:
    """Import the roster, and map its employees to their Asana users."""

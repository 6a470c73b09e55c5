"""The commands that there are."""

from collections.abc import Iterator

import click


def subcommands(group: click.Group) -> Iterator[tuple[str, click.Command]]:
    """The group's commands with their names."""
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None, name
        yield name, command


def leaves(group: click.Group, path: str = "") -> Iterator[str]:
    """Every command below the group by its full name, such as "employee map"."""
    for name, command in subcommands(group):
        if isinstance(command, click.Group):
            yield from leaves(command, f"{path}{name} ")
        else:
            yield f"{path}{name}"

"""A group of commands that imports a command's module only when that command is asked for.

So the program's help answers at once. A command's module names all it needs at its top. Two of those wait until they
are used: the modules of `services`, and Dagster, which `instance` imports.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from perfcopilot_goals.startup import starting


class LazyGroup(click.Group):
    """`lazy` maps a command's name to its place, "module:attribute", and to its line in the group's help."""

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]], **more: Any) -> None:
        super().__init__(*args, **more)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._lazy:
            return None
        module, _, attribute = self._lazy[cmd_name][0].partition(":")
        with starting():
            command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The lines that `lazy` gives: click would load every command to ask for its own."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._lazy[name][1]) for name in self.list_commands(ctx)])

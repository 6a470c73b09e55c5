"""The command line: parses, calls a service and prints.

A command is a function in a module named for what it is about, and an entry below or in its group. Its module is
imported when the command is called, so `--help` answers at once. That module names all it needs at its top. Two of
those wait until they are used: the modules of `services`, so their types stand in quotes, and Dagster, which `instance`
imports.
"""

import sys
from importlib import import_module
from typing import Any

import click

from perfcopilot_goals.cli.session import Session
from perfcopilot_goals.cli.terminal import echo, guarded_output, show_error
from perfcopilot_goals.startup import starting

INTERRUPTED = 130

# Name: where it is, and its line in the list of commands.
COMMANDS = {
    "admin": ("perfcopilot_goals.cli.admin:admin", "Serve the admin page on 127.0.0.1."),
    "connection": ("perfcopilot_goals.cli.connection:connection", "Add, change, check and remove Asana workspaces."),
    "database-stop": ("perfcopilot_goals.cli.admin:database_stop", "Stop the local Postgres."),
    "database-url": ("perfcopilot_goals.cli.admin:database_url", "Print the database's URL with password."),
    "demo": ("perfcopilot_goals.cli.dev:demo", "Show it all with a sample company; needs nothing."),
    "dev": ("perfcopilot_goals.cli.dev:dev", "Run the Dagster UI and the admin page on 127.0.0.1."),
    "employee": ("perfcopilot_goals.cli.employee:employee", "Import the roster and map it to Asana users."),
    "grants": ("perfcopilot_goals.cli.admin:grants", "Print or make the database's six roles."),
    "plan": ("perfcopilot_goals.cli.status:plan", "Show how long the next sync takes."),
    "prompt": ("perfcopilot_goals.cli.block:prompt", "Print an employee's [GOALS] block, as it is or was."),
    "receipt": ("perfcopilot_goals.cli.block:receipt", "Print what a sync listed, owned and left out."),
    "retention": ("perfcopilot_goals.cli.admin:retention", "Delete old history."),
    "sandbox": ("perfcopilot_goals.cli.dev:sandbox", "Serve a small stand-in Asana on 127.0.0.1."),
    "status": ("perfcopilot_goals.cli.status:status", "Show each connection's last sync, and what failed."),
    "sync": ("perfcopilot_goals.cli.sync:sync", "Bring goals from Asana and render the blocks."),
    "verify": ("perfcopilot_goals.cli.block:verify", "Check a block against what was stored."),
}


class _Commands(click.Group):
    """The commands of `COMMANDS`, each imported when it is asked for.

    Prints an error as one message on stderr and exits with its class's code; a traceback with `--debug` only.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        with starting():
            command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The lines of `COMMANDS`: click would import every command to ask for its own."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])

    def main(self, *args: Any, **more: Any) -> Any:
        with guarded_output():
            return super().main(*args, **more)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            echo("Interrupted.", err=True)
            sys.exit(INTERRUPTED)
        except click.Abort:
            echo("Not confirmed, so nothing was changed.", err=True)
            sys.exit(INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except Exception as error:
            sys.exit(show_error(error, debug=ctx.params["debug"]))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show tracebacks and Dagster's own log.")
@click.version_option(package_name="perfcopilot-goals")
@click.pass_context
def main(ctx: click.Context, debug: bool) -> None:
    """Goals that employees own in Asana, as the [GOALS] block of their performance review.

    Begin with `perfcopilot-goals demo`, which needs nothing.
    """
    ctx.obj = Session(debug)

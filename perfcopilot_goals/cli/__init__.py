"""The command line: parses, calls, prints, and decides nothing.

Only click and the standard library are imported before a command runs; pandas, Dagster and the database driver are
imported by the commands that need them, so that `--help` answers at once.
"""

import sys
import traceback
from typing import Any

import click

from perfcopilot_goals.cli.connections import connection
from perfcopilot_goals.cli.databases import database_stop, database_url
from perfcopilot_goals.cli.employees import employee
from perfcopilot_goals.cli.granting import grants
from perfcopilot_goals.cli.results import plan, prompt, status
from perfcopilot_goals.cli.retaining import retention
from perfcopilot_goals.cli.serving import demo, dev, sandbox
from perfcopilot_goals.cli.session import Session
from perfcopilot_goals.cli.syncing import sync
from perfcopilot_goals.cli.terminal import echo, guarded_output
from perfcopilot_goals.errors import GoalsError

INTERRUPTED = 130


class _Commands(click.Group):
    """Errors as one message on stderr and the exit code of the error's class; a traceback with `--debug` only."""

    def main(self, *args: Any, **more: Any) -> Any:
        with guarded_output():
            return super().main(*args, **more)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            echo("Interrupted.", err=True)
            sys.exit(INTERRUPTED)
        except GoalsError as error:
            if ctx.params["debug"]:
                traceback.print_exc()
            else:
                echo(*error.lines, err=True)
            sys.exit(error.exit_code)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if ctx.params["debug"]:
                traceback.print_exc()
            else:
                # Its text may quote data, so only its class is shown.
                echo(f"{type(error).__name__}: an error of the program itself; --debug shows where", err=True)
            sys.exit(1)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show tracebacks and Dagster's own log.")
@click.version_option(package_name="perfcopilot-goals")
@click.pass_context
def main(ctx: click.Context, debug: bool) -> None:
    """Goals that employees own in Asana, as the [GOALS] block of their performance review.

    Begin with `perfcopilot-goals demo`, which needs nothing.
    """
    ctx.obj = Session(debug)


for command in (
    demo,
    dev,
    connection,
    employee,
    sync,
    plan,
    status,
    prompt,
    sandbox,
    retention,
    grants,
    database_url,
    database_stop,
):
    main.add_command(command)

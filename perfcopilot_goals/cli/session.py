"""What the commands share: the settings, the database, and how results are printed."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, wraps
from typing import Any

import click

from perfcopilot_goals import services
from perfcopilot_goals.cli.terminal import echo, render_json
from perfcopilot_goals.errors import GoalsStoreError
from perfcopilot_goals.settings import Settings, load_settings

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Session:
    """One invocation of the command line."""

    def __init__(self, debug: bool) -> None:
        self.debug = debug

    @cached_property
    def settings(self) -> Settings:
        return load_settings()

    @cached_property
    def database(self) -> "services.databases.Database":
        """The database in use, started and migrated if needed."""
        return services.databases.open_migrated_database(self.settings)


def pass_session(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the session. An error of the database names the connection that the command is about."""

    @click.pass_obj
    @wraps(command)
    def run(session: Session, *args: Any, **given: Any) -> Any:
        try:
            return command(session, *args, **given)
        except GoalsStoreError as error:
            names = given.get("names") or [given.get("name")]
            if len(names) == 1 and names[0]:
                error.about(names[0])
            raise

    return run


def print_json(value: Any) -> None:
    """Prints JSON that parses to the value again; moments and dates are in ISO 8601."""
    echo(*render_json(value))


def print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], empty: str) -> None:
    """Prints rows under a header line, each column as wide as its widest value; `empty` if there are no rows."""
    if not rows:
        echo(empty)
        return
    cells = [[_cell(row[column]) for column in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    lines = ([*columns], *cells)
    echo(*("  ".join(cell.ljust(n) for cell, n in zip(line, widths, strict=True)).rstrip() for line in lines))


def _cell(value: Any) -> str:
    return "-" if value is None else "yes" if value is True else "no" if value is False else str(value)

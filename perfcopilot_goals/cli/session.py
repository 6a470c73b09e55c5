"""What the commands share: the settings, the database, the Dagster instance, and how things are printed."""

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from perfcopilot_goals.cli.terminal import echo, render_json
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.settings import Settings, load_settings
from perfcopilot_goals.startup import starting

if TYPE_CHECKING:
    import dagster as dg

    from perfcopilot_goals.storage.database import Database

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Session:
    """One invocation of the command line."""

    def __init__(self, debug: bool) -> None:
        self.debug = debug

    @cached_property
    def settings(self) -> Settings:
        return load_settings()

    @cached_property
    def database(self) -> "Database":
        """The database in use, started and migrated if need be."""
        from perfcopilot_goals.services.databases import open_database
        from perfcopilot_goals.storage.migrate import ensure_migrated

        database = open_database(self.settings)
        ensure_migrated(database)
        return database

    @contextmanager
    def instance(self) -> Iterator["dg.DagsterInstance"]:
        """The Dagster instance of this checkout, or of DAGSTER_HOME where that is set."""
        assert self.database  # fails here, in a second and in our words, rather than in Dagster's
        if not self.settings.dagster_home.is_dir():
            raise GoalsConfigError(f"DAGSTER_HOME is {self.settings.dagster_home}, and there is no such folder")
        os.environ["DAGSTER_HOME"] = str(self.settings.dagster_home)
        if not self.debug:
            # Previews and betas of Dagster that we use on purpose; the tests look at them.
            warnings.simplefilter("ignore")
        with starting():
            import dagster as dg

            instance = dg.DagsterInstance.get()
        with instance:
            yield instance


def print_json(value: Any) -> None:
    """JSON on stdout, which parses to the value again; moments and dates in ISO 8601."""
    echo(*render_json(value))


def print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], empty: str) -> None:
    """Rows under a header line, columns padded to their widest value; `empty` where there are none."""
    if not rows:
        echo(empty)
        return
    cells = [[_cell(row[column]) for column in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    lines = ([*columns], *cells)
    echo(*("  ".join(cell.ljust(n) for cell, n in zip(line, widths, strict=True)).rstrip() for line in lines))


def _cell(value: Any) -> str:
    return "-" if value is None else "yes" if value is True else "no" if value is False else str(value)

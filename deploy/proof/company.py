"""The companies of the proof, with one workspace, one token and one connection each; and what their tables hold.

Every company has another size, so that rows in the wrong connection would show.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.domain.sync import SLICE_TABLES
from perfcopilot_goals.sandbox import World, generated_world
from perfcopilot_goals.schemas.tables import own_columns
from perfcopilot_goals.storage.connections import add_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import import_employees
from perfcopilot_goals.storage.migrate import ensure_migrated

Content = Mapping[str, list[tuple[Any, ...]]]


def names(count: int) -> list[str]:
    """The names of the connections, which are also the names of their token files."""
    return [f"company-{number:03d}" for number in range(1, count + 1)]


def world_of(number: int) -> World:
    """The workspace of the connection with that number."""
    return generated_world(goals=40 + number, people=5, workspace_gid=f"12{number:014d}", subgoals=20)


def token_of(name: str) -> str:
    """The connection's token."""
    return f"token-of-{name}"


def write_tokens(folder: Path, connections: list[str]) -> None:
    """Write a file for each token, readable by its owner only."""
    folder.mkdir(mode=0o700)
    for name in connections:
        (folder / name).touch(0o600)
        (folder / name).write_text(token_of(name))


def connect(url: str, base_url: str, tokens: Path, connections: list[str]) -> None:
    """Make the tables, and add every connection with its roster."""
    database = Database(url)
    ensure_migrated(database)
    with database.connect("connecting the companies") as conn:
        for number, name in enumerate(connections, 1):
            world = world_of(number)
            row = Connection(name, world.workspace_gid, f"file:{tokens / name}", base_url, 60_000, "auto", enabled=True)
            add_connection(conn, row)
            people = [Employee(e.employee_id, e.full_name, e.email, e.asana_user_gid) for e in world.roster]
            import_employees(conn, name, people)


def content(url: str) -> Content:
    """Every row of the five tables, without the moment and the run of its write."""
    with psycopg.connect(url) as conn:
        return {
            table: conn.execute(
                f"select connection, {', '.join(own_columns(table))} from perfcopilot_goals.{table} order by 1, 2, 3, 4"
            ).fetchall()
            for table in SLICE_TABLES
        }


def incomplete(url: str, connections: list[str]) -> list[str]:
    """What the sync log says is not complete, and what it says differently from the tables, by connection."""
    wrong = []
    with psycopg.connect(url) as conn:
        for name in connections:
            states = conn.execute(
                "select state, run_id, counts -> 'tables' from perfcopilot_goals.syncs where connection = %s "
                "order by started_at",
                [name],
            ).fetchall()
            if not states or states[-1][0] != "complete" or "running" in [state for state, *_ in states]:
                wrong.append(f"{name}: {[state for state, *_ in states]}")
            # The last write of a table in the sync log must name the same run and number as the rows do.
            written = {
                table: (run, entry["rows"]) for _, run, tables in states for table, entry in (tables or {}).items()
            }
            for table in SLICE_TABLES:
                rows = conn.execute(
                    f"select run_id, count(*) from perfcopilot_goals.{table} where connection = %s group by 1", [name]
                ).fetchall()
                if rows != [written.get(table)]:
                    wrong.append(f"{name}: {table} has {rows}, the sync log says {written.get(table)}")
    return wrong

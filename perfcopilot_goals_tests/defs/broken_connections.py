"""Six connections, broken in six ways, among 25 that work; and what the table of all connections says about them.

Two tests have them: one in this process, and one on the running service.
"""

from typing import Any

import psycopg

SET = "connection set {name} --workspace-gid GID, or the job set_workspace in the UI"
# What is wrong, the error's class in the table, and the remedy beside it.
BROKEN = {
    "wrong-gid": ("GoalsConfigError", f"Set the right one: perfcopilot-goals {SET}"),
    "no-gid": ("GoalsConfigError", f"Set it: perfcopilot-goals {SET}"),
    "no-roster": ("GoalsConfigError", "Import one: perfcopilot-goals employee import {name} FILE.csv"),
    "no-token": ("GoalsConfigError", "connection set {name} --token-ref env:NAME"),
    "refused-token": ("AsanaAccessError", "Renew the token that the connection's token_ref names"),
    "asana-down": ("AsanaUnavailableError", "Try again later"),
}
# How the settings of each differ from one that works. Beside it, `no-roster` has no employees.
SETTINGS: dict[str, dict[str, Any]] = {
    "wrong-gid": {"workspace_gid": "404"},
    "no-gid": {"workspace_gid": None},
    "no-roster": {},
    "no-token": {"token_ref": "env:UNSET_TOKEN"},
    "refused-token": {"token_ref": "env:REFUSED_TOKEN"},
}
WORKING = [f"works-{number:02}" for number in range(25)]


def remove_roster(url: str) -> None:
    """Leave `no-roster` without employees."""
    with psycopg.connect(url) as conn:
        conn.execute("delete from perfcopilot_goals.employees where connection = 'no-roster'")


def copy_sync(url: str, name: str) -> None:
    """As if every connection that works had been synced as this one was: Dagster takes seconds for each."""
    columns = "synced_at, started_at, finished_at, state, error_code, requests, throttled, subgoal_route, counts"
    taken = ", ".join(f"s.{column}" for column in columns.split(", "))
    with psycopg.connect(url) as conn:
        conn.execute(
            f"insert into perfcopilot_goals.syncs (connection, run_id, {columns}) select c.connection, s.run_id, "
            f"{taken} from perfcopilot_goals.connections c, perfcopilot_goals.syncs s "
            "where s.connection = %s and c.connection like 'works-%%' on conflict do nothing",
            [name],
        )


def rows_of(table: str) -> dict[str, list[str]]:
    """The cells of the table by connection."""
    lines = [line[2:-2].split(" | ") for line in table.split("\n")[2:]]
    return {name: cells for name, *cells in lines}

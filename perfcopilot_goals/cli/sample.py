"""The sample company as a connection, for `demo` and `dev`."""

import secrets
from typing import TYPE_CHECKING

import click

from perfcopilot_goals.cli.session import Session
from perfcopilot_goals.settings import make_home

if TYPE_CHECKING:
    from perfcopilot_goals.sandbox import Sandbox

DEMO = "demo"
# Employees of the sample company whose blocks show what a block can be.
SHOWN = {
    "E020": "a few goals",
    "E013": "key results, some of them a colleague's",
    "E005": "names that try to forge the block",
    "E003": "more goals than the cap",
    "E015": "no goals",
}
LINES_SHOWN = 16


class Sample:
    """The connection `demo`, which points to a sandbox of this process."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._token_file = make_home(session.settings) / "sandbox-token"

    def token(self) -> str:
        """The sandbox's token: a secret like any other, so that the demo handles it like one."""
        if not self._token_file.exists():
            self._token_file.touch(0o600)
            self._token_file.write_text(f"{secrets.token_urlsafe(24)}\n")
        return self._token_file.read_text().strip()

    def connect(self, asana: "Sandbox") -> bool:
        """Point the connection to the sandbox and fill its roster; returns whether it was never synced before."""
        from perfcopilot_goals.core.roster import parse_roster
        from perfcopilot_goals.core.roster_changes import plan_import
        from perfcopilot_goals.defs.partitions import register_partitions
        from perfcopilot_goals.sandbox import roster_csv
        from perfcopilot_goals.schemas.rows import Connection
        from perfcopilot_goals.storage.connections import (
            add_connection,
            has_connection,
            set_connection,
        )
        from perfcopilot_goals.storage.employees import import_employees, read_employees
        from perfcopilot_goals.storage.ledger import read_last_sync

        token_ref, gid = f"file:{self._token_file}", asana.world.workspace_gid
        with self._session.database.connect("setting the demo up") as database:
            if not has_connection(database, DEMO):
                # The sandbox has no limit; at a real token's 1,500 a minute the demo would take half a minute.
                row = Connection(DEMO, gid, token_ref, asana.base_url, 60_000, "auto", enabled=True)
                add_connection(database, row)
            set_connection(database, DEMO, {"base_url": asana.base_url, "token_ref": token_ref})
            # Who was mapped since, as by employee suggest, stays so.
            changes = plan_import(read_employees(database, DEMO), parse_roster(roster_csv(asana.world)).lines)
            import_employees(database, DEMO, changes.written)
            is_new = read_last_sync(database, DEMO, "complete") is None
        with self._session.instance() as instance:
            register_partitions(instance, [DEMO])
        return is_new


def show_blocks(session: Session) -> None:
    """Print some of the stored blocks, long ones with their middle left out, and what to do next."""
    from perfcopilot_goals.storage.overview import read_block

    for employee_id, what in SHOWN.items():
        with session.database.connect("reading a block") as database:
            lines = read_block(database, DEMO, employee_id).block.split("\n")
        click.echo(f"\n{employee_id}: {what}")
        left_out = len(lines) - LINES_SHOWN
        if left_out > 1:
            lines[LINES_SHOWN // 2 : -LINES_SHOWN // 2] = [f"  … {left_out} lines more …"]
        click.echo("\n".join(lines))
    click.echo("\nLook on: perfcopilot-goals prompt demo E003, status, employee unmapped demo; make dev opens the UI.")

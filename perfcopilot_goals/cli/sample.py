"""The sample company as a connection for `demo` and `dev`, and for `dev` a broken one to play with."""

import secrets
from typing import TYPE_CHECKING

from perfcopilot_goals.cli.session import Session
from perfcopilot_goals.cli.terminal import echo
from perfcopilot_goals.settings import make_token_folder

if TYPE_CHECKING:
    from perfcopilot_goals.sandbox import Sandbox

DEMO = "demo"
# For `dev`: a connection to see fail, to mend, and to see heal.
BROKEN = "demo-wrong-gid"
WRONG_GID = "1200000000000404"
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
    """The connections of the sample company, which point to a sandbox of this process."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._token_file = make_token_folder(session.settings) / "sandbox"

    def token(self) -> str:
        """The sandbox's token: a secret like any other, so that the demo handles it like one."""
        if not self._token_file.exists():
            self._token_file.touch(0o600)
            self._token_file.write_text(f"{secrets.token_urlsafe(24)}\n")
        return self._token_file.read_text().strip()

    def connect(self, asana: "Sandbox", *, with_broken: bool = False) -> tuple[str, ...]:
        """Point the sample's connections to the sandbox and fill their roster; returns those that were never synced.

        With `with_broken` there is a second one, whose workspace GID is wrong on purpose. Who mended it keeps it so.
        """
        from perfcopilot_goals.core.roster import parse_flawless_roster
        from perfcopilot_goals.domain.connection import Connection
        from perfcopilot_goals.sandbox import roster_csv
        from perfcopilot_goals.storage.connections import add_connection, has_connection, set_connection
        from perfcopilot_goals.storage.employees import import_employees
        from perfcopilot_goals.storage.sync_log import read_last_sync

        token_ref, gid = f"file:{self._token_file}", asana.world.workspace_gid
        wanted = {DEMO: gid} | ({BROKEN: WRONG_GID} if with_broken else {})
        new = []
        with self._session.database.connect("setting the demo up") as database:
            for name, workspace_gid in wanted.items():
                if not has_connection(database, name):
                    # The sandbox has no limit; at a real token's 1,500 a minute the demo would take half a minute.
                    row = Connection(name, workspace_gid, token_ref, asana.base_url, 60_000, "auto", enabled=True)
                    add_connection(database, row)
                    import_employees(database, name, parse_flawless_roster(roster_csv(asana.world)))
                set_connection(database, name, {"base_url": asana.base_url, "token_ref": token_ref})
                if read_last_sync(database, name) is None:
                    new.append(name)
        return tuple(new)


def show_blocks(session: Session) -> None:
    """Print some of the stored blocks, long ones with their middle left out, and what to do next."""
    from perfcopilot_goals.storage.overview import read_block

    for employee_id, what in SHOWN.items():
        with session.database.connect("reading a block") as database:
            lines = read_block(database, DEMO, employee_id).block.split("\n")
        echo("", f"{employee_id}: {what}")
        left_out = len(lines) - LINES_SHOWN
        if left_out > 1:
            lines[LINES_SHOWN // 2 : -LINES_SHOWN // 2] = [f"  … {left_out} lines more …"]
        echo(*lines)
    echo("", "Look on: perfcopilot-goals prompt demo E003, status, employee unmapped demo; make dev opens the UI.")

"""The sample company as a connection for `demo` and `dev`, and for `dev` a broken one to play with."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from perfcopilot_goals import services
from perfcopilot_goals.cli.session import Session
from perfcopilot_goals.cli.terminal import echo
from perfcopilot_goals.domain.web_address import is_loopback
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.sandbox import Sandbox, roster_csv, sample_company
from perfcopilot_goals.settings import make_token_folder

DEMO = "demo"
# For `dev`: a connection that fails, to be corrected and then seen working.
BROKEN = "demo-wrong-gid"
WRONG_GID = "1200000000000404"
# Employees of the sample company. Their blocks show what a block can be.
SHOWN = {
    "E020": "a few goals",
    "E013": "key results, some of them a colleague's",
    "E005": "names that try to forge the block",
    "E003": "more goals than the cap",
    "E015": "no goals",
}
LINES_SHOWN = 16


@contextmanager
def open_sample(session: Session, *, with_broken: bool = False) -> Iterator[tuple[Sandbox, tuple[str, ...]]]:
    """Serves the sample company, connected and with its roster; yields it and the connections never synced.

    With `with_broken` there is a second one. Its workspace GID is wrong on purpose; once corrected it stays so.
    `GoalsConfigError` if a connection has one of their names and is not the sample's.
    """
    token_file = make_token_folder(session.settings) / "sandbox"
    if not token_file.exists():
        # A secret like any other, so that the demo handles it like one.
        token_file.touch(0o600)
        token_file.write_text(f"{secrets.token_urlsafe(24)}\n")
    with Sandbox(sample_company(), token=token_file.read_text().strip()) as asana:
        wanted = {DEMO: asana.world.workspace_gid} | ({BROKEN: WRONG_GID} if with_broken else {})
        _connect(session, wanted, asana, {"base_url": asana.base_url, "token_ref": f"file:{token_file}"})
        yield asana, tuple(name for name in services.status.find_never_synced(session.database) if name in wanted)


def _connect(session: Session, wanted: Mapping[str, str], asana: Sandbox, address: Mapping[str, str]) -> None:
    """Points connections with these workspace GIDs to the sandbox, and fills their rosters."""
    database, settings = session.database, session.settings
    existing = {connection.connection: connection for connection in services.connections.list_connections(database)}
    for name in wanted:
        if name in existing and not is_loopback(urlsplit(existing[name].base_url).hostname or ""):
            raise GoalsConfigError(
                f"connection {name} is not the sample's, so nothing was changed",
                connection=name,
                action="Use another database for the sample, or leave it out: perfcopilot-goals dev --no-demo",
            )
    for name, workspace_gid in wanted.items():
        if name in existing:
            services.connections.change_connection(database, settings, name, address)
        else:
            # The sandbox has no limit; at a real token's 1,500 a minute the demo would take half a minute.
            given = {"workspace_gid": workspace_gid, "requests_per_minute": 60_000, **address}
            services.connections.create_connection(database, settings, name, given)
        # Also if an earlier demo was killed before this.
        if not services.roster.list_employees(database, name):
            services.roster_import.import_roster(database, name, roster_csv(asana.world))


def show_blocks(session: Session) -> None:
    """Prints some of the stored blocks, long ones without their middle, and what to do next."""
    for employee_id, what in SHOWN.items():
        lines = services.prompts.find_prompt(session.database, DEMO, employee_id).stored.block.split("\n")
        echo("", f"{employee_id}: {what}")
        left_out = len(lines) - LINES_SHOWN
        if left_out > 1:
            lines[LINES_SHOWN // 2 : -LINES_SHOWN // 2] = [f"  … {left_out} lines more …"]
        echo(*lines)
    echo(
        "",
        "Next: perfcopilot-goals prompt demo E003, status, employee unmapped demo. "
        "make dev opens the UI and the admin page.",
    )

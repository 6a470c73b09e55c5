"""`admin`: serves the admin page, and does for it what needs Dagster."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from perfcopilot_goals.cli.instance import open_partitions
from perfcopilot_goals.cli.ports import LOOPBACK, check_port
from perfcopilot_goals.cli.session import Session, pass_session
from perfcopilot_goals.cli.terminal import echo
from perfcopilot_goals.domain.web_address import is_loopback
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.startup import starting

PORT = 3001
PROXY_SECRET_CHARS = 16


@click.command("admin")
@click.option("--port", type=click.IntRange(1, 65535), default=PORT, show_default=True)
@click.option("--host", default=LOOPBACK, show_default=True, help="Other than loopback only behind a login proxy.")
@pass_session
def admin(session: Session, port: int, host: str) -> None:
    """Serve the admin page until interrupted: connections, employees, goals and syncs in the browser.

    Prints a link that lets one browser in. Behind a login proxy, the proxy says who is who.
    """
    secret = session.settings.admin_proxy_secret
    if secret is not None and len(secret) < PROXY_SECRET_CHARS:
        raise GoalsConfigError(
            f"PERFCOPILOT_ADMIN_PROXY_SECRET is shorter than {PROXY_SECRET_CHARS} characters, so it could be guessed",
            action="Make one with openssl rand -hex 32, and give it to the login proxy, too",
        )
    if secret is None and not is_loopback(host):
        raise GoalsConfigError(
            f"the admin page does not listen on {host} without a login in front of it",
            action="Set PERFCOPILOT_ADMIN_PROXY_SECRET and put a login proxy before it, or leave out --host",
        )
    check_port(port, "admin --port N", host)
    with starting():
        # Here, so that `--help` waits for neither the web framework nor SQLAlchemy.
        from perfcopilot_goals.admin.app import build_server  # noqa: PLC0415

    build_server(session.database, session.settings, PageDagster(session), host, port, echo).run()


class PageDagster:
    """What the page needs of Dagster.

    A sync is this program's own `sync` command, as a process of its own. So it runs the same with and without a daemon,
    goes on when the page is stopped, and shows in Dagster's UI as any other.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._starting = threading.Lock()
        self._partitions = threading.Lock()
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start_sync(self, connection: str, record: Callable[[], None]) -> bool:
        """Record that a sync starts, and start it; False, and no record, if one that was started here still runs."""
        with self._starting:
            earlier = self._running.get(connection)
            if earlier is not None and earlier.poll() is None:
                return False
            record()
            command = [sys.executable, "-m", "perfcopilot_goals.cli", "sync", connection]
            self._running[connection] = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        return True

    @contextmanager
    def open_partitions(self) -> Iterator[Callable[..., None]]:
        """As the command line does."""
        with self._partitions, open_partitions(self._session) as set_partition:
            yield set_partition

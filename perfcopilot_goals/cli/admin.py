"""Commands for the person who runs the installation: the admin page, old history, the database and its roles."""

import datetime as dt
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

import click

from perfcopilot_goals import services
from perfcopilot_goals.cli.instance import open_history, open_instance, open_partitions
from perfcopilot_goals.cli.ports import LOOPBACK, check_port
from perfcopilot_goals.cli.session import Session, as_json, pass_session, print_json
from perfcopilot_goals.cli.terminal import echo
from perfcopilot_goals.core.retention import cutoff_of
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


@click.command("retention")
@click.option("--days", required=True, type=int, metavar="N", help="Keep what ended in the last N days, at least 1.")
@click.option("--dry-run", is_flag=True, help="Count what would be deleted, and delete nothing.")
@as_json
@pass_session
def retention(session: Session, days: int, dry_run: bool, as_json: bool) -> None:
    """Delete old history: the sync log, Dagster's runs with their events, ticks of sensors and schedules, and what
    those runs printed.

    Blocks and goals are those of the last sync. They stay, with the history that they came from.
    """
    cutoff = cutoff_of(days, dt.datetime.now(dt.UTC))
    with open_history(session) as history:
        done = services.retention.purge(history, session.database, session.settings, cutoff, dry_run=dry_run)
    if as_json:
        print_json({"before": cutoff, "dry_run": dry_run, **asdict(done)})
    else:
        verb = "Would delete" if dry_run else "Deleted"
        echo(
            f"{verb} {done.syncs} syncs, {done.runs} runs, {done.ticks} ticks and {done.files} files "
            f"from before {cutoff:%Y-%m-%d}."
        )


@click.command("grants")
@click.option("--print", "is_printed", is_flag=True, help="Print the SQL, without asking the database.")
@click.option("--apply", "is_applied", is_flag=True, help="Migrate the tables, then run the SQL.")
@click.option("--prefix", default="perfcopilot", show_default=True, help="What the roles' names begin with.")
@click.option("--mapping-by-loader", is_flag=True, help="Let the job match_employees map employees to Asana users.")
@pass_session
def grants(session: Session, is_printed: bool, is_applied: bool, prefix: str, mapping_by_loader: bool) -> None:
    """Print or make six roles: owner, loader, application, analyst, administrator, manager. Repeat after an upgrade.

    The owner migrates and changes connections and the roster. The loader syncs and sets a connection's workspace. The
    application reads blocks and goals, the analyst counts. The admin page runs as administrator, or as manager if it is
    for managers only. The roles have no login: make your logins members of them. Without --mapping-by-loader, that
    right is taken back from the loader.
    """
    if is_printed == is_applied:
        raise click.UsageError("say --print or --apply")
    sql = services.databases.render_grants(prefix, mapping_by_loader=mapping_by_loader)
    if is_printed:
        echo(*sql.rstrip("\n").split("\n"))
        return
    services.databases.check_has_roles(session.settings)
    # Dagster creates its tables when it is opened, and the loader must not create any.
    with open_instance(session):
        roles = services.databases.make_roles(session.database, prefix, mapping_by_loader=mapping_by_loader)
    echo(f"Granted to {', '.join(roles)}.")


@click.command("database-url")
@as_json
@pass_session
def database_url(session: Session, as_json: bool) -> None:
    """Print the URL of the database in use, password included. Starts the local Postgres, which then keeps running."""
    is_local = session.settings.database_url is None
    if is_local:
        services.databases.keep_running(session.settings)
    # A configured one need not be there to say where it is.
    url = session.database.url if is_local else services.databases.open_database(session.settings).url
    if as_json:
        print_json({"url": url, "own": is_local})
    else:
        echo(url)


@click.command("database-stop")
@click.option("--delete", is_flag=True, help="Delete its data, and as root its folder outside the checkout, too.")
@pass_session
def database_stop(session: Session, delete: bool) -> None:
    """Stop the local Postgres. Its data stays, unless you say --delete."""
    if delete:
        services.databases.remove_local_postgres(session.settings)
        echo("Deleted the local Postgres.")
    elif services.databases.stop_local_postgres(session.settings):
        echo("Stopped the local Postgres.")
    else:
        echo("The local Postgres was not running.")

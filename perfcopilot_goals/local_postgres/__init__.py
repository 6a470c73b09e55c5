"""The Postgres that runs when none is configured. Its first user starts it, and its last user stops it.

Add here what the rest of the product needs from it. `users` counts its users, `process` asks, starts and stops it,
`programs` has its binaries, and `files` its folders.

The UI, the daemon, the run workers and the command line share one server. A process becomes a user when it asks for
the URL, and stays one until it exits. If a signal ends it, SIGTERM included, it cannot stop the server; the next user
that exits does. A forked child is a user only once it asks. Its exit never counts as its parent's.

After `keep_running` only `stop_local_postgres` stops the server. A file records that, so it outlives a reboot.
"""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

from perfcopilot_goals.errors import GoalsStoreError
from perfcopilot_goals.local_postgres import process
from perfcopilot_goals.local_postgres.files import OUTSIDE, ServerFiles, claim, locate, make_folders, write_private
from perfcopilot_goals.local_postgres.locks import locked
from perfcopilot_goals.local_postgres.programs import initialise
from perfcopilot_goals.local_postgres.users import become_user, process_lock, start_locked
from perfcopilot_goals.settings import Settings

__all__ = ["keep_running", "local_database_url", "remove_local_postgres", "stop_local_postgres"]

DATABASE = "perfcopilot"


def local_database_url(settings: Settings) -> str:
    """The URL of the local Postgres' database. The server runs from now on, at least until this process ends."""
    with process_lock, _as_store_errors():
        files = locate(settings)
        make_folders(settings, files)
        become_user(files)
        response, port = process.ask(files, DATABASE)
        if response != "serves":
            with locked(files.start_lock):
                port = _serve(files)
        return f"postgresql://postgres:{files.password()}@127.0.0.1:{port}/{DATABASE}"


def keep_running(settings: Settings) -> None:
    """From now on only `stop_local_postgres` stops the server, not the exit of its last user. Starts nothing."""
    with process_lock, _as_store_errors():
        files = locate(settings)
        make_folders(settings, files)
        with locked(files.start_lock):
            files.keep_marker.touch(mode=0o600)


def stop_local_postgres(settings: Settings) -> bool:
    """Stop the server even if it has users, and undo `keep_running`. Returns whether anything ran."""
    with process_lock, _as_store_errors():
        files = locate(settings)
        with start_locked(files):
            return _stop(files)


def remove_local_postgres(settings: Settings) -> None:
    """Stop the server and delete all of its files, the database too, inside the home and outside."""
    with process_lock, _as_store_errors():
        files = locate(settings)
        with start_locked(files):
            _stop(files)
            for folder in {files.base, files.notes}:
                if folder.exists():
                    shutil.rmtree(folder)
        if files.base != files.notes:
            with suppress(OSError):  # it holds other homes, or never existed
                OUTSIDE.rmdir()


def _serve(files: ServerFiles) -> int:
    """The server's port. Waits for a server that is coming up or recovering; starts one if none runs."""
    if not claim(files):
        # This data belonged to an earlier home at this path, which was deleted. Its password went with it.
        _stop(files)
        shutil.rmtree(files.data)
        claim(files)
    response, port = process.ask(files)
    if response != "serves":
        port = process.wait_until_serving(files)
    if not port:
        if not files.data.exists():
            if not files.password():
                write_private(files.password_file, secrets.token_urlsafe(32))
            initialise(files, files.password())
        port = process.start(files)
    with process.connect(files, port) as conn:
        if conn.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone() is None:
            conn.execute(f"create database {DATABASE}")
    return port


def _stop(files: ServerFiles) -> bool:
    files.keep_marker.unlink(missing_ok=True)
    ran = process.is_alive(files) or process.ask(files)[0] == "serves"
    if ran:
        process.stop(files)
    return ran


@contextmanager
def _as_store_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise GoalsStoreError(f"local Postgres: {error.filename}: {error.strerror}", "58030") from None
    except psycopg.Error as error:
        raise GoalsStoreError("local Postgres: setting up its database failed", error.sqlstate or "") from None

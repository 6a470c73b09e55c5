"""The Postgres that runs when none is configured: started by whoever needs it first, stopped by the last one out.

Add here what the rest of the product asks of it. Who uses it is in `users`, what is done to it in `process`, what it is
told in `launch`, with which programs in `programs`, where it is in `files`.

The UI, the daemon, the run workers and the command line share one server, and a process that asked for its URL is a
user of it until it exits. One that a signal ends, SIGTERM too, cannot stop it: then the server stays, without users,
until the next user exits. A forked child is a user only once it asks, and never stops the server in its parent's name.

After `keep_running` nothing stops the server but `stop_local_postgres`. That is a file, and so outlives a reboot.
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
from perfcopilot_goals.local_postgres.users import become_user, one_at_a_time, turn
from perfcopilot_goals.settings import Settings

__all__ = ["is_running", "keep_running", "local_database_url", "remove_local_postgres", "stop_local_postgres"]

DATABASE = "perfcopilot"


def local_database_url(settings: Settings) -> str:
    """The URL of the own server's database, which serves when this returns and from then on until this process ends."""
    with one_at_a_time, _told_as_store_errors():
        files = locate(settings)
        make_folders(settings, files)
        become_user(files)
        answer, port = process.ask(files, DATABASE)
        if answer != "serves":
            with locked(files.start_lock):
                port = _serve(files)
        return f"postgresql://postgres:{files.password()}@127.0.0.1:{port}/{DATABASE}"


def is_running(settings: Settings) -> bool:
    """Whether the own server runs, also while it starts or stops. Does not make this process a user of it."""
    with _told_as_store_errors():
        return _runs(locate(settings))


def keep_running(settings: Settings) -> None:
    """From now on nobody's exit stops the server, only `stop_local_postgres` does. Starts nothing."""
    with one_at_a_time, _told_as_store_errors():
        files = locate(settings)
        make_folders(settings, files)
        with locked(files.start_lock):
            files.keep_marker.touch(mode=0o600)


def stop_local_postgres(settings: Settings) -> bool:
    """Stop the server whoever uses it, and forget that it was to be kept; whether anything ran."""
    with one_at_a_time, _told_as_store_errors():
        files = locate(settings)
        with turn(files):
            return _stop(files)


def remove_local_postgres(settings: Settings) -> None:
    """Stop the server and delete everything of it, the database too, inside the home and outside."""
    with one_at_a_time, _told_as_store_errors():
        files = locate(settings)
        with turn(files):
            _stop(files)
            for folder in {files.base, files.notes}:
                if folder.exists():
                    shutil.rmtree(folder)
        if files.base != files.notes:
            with suppress(OSError):  # other homes are in it, or it never was
                OUTSIDE.rmdir()


def _serve(files: ServerFiles) -> int:
    """The port of the server: of one that is coming up or that crashed and came back, or of one started now."""
    if not claim(files):
        _stop(files)
        shutil.rmtree(files.data)
        claim(files)
    answer, port = process.ask(files)
    if answer != "serves":
        port = process.wait_until_serving(files)
    if not port:
        if not files.data.exists():
            if not files.password():
                write_private(files.password_file, secrets.token_urlsafe(32))
            initialise(files, files.password())
        port = process.start(files)
    with process.connect(files, port) as connection:
        if connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone() is None:
            connection.execute(f"create database {DATABASE}")
    return port


def _runs(files: ServerFiles) -> bool:
    return process.is_alive(files) or process.ask(files)[0] == "serves"


def _stop(files: ServerFiles) -> bool:
    files.keep_marker.unlink(missing_ok=True)
    ran = _runs(files)
    if ran:
        process.stop(files)
    return ran


@contextmanager
def _told_as_store_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise GoalsStoreError(f"local Postgres: {error.filename}: {error.strerror}", "58030") from None
    except psycopg.Error as error:
        raise GoalsStoreError("local Postgres: a statement of its supervisor failed", error.sqlstate or "") from None

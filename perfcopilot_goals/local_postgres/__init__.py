"""The Postgres that runs when none is configured. Its first user starts it, and its last user stops it.

Add here what the rest of the product needs from it, and what concerns this process as one user among several. `process`
asks, starts and stops the server, `programs` has its binaries, `files` its folders, and `locks` what locks them.

The UI, the daemon, the run workers and the command line share one server. A process becomes a user when it asks for
the URL, and stays one until it exits. If a signal ends it, SIGTERM included, it cannot stop the server; the next user
that exits does. A forked child is a user only once it asks. Its exit never counts as its parent's.

The kernel counts the users: each holds a shared lock on one file until it ends, so a crash leaves no wrong count. A
process that exits takes the start lock and then tries for the exclusive lock on that file. If it gets it, it was the
last user, and it stops the server.

After `keep_running` only `stop_local_postgres` stops the server. A file records that, so it outlives a reboot.
"""

import atexit
import fcntl
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress

import psycopg

from perfcopilot_goals.errors import GoalsError, GoalsStoreError
from perfcopilot_goals.local_postgres import process
from perfcopilot_goals.local_postgres.files import OUTSIDE, ServerFiles, claim, locate, make_folders, write_private
from perfcopilot_goals.local_postgres.locks import is_at, lock, locked, unlock
from perfcopilot_goals.local_postgres.programs import initialise
from perfcopilot_goals.settings import Settings

__all__ = ["keep_running", "local_database_url", "remove_local_postgres", "stop_local_postgres"]

DATABASE = "perfcopilot"

_process_lock = threading.RLock()
_held: dict[ServerFiles, int] = {}


def local_database_url(settings: Settings) -> str:
    """The URL of the local Postgres' database. The server runs from now on, at least until this process ends."""
    with _located(settings) as files:
        make_folders(settings, files)
        _become_user(files)
        response, port = process.ask(files, DATABASE)
        if response != "serves":
            with locked(files.start_lock):
                port = _serve(files)
        return f"postgresql://postgres:{files.password()}@127.0.0.1:{port}/{DATABASE}"


def keep_running(settings: Settings) -> None:
    """From now on only `stop_local_postgres` stops the server, not the exit of its last user. Starts nothing."""
    with _located(settings) as files:
        make_folders(settings, files)
        with locked(files.start_lock):
            files.keep_marker.touch(mode=0o600)


def stop_local_postgres(settings: Settings) -> bool:
    """Stop the server even if it has users, and undo `keep_running`. Returns whether anything ran."""
    with _located(settings) as files, _start_locked(files):
        return _stop(files)


def remove_local_postgres(settings: Settings) -> None:
    """Stop the server and delete all of its files, the database too, inside the home and outside."""
    with _located(settings) as files:
        with _start_locked(files):
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
def _located(settings: Settings) -> Iterator[ServerFiles]:
    """This home's server, for one thread at a time. Failures become errors of ours."""
    with _process_lock:
        try:
            yield locate(settings)
        except OSError as error:
            raise GoalsStoreError(f"local Postgres: {error.filename}: {error.strerror}", "58030") from None
        except psycopg.Error as error:
            raise GoalsStoreError("local Postgres: setting up its database failed", error.sqlstate or "") from None


def _become_user(files: ServerFiles) -> None:
    """Count this process among the users until it ends."""
    held = _held.get(files)
    if held is not None and not is_at(held, files.users_lock):
        # The home was deleted and made anew: other users lock the new file.
        unlock(_held.pop(files))
        held = None
    if held is None:
        _held[files] = lock(files.users_lock, fcntl.LOCK_SH)
        atexit.unregister(_leave)
        atexit.register(_leave)


def _start_locked(files: ServerFiles) -> AbstractContextManager[object]:
    """The start lock; nothing to lock if there is no home yet."""
    return locked(files.start_lock) if files.notes.exists() else nullcontext()


def _leave() -> None:
    while _held:
        files, held = _held.popitem()
        # If anything goes wrong here, the exit of the next user is another chance.
        with suppress(GoalsError, OSError), _start_locked(files):
            if files.notes.exists() and not is_at(held, files.users_lock):
                continue  # the home was made anew; its server belongs to its own users
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if process.is_alive(files) and not files.keep_marker.exists():
                    process.stop(files)
            finally:
                # Under the start lock: of two users that exit together, the second must find the file free.
                unlock(held)


def _forget_in_child() -> None:
    _held.clear()
    _process_lock.release()


# A child is no user until it asks, and must not leave in its parent's name. The lock keeps forks out of a start.
os.register_at_fork(
    before=_process_lock.acquire, after_in_parent=_process_lock.release, after_in_child=_forget_in_child
)

"""Who uses the local Postgres, and what the last user does when it exits.

Add here what concerns this process as one user among several. `process` acts on the server.

The kernel counts the users: each holds a shared lock on one file until it ends, so a crash leaves no wrong count. A
process that exits takes the start lock and then tries for the exclusive lock on that file. If it gets it, it was the
last user, and it stops the server.
"""

import atexit
import fcntl
import os
import threading
from contextlib import AbstractContextManager, nullcontext, suppress

from perfcopilot_goals.errors import GoalsError
from perfcopilot_goals.local_postgres import process
from perfcopilot_goals.local_postgres.files import ServerFiles
from perfcopilot_goals.local_postgres.locks import is_at, lock, locked, unlock

process_lock = threading.RLock()
_held: dict[ServerFiles, int] = {}


def become_user(files: ServerFiles) -> None:
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


def start_locked(files: ServerFiles) -> AbstractContextManager[object]:
    """The start lock; nothing to lock if there is no home yet."""
    return locked(files.start_lock) if files.notes.exists() else nullcontext()


def _leave() -> None:
    while _held:
        files, held = _held.popitem()
        # If anything goes wrong here, the exit of the next user is another chance.
        with suppress(GoalsError, OSError), start_locked(files):
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
    process_lock.release()


# A child is no user until it asks, and must not leave in its parent's name. The lock keeps forks out of a start.
os.register_at_fork(before=process_lock.acquire, after_in_parent=process_lock.release, after_in_child=_forget_in_child)

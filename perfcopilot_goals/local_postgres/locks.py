"""The file locks by which processes share the local Postgres.

Add here only what is about locks in general; `files` says which files are locked.

All are flocks: the kernel releases them however a process ends, and they need no `/proc`.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from perfcopilot_goals.errors import GoalsStoreError

# A cold start happens under a lock, so this is longer than one takes on a slow disk.
LOCK_SECONDS = 120.0
# A forked child shares its parent's locks and would hold them after the parent lets go. So it closes these.
_descriptors: set[int] = set()


def lock(path: Path, kind: int) -> int:
    """The descriptor of the locked file. `unlock` releases the lock, and so does the end of the process."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        _descriptors.add(descriptor)
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            if is_at(descriptor, path):
                return descriptor
        except BlockingIOError:
            pass
        except BaseException:
            unlock(descriptor)
            raise
        unlock(descriptor)
        if time.monotonic() > deadline:
            raise GoalsStoreError(
                f"local Postgres: another process held {path} for {LOCK_SECONDS:.0f} seconds; try again"
            )
        time.sleep(0.01)


def unlock(descriptor: int) -> None:
    """Release what `lock` returned."""
    _descriptors.discard(descriptor)
    os.close(descriptor)


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold the file's exclusive lock for the length of the block."""
    descriptor = lock(path, fcntl.LOCK_EX)
    try:
        yield descriptor
    finally:
        unlock(descriptor)


def is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is still the one at that path. Its folder may have been deleted and made anew."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def is_locked(path: Path) -> bool:
    """Whether a process holds the file's exclusive lock. False if there is no file."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _let_go_in_child() -> None:
    while _descriptors:
        os.close(_descriptors.pop())


os.register_at_fork(after_in_child=_let_go_in_child)

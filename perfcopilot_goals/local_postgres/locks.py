"""The file locks on which the processes that share the local Postgres meet.

Add here only what is about locks in general; which files they are on is in `files`.

All are flocks: the kernel gives them back at whatever end a process comes to, and they need no `/proc`.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from perfcopilot_goals.errors import GoalsStoreError

# Longer than a cold start takes on a slow disk, as that happens under a lock.
LOCK_SECONDS = 120.0
# A forked child shares its parent's locks, and would keep them locked after the parent has let go: it closes them.
_descriptors: set[int] = set()


def lock(path: Path, kind: int) -> int:
    """The descriptor of the locked file; `unlock` gives it back, and so does the end of the process."""
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
    """Let go of what `lock` gave."""
    _descriptors.discard(descriptor)
    os.close(descriptor)


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """The block has the file for itself."""
    descriptor = lock(path, fcntl.LOCK_EX)
    try:
        yield descriptor
    finally:
        unlock(descriptor)


def is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is still the one at that path: its folder may have been deleted and made anew."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def is_locked(path: Path) -> bool:
    """Whether some process has the file for itself. No file, no process."""
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

"""What every process of the program does while it starts."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def starting() -> Iterator[None]:
    """Wrap imports in it. What they make stays, so the garbage collector skips it, during the imports and later.

    Scanning it again and again, and once more at exit, took a quarter of the CPU of a sync of fifty goals.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()

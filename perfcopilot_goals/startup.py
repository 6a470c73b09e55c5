"""What every process of the program does while it starts."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def starting() -> Iterator[None]:
    """For imports: what they make stays, and is kept from the garbage collector now and later.

    Looking it through again and again, and once more at the end, took a quarter of the CPU of a sync of fifty goals.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()

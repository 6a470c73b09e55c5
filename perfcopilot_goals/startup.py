"""What every process of the program does while it starts: imports, and as few of them as it needs."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType


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


def import_when_used(package: str) -> Callable[[str], ModuleType]:
    """The `__getattr__` of a package whose modules are imported when they are first used (PEP 562)."""

    def import_(name: str) -> ModuleType:
        module = f"{package}.{name}"
        if name.startswith("_") or find_spec(module) is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        with starting():
            return import_module(module)

    return import_

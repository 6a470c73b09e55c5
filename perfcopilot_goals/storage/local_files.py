"""The files of the local state, where runs print to and Dagster keeps its own: an erasure looks into all of them."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from perfcopilot_goals.settings import Settings


def local_files(settings: Settings) -> Iterator[Path]:
    """Every file of the local state except the local Postgres' and the tokens; links are not followed.

    The local Postgres' data is in the dump that `erasure_scan` searches, and its log quotes no row. A token holds its
    user's GID, and would be broken by stars.
    """
    left_out = (settings.home / "postgres", settings.token_folder)
    for folder, names, files in os.walk(settings.home):
        names[:] = [name for name in names if Path(folder, name) not in left_out]
        yield from (path for name in sorted(files) if (path := Path(folder, name)).is_file() and not path.is_symlink())


def redact_files(settings: Settings, foreign_runs: set[str], mask: Callable[[str], str]) -> int:
    """Rewrite the files that `mask` changes, except those of other connections' runs; returns how many.

    In place and at the same length, because a run may be printing into the file.
    """
    changed = 0
    for path in local_files(settings):
        if foreign_runs.intersection(path.relative_to(settings.home).parts):
            continue
        before = path.read_bytes()
        after = mask(before.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        if after != before:
            with path.open("r+b") as file:
                file.write(after)
            changed += 1
    return changed

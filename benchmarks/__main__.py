"""Runs the named benches, or all of them, and writes their sections of the page.

python -m benchmarks [NAME…] [--quick] [--without asana --without dlt] [--out FOLDER]

Names: loading, pages, history, companies, standing, sizes, fetching.
"""

import argparse
import dataclasses
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import companies, fetching, history, loading, pages, sizes, standing
from benchmarks.contenders import RIVALS, RIVALS_PYTHON
from benchmarks.report import machine, write
from benchmarks.scale import FULL, QUICK, Scale
from benchmarks.workplace import CHECKOUT

Run = Callable[[Scale], Iterator[dict[str, Any]]]

# The quick ones first.
BENCHES: dict[str, tuple[str, Run]] = {
    "loading": (loading.TITLE, loading.run),
    "pages": (pages.TITLE, pages.run),
    "history": (history.TITLE, history.run),
    "companies": (companies.TITLE, companies.run),
    "standing": (standing.TITLE, standing.run),
    "sizes": (sizes.TITLE, sizes.run),
    "fetching": (fetching.TITLE, fetching.run),
}


def main() -> None:
    """Print each row as it comes, and write each section when it is done. A quick run writes it only with `--out`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}; all of them by default")
    parser.add_argument("--quick", action="store_true", help="small sizes: to see whether it runs, not how fast")
    parser.add_argument("--without", action="append", default=[], choices=list(RIVALS), help="leave this one out")
    parser.add_argument("--out", type=Path, help="where to write benchmarks.md")
    given = parser.parse_args()
    if unknown := set(given.names) - set(BENCHES):
        parser.error(f"there is no bench {', '.join(sorted(unknown))}")
    if not Path(RIVALS_PYTHON).exists():
        sys.exit(f"{RIVALS_PYTHON} is missing: make .venv-bench/.ready")
    scale = dataclasses.replace(QUICK if given.quick else FULL, without=frozenset(given.without))
    print(machine(), flush=True)
    out = given.out or (None if given.quick else CHECKOUT / "docs")
    for name in given.names or BENCHES:
        title, run = BENCHES[name]
        print(f"\n{title}", flush=True)
        rows: list[dict[str, Any]] = []
        for row in run(scale):
            rows.append(row)
            print("  " + ", ".join(f"{column} {value}" for column, value in row.items()), flush=True)
        if out:
            write(out, title, rows)


if __name__ == "__main__":
    main()

"""Writes the figures as a page: docs/benchmarks.md."""

import datetime as dt
import math
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.contenders import RIVALS_PYTHON

Rows = Sequence[Mapping[str, Any]]

BAR = "ratio, drawn"

INTRODUCTION = """# What it costs

Written by `make bench`. Every ratio is to a floor of the same run:

- for a fetch, the time that its requests take: first the list page by page, then always 50 in flight. At a rate limit
  it is the time that the limit allows, less the server's burst. dlt asks for sub-goals while it reads the list, and may
  come in below;
- for a workspace without latency, our own fetch;
- for a load, a bare COPY;
- for many connections, the time of one times their number.

The server counts requests and rejected calls; it is a stand-in Asana in its own process, the same for all. Peak memory
is the whole process's, as the kernel counts it. The workspace that is fetched has 2,000 goals, 1,200 of them sub-goals;
each response takes 80 ms. The bars draw the ratios on a logarithmic scale: four blocks are the floor's time, and each
four more mean twice the time.
"""


def write(folder: Path, title: str, rows: Rows) -> None:
    """Write this section of the page in the folder; the page's other sections stay as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "benchmarks.md"
    sections = parse_sections(page.read_text("utf-8")) if page.exists() else {}
    sections[title] = f"{machine()}.\n\n{render(rows)}\n"
    page.write_text("\n".join([INTRODUCTION, *(f"## {name}\n\n{text}" for name, text in sections.items())]), "utf-8")


def parse_sections(page: str) -> dict[str, str]:
    """The text of each section of the page, by title."""
    parts = (part.partition("\n\n") for part in page.split("\n## ")[1:])
    return {title: f"{text.rstrip()}\n" for title, _, text in parts}


def render(rows: Rows) -> str:
    """The rows as a Markdown table, with a bar for each ratio."""
    drawn = [{**row, BAR: _bar(row["ratio"])} if "ratio" in row else row for row in rows]
    columns = list(dict.fromkeys(column for row in drawn for column in row))
    lines = [columns, ["---"] * len(columns), *([_cell(row.get(column)) for column in columns] for row in drawn)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine() -> str:
    """When it was measured, on which machine, with which versions."""
    system = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    processor = next((x for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name")), ": ?")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    ours = [f"{name} {version(name)}" for name in ("dagster", "pandas", "psycopg", "requests")]
    return (
        f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC, {system['PRETTY_NAME'].strip(chr(34))}, {os.cpu_count()} cores "
        f"({processor.partition(': ')[2]}), {memory:.0f} GiB, Python {platform.python_version()}, "
        f"{', '.join(ours + rival_versions())}"
    )


def rival_versions() -> list[str]:
    """The rivals' versions; [] if their environment was not made."""
    if not Path(RIVALS_PYTHON).exists():
        return []
    ask = 'from importlib.metadata import version as v; print(f\'asana {v("asana")}|dlt {v("dlt")}\')'
    return (
        subprocess.run([RIVALS_PYTHON, "-c", ask], capture_output=True, text=True, check=True).stdout.strip().split("|")
    )


def _bar(ratio: float) -> str:
    # Logarithmic: a whole process takes so much longer than a mere fetch that the other bars would be too short to see.
    return "█" * max(1, round(4 + 4 * math.log2(ratio)))


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int | float) else str(value).replace("|", "\\|")

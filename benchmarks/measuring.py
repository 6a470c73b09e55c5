"""Processes measured from outside: their wall time, peak memory and output, and the stand-in Asana that they ask."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perfcopilot_goals.core.roster import read_roster
from perfcopilot_goals.schemas.rows import Employee

CLI = (sys.executable, "-m", "perfcopilot_goals.cli")
WORKSPACE = "1200000000000002"
# Long enough for whoever is throttled; a rival that is not through by then is said to have failed.
LIMIT_SECONDS = 1_800.0


@dataclass(frozen=True)
class Measured:
    """A process that has ended."""

    seconds: float
    peak_mb: float
    code: int
    output: str

    def figures(self) -> dict[str, Any]:
        """What it printed as its last line, if that was JSON; {} if it failed."""
        with contextlib.suppress(ValueError, IndexError):
            told: dict[str, Any] = json.loads(self.output.splitlines()[-1])
            return told
        return {}


def measure(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Measured:
    """Run it to its end. The peak is of the process itself, as the kernel counts it."""
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        limit = threading.Timer(LIMIT_SECONDS, process.kill)
        limit.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        limit.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    return Measured(seconds, usage.ru_maxrss / 1024, process.returncode, text)


@dataclass(frozen=True)
class StandIn:
    """A stand-in Asana in a process of its own."""

    base_url: str
    roster: list[Employee]

    def stats(self) -> dict[str, Any]:
        """What the server counted so far."""
        with urllib.request.urlopen(self.base_url.partition("/api")[0] + "/sandbox/stats") as answer:
            counted: dict[str, Any] = json.load(answer)
        return counted


@contextlib.contextmanager
def stand_in(goals: int, *options: str) -> Iterator[StandIn]:
    """Serve so many generated goals; `options` are the command line's. Each starts with counts of zero."""
    with tempfile.TemporaryDirectory() as folder:
        roster = Path(folder) / "roster.csv"
        command = [*CLI, "sandbox", "--port", "0", "--goals", str(goals), "--roster", str(roster), *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            base_url = process.stdout.readline().split()[-1]
            yield StandIn(base_url, read_roster(roster.read_text("utf-8")))
        finally:
            process.terminate()
            process.wait()

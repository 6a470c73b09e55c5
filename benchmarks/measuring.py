"""Measures processes from outside: wall time, peak memory and output. And runs the stand-in Asana for them."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perfcopilot_goals.core.roster import parse_roster
from perfcopilot_goals.domain.employee import Employee

CLI = (sys.executable, "-m", "perfcopilot_goals.cli")
WORKSPACE = "1200000000000002"
# Long enough for a throttled fetch. A rival that takes longer counts as failed.
LIMIT_SECONDS = 1_800.0


@dataclass(frozen=True)
class Measured:
    """A process that has ended."""

    seconds: float
    peak_mb: float
    code: int
    output: str

    def figures(self) -> dict[str, Any]:
        """The JSON that it printed as its last line; {} if there is none."""
        with contextlib.suppress(ValueError, IndexError):
            printed: dict[str, Any] = json.loads(self.output.splitlines()[-1])
            return printed
        return {}


# Starts the command from a small process: a forked child's peak begins with the memory of its parent.
_WATCH = """
import os, sys, time
began = time.perf_counter()
_, status, usage = os.wait4(os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ), 0)
figures = time.perf_counter() - began, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status)
open(sys.argv[1], "w").write(" ".join(map(str, figures)))
"""


def measure(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Measured:
    """Run the command to its end. The peak is the process's own, as the kernel counts it."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as output:
        figures = Path(folder) / "figures"
        watched = [sys.executable, "-IS", "-c", _WATCH, str(figures), *command]
        process = subprocess.Popen(
            watched, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        limit = threading.Timer(LIMIT_SECONDS, os.killpg, [process.pid, signal.SIGKILL])
        limit.start()
        process.wait()
        limit.cancel()
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
        if not figures.exists():
            return Measured(LIMIT_SECONDS, 0.0, -signal.SIGKILL, text + "\nout of time")
        seconds, peak_mb, code = figures.read_text().split()
    return Measured(float(seconds), float(peak_mb), int(code), text)


@dataclass(frozen=True)
class StandIn:
    """A stand-in Asana in its own process."""

    base_url: str
    roster: list[Employee]

    def stats(self) -> dict[str, Any]:
        """What the server has counted so far."""
        with urllib.request.urlopen(self.base_url.partition("/api")[0] + "/sandbox/stats") as response:
            counted: dict[str, Any] = json.load(response)
        return counted


@contextlib.contextmanager
def stand_in(goals: int, *options: str) -> Iterator[StandIn]:
    """Serve this many generated goals, with the command line's `options`. The counts start at zero."""
    with tempfile.TemporaryDirectory() as folder:
        roster = Path(folder) / "roster.csv"
        command = [*CLI, "sandbox", "--port", "0", "--goals", str(goals), "--roster", str(roster), *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            base_url = process.stdout.readline().split()[-1]
            yield StandIn(base_url, list(parse_roster(roster.read_text("utf-8")).lines.values()))
        finally:
            process.terminate()
            process.wait()

"""Runs Dagster's web server, daemon and code server as `dev` does, and asks them as their own pages do."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measuring import CLI
from benchmarks.workplace import Workplace

STARTING_SECONDS = 300.0
PARTITIONS = """{ assetNodeOrError(assetKey: {path: ["prompt_blocks"]}) { ... on AssetNode { partitionKeys } } }"""
# A piece of each process's command line, to tell them apart.
PROCESSES = {"web server": "dagster_webserver", "daemon": "dagster._daemon", "code server": "api grpc"}


@dataclass(frozen=True)
class Process:
    """A running process: bytes of memory, and CPU time, its ended children's included."""

    command: str
    memory: int
    cpu_seconds: float


def processes_below(pid: int) -> list[Process]:
    """The process and all that it started, directly or not."""
    parents, found = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            pages = int((folder / "statm").read_text().split()[1])
        except OSError:
            continue  # it ended meanwhile
        parents[int(folder.name)] = int(stat[1])
        seconds = sum(map(int, stat[11:15])) / os.sysconf("SC_CLK_TCK")
        found[int(folder.name)] = Process(command, pages * os.sysconf("SC_PAGE_SIZE"), seconds)
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return [found[member] for member in family if member in found]


@dataclass(frozen=True)
class Service:
    """The processes below `pid`, with the web server on `port`, and the Postgres that they use."""

    port: int
    pid: int
    postgres: int

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The web server's response to a GraphQL query."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=120) as response:
            data: dict[str, Any] = json.load(response)["data"]
        return data

    def partitions(self) -> set[str]:
        """The connections that the web server knows; none while it starts."""
        try:
            keys: list[str] = self.ask(PARTITIONS)["assetNodeOrError"].get("partitionKeys", [])
        except OSError:
            return set()
        return set(keys)

    def memory(self) -> dict[str, int]:
        """MB in use by process. If two have the same name, such as the code server and its parent, the larger one's."""
        family = processes_below(self.pid)
        return {
            name: round(max(process.memory for process in family if sign in process.command) / 2**20)
            for name, sign in PROCESSES.items()
        }

    def cpu_seconds(self) -> float:
        """CPU time so far of the service and of the local Postgres, with their processes that have ended."""
        return sum(process.cpu_seconds for pid in (self.pid, self.postgres) for process in processes_below(pid))


@contextmanager
def dagster_dev(place: Workplace, names: Sequence[str]) -> Iterator[Service]:
    """The running service, once it knows all of these connections."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [*CLI, "dev", "--no-demo", "--port", str(port)]
    dev = subprocess.Popen(command, env=place.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + STARTING_SECONDS
        service = Service(port, dev.pid, place.postgres_pid())
        while not set(names) <= service.partitions():
            if time.monotonic() > end:
                raise SystemExit("the web server did not come up with the partitions")
            time.sleep(0.5)
        yield service
    finally:
        os.kill(dev.pid, signal.SIGINT)
        dev.wait()

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
class Service:
    """The processes below `pid`, with the web server on `port`."""

    port: int
    pid: int

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
        parents, commands, used = {}, {}, {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                commands[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                used[int(folder.name)] = int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            except OSError:
                continue  # it ended meanwhile
        family = {self.pid}
        while more := {child for child, parent in parents.items() if parent in family} - family:
            family |= more
        return {
            name: round(max(used[pid] for pid in family if sign in commands.get(pid, "")) / 2**20)
            for name, sign in PROCESSES.items()
        }


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
        service = Service(port, dev.pid)
        while not set(names) <= service.partitions():
            if time.monotonic() > end:
                raise SystemExit("the web server did not come up with the partitions")
            time.sleep(0.5)
        yield service
    finally:
        os.kill(dev.pid, signal.SIGINT)
        dev.wait()

"""Runs Dagster's web server, daemon and code server as `dev` does, and asks them as their own pages do."""

import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psutil
import requests

from benchmarks.measuring import CLI
from benchmarks.workplace import Workplace
from perfcopilot_goals.cli.ports import free_port

STARTING_SECONDS = 300.0
PARTITIONS = """{ assetNodeOrError(assetKey: {path: ["prompt_blocks"]}) { ... on AssetNode { partitionKeys } } }"""
# A piece of each process's command line, to tell them apart.
PROCESSES = {"web server": "dagster_webserver", "daemon": "dagster._daemon", "code server": "api grpc"}


@dataclass(frozen=True)
class Service:
    """The processes below `pid`, with the web server on `port`, and the Postgres that they use."""

    port: int
    pid: int
    postgres: int

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The web server's response to a GraphQL query."""
        asked = {"query": query, "variables": variables}
        response = requests.post(f"http://127.0.0.1:{self.port}/graphql", json=asked, timeout=120)
        response.raise_for_status()
        data: dict[str, Any] = response.json()["data"]
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
        used = dict.fromkeys(PROCESSES, 0)
        for process in family(self.pid):
            with suppress(psutil.NoSuchProcess):
                command = " ".join(process.cmdline())
                for name in [name for name, sign in PROCESSES.items() if sign in command]:
                    used[name] = max(used[name], round(process.memory_info().rss / 2**20))
        return used

    def cpu_seconds(self) -> float:
        """CPU time so far of the service and of the local Postgres, with their processes that have ended."""
        seconds = 0.0
        for process in (*family(self.pid), *family(self.postgres)):
            with suppress(psutil.NoSuchProcess):
                spent = process.cpu_times()
                seconds += spent.user + spent.system + spent.children_user + spent.children_system
        return seconds


def family(pid: int) -> list[psutil.Process]:
    """The process and all that it started, directly or not. Some may have ended when they are looked at."""
    first = psutil.Process(pid)
    return [first, *first.children(recursive=True)]


@contextmanager
def dagster_dev(place: Workplace, names: Sequence[str]) -> Iterator[Service]:
    """The running service, once it knows all of these connections."""
    port = free_port()
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
        dev.send_signal(signal.SIGINT)
        dev.wait()

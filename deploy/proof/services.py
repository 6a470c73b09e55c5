"""A deployment's processes on loopback: broker, code server, web server, daemon and workers, each with its log."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from perfcopilot_goals.cli.ports import free_port

Value = TypeVar("Value")
STOP_SECONDS = 30.0


def wait_for(what: str, ask: Callable[[], Value], seconds: float) -> Value:
    """Call `ask` until what it returns is true, and return that; `SystemExit` after so many seconds."""
    end = time.monotonic() + seconds
    while not (value := ask()):
        if time.monotonic() > end:
            raise SystemExit(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.5)
    return value


class Services:
    """A context manager that ends all its processes, and what they started."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        # Commands without a path are those of the environment that runs this.
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self.environment = dict(os.environ) | {"PATH": path} | environment
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "Services":
        return self

    def __exit__(self, *_: object) -> None:
        for name in reversed(self.processes):
            self._signal(name, signal.SIGINT if name in ("web", "daemon", "code") else signal.SIGTERM)
        for name, process in self.processes.items():
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill(name)

    def home(self, name: str) -> dict[str, str]:
        """A machine's own folders: DAGSTER_HOME with the deployment's files, and PERFCOPILOT_HOME."""
        folder = self.folder / name
        if not folder.exists():
            folder.mkdir()
            for file in ("dagster.yaml", "workspace.yaml"):
                shutil.copy(self.folder / "app" / file, folder)
        return {"DAGSTER_HOME": str(folder), "PERFCOPILOT_HOME": str(folder / "state")}

    def start(self, name: str, *command: object, home: str, **more: str) -> None:
        """Start a process in its own group, with `more` in its environment."""
        environment = self.environment | self.home(home) | more
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                list(map(str, command)), cwd=self.folder, env=environment, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def kill(self, name: str) -> None:
        """Send SIGKILL to the process and all its children at once, as when a machine is lost."""
        self._signal(name, signal.SIGKILL)
        self.processes[name].wait()

    def _signal(self, name: str, number: int) -> None:
        if self.processes[name].poll() is None:
            os.killpg(self.processes[name].pid, number)

    def start_broker(self) -> str:
        """Start a Redis with a password; returns its URL."""
        port, password = free_port(), secrets.token_hex(16)
        settings = self.folder / "redis.conf"
        settings.touch(0o600)
        settings.write_text(f'bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ""\nappendonly no\n')
        self.start("broker", "redis-server", settings, home="main")
        wait_for("the broker", lambda: _listens(port), 10)
        return f"redis://:{password}@127.0.0.1:{port}/0"

    def start_dagster(self) -> int:
        """Start code server, daemon and web server as in compose.yaml, on loopback; returns the web server's port."""
        code, web = free_port(), free_port()
        workspace_file = self.folder / "main" / "workspace.yaml"
        workspace_file.write_text(workspace_file.read_text().replace("port: 4000", f"port: {code}"))
        module = ("--module-name", "perfcopilot_goals.definitions")
        self.start("code", "dagster", "api", "grpc", "--host", "127.0.0.1", "--port", code, *module, home="main")
        wait_for("the code server", lambda: _listens(code), 60)
        workspace = ("--workspace", workspace_file)
        self.start("daemon", "dagster-daemon", "run", *workspace, home="main")
        self.start("web", "dagster-webserver", "--host", "127.0.0.1", "--port", web, *workspace, home="main")
        wait_for("the web server", lambda: _listens(web), 60)
        return web

    def start_worker(self, name: str) -> None:
        """Start a Celery worker as in compose.yaml, with a name of its own because all have the same host."""
        worker = ("celery", "--app", "dagster_celery.app", "worker", "--hostname", f"{name}@proof")
        settings = ("--loglevel", "INFO", "--concurrency", 2, "--max-memory-per-child", 1_000_000)
        self.start(name, *worker, *settings, home=name)
        log = self.folder / f"{name}.log"
        wait_for(f"worker {name}", lambda: b" ready." in log.read_bytes(), 60)

    def runs_of(self, worker: str) -> set[str]:
        """Ids of the runs whose output is on that worker's disk."""
        return {path.parent.name for path in (self.folder / worker / "state").rglob("compute_logs")}


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

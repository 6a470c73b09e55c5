"""The command line as its user runs it: in a process of its own, with its output captured.

That process is forked from one that has imported everything, because the imports take a second each time. How long a
user waits for `--help`, and how a cold start goes, are tests of their own.
"""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from perfcopilot_goals.cli import main

TOKEN = "canary-token-5f0c2a"

Cli = Callable[..., subprocess.CompletedProcess[str]]

_processes = multiprocessing.get_context("forkserver")
# Nothing here may read the environment while it is imported: it is that of the first test.
_processes.set_forkserver_preload(
    ["dagster_postgres", "perfcopilot_goals.defs.build", "perfcopilot_goals.defs.runs", __name__]
)


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    """The environment of a shell that knows nothing of us, and a home for local state."""
    plain = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return plain | {"PERFCOPILOT_HOME": str(tmp_path / "state"), "ASANA_ACCESS_TOKEN": TOKEN} | more


def _become(arguments: Sequence[str], env: Mapping[str, str], out: Path, err: Path) -> None:
    """What the forked process does."""
    os.environ.clear()
    os.environ.update(env)
    for path, descriptor in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
    try:
        main(arguments, prog_name="perfcopilot-goals")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


@pytest.fixture
def cli(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Cli:
    """Run a command against the test's database."""
    said = tmp_path_factory.mktemp("said")

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        env = environment(tmp_path, **{"PERFCOPILOT_DATABASE_URL": database_url} | more)
        out, err = said / "out", said / "err"
        process = _processes.Process(target=_become, args=(arguments, env, out, err))
        process.start()
        process.join(180)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(arguments, 180)
        return subprocess.CompletedProcess(arguments, process.exitcode, out.read_text("utf-8"), err.read_text("utf-8"))

    return run

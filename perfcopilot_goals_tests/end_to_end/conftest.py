"""The command line as its user runs it: a process of its own, its output captured."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TOKEN = "canary-token-5f0c2a"

Cli = Callable[..., subprocess.CompletedProcess[str]]


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    """What a shell would have that knows nothing of us, and a home for local state."""
    plain = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return plain | {"PERFCOPILOT_HOME": str(tmp_path / "state"), "ASANA_ACCESS_TOKEN": TOKEN} | more


@pytest.fixture
def cli(tmp_path: Path, database_url: str) -> Cli:
    """Run a command against the test's database."""

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        env = environment(tmp_path, **{"PERFCOPILOT_DATABASE_URL": database_url} | more)
        command = [sys.executable, "-m", "perfcopilot_goals.cli", *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=180)

    return run

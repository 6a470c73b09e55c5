"""Which Python `make setup` takes. No environment is really made: what makes one is a stand-in on PATH."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SUPPORTED = ["3.14", "3.13", "3.12", "3.11"]

Setup = Callable[..., subprocess.CompletedProcess[str]]


def put(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    path.chmod(0o755)


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    """Runs `make setup` where only `tmp_path/bin` is on PATH before the system's, which has no Python of ours."""

    # What is asked of a Python before it makes an environment is answered by the one that runs the tests.
    def install(
        *names: str, script: str = f'[ "$1" = -c ] && exec {sys.executable} "$@"; echo $0 "$@"; exit 9'
    ) -> None:
        for name in names:
            put(tmp_path / "bin" / name, script)

    def run(
        *arguments: str, works: tuple[str, ...] = (), broken: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        # Every name there is, so that none of this machine's is met.
        install(*(f"python{version}" for version in SUPPORTED), "python3", script="exit 127")
        install(*works)
        install(*broken, script='echo "pyenv: $0: command not found" >&2; exit 127')
        return subprocess.run(
            ["make", "--no-print-directory", "setup", f"VENV={tmp_path / 'venv'}", *arguments],
            cwd=ROOT,
            env={"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_the_newest_supported_python_that_runs_is_taken(setup: Setup, tmp_path: Path) -> None:
    done = setup(works=("python3.11", "python3.12", "python3"), broken=("python3.14", "python3.13"))
    assert f"{tmp_path}/bin/python3.12 -m venv {tmp_path}/venv" in done.stdout


def test_the_python_that_is_named_is_taken_in_its_place(setup: Setup, tmp_path: Path) -> None:
    done = setup("PYTHON=python3.11", works=("python3.11", "python3.12"))
    assert f"{tmp_path}/bin/python3.11 -m venv {tmp_path}/venv" in done.stdout


def test_an_unsupported_python_is_refused_by_name_and_nothing_is_made(setup: Setup, tmp_path: Path) -> None:
    done = setup("SUPPORTED=1.5 1.4", works=("python3",))
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert done.returncode != 0
    assert f"python3 is Python {version}. Name one of 1.5 1.4" in done.stderr
    assert "venv" not in done.stdout
    assert not (tmp_path / "venv").exists()


def test_an_environment_that_is_there_keeps_its_python(setup: Setup, tmp_path: Path) -> None:
    put(tmp_path / "venv" / "bin" / "python", 'echo "its own $@"')
    done = setup(works=("python3.12",))
    assert done.returncode == 0, done.stderr
    assert "-m venv" not in done.stdout
    assert "its own -m pip install" in done.stdout


def test_the_makefile_and_the_package_agree_on_the_versions() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert re.findall(r"^SUPPORTED := (.*)$", makefile, re.MULTILINE) == [" ".join(SUPPORTED)]
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    newest, oldest = (int(version.removeprefix("3.")) for version in (SUPPORTED[0], SUPPORTED[-1]))
    assert declared == f">=3.{oldest},<3.{newest + 1}"

"""Makes the environment of the proof as the Dockerfile makes the image's: the lock, the package, the files of /app.

Then it starts `run` in that environment, which holds the proof itself.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
IN_APP = ("dagster.yaml", "workspace.yaml", "dagster_celery_config.py", "celery_launcher.py")


def main() -> int:
    """Run the proof. Exit code 0 if everything was right, 1 if not, 2 if this machine lacks something."""
    parser = argparse.ArgumentParser(prog="python -m deploy.proof", description=__doc__)
    parser.add_argument(
        "--environment", type=Path, metavar="FOLDER", help="keep the environment there, or use it again"
    )
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--keep", action="store_true", help="keep the logs of the services")
    given = parser.parse_args()
    if shutil.which("redis-server") is None:
        print("The proof needs a broker: apt-get install redis-server", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="perfcopilot-proof-"))
    try:
        python = prepare((given.environment or folder / "venv").absolute())
        app = folder / "app"
        app.mkdir()
        for name in IN_APP:
            shutil.copy(CHECKOUT / "deploy" / name, app)
        shutil.copytree(CHECKOUT / "deploy" / "proof", app / "proof")
        command = [python, "-W", "ignore", "-m", "proof.run", folder, "--connections", str(given.connections)]
        # Neither this checkout nor the caller's settings may count: the package is the installed one.
        plain = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        proof = subprocess.Popen(
            list(map(str, command)), cwd=folder, env=plain | {"PYTHONPATH": str(app)}, start_new_session=True
        )
        try:
            return proof.wait()
        finally:
            # It cleans up when it is terminated, and gets the time for it.
            proof.terminate()
            proof.wait()
    finally:
        if given.keep:
            print(f"The logs are in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def prepare(environment: Path) -> Path:
    """Make an environment with the lock's packages and ours as it is now; returns its Python."""
    python = environment / "bin" / "python"
    pip: list[str | Path] = [python, "-m", "pip", "--quiet", "--no-cache-dir", "--disable-pip-version-check", "install"]
    if not python.exists():
        print("Installing deploy/requirements.lock …", flush=True)
        venv.create(environment, with_pip=True)
        subprocess.run([*pip, "--require-hashes", "-r", CHECKOUT / "deploy" / "requirements.lock"], check=True)
    with tempfile.TemporaryDirectory() as build:
        # A copy, because a build leaves files beside the sources.
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(CHECKOUT / name, build)
        shutil.copytree(CHECKOUT / "perfcopilot_goals", Path(build) / "perfcopilot_goals")
        subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--force-reinstall", build], check=True)
    return python


if __name__ == "__main__":
    sys.exit(main())

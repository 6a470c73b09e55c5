"""The launcher of deploy/ asks real Celery workers what they are at; their broker is Celery's own, in memory."""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from shutil import copy

import dagster as dg
import pytest
from celery.contrib.testing.worker import start_worker
from dagster._core.launcher import WorkerStatus
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from deploy.celery_launcher import WorkerAskingRunLauncher

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"

# Celery's own, from its in-memory broker and its worker for tests.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")


class Launcher(WorkerAskingRunLauncher):
    """Workers in the same process answer at once."""

    answer_seconds = 1.0


@pytest.fixture(autouse=True)
def _logging_stays_as_it_is() -> Iterator[None]:
    """Celery's worker sets the level of the root logger, and later tests would miss warnings."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture
def launcher() -> Launcher:
    # A broker in memory is shared by all of a process; a queue of its own keeps the tests apart.
    return Launcher("dagster", broker="memory://", backend="cache+memory://")


class Task:
    """A task that is under way on a worker until it is told to end."""

    def __init__(self, launcher: Launcher) -> None:
        self.began, self.may_end = threading.Event(), threading.Event()

        def sync() -> None:
            self.began.set()
            self.may_end.wait(60)

        self.result = launcher.celery.task(name="sync", shared=False)(sync).apply_async()

    @property
    def run(self) -> dg.DagsterRun:
        return run_of(self.result.id)


def run_of(task_id: str) -> dg.DagsterRun:
    return dg.DagsterRun(job_name="sync_goals", tags={DAGSTER_CELERY_TASK_ID_TAG: task_id})


def worker(launcher: Launcher) -> AbstractContextManager[object]:
    found: AbstractContextManager[object] = start_worker(launcher.celery, pool="threads", perform_ping_check=False)
    return found


@pytest.fixture
def task(launcher: Launcher) -> Iterator[Task]:
    task = Task(launcher)
    yield task
    task.may_end.set()


def test_a_run_is_healthy_while_a_worker_is_at_it_and_no_longer(launcher: Launcher, task: Task) -> None:
    with worker(launcher):
        assert task.began.wait(30)
        assert launcher.check_run_worker_health(task.run).status is WorkerStatus.RUNNING
        other = launcher.check_run_worker_health(run_of("a task that no worker has"))
        assert (other.status, other.msg) == (WorkerStatus.NOT_FOUND, "no worker says that it works on this run")
        task.may_end.set()
    launcher.fresh_seconds = 0.0
    assert launcher.check_run_worker_health(task.run).status is WorkerStatus.NOT_FOUND


def test_the_workers_are_asked_once_for_all_runs_that_they_are_at(launcher: Launcher, task: Task) -> None:
    with worker(launcher):
        assert task.began.wait(30)
        launcher.check_run_worker_health(task.run)
        began = time.monotonic()
        for _ in range(100):
            assert launcher.check_run_worker_health(task.run).status is WorkerStatus.RUNNING
        assert time.monotonic() - began < launcher.answer_seconds
        task.may_end.set()


def test_the_instance_of_a_deployment_takes_its_launcher_from_beside_its_files(
    database_url: str, tmp_path: Path
) -> None:
    for name in ("dagster.yaml", "celery_launcher.py", "dagster_celery_config.py"):
        copy(DEPLOY / name, tmp_path)
    script = "import dagster as dg; print(type(dg.DagsterInstance.get().run_launcher).__name__)"
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": f"{tmp_path}:{DEPLOY.parent}",
        "DAGSTER_HOME": str(tmp_path),
        "PERFCOPILOT_HOME": str(tmp_path / "state"),
        "PERFCOPILOT_DATABASE_URL": database_url,
        "PERFCOPILOT_BROKER_URL": "memory://",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "WorkerAskingRunLauncher", done.stderr

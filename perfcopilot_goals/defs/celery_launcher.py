"""Runs on Celery workers of other machines: Dagster's launcher, made to notice a worker that is gone.

Dagster's own takes the word of Celery's result backend, and there a run whose worker was killed or lost its power is
started for ever. `deploy/dagster.yaml` names this one; it needs the extra `deploy`, and `make proof` tests it.
"""

import time
from typing import Any

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus  # what a launcher of one's own has to return
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

# A worker answers within a second from beside its runs; one that is swamped gets a second chance.
ANSWER_SECONDS = 5.0
TIMES_ASKED = 2
# Run monitoring goes through all started runs in one go; the workers are asked once for all of them.
FRESH_SECONDS = 10.0


class WorkerAskingRunLauncher(CeleryRunLauncher):  # type: ignore[misc]  # untyped where the extra is not installed
    """A started run is healthy only while some worker says that it is at it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._at_work: set[str] = set()
        self._asked_at = float("-inf")

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        task_id = run.tags[DAGSTER_CELERY_TASK_ID_TAG]
        is_fresh = time.monotonic() - self._asked_at < FRESH_SECONDS
        if is_fresh and task_id in self._at_work:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        for _ in range(TIMES_ASKED):
            self._ask()
            if task_id in self._at_work:
                return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "no worker says that it is at this run")

    def _ask(self) -> None:
        # Not the one worker that the result backend names: a broker that handed the run out twice has it name another.
        answers = self.celery.control.inspect(timeout=ANSWER_SECONDS).active() or {}
        self._at_work = {task["id"] for tasks in answers.values() for task in tasks}
        self._asked_at = time.monotonic()

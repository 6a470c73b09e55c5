"""Runs on Celery workers of other machines: Dagster's launcher, which now notices a worker that is gone.

Dagster's own launcher believes Celery's result backend, where a killed worker's run stays started for ever.
`dagster.yaml` names this class. Like `dagster_celery_config.py`, this file must be in a folder on PYTHONPATH.
"""

import time
from typing import Any

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus  # a launcher must return these
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

# A worker that is swamped gets a second chance.
TIMES_ASKED = 2


class WorkerAskingRunLauncher(CeleryRunLauncher):
    """A started run is healthy only while some worker says that it works on it."""

    # A worker answers within a second, also while it runs something.
    answer_seconds = 5.0
    # Run monitoring checks all started runs in one go. The workers are asked once for all of them.
    fresh_seconds = 10.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._at_work: set[str] = set()
        self._asked_at = float("-inf")

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        task_id = run.tags[DAGSTER_CELERY_TASK_ID_TAG]
        is_fresh = time.monotonic() - self._asked_at < self.fresh_seconds
        if is_fresh and task_id in self._at_work:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        for _ in range(TIMES_ASKED):
            self._ask()
            if task_id in self._at_work:
                return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "no worker says that it works on this run")

    def _ask(self) -> None:
        # Asks all workers. The one that the result backend names may be wrong: a broker may hand a run out twice.
        answers = self.celery.control.inspect(timeout=self.answer_seconds).active() or {}
        self._at_work = {task["id"] for tasks in answers.values() for task in tasks}
        self._asked_at = time.monotonic()

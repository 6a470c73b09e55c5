"""Runs on Celery workers of other machines: Dagster's launcher, made to notice a worker that is gone.

Dagster's own takes the word of Celery's result backend, and there a run whose worker was killed or lost its power is
started for ever. `deploy/dagster.yaml` names this one; it needs the extra `deploy`, and `make proof` tests it.
"""

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus  # what a launcher of one's own has to return
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

# A worker answers within a second from beside its runs; one that is swamped gets a second chance.
ANSWER_SECONDS = 10.0
TIMES_ASKED = 2


class WorkerAskingRunLauncher(CeleryRunLauncher):  # type: ignore[misc]  # untyped where the extra is not installed
    """A started run is healthy only while the worker that started it says that it has it."""

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        health: CheckRunHealthResult = super().check_run_worker_health(run)
        task_id = run.tags[DAGSTER_CELERY_TASK_ID_TAG]
        started = self.celery.AsyncResult(task_id).info
        if health.status != WorkerStatus.RUNNING or not isinstance(started, dict):
            # Not started, or ended meanwhile: then the result is no longer where it runs.
            return health
        worker = started["hostname"]
        for _ in range(TIMES_ASKED):
            answers = self.celery.control.inspect([worker], timeout=ANSWER_SECONDS).active()
            if answers:
                is_there = any(task["id"] == task_id for task in answers[worker])
                return health if is_there else CheckRunHealthResult(WorkerStatus.NOT_FOUND, f"{worker} lost the run")
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, f"{worker} does not answer")

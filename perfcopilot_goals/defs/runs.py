"""A sync as the command line runs it: the job in this process, on the instance, and its outcome."""

from dataclasses import dataclass

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin

from perfcopilot_goals.defs.assets import IO_MANAGER
from perfcopilot_goals.defs.build import build_definitions
from perfcopilot_goals.defs.failures import ERROR_CODE
from perfcopilot_goals.defs.instance import storage_as_store_errors
from perfcopilot_goals.defs.partitions import PARTITION_TAG, register_partitions
from perfcopilot_goals.defs.progress import Report
from perfcopilot_goals.domain.actions import ENABLE, SYNC, SYNC_JOB
from perfcopilot_goals.domain.sync import INTERRUPTED
from perfcopilot_goals.errors import EXIT_CODES, GoalsConfigError, GoalsStoreError
from perfcopilot_goals.services.connections import find_connection
from perfcopilot_goals.settings import Settings
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.sync_log import read_last_sync

# Where workspace.yaml has the job: its location's name, and the name that Dagster gives to definitions.
_PLACE = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("perfcopilot_goals"), "__repository__")
# Whoever interrupted the command does not want the daemon to begin again.
_NOT_RETRIED = {"dagster/max_retries": "0"}
# Classes of errors that reach a step from Dagster's storage alone: our own connections turn theirs into ours.
_STORAGE_ERRORS = {"OperationalError", "InterfaceError", "InternalError", "DatabaseError", "DagsterPostgresException"}


@dataclass(frozen=True)
class Flag:
    """A check that did not pass."""

    name: str
    severity: str
    count: int
    ids: str


@dataclass(frozen=True)
class Outcome:
    """How a sync ended: rows by table, requests, the checks that flagged something, or what failed."""

    connection: str
    run_id: str
    rows: dict[str, int]
    requests: int
    flagged: list[Flag]
    failure: str | None
    exit_code: int


class Runner:
    """Runs the job for one connection after the other."""

    def __init__(
        self,
        instance: dg.DagsterInstance,
        settings: Settings,
        database: Database,
        report: Report,
        *,
        debug: bool = False,
    ) -> None:
        self._instance = instance
        self._database = database
        self._job = build_definitions(settings, report).resolve_job_def(SYNC_JOB)
        self._log_level = "INFO" if debug else "CRITICAL"

    @storage_as_store_errors("running the sync")
    def sync(self, name: str, *, allow_empty: bool = False) -> Outcome:
        """One sync; `GoalsConfigError` if there is no such connection or it is disabled.

        `GoalsStoreError` if Dagster's own storage went away, so that Dagster could not end the run.
        """
        if not find_connection(self._database, name).enabled:
            raise GoalsConfigError("it is disabled", connection=name, action=f"Enable it: {ENABLE}")
        register_partitions(self._instance, [name])
        # `execute_in_process` makes runs without an origin. The UI leaves those out of its timeline, and fails to
        # re-execute them (https://github.com/dagster-io/dagster/issues/19458).
        run = self._instance.create_run_for_job(
            self._job,
            run_config={
                "loggers": {"console": {"config": {"log_level": self._log_level}}},
                "resources": {IO_MANAGER: {"config": {"allow_empty": allow_empty}}},
            },
            tags={PARTITION_TAG: name, **_NOT_RETRIED},
            remote_job_origin=_PLACE.get_job_origin(SYNC_JOB),
        )
        result = execute_run(InMemoryJob(self._job), run, self._instance)
        self._check_interrupt(name, result.run_id)
        failure, exit_code = _failure(result)
        events = result.get_asset_materialization_events()
        written = {event.asset_key.path[-1]: event.materialization.metadata for event in events if event.asset_key}
        return Outcome(
            connection=name,
            run_id=result.run_id,
            rows={table: _number(metadata, "rows") for table, metadata in written.items()},
            requests=sum(_number(metadata, "requests") for metadata in written.values()),
            flagged=[
                Flag(e.check_name, e.severity.value, _number(e.metadata, "count"), str(e.metadata["ids"].value))
                for e in result.get_asset_check_evaluations()
                if not e.passed
            ],
            failure=failure,
            exit_code=exit_code,
        )

    def _check_interrupt(self, name: str, run_id: str) -> None:
        """Raise the interrupt again that ended the run: Dagster only fails the run on SIGINT or SIGTERM."""
        with self._database.connect("reading how the sync ended") as conn:
            last = read_last_sync(conn, name)
        if last is not None and last.run_id == run_id and last.error_code == INTERRUPTED:
            raise KeyboardInterrupt


def _failure(result: dg.JobExecutionResult) -> tuple[str | None, int]:
    """The text of the first failure, and the exit code of its class; `GoalsStoreError` if Dagster's storage failed."""
    if result.success:
        return None, 0
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data.user_failure_data
            if data and data.description:
                code = str(data.metadata[ERROR_CODE].value) if ERROR_CODE in data.metadata else ""
                return data.description, EXIT_CODES.get(code, 1)
            error = event.step_failure_data.error
            if error and error.cls_name in _STORAGE_ERRORS:
                raise GoalsStoreError("running the sync: Dagster's storage failed", action=f"Sync again: {SYNC}")
    return f"run {result.run_id} failed outside of a step; its log in the Dagster UI says where", 1


def _number(metadata: dict[str, dg.MetadataValue] | object, name: str) -> int:
    value = metadata.get(name) if isinstance(metadata, dict) else None
    return int(value.value) if isinstance(value, dg.IntMetadataValue) and value.value is not None else 0

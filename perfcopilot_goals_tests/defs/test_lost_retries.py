"""Crashed runs that Dagster's own retries overlooked, on a real instance beside the real retry daemon."""

import datetime as dt
import logging
import warnings
from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent, DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import PythonFileTarget
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon

from perfcopilot_goals.defs.lost_retries import find_lost_retries, hand_back

LATER = dt.timedelta(minutes=2)


@dg.op
def sync_something() -> None:
    """A step of a run that never gets that far."""


@dg.job
def crashes() -> None:
    sync_something()


# What the daemon loads to launch a retry.
defs = dg.Definitions(jobs=[crashes])


@pytest.fixture(scope="module")
def daemon() -> Iterator[WorkspaceProcessContext]:
    """An instance whose daemon retries crashed runs once, and which has run before."""
    retries = {"run_retries": {"enabled": True, "max_retries": 1, "retry_on_asset_or_op_failure": False}}
    target = PythonFileTarget(python_file=__file__, attribute="defs", working_directory=None, location_name="here")
    with (
        dg.instance_for_test(set_dagster_home=False, overrides=retries) as instance,
        create_test_daemon_workspace_context(target, instance) as context,
    ):
        read_failures(context)
        yield context


def read_failures(daemon: WorkspaceProcessContext) -> None:
    """One look of Dagster's retries at the new failures."""
    with warnings.catch_warnings():
        # Dagster still calls `Logger.warn` there.
        warnings.simplefilter("ignore", DeprecationWarning)
        for _ in EventLogConsumerDaemon().run_iteration(daemon):
            pass


def start_run(daemon: WorkspaceProcessContext) -> dg.DagsterRun:
    repository = daemon.create_request_context().get_code_location("here").get_repository("__repository__")
    origin = repository.get_full_job("crashes").get_remote_origin()
    started = dg.DagsterRunStatus.STARTED
    return daemon.instance.create_run_for_job(crashes, status=started, remote_job_origin=origin)


def overlook_failure(daemon: WorkspaceProcessContext, run: dg.DagsterRun) -> None:
    """The run crashes, and Dagster's retries look between the moments in which it stores the event and the status."""
    event = DagsterEvent(DagsterEventType.RUN_FAILURE.value, "crashes", message="The process died")
    now = dt.datetime.now(dt.UTC).timestamp()
    entry = EventLogEntry(  # type: ignore[no-untyped-call]
        None, logging.ERROR, "", run.run_id, now, job_name="crashes", dagster_event=event
    )
    daemon.instance.event_log_storage.store_event(entry)
    read_failures(daemon)
    daemon.instance.run_storage.handle_run_event(run.run_id, event, dt.datetime.now(dt.UTC))
    daemon.instance.add_run_tags(run.run_id, {"dagster/will_retry": "true"})
    read_failures(daemon)


def retries_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[str]:
    tags = {"dagster/parent_run_id": run.run_id}
    return [retry.run_id for retry in instance.get_runs(dg.RunsFilter(tags=tags))]


@pytest.mark.fault("G2")
def test_a_crashed_run_whose_retry_dagster_overlooked_is_retried_once_it_is_handed_back(
    daemon: WorkspaceProcessContext,
) -> None:
    instance = daemon.instance
    run = start_run(daemon)
    overlook_failure(daemon, run)
    assert retries_of(instance, run) == []
    lost = find_lost_retries(instance, dt.datetime.now(dt.UTC) + LATER)
    assert lost == [run.run_id]
    hand_back(instance, lost)
    read_failures(daemon)
    assert len(retries_of(instance, run)) == 1
    assert find_lost_retries(instance, dt.datetime.now(dt.UTC) + LATER) == []


def test_a_failure_that_dagster_may_still_read_is_left_to_it(daemon: WorkspaceProcessContext) -> None:
    run = start_run(daemon)
    overlook_failure(daemon, run)
    assert find_lost_retries(daemon.instance, dt.datetime.now(dt.UTC)) == []
    hand_back(daemon.instance, [run.run_id])
    read_failures(daemon)


def test_handing_back_launches_no_second_retry_of_a_run_that_has_one(daemon: WorkspaceProcessContext) -> None:
    instance = daemon.instance
    retried, overlooked = start_run(daemon), start_run(daemon)
    instance.report_run_failed(retried)
    overlook_failure(daemon, overlooked)
    assert len(retries_of(instance, retried)) == 1
    hand_back(instance, [retried.run_id, overlooked.run_id])
    read_failures(daemon)
    assert (len(retries_of(instance, retried)), len(retries_of(instance, overlooked))) == (1, 1)


def test_a_retry_that_dagster_refuses_is_handed_back_once_only(daemon: WorkspaceProcessContext) -> None:
    instance = daemon.instance
    run = start_run(daemon)
    instance.add_run_tags(run.run_id, {"dagster/backfill": "cancelled"})
    overlook_failure(daemon, run)
    hand_back(instance, find_lost_retries(instance, dt.datetime.now(dt.UTC) + LATER))
    read_failures(daemon)
    assert retries_of(instance, run) == []
    assert find_lost_retries(instance, dt.datetime.now(dt.UTC) + LATER) == []

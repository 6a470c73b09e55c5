"""Ticks and sensors' states as the daemon notes them, by Dagster's own storage."""

import datetime as dt

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster_shared.error import SerializableErrorInfo


def _origin(sensor: str) -> RemoteInstigatorOrigin:
    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("perfcopilot_goals"), "__repository__")
    return RemoteInstigatorOrigin(repository, sensor)


def note_state(instance: dg.DagsterInstance, sensor: str, cursor: str) -> None:
    """That the sensor runs, and where it is."""
    data = SensorInstigatorData(cursor=cursor, min_interval=30)
    origin = _origin(sensor)
    instance.add_instigator_state(InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.RUNNING, data))


def cursor_of(instance: dg.DagsterInstance, sensor: str) -> str | None:
    """Where the sensor is, as Dagster reads it."""
    origin = _origin(sensor)
    state = instance.get_instigator_state(origin.get_id(), origin.get_selector().get_id())
    assert state is not None
    assert isinstance(state.instigator_data, SensorInstigatorData)
    return state.instigator_data.cursor


def note_tick(
    instance: dg.DagsterInstance,
    sensor: str,
    moment: dt.datetime,
    status: TickStatus = TickStatus.SUCCESS,
    cursor: str | None = None,
    said: str | None = None,
) -> None:
    """A tick that ended so; `said` is its error, or why it was skipped."""
    origin = _origin(sensor)
    instance.create_tick(
        TickData(
            instigator_origin_id=origin.get_id(),
            instigator_name=sensor,
            instigator_type=InstigatorType.SENSOR,
            status=status,
            timestamp=moment.timestamp(),
            run_ids=[],
            cursor=cursor,
            error=SerializableErrorInfo(said or "", [], None) if status == TickStatus.FAILURE else None,
            skip_reason=said if status == TickStatus.SKIPPED else None,
            selector_id=origin.get_selector().get_id(),
        )
    )


def ticks_of(instance: dg.DagsterInstance, sensor: str) -> list[TickData]:
    """The sensor's ticks, the newest first."""
    origin = _origin(sensor)
    return [tick.tick_data for tick in instance.get_ticks(origin.get_id(), origin.get_selector().get_id())]

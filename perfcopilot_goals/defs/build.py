"""Puts the code location together. The caller may say how progress is reported and which clock is used."""

import dagster as dg

from perfcopilot_goals.asana.pacing import SYSTEM_CLOCK, Clock
from perfcopilot_goals.defs.alerts import alert_sensors
from perfcopilot_goals.defs.assets import IO_MANAGER, SLICE_ASSETS, SOURCE_ASSETS
from perfcopilot_goals.defs.automation import connections_sensor, fixed_connection_sensor, sync_goals, sync_schedule
from perfcopilot_goals.defs.checks import CHECK_DEFINITIONS
from perfcopilot_goals.defs.connection_checks import (
    check_connections,
    check_connections_schedule,
    connection_checks,
    connection_checks_sensor,
)
from perfcopilot_goals.defs.io_manager import SliceIOManager
from perfcopilot_goals.defs.jobs import JOBS
from perfcopilot_goals.defs.lost_retries import lost_retries_sensor
from perfcopilot_goals.defs.observation import roster_and_settings_sensor
from perfcopilot_goals.defs.progress import LogProgress, Report
from perfcopilot_goals.defs.resources import AsanaResource, StoreResource
from perfcopilot_goals.defs.retention import retention, retention_schedule
from perfcopilot_goals.settings import Settings


def build_definitions(settings: Settings, report: Report | None = None, clock: Clock = SYSTEM_CLOCK) -> dg.Definitions:
    """Everything that Dagster loads, by these settings. Nothing connects to a database or Asana before a run does."""
    store = StoreResource(settings=settings)
    return dg.Definitions(
        assets=[*SOURCE_ASSETS, *SLICE_ASSETS],
        asset_checks=[*CHECK_DEFINITIONS, connection_checks(settings.ui_url)],
        jobs=[sync_goals, *JOBS, check_connections, retention],
        schedules=[
            sync_schedule(settings.sync_cron),
            check_connections_schedule,
            retention_schedule(settings.retention_days),
        ],
        sensors=[
            connections_sensor,
            fixed_connection_sensor,
            roster_and_settings_sensor,
            lost_retries_sensor,
            connection_checks_sensor(settings.ui_url),
            *alert_sensors(settings),
        ],
        # For what is materialized from the asset graph, too: Dagster would start a process for each step.
        executor=dg.in_process_executor,
        resources={
            "store": store,
            "asana": AsanaResource(store=store, report=report or LogProgress(), clock=clock),
            IO_MANAGER: SliceIOManager(store=store, clock=clock),
        },
    )

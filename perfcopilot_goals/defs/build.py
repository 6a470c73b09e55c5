"""The code location put together; who runs it says how progress is told, and tests what time it is."""

import dagster as dg

from perfcopilot_goals.asana.pacing import SYSTEM_CLOCK, Clock
from perfcopilot_goals.defs.alerts import alert_sensors
from perfcopilot_goals.defs.assets import IO_MANAGER, SLICE_ASSETS, SOURCE_ASSETS
from perfcopilot_goals.defs.automation import (
    connections_sensor,
    fixed_connection_sensor,
    sync_goals,
    sync_schedule,
)
from perfcopilot_goals.defs.checks import CHECK_DEFINITIONS, ROLL_UPS
from perfcopilot_goals.defs.io_manager import SliceIOManager
from perfcopilot_goals.defs.observation import sources_sensor
from perfcopilot_goals.defs.progress import LogProgress, Report
from perfcopilot_goals.defs.resources import AsanaResource, StoreResource
from perfcopilot_goals.defs.retention import retention, retention_schedule
from perfcopilot_goals.settings import Settings


def build_definitions(settings: Settings, report: Report | None = None, clock: Clock = SYSTEM_CLOCK) -> dg.Definitions:
    """Assets, checks, job, schedule and resources. Nothing is connected to before a run needs it."""
    store = StoreResource(settings=settings)
    return dg.Definitions(
        assets=[*SOURCE_ASSETS, *SLICE_ASSETS],
        asset_checks=[*CHECK_DEFINITIONS, *ROLL_UPS],
        jobs=[sync_goals, retention],
        schedules=[sync_schedule(settings.sync_cron), retention_schedule(settings.retention_days)],
        sensors=[connections_sensor, fixed_connection_sensor, sources_sensor, *alert_sensors(settings)],
        # Also for what is materialized from the asset graph, where Dagster would take a process for each step.
        executor=dg.in_process_executor,
        resources={
            "store": store,
            "asana": AsanaResource(store=store, report=report or LogProgress(), clock=clock),
            IO_MANAGER: SliceIOManager(store=store, clock=clock),
        },
    )

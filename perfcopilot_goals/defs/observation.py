"""The sensor that observes `connections` and `employees`, which people write outside of Dagster.

When one changed, the UI shows at the assets made from it that something upstream is newer. `core.automation` decides
what is observed.
"""

import datetime as dt

import dagster as dg
import sqlalchemy as sa

from perfcopilot_goals.core.automation import observe_changes, parse_observed, render_observed
from perfcopilot_goals.defs.resources import StoreResource
from perfcopilot_goals.domain.connection import RosterAndSettings
from perfcopilot_goals.storage.status import count_enabled, read_changed_states, read_now

# Nothing waits for an observation, and every tick costs Dagster the same, also if nothing changed.
SENSOR_SECONDS = 60
# An observation costs Dagster some 10 ms, and a tick has a minute; the next tick observes the rest.
PER_TICK = 500


@dg.sensor(
    name="roster_and_settings_sensor",
    minimum_interval_seconds=SENSOR_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Observes the connections' settings and rosters when they change.",
)
def roster_and_settings_sensor(
    context: dg.SensorEvaluationContext, store: StoreResource
) -> dg.SensorResult | dg.SkipReason:
    """One observation for each table and connection that changed; the cursor says up to when that is done."""

    observed = parse_observed(context.cursor)

    def read(conn: sa.Connection) -> tuple[int, dt.datetime, list[RosterAndSettings]]:
        return count_enabled(conn), read_now(conn), read_changed_states(conn, observed.since)

    found = store.read_or_skip("reading connections and rosters", read)
    if isinstance(found, dg.SkipReason):
        return found
    count, now, states = found
    changed, observed = observe_changes(observed, states, now, PER_TICK)
    by_name = {state.connection: state for state in states}
    return dg.SensorResult(
        asset_events=[_observation(by_name[name], table) for name, table in changed],
        cursor=render_observed(observed),
        skip_reason=f"{count:,} connections, {f'{len(changed)} observations' if changed else 'nothing changed'}",
    )


def _observation(state: RosterAndSettings, table: str) -> dg.AssetObservation:
    numbers = {
        "connections": {"has_workspace_gid": int(state.has_workspace_gid)},
        "employees": {"rows": state.employees, "mapped": state.mapped, "unmapped": state.employees - state.mapped},
    }
    return dg.AssetObservation(
        table,
        partition=state.connection,
        metadata=numbers[table],
        tags={"dagster/data_version": state.versions[table]},
    )

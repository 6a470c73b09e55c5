"""The sensor that observes `connections` and `employees`, which people write outside of Dagster.

When one changed, the UI shows at the assets made from it that something upstream is newer.
"""

import json

import dagster as dg

from perfcopilot_goals.core.automation import find_changed
from perfcopilot_goals.defs.resources import StoreResource
from perfcopilot_goals.storage.sources import SourceState, read_sources

SENSOR_SECONDS = 30
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
    """One observation for each table and connection that changed; the cursor remembers what was seen."""
    states = store.read_or_skip("reading connections and rosters", read_sources)
    if isinstance(states, dg.SkipReason):
        return states
    by_name = {state.connection: state for state in states}
    now = {name: state.versions for name, state in by_name.items()}
    seen = json.loads(context.cursor or "{}")
    changed = find_changed(now, seen, PER_TICK)
    seen = {name: seen.get(name, {}) for name in now}
    for name, table in changed:
        seen[name][table] = now[name][table]
    observations = [_observation(by_name[name], table) for name, table in changed]
    return dg.SensorResult(asset_events=observations, cursor=json.dumps(seen))


def _observation(state: SourceState, table: str) -> dg.AssetObservation:
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

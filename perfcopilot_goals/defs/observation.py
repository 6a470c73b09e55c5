"""The sensor that observes `connections` and `employees`, which people write outside of Dagster.

Where one changed, the assets made from it show in the UI that something upstream is newer than they are.
"""

import json

import dagster as dg

from perfcopilot_goals.core.automation import find_changed
from perfcopilot_goals.defs.resources import StoreResource
from perfcopilot_goals.storage.sources import SourceState, read_sources

SENSOR_SECONDS = 30
# An observation costs Dagster some 10 ms, and a tick has a minute; the rest is observed by the next.
PER_TICK = 500


@dg.sensor(
    name="sources_sensor",
    minimum_interval_seconds=SENSOR_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Observes the connections' settings and rosters when they change.",
)
def sources_sensor(context: dg.SensorEvaluationContext, store: StoreResource) -> dg.SensorResult | dg.SkipReason:
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
    figures = {
        "connections": {"has_workspace_gid": int(state.has_workspace_gid)},
        "employees": {"rows": state.employees, "mapped": state.mapped, "unmapped": state.employees - state.mapped},
    }
    return dg.AssetObservation(
        table,
        partition=state.connection,
        metadata=figures[table],
        tags={"dagster/data_version": state.versions[table]},
    )

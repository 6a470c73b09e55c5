"""Settings and rosters as Dagster observes them: each change once, per connection, in numbers."""

import dagster as dg

from perfcopilot_goals.defs.observation import roster_and_settings_sensor
from perfcopilot_goals.defs.resources import StoreResource
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals.storage.connections import set_connection
from perfcopilot_goals_tests.defs.running_instance import Running

Seen = list[tuple[str, str | None]]


def observe(running: Running, cursor: str | None) -> tuple[dg.SensorResult, Seen]:
    with dg.build_sensor_context(
        instance=running.instance, cursor=cursor, resources={"store": StoreResource(settings=load_settings())}
    ) as context:
        result = roster_and_settings_sensor(context)
    assert isinstance(result, dg.SensorResult)
    return result, [(event.asset_key.path[-1], event.partition) for event in result.asset_events]


def test_a_connection_and_its_roster_are_observed_once_and_again_when_they_change(running: Running) -> None:
    first, seen = observe(running, None)
    assert seen == [("connections", running.name), ("employees", running.name)]
    again, seen = observe(running, first.cursor)
    assert seen == []
    running.map("E3", "3")
    mapped, seen = observe(running, again.cursor)
    assert seen == [("employees", running.name)]
    seen_metadata = {name: value.value for name, value in mapped.asset_events[0].metadata.items()}
    assert seen_metadata == {"rows": 3, "mapped": 3, "unmapped": 0}
    with running.database.connect("changing") as transaction:
        set_connection(transaction, running.name, {"workspace_gid": None})
    _, seen = observe(running, mapped.cursor)
    assert seen == [("connections", running.name)]


def test_an_observation_tells_no_name_and_no_setting(running: Running) -> None:
    result, _ = observe(running, None)
    told = str(result.asset_events)
    assert not [word for word in ("Thimble", "example.com", "sandbox-token", "env:") if word in told]

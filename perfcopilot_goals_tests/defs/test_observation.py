"""Settings and rosters as Dagster observes them: each change once, per connection, in numbers."""

import dagster as dg

from perfcopilot_goals.defs.observation import sources_sensor
from perfcopilot_goals.defs.resources import Store
from perfcopilot_goals.storage.connections import set_connection
from perfcopilot_goals_tests.defs.office import Office

Seen = list[tuple[str, str | None]]


def observe(office: Office, cursor: str | None) -> tuple[dg.SensorResult, Seen]:
    with dg.build_sensor_context(instance=office.instance, cursor=cursor, resources={"store": Store()}) as context:
        result = sources_sensor(context)
    assert isinstance(result, dg.SensorResult)
    return result, [(event.asset_key.path[-1], event.partition) for event in result.asset_events]


def test_a_connection_and_its_roster_are_observed_once_and_again_when_they_change(office: Office) -> None:
    first, seen = observe(office, None)
    assert seen == [("connections", office.name), ("employees", office.name)]
    again, seen = observe(office, first.cursor)
    assert seen == []
    office.map("E3", "3")
    mapped, seen = observe(office, again.cursor)
    assert seen == [("employees", office.name)]
    figures = {name: value.value for name, value in mapped.asset_events[0].metadata.items()}
    assert figures == {"rows": 3, "mapped": 3, "unmapped": 0}
    with office.database.connect("changing") as transaction:
        set_connection(transaction, office.name, {"workspace_gid": None})
    _, seen = observe(office, mapped.cursor)
    assert seen == [("connections", office.name)]


def test_an_observation_tells_no_name_and_no_setting(office: Office) -> None:
    result, _ = observe(office, None)
    told = str(result.asset_events)
    assert not [word for word in ("Thimble", "example.com", "sandbox-token", "env:") if word in told]

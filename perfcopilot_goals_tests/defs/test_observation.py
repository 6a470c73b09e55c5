"""Settings and rosters as Dagster observes them: each change once, per connection, in numbers."""

import dagster as dg
import psycopg
import pytest

from perfcopilot_goals.defs.observation import roster_and_settings_sensor
from perfcopilot_goals.defs.resources import StoreResource
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals.storage.connections import remove_connection, set_connection
from perfcopilot_goals_tests.defs.running_instance import Running
from perfcopilot_goals_tests.storage.examples import add

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
    with running.database.connect("changing") as conn:
        set_connection(conn, running.name, {"workspace_gid": None})
    _, seen = observe(running, mapped.cursor)
    assert seen == [("connections", running.name)]


def test_an_observation_tells_no_name_and_no_setting(running: Running) -> None:
    result, _ = observe(running, None)
    told = str(result.asset_events)
    assert not [word for word in ("Thimble", "example.com", "sandbox-token", "env:") if word in told]


def change(running: Running, statement: str, *parameters: str) -> None:
    """Change something as somebody with SQL does."""
    with psycopg.connect(running.database.url) as conn:
        conn.execute(statement.encode(), [*parameters])


def test_an_employee_who_is_removed_is_noticed(running: Running) -> None:
    first, _ = observe(running, None)
    change(running, "delete from perfcopilot_goals.employees where employee_id = 'E3'")
    result, seen = observe(running, first.cursor)
    assert seen == [("employees", running.name)]
    assert result.asset_events[0].metadata["rows"].value == 2
    change(running, "delete from perfcopilot_goals.employees")
    result, seen = observe(running, result.cursor)
    assert seen == [("employees", running.name)]
    assert result.asset_events[0].metadata["rows"].value == 0
    assert observe(running, result.cursor)[1] == []


def test_a_connection_that_comes_later_is_observed_even_without_a_roster(running: Running) -> None:
    first, _ = observe(running, None)
    add(running.database, "later")
    result, seen = observe(running, first.cursor)
    assert seen == [("connections", "later"), ("employees", "later")]
    with running.database.connect("removing") as conn:
        remove_connection(conn, "later")
    result, seen = observe(running, result.cursor)
    assert seen == []
    add(running.database, "later")
    assert observe(running, result.cursor)[1] == [("connections", "later"), ("employees", "later")]


def test_what_happens_to_a_disabled_connection_is_observed_once_it_is_enabled(running: Running) -> None:
    first, _ = observe(running, None)
    change(running, "update perfcopilot_goals.connections set enabled = false, updated_at = now()")
    asleep, seen = observe(running, first.cursor)
    assert seen == []
    running.map("E3", "3")
    long_ago = "update perfcopilot_goals.roster_changes set changed_at = now() - interval '1 day'"
    change(running, long_ago)
    asleep, seen = observe(running, asleep.cursor)
    assert seen == []
    change(running, "update perfcopilot_goals.connections set enabled = true, updated_at = now()")
    woken, seen = observe(running, asleep.cursor)
    assert seen == [("connections", running.name), ("employees", running.name)]
    assert observe(running, woken.cursor)[1] == []


def test_a_change_that_was_committed_after_a_later_look_is_not_overlooked(running: Running) -> None:
    """A change carries the time at which its transaction began."""
    first, _ = observe(running, None)
    with psycopg.connect(running.database.url) as slow:
        slow.execute(
            "update perfcopilot_goals.employees set asana_user_gid = null, updated_at = now() where employee_id = 'E1'"
        )
        between, seen = observe(running, first.cursor)
        assert seen == []
    assert observe(running, between.cursor)[1] == [("employees", running.name)]


def test_a_tick_says_what_it_saw(running: Running) -> None:
    first, _ = observe(running, None)
    assert first.skip_reason == dg.SkipReason("1 connections, 2 observations")
    assert observe(running, first.cursor)[0].skip_reason == dg.SkipReason("1 connections, nothing changed")


@pytest.mark.parametrize("cursor", ["", "nonsense", "[]", '{"acme": {"connections": "1"}}'])
def test_a_cursor_that_is_lost_or_of_an_earlier_version_costs_one_look_at_everything(
    running: Running, cursor: str
) -> None:
    result, seen = observe(running, cursor)
    assert seen == [("connections", running.name), ("employees", running.name)]
    assert observe(running, result.cursor)[1] == []

"""A sync looks at Asana's users once a day: the check names what it found, and it never keeps goals away."""

from typing import Any

import dagster as dg
import psycopg
import pytest

from perfcopilot_goals.defs.observation import roster_and_settings_sensor
from perfcopilot_goals.defs.resources import StoreResource
from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.sandbox import Fault, Person
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals.storage.connections import set_connection
from perfcopilot_goals.storage.employees import import_employees
from perfcopilot_goals_tests import scripted_faults as faults
from perfcopilot_goals_tests.defs.running_instance import Running, metadata_of, results
from perfcopilot_goals_tests.scripted_faults import Script

CHECK = "every_mapping_agrees_with_asana"


def swap(running: Running) -> None:
    """Ada has Ben's user and Ben has Ada's, as after an import with a column that was sorted by itself."""
    swapped = [Employee("E1", "Ada", "ada@example.com", "2"), Employee("E2", "Ben", "ben@example.com", "1")]
    with running.database.connect("importing") as conn:
        import_employees(conn, running.name, swapped)


def let_a_day_pass(running: Running) -> None:
    with psycopg.connect(running.database.url) as conn:
        conn.execute("update perfcopilot_goals.connections set users_checked_at = now() - interval '1 day'")


def told(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    return {name: value.value for name, value in results(result)[CHECK].metadata.items()}


def noted(running: Running) -> dict[str, Any]:
    """The notes of the latest sync's list."""
    notes: dict[str, Any] = running.sync_log()[-1]["counts"]["tables"]["raw_workspace_goals"]["notes"]
    return notes


@pytest.mark.fault("B40")
def test_the_check_names_swapped_employees_and_goes_green_once_they_are_put_right(running: Running) -> None:
    swap(running)
    result = running.sync(checked=True)
    check = results(result)[CHECK]
    assert (check.passed, check.severity.value, check.asset_key.path) == (False, "WARN", ["owned_goals"])
    assert (told(result)["count"], told(result)["ids"]) == (2, "E1, E2")
    assert "Hire two engineers" in running.block("E2"), "which is why it has to be told"
    assert noted(running)["mapping_conflicts"] == 2
    right = [Employee("E1", "Ada", "ada@example.com", "1"), Employee("E2", "Ben", "ben@example.com", "2")]
    with running.database.connect("importing") as conn:
        import_employees(conn, running.name, right)
    assert results(running.sync(checked=True))[CHECK].passed


def test_one_sync_a_day_asks_for_the_users_and_counts_it_among_its_requests(running: Running) -> None:
    first = running.sync()
    assert running.asana.count("/users") == 1
    assert metadata_of(first, "raw_workspace_goals")["requests"] == 2
    assert metadata_of(first, "raw_workspace_goals")["users"] == 2
    assert running.sync_log()[-1]["requests"] == running.asana.count()
    second = running.sync()
    assert running.asana.count("/users") == 1
    assert metadata_of(second, "raw_workspace_goals")["requests"] == 1
    assert not {"users", "users_error"} & set(noted(running))
    let_a_day_pass(running)
    running.sync()
    assert running.asana.count("/users") == 2


def test_more_than_a_page_of_users_costs_a_request_for_each_hundred(running: Running) -> None:
    for number in range(1_000, 1_199):
        running.world.people[str(number)] = Person(str(number), "Guest", None)
    running.sync()
    assert (running.asana.count("/users"), noted(running)["users"]) == (3, 201)


def test_switched_off_no_sync_asks_for_the_users_and_the_check_says_that_nobody_looked(running: Running) -> None:
    swap(running)
    with running.database.connect("switching off") as conn:
        set_connection(conn, running.name, {"check_users": False})
    result = running.sync(checked=True)
    assert running.asana.count("/users") == 0
    assert told(result) == {"count": 0, "ids": "", "as_of": "never"}


@pytest.mark.fault("B41")
@pytest.mark.parametrize(
    ("fault", "error", "status"),
    [
        (faults.status(402, "Payment Required"), "AsanaAccessError", 402),
        (faults.status(403, "Forbidden"), "AsanaAccessError", 403),
        (faults.status(404, "Not Found"), "GoalsConfigError", 404),
        (faults.html(), "AsanaContractError", None),
    ],
    ids=["402", "403", "404", "html"],
)
def test_users_that_cannot_be_listed_are_recorded_and_the_goals_come_all_the_same(
    fault: Fault, error: str, status: int | None, running: Running
) -> None:
    swap(running)
    assert told(running.sync(checked=True))["ids"] == "E1, E2"
    let_a_day_pass(running)
    before = running.rows("connections")
    running.asana.faults = Script().on(fault, path="/users")
    result = running.sync(checked=True)
    assert result.success
    assert (noted(running)["users_error"], noted(running).get("users_status")) == (error, status)
    assert metadata_of(result, "raw_workspace_goals")["users_error"] == error
    (line,) = [
        entry.user_message
        for entry in running.instance.all_logs(result.run_id)
        if "the sync goes on" in entry.user_message
    ]
    assert line.startswith(f"{running.name}: the mapping was not compared with Asana's users ({error}")
    assert running.rows("connections") == before, "with the moment of the last look that there was"
    assert told(result)["ids"] == "E1, E2", "what was found then still stands"
    running.asana.faults = None
    running.sync()
    assert noted(running)["users"] == 2, "the next sync asks again"


@pytest.mark.fault("B41", "A16")
def test_users_that_fail_after_retries_leave_the_sync_all_of_its_own(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three retries of the users; then three lists of sub-goals need three each, and ten are all that a sync has."""
    from perfcopilot_goals.defs.build import build_definitions
    from perfcopilot_goals_tests.clock import FakeClock

    running.definitions = build_definitions(load_settings(), clock=FakeClock())
    script = Script().on(faults.status(503, "Busy"), path="/users")
    for gid in ("101", "102", "103"):
        script.on(faults.status(503, "Busy"), path="/goal_relationships", query={"supported_goal": gid}, times=3)
    running.asana.faults = script
    result = running.sync()
    assert result.success
    assert running.asana.count("/users") == 4
    assert (noted(running)["users_error"], noted(running)["users_status"]) == ("AsanaUnavailableError", 503)
    assert "Publish ten posts" in running.block("E1")


@pytest.mark.fault("B43")
def test_after_a_wrong_workspace_is_corrected_the_next_sync_looks_again_on_the_same_day(running: Running) -> None:
    running.sync()
    with running.database.connect("correcting") as conn:
        set_connection(conn, running.name, {"workspace_gid": "78"})
        set_connection(conn, running.name, {"workspace_gid": "77"})
    running.sync()
    assert running.asana.count("/users") == 2


def test_a_look_is_no_change_of_settings_or_roster(running: Running) -> None:
    swap(running)

    def observe(cursor: str | None) -> dg.SensorResult:
        with dg.build_sensor_context(
            instance=running.instance, cursor=cursor, resources={"store": StoreResource(settings=load_settings())}
        ) as context:
            result = roster_and_settings_sensor(context)
        assert isinstance(result, dg.SensorResult)
        return result

    cursor = observe(None).cursor
    running.sync()
    assert noted(running)["mapping_conflicts"] == 2
    assert observe(cursor).asset_events == []
    assert not [row for row in running.rows("employees") if row["updated_at"] > running.sync_log()[-1]["synced_at"]]

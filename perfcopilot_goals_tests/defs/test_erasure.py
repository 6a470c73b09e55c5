"""Somebody is erased while a sync is under way: it does not write what it has fetched of them.

And what Dagster keeps of its sensors loses them, in a form that Dagster reads.
"""

import datetime as dt
import json

import dagster as dg
import psycopg
import pytest
from dagster._core.scheduler.instigation import TickStatus

from perfcopilot_goals.defs.build import build_definitions
from perfcopilot_goals.defs.progress import Progress
from perfcopilot_goals.services.erasure import erase_person
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals.storage.erasure import Erasure, erase_employee
from perfcopilot_goals.storage.erasure_scan import scan_for_leftovers
from perfcopilot_goals_tests.defs.running_instance import Running, error_code, without_stamp
from perfcopilot_goals_tests.defs.ticks import cursor_of, note_state, note_tick, ticks_of


@pytest.mark.fault("H20")
@pytest.mark.parametrize("moment", ["goals listed", "goals walked"])
def test_a_sync_that_is_under_way_cannot_write_an_erased_person_back(running: Running, moment: str) -> None:
    assert running.sync().success
    erasures: list[Erasure] = []

    def erase(progress: Progress | str) -> None:
        if isinstance(progress, Progress) and progress.what == moment and not erasures:
            with running.database.connect("erasing") as conn:
                erasures.append(erase_employee(conn, running.name, "E1"))

    running.definitions = build_definitions(load_settings(), report=erase)
    result = running.sync()
    assert error_code(result) == "GoalsGuardError"
    assert erasures[0].running_syncs == 1
    for table, rows in running.slices().items():
        assert not [row for row in rows if row.get("owner_gid") == "1" or row.get("employee_id") == "E1"], table
    assert [row["employee_id"] for row in running.rows("prompt_blocks")] == ["E2"]

    before = without_stamp(running.slices())
    assert running.sync().success
    assert without_stamp(running.slices()) == before


def test_an_asset_made_alone_from_inputs_of_before_the_erasure_is_refused(running: Running) -> None:
    """Its roster may have been read before, and its inputs cannot tell."""
    assert running.sync().success
    with running.database.connect("erasing") as conn:
        erase_employee(conn, running.name, "E1")
    result: dg.ExecuteInProcessResult = running.sync(only=["prompt_blocks"])
    assert error_code(result) == "GoalsGuardError"
    assert running.sync().success


@pytest.mark.fault("H30")
@pytest.mark.parametrize("who", ["E003", "Ünal", 'E"3'], ids=ascii)
def test_every_sensors_cursor_loses_the_person_of_this_connection_and_no_other(
    running: Running, real_instance: dg.DagsterInstance, who: str
) -> None:
    """The alert's cursor of an earlier version: ids of all connections, as JSON in a string in Dagster's JSON."""
    globex = running.connect("globex")
    with psycopg.connect(running.database.url) as conn:
        conn.execute("update perfcopilot_goals.employees set employee_id = %s where employee_id = 'E1'", [who])
    empty_dagster(running.database.url)
    cursor = json.dumps({running.name: {who: 243, "E2": 201}, globex: {who: 243}})
    sources = json.dumps({running.name: {"connections": "2026-11-25", "employees": "3 2 2026-11-25"}})
    monday = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
    note_state(real_instance, "truncation_alert", cursor)
    note_state(real_instance, "roster_and_settings_sensor", sources)
    for hour in range(6):
        note_tick(real_instance, "truncation_alert", monday + dt.timedelta(hours=hour), cursor=cursor)
    note_tick(real_instance, "other", monday, TickStatus.FAILURE, said=f"employee {who} of somebody")
    note_tick(real_instance, "other", monday + dt.timedelta(hours=1), TickStatus.SKIPPED, said=f"waits for {who}")

    settings = load_settings()
    places = ["instigators.instigator_body", "job_ticks.tick_body", "jobs.job_body"]
    assert scan_for_leftovers(running.database, settings, [who])[who][:3] == [
        f"perfcopilot_dagster.{p}" for p in places
    ]
    removed = erase_person(running.database, settings, running.name, who).removed
    assert removed["perfcopilot_dagster.job_ticks, ids only"] == 8

    left = {running.name: {"E2": 201}, globex: {who: 243}}
    assert json.loads(cursor_of(real_instance, "truncation_alert") or "") == left
    assert [json.loads(tick.cursor or "") for tick in ticks_of(real_instance, "truncation_alert")] == [left] * 6
    assert cursor_of(real_instance, "roster_and_settings_sensor") == sources
    skipped, failed = ticks_of(real_instance, "other")
    assert skipped.skip_reason == "waits for [erased]"
    assert failed.error is not None
    assert failed.error.message == "employee [erased] of somebody"

    erase_person(running.database, settings, globex, who)
    assert scan_for_leftovers(running.database, settings, [who]) == {}


def test_statistics_of_ticks_that_dagster_has_deleted_lose_the_person(
    running: Running, real_instance: dg.DagsterInstance
) -> None:
    """No row names them any more, so the erasure once left the table alone."""
    monday = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
    empty_dagster(running.database.url)
    for hour in range(3):
        note_tick(real_instance, f"sensor {hour} of E1", monday, TickStatus.SKIPPED, said="nothing to do")
    with psycopg.connect(running.database.url, autocommit=True) as admin:
        admin.execute("analyze perfcopilot_dagster.job_ticks")
    empty_dagster(running.database.url)
    note_tick(real_instance, "other", monday, TickStatus.SKIPPED, said="nothing to do")
    settings = load_settings()
    assert "statistics of " in str(scan_for_leftovers(running.database, settings, ["E1"])["E1"])
    erase_person(running.database, settings, running.name, "E1")
    assert "statistics of " not in str(scan_for_leftovers(running.database, settings, ["E1"]))


def empty_dagster(url: str) -> None:
    """What other tests of the folder left of sensors in the database that they share."""
    with psycopg.connect(url) as admin:
        for table in ("instigators", "jobs", "job_ticks"):
            admin.execute(f"delete from perfcopilot_dagster.{table}")

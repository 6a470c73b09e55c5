"""Somebody is erased while a sync is under way: whatever the sync holds of them by then, it does not write it."""

import dagster as dg
import pytest

from perfcopilot_goals.defs.build import build_definitions
from perfcopilot_goals.defs.progress import Progress
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals.storage.erasure import erase_employee
from perfcopilot_goals_tests.defs.running_instance import Running, error_code, without_stamp


@pytest.mark.fault("H20")
@pytest.mark.parametrize("moment", ["goals listed", "goals walked"])
def test_a_sync_that_is_under_way_cannot_write_an_erased_person_back(running: Running, moment: str) -> None:
    assert running.sync().success
    erasures = []

    def erase(progress: Progress) -> None:
        if progress.what == moment and not erasures:
            with running.database.connect("erasing") as transaction:
                erasures.append(erase_employee(transaction, running.name, "E1"))

    running.definitions = build_definitions(load_settings({}), report=erase)
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
    with running.database.connect("erasing") as transaction:
        erase_employee(transaction, running.name, "E1")
    result: dg.ExecuteInProcessResult = running.sync(only=["prompt_blocks"])
    assert error_code(result) == "GoalsGuardError"
    assert running.sync().success

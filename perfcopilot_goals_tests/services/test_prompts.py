"""A stored block, with what a reader should know of its age; or why there is none."""

import datetime as dt

import pytest

from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.schemas.tables import frame
from perfcopilot_goals.services.mapping import set_mapping
from perfcopilot_goals.services.prompts import find_prompt
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import import_employees
from perfcopilot_goals.storage.sync_log import begin_sync, fail_sync
from perfcopilot_goals_tests.storage.examples import add, meanwhile, write

BLOCK = "[GOALS]\n- (no goals)\n[/GOALS]\n"


@pytest.fixture
def synced(database: Database) -> Database:
    """E1 has a block, E2 has no Asana user."""
    add(database, "acme")
    with database.connect("setting up") as conn:
        import_employees(conn, "acme", [Employee("E1", "Ana", "", "11"), Employee("E2", "Bo", "", None)])
    block = frame("prompt_blocks", [("E1", BLOCK, 0, 0, 0, False, [], "owns_no_goals")])
    write(database, block, table="prompt_blocks", synced_at=dt.datetime.now(dt.UTC), is_last=True)
    return database


def test_a_block_comes_as_it_is_stored(synced: Database) -> None:
    stored, unfinished = find_prompt(synced, "acme", "E1")
    assert (stored.block, stored.reason) == (BLOCK, "owns_no_goals")
    assert (stored.roster_changed, stored.workspace_changed, stored.incomplete_goals) == (False, False, [])
    assert unfinished is None
    assert 0 <= stored.age_seconds < 60


def test_a_block_says_that_a_later_sync_failed_and_that_the_roster_changed(synced: Database) -> None:
    with synced.connect("correcting and failing") as conn:
        import_employees(conn, "acme", [Employee("E1", "Ana", "ana@example.com", "11")])
        begin_sync(conn, "acme", "run-2")
        fail_sync(conn, "acme", "run-2", "AsanaAccessError")
    stored, unfinished = find_prompt(synced, "acme", "E1")
    assert (stored.block, stored.roster_changed) == (BLOCK, True)
    assert unfinished
    assert (unfinished.state, unfinished.error_code) == ("failed", "AsanaAccessError")


def test_an_earlier_block_is_not_shown_without_the_failure_that_a_sync_mends_meanwhile(synced: Database) -> None:
    with synced.connect("failing") as conn:
        begin_sync(conn, "acme", "run-2")
        fail_sync(conn, "acme", "run-2", "AsanaAccessError")

    with meanwhile(synced, "syncs", lambda conn: begin_sync(conn, "acme", "run-3")):
        stored, unfinished = find_prompt(synced, "acme", "E1")
    assert stored.block == BLOCK
    assert unfinished
    assert (unfinished.run_id, unfinished.error_code) == ("run-2", "AsanaAccessError")


def test_the_block_of_an_earlier_asana_user_is_not_shown(synced: Database) -> None:
    set_mapping(synced, "acme", "E1", "12")
    with pytest.raises(GoalsConfigError, match="there is no block for employee E1 yet"):
        find_prompt(synced, "acme", "E1")


@pytest.mark.parametrize(
    ("employee_id", "says"),
    [
        pytest.param("E9", "connection acme has no employee 'E9'. .*employee list acme$", id="unknown"),
        pytest.param("E2", "connection acme: employee E2 is not mapped .*employee map acme E2 GID$", id="unmapped"),
        pytest.param("E3", "connection acme: there is no block for employee E3 yet. .*sync acme$", id="not-synced"),
    ],
)
def test_a_missing_block_says_why_and_what_to_do(synced: Database, employee_id: str, says: str) -> None:
    with synced.connect("hiring") as conn:
        import_employees(conn, "acme", [Employee("E3", "Cy", "", "13")])
    with pytest.raises(GoalsConfigError, match=says):
        find_prompt(synced, "acme", employee_id)

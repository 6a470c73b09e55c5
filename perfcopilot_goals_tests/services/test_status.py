"""What is known of connections without asking Asana: how each stands, why a block is as it is, what a sync costs."""

import datetime as dt

import pytest

from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.schemas.tables import frame
from perfcopilot_goals.services.status import describe_connections, explain_blocks, find_never_synced, plan_sync
from perfcopilot_goals.storage.connections import remove_connection, set_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import import_employees
from perfcopilot_goals_tests.storage.examples import add, meanwhile, raw_goals, write

BLOCK = "[GOALS]\n- (no goals)\n[/GOALS]\n"


@pytest.fixture
def synced(database: Database) -> Database:
    """acme: one employee with a block, one mapped after that, one without an Asana user. globex: never synced."""
    add(database, "acme", "globex")
    with database.connect("setting up") as conn:
        people = [Employee("E1", "Ana", "", "11"), Employee("E2", "Bo", "", "12"), Employee("E3", "Cy", "", None)]
        import_employees(conn, "acme", people)
        import_employees(conn, "globex", [Employee("G1", "Di", "", None)])
    now = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=1)
    write(database, raw_goals(*[str(gid) for gid in range(101)]), synced_at=now)
    block = frame("prompt_blocks", [("E1", BLOCK, 243, 200, 5, True, [], "truncated")])
    write(database, block, table="prompt_blocks", synced_at=now, is_last=True)
    return database


def test_all_connections_are_described_or_the_one_named(synced: Database) -> None:
    acme, globex = describe_connections(synced)
    assert (acme.connection, acme.employees, acme.unmapped, acme.truncated) == ("acme", 3, 1, 1)
    assert (globex.connection, globex.last_complete, globex.employees) == ("globex", None, 1)
    (named,) = describe_connections(synced, "globex")
    assert named == globex


def test_a_connection_that_is_removed_meanwhile_is_described_as_it_was(synced: Database) -> None:
    with meanwhile(synced, "prompt_blocks", lambda conn: remove_connection(conn, "acme")):
        acme, globex = describe_connections(synced)
    assert (acme.employees, acme.truncated, acme.last_complete is None) == (3, 1, False)
    assert describe_connections(synced) == [globex]


def test_each_employee_has_the_reason_that_holds_now(synced: Database) -> None:
    reasons = [(block.connection, block.employee_id, block.reason) for block in explain_blocks(synced)]
    assert reasons == [
        ("acme", "E1", "truncated"),
        ("acme", "E2", "not_synced"),
        ("acme", "E3", "unmapped"),
        ("globex", "G1", "unmapped"),
    ]
    cut, *_ = explain_blocks(synced, "acme")
    assert (cut.goals, cut.goals_owned, cut.key_results, cut.roster_changed) == (200, 243, 5, False)


def test_a_plan_counts_the_pages_of_what_the_last_sync_found(synced: Database) -> None:
    planned = plan_sync(synced, "acme")
    # 101 goals are two pages; the daily look at the users is due, and three employees stand for one page of them.
    assert (planned.parts.list_pages, planned.parts.user_pages, planned.parts.is_guess) == (2, 1, False)
    assert plan_sync(synced, "globex").parts.is_guess
    write(synced, raw_goals(), name="globex")
    assert not plan_sync(synced, "globex").parts.is_guess, "it was synced, and has no goals"
    with synced.connect("slowing down") as conn:
        set_connection(conn, "acme", {"requests_per_minute": 2})
    slow = plan_sync(synced, "acme")
    assert (planned.requests_per_minute, slow.requests_per_minute) == (1_500, 2)
    assert slow.seconds >= 30 > planned.seconds


def test_a_connection_is_never_synced_until_its_first_sync_begins(synced: Database) -> None:
    assert find_never_synced(synced) == ["globex"]


def test_a_connection_that_is_not_there_is_an_error_everywhere(synced: Database) -> None:
    for ask in (describe_connections, explain_blocks, plan_sync):
        with pytest.raises(GoalsConfigError, match="there is no connection 'nope'"):
            ask(synced, "nope")

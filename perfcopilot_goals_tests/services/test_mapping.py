"""Roster and users compared, by a sync or for a person: what is asked, what is recorded, and what fails no sync."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from perfcopilot_goals.asana.client import AsanaClient
from perfcopilot_goals.core.suggestions import AsanaUser
from perfcopilot_goals.domain.connection import Connection
from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.errors import AsanaAccessError, GoalsConfigError, GoalsError, GoalsStoreError
from perfcopilot_goals.sandbox import Fault, Person, Request, Response, Sandbox, World
from perfcopilot_goals.services.mapping import (
    UsersSeen,
    check_mapping,
    find_gids,
    set_mapping,
    suggest_mapping,
)
from perfcopilot_goals.services.roster import list_employees, list_unmapped
from perfcopilot_goals.settings import load_settings
from perfcopilot_goals.storage.connections import set_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import import_employees, read_mapping
from perfcopilot_goals.storage.erasure import erase_employee
from perfcopilot_goals.storage.roster import read_conflicts
from perfcopilot_goals.storage.users_check import read_users_check
from perfcopilot_goals_tests import scripted_faults as faults
from perfcopilot_goals_tests.clock import FakeClock
from perfcopilot_goals_tests.scripted_faults import Script
from perfcopilot_goals_tests.storage.examples import add, connection, everything, stored

TOKEN = "sandbox-token"
ANA, BO, CY, DI, EVE = "1", "2", "3", "4", "5"
# Ana and Bo are swapped, Cy has a private address in Asana, Di is unmapped, Eve's user is not in the workspace.
ROSTER = [
    Employee("E1", "Ana", "ana@example.com", BO),
    Employee("E2", "Bo", "bo@example.com", ANA),
    Employee("E3", "Cy", "cy@example.com", CY),
    Employee("E4", "Di", "di@example.com", None),
    Employee("E5", "Eve", "eve@example.com", EVE),
]


def company() -> World:
    people = {
        gid: Person(gid, name, email)
        for gid, name, email in (
            ("9", "Sync account", None),
            (ANA, "Ana", "ana@example.com"),
            (BO, "Bo", "bo@example.com"),
            (CY, "Cy", "cy@mail.example"),
            (DI, "Di", "di@example.com"),
        )
    }
    return World("77", "Thimble", people)


@pytest.fixture
def asana(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """The company, and its roster in the connection acme."""
    monkeypatch.setenv("ASANA_ACCESS_TOKEN", TOKEN)
    add(database, "acme")
    with Sandbox(company(), token=TOKEN) as asana:
        with database.connect("connecting") as conn:
            set_connection(conn, "acme", {"base_url": asana.base_url, "requests_per_minute": 100_000})
            import_employees(conn, "acme", ROSTER)
        yield asana


def settings(asana: Sandbox) -> Connection:
    return connection(base_url=asana.base_url, requests_per_minute=100_000)


@contextmanager
def client_of(asana: Sandbox) -> Iterator[AsanaClient]:
    client = AsanaClient(asana.base_url, TOKEN, requests_per_minute=100_000, clock=FakeClock())
    try:
        yield client
    finally:
        client.close()


def look(database: Database, asana: Sandbox) -> UsersSeen | GoalsError | None:
    with client_of(asana) as client:
        return check_mapping(database, client, settings(asana))


def conflicts(database: Database) -> list[str]:
    with database.connect("reading") as conn:
        return [row.employee_id for row in read_conflicts(conn, "acme")]


def gone(database: Database) -> list[str]:
    return [row["employee_id"] for row in stored(database, "employees") if row["asana_gone_at"]]


def checked_at(database: Database) -> dt.datetime | None:
    with database.connect("reading") as conn:
        return read_users_check(conn, "acme").checked_at


@pytest.mark.fault("B40")
def test_a_look_names_the_swapped_and_the_gone_and_asks_once_a_day(database: Database, asana: Sandbox) -> None:
    seen = look(database, asana)
    assert isinstance(seen, UsersSeen)
    assert (seen.users, seen.hidden_emails, seen.gone) == (5, 1, ["E5"])
    assert [c.employee_id for c in seen.conflicts] == conflicts(database) == ["E1", "E2"]
    assert gone(database) == ["E5"]
    assert look(database, asana) is None
    assert [call.path for call in asana.requests] == ["/users"]
    with psycopg.connect(database.url) as conn:
        conn.execute("update perfcopilot_goals.connections set users_checked_at = now() - interval '1 day'")
    asana.world.people[EVE] = Person(EVE, "Eve", "eve@example.com")
    assert look(database, asana) is not None
    assert (gone(database), len(asana.requests)) == ([], 2)


def test_an_empty_text_is_not_the_user_whose_address_asana_hides() -> None:
    users = [AsanaUser("12", "Guest", None), AsanaUser("13", "", "ana@example.com")]
    gid_of, problems = find_gids({"E1": "", "E2": " ", "E3": "Ana@Example.com ", "E4": " 14"}, users)
    assert gid_of == {"E3": "13", "E4": "14"}
    assert problems.keys() == {"E1", "E2"}


@pytest.mark.fault("B40", "H3")
def test_nothing_that_asana_says_of_its_users_is_stored(database: Database, asana: Sandbox) -> None:
    asana.world.people[CY] = Person(CY, "Canary Name", "canary@mail.example")
    look(database, asana)
    assert "canary" not in str(everything(database)).lower()


@pytest.mark.fault("B41")
@pytest.mark.parametrize("fault", [faults.status(s) for s in (401, 402, 403, 404, 451, 503)] + [faults.html()],
                         ids=["401", "402", "403", "404", "451", "503", "html"])  # fmt: skip
def test_what_was_found_before_stands_where_the_users_cannot_be_listed(
    fault: Fault, database: Database, asana: Sandbox
) -> None:
    look(database, asana)
    with psycopg.connect(database.url) as conn:
        conn.execute("update perfcopilot_goals.connections set users_checked_at = now() - interval '1 day'")
    before = everything(database)
    asana.faults = Script().on(fault, path="/users")
    failed = look(database, asana)
    assert isinstance(failed, GoalsError)
    assert failed.connection == "acme"
    assert everything(database) == before
    asana.faults = None
    assert isinstance(look(database, asana), UsersSeen), "the next sync asks again"


@pytest.mark.fault("B41", "C3")
def test_an_answer_of_another_shape_is_returned_and_not_raised(database: Database, asana: Sandbox) -> None:
    asana.faults = Script().on(faults.edit_rows(lambda row: row | {"gid": 7}), path="/users")
    failed = look(database, asana)
    assert type(failed).__name__ == "AsanaContractError"
    assert checked_at(database) is None


@pytest.mark.fault("B41", "E2")
def test_a_database_that_takes_no_note_is_returned_and_leaves_no_half_of_it(
    database: Database, database_url: str, asana: Sandbox
) -> None:
    with psycopg.connect(database_url) as admin:
        admin.execute(
            "create function refuse() returns trigger language plpgsql as $$ begin "
            "raise exception 'canary' using errcode = '42501'; end $$"
        )
        admin.execute(
            "create trigger refuse before update on perfcopilot_goals.connections "
            "for each row execute function refuse()"
        )
    failed = look(database, asana)
    assert isinstance(failed, GoalsStoreError)
    assert failed.sqlstate == "42501"
    assert (conflicts(database), gone(database)) == ([], [])


@pytest.mark.fault("B43")
def test_a_workspace_that_is_corrected_while_its_users_are_listed_is_looked_at_by_the_next_sync(
    database: Database, asana: Sandbox
) -> None:
    def correct(_: Request, response: Response) -> Response:
        with database.connect("correcting") as conn:
            set_connection(conn, "acme", {"workspace_gid": "78"})
        return response

    asana.faults = correct
    failed = look(database, asana)
    assert type(failed).__name__ == "GoalsGuardError"
    assert (conflicts(database), gone(database), checked_at(database)) == ([], [], None)


@pytest.mark.fault("H20", "B40")
def test_the_user_of_an_erased_person_is_nobodys_other_user(database: Database, asana: Sandbox) -> None:
    """Bo has left and was erased while mapped to Ana's user: her address is no user's that may be named."""
    with database.connect("erasing") as conn:
        erase_employee(conn, "acme", "E2")
    seen = look(database, asana)
    assert isinstance(seen, UsersSeen)
    assert (seen.users, [c.other_gids for c in seen.conflicts]) == (4, [])
    with database.connect("reading") as conn:
        assert read_users_check(conn, "acme").users == 5, "as many as the next look has to page through"


@pytest.mark.fault("B40")
def test_suggestions_come_with_the_conflicts_and_record_them_too(database: Database, asana: Sandbox) -> None:
    done = suggest_mapping(database, load_settings({}), "acme", apply=False, clock=FakeClock())
    assert [(s.employee_id, s.kind) for s in done.suggestions] == [("E4", "exact")]
    assert [c.employee_id for c in done.seen.conflicts] == conflicts(database) == ["E1", "E2"]
    assert done.applied == 0
    assert look(database, asana) is None, "a sync of the same day need not ask"
    applied = suggest_mapping(database, load_settings({}), "acme", apply=True, clock=FakeClock())
    assert (applied.applied, applied.seen.gone) == (1, ["E5"])
    with database.connect("reading") as conn:
        assert read_mapping(conn, "acme")["E4"] == DI


def test_a_refusal_of_suggestions_names_the_connection_and_changes_nothing(database: Database, asana: Sandbox) -> None:
    before = everything(database)
    asana.faults = faults.status(403)
    with pytest.raises(AsanaAccessError, match="connection acme") as refused:
        suggest_mapping(database, load_settings({}), "acme", apply=True, clock=FakeClock())
    assert refused.value.status == 403
    with pytest.raises(GoalsConfigError, match="there is no connection 'nobody'"):
        suggest_mapping(database, load_settings({}), "nobody", apply=True, clock=FakeClock())
    assert everything(database) == before


def test_an_employee_is_mapped_and_unmapped_by_hand(database: Database) -> None:
    add(database, "acme")
    with database.connect("setting up") as conn:
        import_employees(conn, "acme", [Employee("E4", "Di", "di@example.com", None)])
    set_mapping(database, "acme", "E4", f" {DI} ")
    assert [(e.employee_id, e.asana_user_gid) for e in list_employees(database, "acme")] == [("E4", DI)]
    assert list_unmapped(database, "acme") == []
    set_mapping(database, "acme", "E4", None)
    assert [person.employee_id for person in list_unmapped(database, "acme")] == ["E4"]


@pytest.mark.parametrize(
    ("name", "employee_id", "gid", "says"),
    [
        pytest.param("nope", "E4", DI, "there is no connection 'nope'", id="connection"),
        pytest.param("acme", "E9", DI, "connection acme has no employee 'E9'. .*employee list acme$", id="employee"),
        pytest.param("acme", "E4", "12x", "connection acme: the Asana user's GID must be Asana's numeric", id="gid"),
        pytest.param("acme", "E4", CY, "claimed twice: 3 by E3 and E4. .*employee unmap acme EMPLOYEE$", id="taken"),
    ],
)
def test_a_mapping_that_cannot_be_changes_nothing_and_names_the_connection(
    database: Database, name: str, employee_id: str, gid: str, says: str
) -> None:
    add(database, "acme")
    with database.connect("setting up") as conn:
        import_employees(conn, "acme", ROSTER)
    before = everything(database)
    with pytest.raises(GoalsConfigError, match=says):
        set_mapping(database, name, employee_id, gid)
    assert everything(database) == before

"""A roster is imported whole or not at all, and no Asana user is two employees."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.errors import GoalsConfigError, GoalsStoreError
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import (
    import_employees,
    map_employee,
    map_unmapped,
    read_employees,
    read_mapping,
)
from perfcopilot_goals.storage.locks import lock_roster
from perfcopilot_goals.storage.users_check import record_gone_users
from perfcopilot_goals_tests.core.examples import error_texts
from perfcopilot_goals_tests.storage.examples import Imported, add, imported, stored

ADA = Employee("E1", "Ada Thimble", "ada@example.com", "1")
BEN = Employee("E2", "Ben Thimble", "ben@example.com", "2")
CLEO = Employee("E3", "Cleo Thimble", "", None)


@pytest.fixture(autouse=True)
def _rosters(database: Database) -> None:
    add(database, "acme", "globex")


def roster(database: Database, name: str = "acme") -> list[Employee]:
    with database.connect("reading") as conn:
        return read_employees(conn, name)


def test_an_import_adds_who_is_new_changes_who_differs_and_leaves_the_others(database: Database) -> None:
    assert imported(database, ADA, BEN) == Imported(added=2, changed=0, unchanged=0)
    married = Employee("E2", "Ben Needle", "ben@example.com", "2")
    assert imported(database, ADA, married, CLEO) == Imported(added=1, changed=1, unchanged=1)
    assert roster(database) == [ADA, married, CLEO]


def test_employees_who_are_not_in_the_file_stay(database: Database) -> None:
    imported(database, ADA, BEN)
    imported(database, CLEO)
    assert roster(database) == [ADA, BEN, CLEO]


def test_an_import_of_nobody_changes_nothing(database: Database) -> None:
    assert imported(database) == Imported(0, 0, 0)


def test_updated_at_moves_only_for_employees_who_changed(database: Database) -> None:
    imported(database, ADA, BEN)
    before = [row["updated_at"] for row in stored(database, "employees")]
    imported(database, ADA, Employee("E2", "Ben Needle", "ben@example.com", "2"))
    after = [row["updated_at"] for row in stored(database, "employees")]
    assert after[0] == before[0]
    assert after[1] > before[1]


def test_two_employees_can_swap_their_asana_users_in_one_import(database: Database) -> None:
    imported(database, ADA, BEN)
    swapped = [Employee("E1", ADA.full_name, ADA.email, "2"), Employee("E2", BEN.full_name, BEN.email, "1")]
    assert imported(database, *swapped) == Imported(0, 2, 0)
    assert roster(database) == swapped


def test_an_asana_user_can_move_on_to_another_employee(database: Database) -> None:
    imported(database, ADA, CLEO)
    moved = [Employee("E1", ADA.full_name, ADA.email, None), Employee("E3", CLEO.full_name, CLEO.email, "1")]
    imported(database, *moved)
    assert roster(database) == moved


@pytest.mark.parametrize(
    "file",
    [
        [Employee("E8", "Dan", "", "8"), Employee("E9", "Eve", "", "8")],
        [Employee("E8", "Dan", "", "8"), Employee("E9", "Eve", "", "1")],
    ],
    ids=["within the file", "against the roster"],
)
def test_a_user_claimed_twice_is_refused_with_the_whole_file(database: Database, file: list[Employee]) -> None:
    imported(database, ADA)
    with pytest.raises(GoalsConfigError, match=r"nothing was changed.*claimed twice: . by E. and E9") as caught:
        imported(database, *file)
    assert "Eve" not in error_texts(caught.value)
    assert roster(database) == [ADA]


def test_the_same_user_may_be_an_employee_of_two_connections(database: Database) -> None:
    imported(database, ADA)
    imported(database, ADA, BEN, name="globex")
    assert (roster(database), roster(database, "globex")) == ([ADA], [ADA, BEN])


def test_two_imports_at_once_cannot_both_claim_a_user(database: Database) -> None:
    with ThreadPoolExecutor(1) as threads:
        with database.connect("importing") as first:
            import_employees(first, "acme", [ADA])
            # Neither could see the other's row; the second waits for the first to end.
            second = threads.submit(imported, database, Employee("E9", "Eve Thimble", "", "1"))
            with pytest.raises(TimeoutError):
                second.result(0.3)
        failure = second.exception(20)
    assert isinstance(failure, GoalsConfigError)
    assert "1 by E1 and E9" in str(failure)
    assert "Thimble" not in error_texts(failure)
    assert roster(database) == [ADA]


def test_employees_need_a_connection(database: Database) -> None:
    with pytest.raises(GoalsStoreError) as caught:
        imported(database, ADA, name="nobody")
    assert caught.value.sqlstate == "23503"


def test_the_roster_is_in_the_order_of_ids_whatever_the_locale(database: Database) -> None:
    ids = ["E10", "E2", "e1", "É1", "_", "0"]
    imported(database, *(Employee(employee_id, "Somebody", "", None) for employee_id in ids))
    assert [employee.employee_id for employee in roster(database)] == sorted(ids)


def test_text_of_a_roster_comes_back_as_it_was(database: Database) -> None:
    awkward = Employee("E\t1'\"\\", "Zoë \N{ROCKET} O'Neil\n; drop table", "x@é.example", "00123")
    imported(database, awkward)
    assert roster(database) == [awkward]


def test_the_mapping_has_every_employee_and_none_for_the_unmapped(database: Database) -> None:
    imported(database, ADA, CLEO)
    with database.connect("reading") as conn:
        assert read_mapping(conn, "acme") == {"E1": "1", "E3": None}
        assert read_mapping(conn, "globex") == {}


def mapped(database: Database, employee_id: str, gid: str | None) -> None:
    with database.connect("mapping") as conn:
        map_employee(conn, "acme", employee_id, gid)


def test_an_employee_is_mapped_and_unmapped(database: Database) -> None:
    imported(database, CLEO)
    mapped(database, "E3", "3")
    assert roster(database)[0].asana_user_gid == "3"
    mapped(database, "E3", None)
    assert roster(database) == [CLEO]


def test_mapping_and_unmapping_leave_the_manager(database: Database) -> None:
    managed = Employee("E4", "Di Thimble", "di@example.com", None, "boss@example.com")
    imported(database, managed)
    mapped(database, "E4", "4")
    mapped(database, "E4", None)
    assert roster(database) == [managed]
    assert imported(database, Employee("E4", "Di Thimble", "di@example.com", None, None)) == Imported(0, 1, 0)
    assert roster(database)[0].manager_email is None


def test_mapping_refuses_an_unknown_employee_and_a_user_who_is_somebody_else(database: Database) -> None:
    imported(database, ADA, CLEO)
    with pytest.raises(GoalsConfigError, match="connection acme has no employee 'E7'"):
        mapped(database, "E7", "3")
    with pytest.raises(GoalsConfigError, match="1 by E1 and E3"):
        mapped(database, "E3", "1")
    assert roster(database) == [ADA, CLEO]


def test_many_are_mapped_at_once_and_existing_mappings_stay(database: Database) -> None:
    imported(database, ADA, CLEO, Employee("E4", "Dan Thimble", "", None))
    imported(database, CLEO, name="globex")
    with database.connect("mapping") as conn:
        assert map_unmapped(conn, "acme", {"E1": "9", "E3": "3", "E4": "4", "E7": "7"}) == 2
        assert map_unmapped(conn, "acme", {}) == 0
    assert [e.asana_user_gid for e in roster(database)] == ["1", "3", "4"]
    assert roster(database, "globex") == [CLEO]


def test_a_user_who_was_mapped_meanwhile_is_not_mapped_twice(database: Database) -> None:
    imported(database, ADA, CLEO)
    with pytest.raises(GoalsStoreError) as caught, database.connect("mapping") as conn:
        map_unmapped(conn, "acme", {"E3": "1"})
    assert caught.value.sqlstate == "23505"
    assert roster(database) == [ADA, CLEO]


def test_mapping_waits_for_an_import_that_has_read_the_roster(database: Database) -> None:
    """Otherwise the import would undo the mapping, because it had read the employee as unmapped."""
    imported(database, CLEO)
    with ThreadPoolExecutor(1) as threads:
        with database.connect("importing") as first:
            lock_roster(first, "acme")
            second = threads.submit(mapped, database, "E3", "3")
            with pytest.raises(TimeoutError):
                second.result(0.3)
            import_employees(first, "acme", [Employee("E3", "Cleo Needle", "", None)])
        second.result(20)
    assert roster(database) == [Employee("E3", "Cleo Needle", "", "3")]


def record_users(database: Database, *gids: str) -> list[str]:
    with database.connect("recording") as conn:
        return record_gone_users(conn, "acme", gids)


def gone_since(database: Database) -> dict[str, object]:
    return {row["employee_id"]: row["asana_gone_at"] for row in stored(database, "employees")}


def test_employees_whose_user_left_the_workspace_are_recorded_with_the_first_time(database: Database) -> None:
    imported(database, ADA, BEN, CLEO)
    changed = [row["updated_at"] for row in stored(database, "employees")]
    assert record_users(database, "1", "7") == ["E2"]
    first = gone_since(database)
    assert (first["E1"], first["E3"]) == (None, None)
    assert record_users(database, "7") == ["E1", "E2"]
    assert gone_since(database)["E2"] == first["E2"]
    assert record_users(database, "1", "2") == []
    assert set(gone_since(database).values()) == {None}
    assert [row["updated_at"] for row in stored(database, "employees")] == changed, "the roster itself is as it was"


def test_a_new_mapping_ends_gone_and_a_new_name_does_not(database: Database) -> None:
    imported(database, ADA, BEN)
    assert record_users(database, "7") == ["E1", "E2"]
    mapped(database, "E1", "9")
    imported(database, Employee("E2", "Ben Needle", "", "2"))
    assert [employee_id for employee_id, moment in gone_since(database).items() if moment] == ["E2"]

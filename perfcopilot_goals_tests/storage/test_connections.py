"""Connections are added, changed and removed, and a removed one leaves nothing behind."""

import threading
import time

import psycopg
import pytest

from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.schemas.tables import TABLES
from perfcopilot_goals.storage.connections import (
    add_connection,
    check_name,
    has_connection,
    read_connection,
    read_connections,
    remove_connection,
    set_connection,
)
from perfcopilot_goals.storage.database import Database, driver
from perfcopilot_goals.storage.employees import import_employees
from perfcopilot_goals.storage.locks import lock_slices
from perfcopilot_goals.storage.sync_log import begin_sync
from perfcopilot_goals_tests.storage.examples import MONDAY, add, connection, everything, raw_goals, stored, write


def test_a_connection_is_read_as_it_was_added(database: Database) -> None:
    without_gid = connection("globex", workspace_gid=None, enabled=False, token_ref="file:/run/secrets/asana")
    with database.connect("adding") as conn:
        add_connection(conn, without_gid)
        add_connection(conn, connection("acme"))
    with database.connect("reading") as conn:
        assert read_connection(conn, "globex") == without_gid
        assert read_connections(conn) == [connection("acme"), without_gid]


def test_a_name_that_is_taken_is_refused_and_the_first_stays(database: Database) -> None:
    add(database, "acme")
    with pytest.raises(GoalsConfigError, match="connection acme exists already"), database.connect("adding") as again:
        add_connection(again, connection("acme", workspace_gid="88"))
    with database.connect("reading") as conn:
        assert read_connection(conn, "acme").workspace_gid == "77"


def test_an_unknown_name_is_a_wrong_setting(database: Database) -> None:
    with database.connect("reading") as conn:
        assert not has_connection(conn, "nobody")
        for act in (read_connection, remove_connection, lambda t, name: set_connection(t, name, {"enabled": False})):
            with pytest.raises(GoalsConfigError, match="there is no connection 'nobody'"):
                act(conn, "nobody")


@pytest.mark.parametrize("name", ["a", "0", "acme", "acme-2_b", "a" * 63])
def test_lower_case_letters_digits_and_dashes_make_a_name(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "-a", "_a", "Acme", "a b", "a\n", "a,b", "../../evil", "é", "a" * 64, "a\x00", "a.b", "a'"], ids=ascii
)
def test_any_other_name_is_refused(name: str) -> None:
    with pytest.raises(GoalsConfigError, match="a connection's name is"):
        check_name(name)


def moments(database: Database) -> tuple[str, str]:
    (row,) = stored(database, "connections")
    return row["created_at"], row["updated_at"]


def test_a_change_moves_only_what_it_names_and_updated_at(database: Database) -> None:
    add(database, "acme")
    created, updated = moments(database)
    with database.connect("changing") as conn:
        after = set_connection(conn, "acme", {"workspace_gid": "99", "enabled": False})
    assert after == connection("acme", workspace_gid="99", enabled=False)
    assert moments(database)[0] == created
    assert moments(database)[1] > updated


@pytest.mark.parametrize("changes", [{}, {"workspace_gid": "77"}, {"enabled": True, "subgoal_route": "auto"}])
def test_a_change_that_changes_nothing_leaves_the_moment_alone(database: Database, changes: dict[str, object]) -> None:
    add(database, "acme")
    before = moments(database)
    with database.connect("changing") as conn:
        assert set_connection(conn, "acme", changes) == connection("acme")
    assert moments(database) == before


def test_a_workspace_gid_can_be_removed(database: Database) -> None:
    add(database, "acme")
    with database.connect("changing") as conn:
        assert set_connection(conn, "acme", {"workspace_gid": None}).workspace_gid is None


def fill(database: Database, name: str) -> None:
    with database.connect("filling") as conn:
        add_connection(conn, connection(name))
        import_employees(conn, name, [Employee("E1", "Ada", "", "1")])
    write(database, raw_goals("1", "2"), name=name)


def test_a_removed_connection_leaves_no_row_and_the_others_all_of_theirs(database: Database) -> None:
    fill(database, "acme")
    others = everything(database)
    fill(database, "globex")
    with database.connect("removing") as conn:
        assert remove_connection(conn, "globex") == 2
    assert everything(database) == others


def test_removal_knows_every_table(database: Database) -> None:
    with psycopg.connect(database.url) as conn:
        found = conn.execute(
            "select table_name from information_schema.columns join information_schema.tables "
            "using (table_schema, table_name) where table_schema = 'perfcopilot_goals' and column_name = 'connection' "
            "and table_type = 'BASE TABLE'"
        ).fetchall()
    assert {name for (name,) in found} == set(TABLES)


def test_a_removal_waits_for_a_replace_and_then_takes_its_rows_too(database: Database) -> None:
    add(database, "acme")
    write(database, raw_goals("1"))
    removing = threading.Thread(target=remove, args=(database,))
    with database.connect("replacing") as conn:
        lock_slices(conn, "acme")
        driver(conn).execute(
            "insert into perfcopilot_goals.subgoals values ('acme', now(), 'run-1', '1', '2', 0, 'Late', null)"
        )
        removing.start()
        time.sleep(0.3)
        assert removing.is_alive()
    removing.join(20)
    assert not any(everything(database).values())


def remove(database: Database) -> None:
    with database.connect("removing") as conn:
        remove_connection(conn, "acme")


def test_a_sync_that_outlives_its_connection_writes_nothing(database: Database) -> None:
    add(database, "acme")
    with database.connect("entering") as conn:
        begin_sync(conn, "acme", "run-1", MONDAY)
    remove(database)
    with pytest.raises(GoalsConfigError, match="no connection acme any more"):
        write(database, raw_goals("1"))
    assert not any(everything(database).values())


def test_a_removal_between_a_syncs_entry_and_its_write_is_noticed(database: Database) -> None:
    from perfcopilot_goals.schemas.tables import stamp
    from perfcopilot_goals.storage.slices import Replacement, replace_slice

    add(database, "acme")
    remove(database)
    late = Replacement("acme", "run-1", MONDAY, {}, {}, is_last=False)
    with pytest.raises(GoalsConfigError, match="acme any more: it was removed while its sync ran"):
        replace_slice(database, "raw_workspace_goals", stamp(raw_goals("1"), "acme", MONDAY, "run-1"), late)
    assert not any(everything(database).values())

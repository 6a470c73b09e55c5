"""Migrations make the tables of the models, whoever migrates, however often, and whatever interrupts them."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.parse import quote

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.errors import GoalsConfigError, GoalsStoreError
from perfcopilot_goals.schemas.tables import TABLES, Table
from perfcopilot_goals.storage import migrate
from perfcopilot_goals.storage.connections import read_connection
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.employees import read_employees
from perfcopilot_goals.storage.migrate import HEAD, ensure_migrated
from perfcopilot_goals.storage.users_check import UsersCheck, read_users_check
from perfcopilot_goals_tests.core.examples import error_texts
from perfcopilot_goals_tests.storage.migrating import migrate_to


def relations(url: str) -> set[str]:
    with psycopg.connect(url) as conn:
        return {
            name
            for (name,) in conn.execute(
                "select relname from pg_class where relnamespace = to_regnamespace('perfcopilot_goals') "
                "and relkind in ('r', 'v')"
            )
        }


ALL_RELATIONS = {*TABLES, "goals", "goal_key_results", "goal_counts", "status_changes", "alembic_version"}


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_a_table_has_the_columns_of_its_model(database: Database, table: Table) -> None:
    with psycopg.connect(database.url) as conn:
        columns = conn.execute(
            "select attname, format_type(atttypid, atttypmod), not attnotnull from pg_attribute "
            "where attrelid = %s::regclass and attnum > 0 and not attisdropped",
            [f"perfcopilot_goals.{table.name}"],
        ).fetchall()
    assert sorted(columns) == sorted((column.name, column.pg_type, column.nullable) for column in table.columns)


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_a_table_has_the_key_of_its_model(database: Database, table: Table) -> None:
    with psycopg.connect(database.url) as conn:
        key = conn.execute(
            "select attname from pg_index join unnest(indkey) with ordinality as k (attnum, place) on true "
            "join pg_attribute a on a.attrelid = indrelid and a.attnum = k.attnum "
            "where indrelid = %s::regclass and indisprimary order by place",
            [f"perfcopilot_goals.{table.name}"],
        ).fetchall()
    assert tuple(name for (name,) in key) == table.key


def test_an_asana_user_is_one_employee_of_a_connection_at_most(database: Database) -> None:
    with psycopg.connect(database.url) as conn:
        rule = conn.execute(
            "select pg_get_constraintdef(oid) from pg_constraint where conname = 'employees_asana_user_gid_key'"
        ).fetchone()
    assert rule == ("UNIQUE (connection, asana_user_gid) DEFERRABLE INITIALLY DEFERRED",)


@pytest.mark.parametrize(
    ("view", "gid", "kind"), [("goals", "goal_gid", "goal"), ("goal_key_results", "key_result_gid", "key_result")]
)
def test_the_application_finds_goals_and_key_results_apart(database: Database, view: str, gid: str, kind: str) -> None:
    with psycopg.connect(database.url) as conn:
        for row_kind, row_gid in (("goal", "1"), ("key_result", "2")):
            conn.execute(
                "insert into perfcopilot_goals.mapped_goal_rows values "
                "('acme', now(), 'r', '1', %s, 'E1', %s, 0, 'Grow', null, null, null, null, 'on_track')",
                [row_gid, row_kind],
            )
        rows = conn.execute(f"select {gid}, employee_id, name, status from perfcopilot_goals.{view}").fetchall()
    assert rows == [("1" if kind == "goal" else "2", "E1", "Grow", "on_track")]


def test_the_version_that_one_query_looks_for_is_alembics_newest() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate._MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


@pytest.mark.fault("E24")
def test_migrating_twice_changes_nothing(empty_url: str) -> None:
    for _ in range(2):
        ensure_migrated(Database(empty_url))
        assert relations(empty_url) == ALL_RELATIONS


@pytest.mark.fault("E24")
def test_several_threads_and_processes_may_migrate_at_once(empty_url: str) -> None:
    code = (
        "import sys; from perfcopilot_goals.storage.database import Database; "
        "from perfcopilot_goals.storage.migrate import ensure_migrated; ensure_migrated(Database(sys.argv[1]))"
    )
    others = [subprocess.Popen([sys.executable, "-W", "error", "-c", code, empty_url]) for _ in range(2)]
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(ensure_migrated, [Database(empty_url)] * 3))
    assert [other.wait(60) for other in others] == [0, 0]
    assert relations(empty_url) == ALL_RELATIONS


@pytest.mark.fault("E24")
def test_a_migration_waits_for_another_one_for_longer_than_a_sync_would(empty_url: str) -> None:
    hasty = Database(f"{empty_url}?options=-c%20statement_timeout%3D5s%20-c%20lock_timeout%3D200ms")
    with psycopg.connect(empty_url) as other, ThreadPoolExecutor(1) as threads:
        other.execute(migrate._LOCK)
        waiting = threads.submit(ensure_migrated, hasty)
        with suppress(TimeoutError):
            waiting.result(timeout=0.8)
        other.rollback()
        waiting.result(timeout=30)
    assert relations(empty_url) == ALL_RELATIONS
    hasty.close()


def test_existing_blocks_get_the_reason_that_fits_their_counts(empty_url: str) -> None:
    migrate_to(empty_url, "0001")
    with psycopg.connect(empty_url) as conn:
        for employee_id, owned, listed in (("E1", 201, 200), ("E2", 3, 3), ("E3", 0, 0)):
            conn.execute(
                "insert into perfcopilot_goals.prompt_blocks values ('acme', now(), 'r', %s, '', %s, %s, 0, %s, '[]')",
                [employee_id, owned, listed, owned > listed],
            )
    ensure_migrated(Database(empty_url))
    with psycopg.connect(empty_url) as conn:
        rows = conn.execute("select employee_id, reason from perfcopilot_goals.prompt_blocks order by 1").fetchall()
    assert rows == [("E1", "truncated"), ("E2", "ok"), ("E3", "owns_no_goals")]
    assert relations(empty_url) == ALL_RELATIONS


def test_existing_connections_are_to_be_checked_and_rosters_stay_the_same(empty_url: str) -> None:
    migrate_to(empty_url, "0003")
    with psycopg.connect(empty_url) as conn:
        conn.execute(
            "insert into perfcopilot_goals.connections values "
            "('acme', '77', 'env:T', 'https://app.asana.com/api/1.0', 1500, 'auto', true, now(), now())"
        )
        conn.execute(
            "insert into perfcopilot_goals.employees values ('acme', 'E1', 'Ada', 'ada@example.com', '11', now(), null)"
        )
    ensure_migrated(Database(empty_url))
    with Database(empty_url).connect("reading") as conn:
        assert read_connection(conn, "acme").check_users
        assert read_users_check(conn, "acme") == UsersCheck(None, 1, is_due=True)
        assert read_employees(conn, "acme") == [Employee("E1", "Ada", "ada@example.com", "11", None)]


def hold_up_views(url: str, body: str) -> None:
    """Have the database do this when a migration has made the tables, and not yet the views."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(f"create function hold_up() returns event_trigger language plpgsql as $$ begin {body}; end $$")
        conn.execute(
            "create event trigger hold_up on ddl_command_start when tag in ('CREATE VIEW') execute function hold_up()"
        )


def let_views_pass(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("drop event trigger hold_up")


@pytest.mark.fault("E24")
def test_a_migration_that_fails_half_way_leaves_nothing_and_succeeds_later(empty_url: str) -> None:
    hold_up_views(empty_url, "raise exception 'hunter2canary' using errcode = '53100'")
    with pytest.raises(GoalsStoreError) as caught:
        ensure_migrated(Database(empty_url))
    assert caught.value.sqlstate == "53100"
    assert "hunter2canary" not in error_texts(caught.value)
    assert relations(empty_url) == set()
    let_views_pass(empty_url)
    ensure_migrated(Database(empty_url))
    assert relations(empty_url) == ALL_RELATIONS


def test_a_migration_whose_connection_dies_half_way_leaves_nothing_and_succeeds_later(empty_url: str) -> None:
    hold_up_views(empty_url, "perform pg_sleep(60)")
    failures: list[Exception] = []

    def run() -> None:
        try:
            ensure_migrated(Database(empty_url))
        except Exception as error:
            failures.append(error)

    migrating = threading.Thread(target=run)
    migrating.start()
    with psycopg.connect(empty_url, autocommit=True) as admin:
        query = "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep' and datname = %s"
        ended: list[tuple[object, ...]] = []
        while migrating.is_alive() and not ended:
            ended = admin.execute(query, [admin.info.dbname]).fetchall()
            time.sleep(0.05)
    migrating.join(30)
    assert [type(failure) for failure in failures] == [GoalsStoreError]
    assert relations(empty_url) == set()
    let_views_pass(empty_url)
    ensure_migrated(Database(empty_url))
    assert relations(empty_url) == ALL_RELATIONS


@pytest.mark.fault("D11")
def test_a_version_of_a_newer_program_is_refused_and_left_alone(fresh_url: str) -> None:
    database = Database(fresh_url)
    with psycopg.connect(database.url) as conn:
        conn.execute("update perfcopilot_goals.alembic_version set version_num = '9999'")
    with pytest.raises(GoalsConfigError, match="version 9999, which this program does not know"):
        ensure_migrated(database)
    assert relations(fresh_url) == ALL_RELATIONS


def test_tables_without_a_version_are_not_made_again(fresh_url: str) -> None:
    database = Database(fresh_url)
    with psycopg.connect(database.url) as conn:
        conn.execute("delete from perfcopilot_goals.alembic_version")
    with pytest.raises(GoalsStoreError) as caught:
        ensure_migrated(database)
    assert caught.value.sqlstate == "42P07"


@pytest.fixture
def role(empty_url: str) -> Iterator[tuple[str, str]]:
    """A role without any rights, and its URL with an awkward password."""
    password = "p%41@:/ ?#'\"\\%s{x}"
    with psycopg.connect(empty_url, autocommit=True) as admin:
        literal = psycopg.sql.Literal(password).as_string(admin)
        admin.execute(f"create role loader login password {literal}")
        place = empty_url.rpartition("@")[2]
        yield "loader", f"postgresql://loader:{quote(password, safe='')}@{place}"
        admin.execute("drop owned by loader cascade")
        admin.execute("drop role loader")


def test_a_role_that_may_not_create_gets_an_error_with_the_sqlstate(role: tuple[str, str]) -> None:
    with pytest.raises(GoalsStoreError) as caught:
        ensure_migrated(Database(role[1]))
    assert (caught.value.sqlstate, caught.value.retryable) == ("42501", False)


def test_any_password_will_do_for_migrating(role: tuple[str, str], empty_url: str) -> None:
    with psycopg.connect(empty_url, autocommit=True) as admin:
        admin.execute(f"grant create on database {admin.info.dbname} to {role[0]}")
    ensure_migrated(Database(role[1]))
    assert relations(empty_url) == ALL_RELATIONS


def test_a_role_that_may_only_use_the_tables_needs_no_right_to_create(role: tuple[str, str], empty_url: str) -> None:
    ensure_migrated(Database(empty_url))
    with psycopg.connect(empty_url, autocommit=True) as admin:
        admin.execute(f"grant usage on schema perfcopilot_goals to {role[0]}")
        admin.execute(f"grant select on all tables in schema perfcopilot_goals to {role[0]}")
    ensure_migrated(Database(role[1]))
    with psycopg.connect(role[1]) as loader:
        assert loader.execute("select count(*) from perfcopilot_goals.syncs").fetchone() == (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            loader.execute("create table perfcopilot_goals.more (number int)")

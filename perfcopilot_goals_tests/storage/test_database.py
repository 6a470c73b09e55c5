"""How a database is named and reached, and that no error on the way reveals too much."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psycopg
import pytest
import sqlalchemy as sa

from perfcopilot_goals.errors import GoalsConfigError, GoalsStoreError
from perfcopilot_goals.local_postgres import local_database_url
from perfcopilot_goals.schemas.tables import sql_table
from perfcopilot_goals.services.databases import open_database
from perfcopilot_goals.settings import Settings, load_settings
from perfcopilot_goals.storage.database import KEPT_CONNECTIONS, Database, driver, parse_database_url
from perfcopilot_goals_tests.core.examples import chain, error_texts
from perfcopilot_goals_tests.storage.examples import add, eventually

CANARY = "hunter2canary"


def settings_of(url: str) -> Settings:
    return load_settings({"PERFCOPILOT_DATABASE_URL": url})


def one_value(database: Database, query: str) -> str:
    with database.connect("asking") as conn:
        row = driver(conn).execute(query).fetchone()
    assert row is not None
    return str(row[0])


@pytest.fixture
def admin(server: Settings) -> Iterator[psycopg.Connection]:
    with psycopg.connect(local_database_url(server), autocommit=True) as conn:
        yield conn


@pytest.mark.parametrize(
    "scheme",
    ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+psycopg", "postgres+asyncpg", "postgresql+pg8000"],
)
def test_every_way_to_write_the_scheme_opens_the_database(database_url: str, scheme: str) -> None:
    url = database_url.replace("postgresql", scheme, 1)
    assert one_value(open_database(settings_of(url)), "select current_database()") == database_url.rpartition("/")[2]


@pytest.mark.parametrize(
    ("parameter", "query", "answer"),
    [
        ("sslmode=disable", "select ssl from pg_stat_ssl where pid = pg_backend_pid()", "False"),
        ("application_name=nightly", "show application_name", "nightly"),
        ("options=-c%20lock_timeout%3D123ms", "show lock_timeout", "123ms"),
        ("options=-csearch_path%3Dpg_catalog", "show search_path", "pg_catalog"),
        ("connect_timeout=3", "select 1", "1"),
    ],
)
def test_parameters_of_the_url_take_effect(database_url: str, parameter: str, query: str, answer: str) -> None:
    assert one_value(open_database(settings_of(f"{database_url}?{parameter}")), query) == answer


@pytest.mark.parametrize(
    "url",
    [
        f"user:{CANARY}@host/db",
        f"host=localhost password={CANARY}",
        f"mysql://user:{CANARY}@host/db",
        f"postgresql:/user:{CANARY}@host/db",
        f"postgresql://user:{CANARY}@[::1/db",
        f"postgresql://user:{CANARY}%zz@host/db",
        f"postgresql://user:{CANARY}%@host/db",
        f"postgresql://user:{CANARY}@host/db?no_such_setting={CANARY}",
        f"postgresql://user:{CANARY}@host/db?sslmode",
        f"POSTGRESQL://user:{CANARY}@host/db",
        f"postgresql://user:{CANARY}\udcff@host/db",
        f"https://user:{CANARY}@host/db",
        f"postgresql://user:{CANARY}@host:99999/db",
        f"postgresql://user:{CANARY}@host:0/db",
        f"postgresql://user:{CANARY}@host:5432,other:x/db",
        f"postgresql://user:pass/{CANARY}@host/db",
        CANARY,
    ],
    ids=ascii,
)
@pytest.mark.fault("D5")
def test_a_malformed_url_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(GoalsConfigError, match="PERFCOPILOT_DATABASE_URL is not a Postgres URL") as caught:
        open_database(settings_of(url))
    assert CANARY not in error_texts(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("password", [f"pa@{CANARY}", f"{CANARY}@", f"@{CANARY}@word"])
@pytest.mark.fault("D5")
def test_an_unescaped_at_sign_in_the_password_is_reported(password: str) -> None:
    with pytest.raises(GoalsConfigError, match=r"has more than one @ before its host. .*%40 for @") as caught:
        open_database(settings_of(f"postgres://user:{password}@127.0.0.1/goals"))
    assert CANARY not in error_texts(caught.value)


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
@pytest.mark.fault("D11")
def test_a_database_that_cannot_hold_every_text_is_refused(
    server: Settings, admin: psycopg.Connection, encoding: str
) -> None:
    name = f"goals_{encoding.lower()}"
    admin.execute(f"create database {name} encoding '{encoding}' locale 'C' template template0")
    try:
        database = open_database(settings_of(local_database_url(server).rpartition("/")[0] + f"/{name}"))
        with pytest.raises(GoalsConfigError, match=f"encoding is {encoding}"), database.connect("checking"):
            pass
    finally:
        admin.execute(f"drop database {name} with (force)")


def test_a_session_is_in_utc_and_utf8_and_waits_for_nothing_without_end(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    monkeypatch.setenv("PGOPTIONS", "-c statement_timeout=0")
    names = ("TimeZone", "client_encoding", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    for one in (database, Database(f"{database_url}?options=-c%20TimeZone%3DAsia/Tokyo&client_encoding=LATIN1")):
        with one.connect("asking") as conn:
            settings = [driver(conn).execute(f"show {name}").fetchone() for name in names]
            assert settings == [("UTC",), ("UTF8",), ("10min",), ("1min",), ("10min",)]
            assert driver(conn).execute("select '🚀'").fetchone() == ("🚀",)


def test_a_block_commits_at_its_end_and_rolls_back_if_it_raises(database: Database) -> None:
    add(database, "acme")

    def delete(then: int) -> None:
        with database.connect("deleting") as conn:
            driver(conn).execute("delete from perfcopilot_goals.connections")
            assert 1 // then

    with pytest.raises(ZeroDivisionError):
        delete(0)
    assert one_value(database, "select count(*) from perfcopilot_goals.connections") == "1"
    delete(1)
    assert one_value(database, "select count(*) from perfcopilot_goals.connections") == "0"


def sessions(url: str) -> list[tuple[int, str]]:
    """Who else is connected to the database, and in what state."""
    with psycopg.connect(url) as conn:
        return conn.execute(
            "select pid, state from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() "
            "and application_name = 'perfcopilot_goals' order by pid"
        ).fetchall()


def backend(database: Database, **how: bool) -> int:
    with database.connect("looking", **how) as conn:
        return driver(conn).info.backend_pid


@pytest.fixture
def unused(fresh_url: str) -> Iterator[Database]:
    """A database that nobody is connected to."""
    database = Database(fresh_url)
    yield database
    database.close()


@pytest.mark.parametrize("fails", [False, True])
def test_one_connection_serves_one_block_after_the_other_and_is_idle_between(unused: Database, fails: bool) -> None:
    pids = set()
    for _ in range(10):
        with suppress(GoalsStoreError), unused.connect("looking") as conn:
            pids.add(driver(conn).info.backend_pid)
            driver(conn).execute("select 1 / %s", [0 if fails else 1])
        assert sessions(unused.url) == [(pid, "idle") for pid in pids]
    assert len(pids) == 1
    assert backend(Database(unused.url)) in pids, "equal ones share their connections"


def test_each_thread_has_its_own_connection_and_few_are_kept(unused: Database) -> None:
    meeting = threading.Barrier(8)

    def meet(_: int) -> int:
        with unused.connect("meeting") as conn:
            meeting.wait(20)
            return driver(conn).info.backend_pid

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(meet, range(8)))) == 8
    eventually(lambda: len(sessions(unused.url)) == KEPT_CONNECTIONS)
    unused.close()
    eventually(lambda: sessions(unused.url) == [])


def test_settings_of_one_block_do_not_reach_the_next(unused: Database) -> None:
    asked: list[dict[str, bool]] = [{"autocommit": True}, {"snapshot": True}, {"autocommit": True, "snapshot": False}]
    for how in asked:
        pid = backend(unused, **how)
        with unused.connect("looking") as conn:
            assert driver(conn).info.backend_pid == pid
            names = ("transaction_isolation", "transaction_read_only", "statement_timeout", "TimeZone")
            settings = [conn.exec_driver_sql(f"show {name}").scalar() for name in names]
            assert settings == ["read committed", "off", "10min", "UTC"]
            assert not driver(conn).autocommit


@pytest.mark.parametrize("how", [{}, {"autocommit": True}, {"snapshot": True}], ids=str)
def test_maintenance_outlasts_the_limits_and_leaves_them_to_the_next_block(
    unused: Database, how: dict[str, bool]
) -> None:
    hasty = Database(f"{unused.url}?options=-c%20statement_timeout%3D500ms%20-c%20lock_timeout%3D500ms")
    try:
        backend(hasty)
        with pytest.raises(GoalsStoreError), hasty.connect("sleeping", **how) as conn:
            conn.exec_driver_sql("select pg_sleep(0.8)")
        with hasty.connect("sleeping", maintenance=True, **how) as conn:
            conn.exec_driver_sql("select pg_sleep(0.8)")
            assert conn.exec_driver_sql("show idle_in_transaction_session_timeout").scalar() == "0"
        for _ in range(KEPT_CONNECTIONS + 1):
            assert one_value(hasty, "show statement_timeout") == "500ms"
    finally:
        hasty.close()


def test_a_snapshot_reads_as_of_one_moment_and_writes_nothing(unused: Database) -> None:
    add(unused, "acme")
    count = "select count(*) from perfcopilot_goals.connections"
    with unused.connect("reading", snapshot=True) as conn:
        assert conn.exec_driver_sql(count).scalar() == 1
        add(unused, "globex")
        assert conn.exec_driver_sql(count).scalar() == 1
    with pytest.raises(GoalsStoreError) as caught, unused.connect("reading", snapshot=True) as conn:
        conn.exec_driver_sql("delete from perfcopilot_goals.connections")
    assert caught.value.sqlstate == "25006"


def test_an_own_connection_is_closed_with_everything_that_its_session_holds(unused: Database) -> None:
    with unused.connect("holding", own=True, autocommit=True) as conn:
        conn.exec_driver_sql("select pg_advisory_lock(1)")
        pid = driver(conn).info.backend_pid
        assert pid not in {backend(unused) for _ in range(3)}
    eventually(lambda: pid not in {other for other, _ in sessions(unused.url)})


@pytest.mark.fault("F2")
def test_a_connection_that_an_interrupt_left_in_a_statement_is_not_used_again(
    unused: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """Dagster ends a run by an exception of its own, which the driver does not know."""

    class Ended(BaseException):
        pass

    def end(*_: object) -> None:
        raise Ended

    def wait() -> None:
        with unused.connect("waiting") as conn:
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            driver(conn).execute("select pg_sleep(30)")

    pid = backend(unused)
    before = signal.signal(signal.SIGALRM, end)
    try:
        with pytest.raises(Ended):
            wait()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert backend(unused) != pid
    assert caplog.messages == []


@pytest.mark.fault("E3")
def test_a_kept_connection_that_has_ended_is_silently_replaced(unused: Database) -> None:
    for how in ({"autocommit": True}, {"snapshot": True}, {}):
        pid = backend(unused, **how)
        with psycopg.connect(unused.url, autocommit=True) as admin:
            admin.execute("select pg_terminate_backend(%s)", [pid])
        assert backend(unused, **how) != pid


def test_a_child_neither_uses_nor_closes_the_connections_of_its_parent(unused: Database) -> None:
    pid = backend(unused)
    script = (
        "import os, sys; from perfcopilot_goals.storage.database import Database, driver\n"
        "def look():\n"
        "    with Database(sys.argv[1]).connect('looking') as conn: return driver(conn).info.backend_pid\n"
        "mine = look()\n"
        "child = os.fork()\n"
        "if child == 0: sys.exit(look() == mine)\n"
        "_, status = os.waitpid(child, 0)\n"
        "sys.exit(status or look() != mine)"
    )
    done = subprocess.run([sys.executable, "-c", script, unused.url], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert backend(unused) == pid


@pytest.mark.fault("E17", "H3")
def test_an_error_of_sqlalchemy_reveals_neither_statement_nor_values(database: Database) -> None:
    add(database, "acme")
    employees = sql_table("employees")
    row = {"connection": "acme", "employee_id": CANARY, "full_name": CANARY, "email": None, "updated_at": sa.func.now()}
    unstorable = row | {"employee_id": "\0", "email": ""}
    for values in (row, row | {"connection": CANARY, "email": ""}, unstorable):
        kind = GoalsConfigError if values is unstorable else GoalsStoreError
        with pytest.raises(kind) as caught, database.connect("writing") as conn:
            conn.execute(sa.insert(employees).values(values))
        assert CANARY not in error_texts(caught.value)
        assert "insert" not in error_texts(caught.value).lower()
        assert list(chain(caught.value)) == [caught.value]


@pytest.mark.parametrize(
    ("statement", "sqlstate"),
    [
        ("insert into perfcopilot_goals.subgoals (connection, name) values ('acme', %s)", "23502"),
        ("insert into perfcopilot_goals.employees values ('nobody', %s, '', '', null, now())", "23503"),
        ("insert into perfcopilot_goals.syncs values ('acme', '', now(), now(), null, %s)", "23514"),
        ("select %s::integer", "22P02"),
        ("select hunter2canary, %s", "42703"),
    ],
)
@pytest.mark.fault("E17")
def test_an_error_of_a_statement_shows_only_its_sqlstate(database: Database, statement: str, sqlstate: str) -> None:
    with pytest.raises(GoalsStoreError) as caught, database.connect("trying") as conn:
        driver(conn).execute(statement, [CANARY])
    assert CANARY not in error_texts(caught.value)
    assert str(caught.value).startswith(f"GoalsStoreError: trying: Postgres said SQLSTATE {sqlstate} (")
    assert (caught.value.sqlstate, caught.value.retryable) == (sqlstate, False)


def test_an_error_at_commit_shows_only_its_sqlstate_too(database: Database) -> None:
    add(database, "acme")
    claims = (
        "insert into perfcopilot_goals.employees select 'acme', e, %s, '', '42', now() from unnest('{E1,E2}'::text[]) e"
    )
    with pytest.raises(GoalsStoreError) as caught, database.connect("claiming") as conn:
        driver(conn).execute(claims, [CANARY])
    assert caught.value.sqlstate == "23505"
    assert CANARY not in error_texts(caught.value)


@pytest.mark.fault("E3")
def test_a_terminated_backend_is_a_store_error_that_a_later_run_may_mend(database: Database) -> None:
    with pytest.raises(GoalsStoreError) as caught, database.connect("reading") as conn:
        driver(conn).execute("select pg_terminate_backend(pg_backend_pid())")
    assert caught.value.retryable
    assert caught.value.sqlstate in ("57P01", "")


@pytest.mark.fault("H2")
def test_a_database_never_shows_its_url() -> None:
    database = Database(parse_database_url(f"postgres://user:{CANARY}@host/db"))
    assert CANARY not in f"{database} {database!r}"

"""A real PgBouncer before Postgres. In session mode everything works; any other mode is refused before a write."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from perfcopilot_goals.domain.employee import Employee
from perfcopilot_goals.errors import AsanaUnavailableError, GoalsConfigError, GoalsStoreError
from perfcopilot_goals.storage.connections import add_connection
from perfcopilot_goals.storage.database import Database, driver
from perfcopilot_goals.storage.employees import import_employees, read_employees
from perfcopilot_goals.storage.locks import token_lock
from perfcopilot_goals.storage.migrate import ensure_migrated
from perfcopilot_goals_tests.asana.certificates import make_certificate
from perfcopilot_goals_tests.core.examples import chain
from perfcopilot_goals_tests.pgbouncer import needs_pgbouncer, pgbouncer
from perfcopilot_goals_tests.storage.examples import connection, gids, raw_goals, write

pytestmark = needs_pgbouncer

TOKEN = "canary-token"


@pytest.fixture
def pooled(database_url: str) -> Iterator[Database]:
    """The database through a PgBouncer with default settings: in session mode, refusing `options`."""
    with pgbouncer(database_url) as url:
        yield Database(url)


def sessions(url: str) -> set[tuple[object, ...]]:
    with psycopg.connect(url) as conn:
        return set(
            conn.execute(
                "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() "
                "and backend_type = 'client backend'"
            )
        )


@pytest.mark.fault("E34")
def test_in_session_mode_sessions_have_our_limits_and_lose_them_for_the_next_client(
    pooled: Database, database_url: str
) -> None:
    names = ("TimeZone", "client_encoding", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
    with pooled.connect("asking") as conn:
        settings = [driver(conn).execute(f"show {name}").fetchone() for name in names]
    assert settings == [("UTC",), ("UTF8",), ("10min",), ("1min",), ("10min",)]
    assert sessions(database_url), "the pooler keeps the session"
    with psycopg.connect(pooled.url) as conn:
        assert conn.execute("show statement_timeout").fetchone() == ("0",)


@pytest.mark.fault("E34")
def test_in_session_mode_a_database_is_migrated_and_a_roster_and_slices_are_stored(empty_url: str) -> None:
    roster = [Employee(f"E{number}", "Canary", f"{number}@example.com", str(number)) for number in range(500)]
    with pgbouncer(empty_url) as url:
        database = Database(url)
        ensure_migrated(database)
        # Twice: what the first leaves in the pooler's sessions must not break the second.
        for _ in range(2):
            with database.connect("importing") as conn:
                if not read_employees(conn, "acme"):
                    add_connection(conn, connection("acme"))
                import_employees(conn, "acme", roster)
            write(database, raw_goals("1", "2"))
        assert gids(database) == ["1", "2"]
        with database.connect("reading") as conn:
            assert len(read_employees(conn, "acme")) == 500


@pytest.mark.fault("E34")
def test_in_session_mode_a_token_is_held_and_released(pooled: Database, database_url: str) -> None:
    direct = Database(database_url)
    with token_lock(pooled, TOKEN):
        for other in (pooled, direct):
            with pytest.raises(AsanaUnavailableError), token_lock(other, TOKEN, wait_seconds=0):
                pass
    for other in (direct, pooled, pooled):
        with token_lock(other, TOKEN, wait_seconds=0):
            pass


@pytest.mark.fault("E34")
def test_in_session_mode_a_lost_line_releases_the_token(pooled: Database, database_url: str) -> None:
    ours = "locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())"
    with psycopg.connect(database_url, autocommit=True) as admin:
        with token_lock(pooled, TOKEN):
            admin.execute(f"select pg_terminate_backend(pid, 20000) from pg_locks where {ours}")
        with token_lock(pooled, TOKEN, wait_seconds=0):
            assert admin.execute(f"select count(*) from pg_locks where {ours}").fetchone() == (1,)


MODES: dict[str, dict[str, Any]] = {
    "transaction": {},
    "transaction, options ignored": {"ignore_startup_parameters": "options"},
    "transaction, one session": {"default_pool_size": 1},
    "transaction, sessions in turn": {"server_round_robin": 1},
    "transaction, two sessions in turn": {"server_round_robin": 1, "default_pool_size": 2},
    "statement": {},
}


@pytest.mark.fault("E35")
@pytest.mark.parametrize("mode", MODES)
def test_any_other_mode_is_refused_before_anything_is_written(mode: str, empty_url: str) -> None:
    settings = {"pool_mode": mode.partition(",")[0], **MODES[mode]}
    with pgbouncer(empty_url, **settings) as url:
        with ExitStack() as clients:
            # Others have been here before, so that the pooler has sessions to hand out.
            for _ in range(0 if mode == "statement" else settings.get("default_pool_size", 5)):
                clients.enter_context(psycopg.connect(url)).execute("select 1")
        for _ in range(3):
            with pytest.raises(GoalsConfigError, match="connection pooler in transaction mode") as caught:
                ensure_migrated(Database(url))
            assert "direct address" in (caught.value.action or "")
            assert list(chain(caught.value)) == [caught.value]
        with psycopg.connect(url, autocommit=True) as conn:
            assert conn.execute("show statement_timeout").fetchone() == ("0",), "another client's session was changed"
    with psycopg.connect(empty_url) as conn:
        assert conn.execute("select to_regnamespace('perfcopilot_goals')").fetchone() == (None,)


@pytest.mark.fault("E35")
def test_transaction_mode_is_recognised_among_many_busy_clients(database_url: str) -> None:
    """Other clients take and return sessions all the time, so nobody can say which session comes next."""
    done = threading.Event()

    def be_busy(url: str) -> None:
        with psycopg.connect(url, autocommit=True, prepare_threshold=None) as conn:
            while not done.is_set():
                conn.execute("select count(*) from generate_series(1, 500)")

    with pgbouncer(database_url, pool_mode="transaction", default_pool_size=4) as url, ThreadPoolExecutor(8) as crowd:
        busy = [crowd.submit(be_busy, url) for _ in range(8)]
        try:
            for _ in range(30):
                with pytest.raises(GoalsConfigError, match="transaction mode"), Database(url).connect("asking"):
                    pass
        finally:
            done.set()
    assert [client.result() for client in busy] == [None] * 8


@pytest.mark.fault("E34")
def test_session_mode_is_recognised_among_many_busy_clients(database_url: str) -> None:
    with pgbouncer(database_url) as url, ExitStack() as clients:
        for _ in range(5):
            conn = clients.enter_context(psycopg.connect(url, autocommit=True))
            conn.execute("select 1")
        with ThreadPoolExecutor(4) as crowd:
            asked = crowd.map(lambda _: _one(Database(url)), range(20))
            assert list(asked) == [1] * 20


def _one(database: Database) -> object:
    with database.connect("asking") as conn:
        return (driver(conn).execute("select 1").fetchone() or (None,))[0]


@pytest.mark.fault("E34")
def test_a_pooler_without_a_second_session_is_reported_as_a_limit(database_url: str) -> None:
    with pgbouncer(database_url, default_pool_size=1) as url:
        began = time.monotonic()
        with pytest.raises(GoalsStoreError, match="the limit of connections is reached"):
            _one(Database(f"{url}?connect_timeout=2"))
        assert time.monotonic() - began < 60


@pytest.mark.fault("E31")
def test_a_limit_of_the_poolers_clients_is_reported(database_url: str) -> None:
    with (
        pgbouncer(database_url, max_client_conn=1) as url,
        psycopg.connect(url),
        pytest.raises(GoalsStoreError, match="the limit of connections is reached"),
    ):
        _one(Database(url))


@pytest.mark.fault("E34")
def test_a_parameter_that_the_pooler_refuses_is_reported(pooled: Database) -> None:
    database = Database(f"{pooled.url}?options=-c%20lock_timeout%3D1s")
    with pytest.raises(GoalsStoreError, match="a pooler refused a start-up parameter") as caught, database.connect("x"):
        pass
    assert "Take `options`" in (caught.value.action or "")


@pytest.mark.fault("E31")
def test_a_pooler_refuses_a_password_as_postgres_does(pooled: Database) -> None:
    password = psycopg.conninfo.conninfo_to_dict(pooled.url)["password"]
    with pytest.raises(GoalsStoreError, match="refused the user or the password") as caught:
        _one(Database(pooled.url.replace(str(password), "hunter2canary")))
    assert not caught.value.retryable


@pytest.mark.fault("E32")
def test_a_pooler_that_requires_tls_or_has_a_foreign_certificate_is_reported(database_url: str, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, "DNS:somewhere.else")
    readable = {"client_tls_cert_file": certificate, "client_tls_key_file": tmp_path / "key.pem"}
    with pgbouncer(database_url, client_tls_sslmode="require", **readable) as url:
        for parameters, said in {
            "sslmode=disable": "does not let this user in from this machine without TLS",
            "sslmode=verify-full": "certificate of the TLS connection is missing or not trusted",
            f"sslmode=verify-full&sslrootcert={certificate}": "certificate of the TLS connection is missing or not",
            f"sslmode=verify-full&sslrootcert={tmp_path}/none": "certificate of the TLS connection is missing or not",
        }.items():
            with pytest.raises(GoalsStoreError, match=said):
                _one(Database(f"{url}?{parameters}"))
        assert _one(Database(f"{url}?sslmode=require")) == 1

"""One sync per token at a time, across threads, connections and processes. A dead process keeps no lock."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql

from perfcopilot_goals.errors import AsanaUnavailableError
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.locks import POLL_SECONDS, token_lock
from perfcopilot_goals_tests.storage.examples import add, gids, raw_goals, write

TOKEN = "digest-of-a-token"
OURS = "locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())"
HOLD = """
import sys
from perfcopilot_goals.storage.database import Database
from perfcopilot_goals.storage.locks import token_lock
with token_lock(Database(sys.argv[1]), sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def other_process(url: str) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the token until its standard input ends."""
    holder = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", HOLD, url, TOKEN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "held\n"
        yield holder
    finally:
        holder.stdin.close()
        holder.stdout.close()
        holder.wait(20)


def is_free(database: Database, token: str = TOKEN) -> bool:
    try:
        with token_lock(database, token, wait_seconds=0):
            return True
    except AsanaUnavailableError:
        return False


def test_a_token_is_held_until_the_block_ends(database: Database) -> None:
    with token_lock(database, TOKEN):
        assert not is_free(database)
    assert is_free(database)


def test_a_token_is_held_on_a_server_that_ends_idle_sessions(database: Database, database_url: str) -> None:
    """During a walk the lock's session is idle for up to an hour."""
    name = database_url.rpartition("/")[2].partition("?")[0]
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(sql.SQL("alter database {} set idle_session_timeout = '1s'").format(sql.Identifier(name)))
    try:
        fresh = Database(f"{database_url}?application_name=fresh")
        with token_lock(fresh, TOKEN):
            time.sleep(1.5)
            assert not is_free(database)
    finally:
        with psycopg.connect(database_url, autocommit=True) as admin:
            admin.execute(sql.SQL("alter database {} reset idle_session_timeout").format(sql.Identifier(name)))


def test_a_token_is_released_when_the_block_raises(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), token_lock(database, TOKEN):
        raise ZeroDivisionError
    assert is_free(database)


def test_two_tokens_do_not_wait_for_each_other(database: Database) -> None:
    with token_lock(database, TOKEN):
        assert is_free(database, "digest-of-another-token")


def test_a_sync_that_waited_in_vain_says_to_run_it_later(database: Database) -> None:
    in_vain = token_lock(database, TOKEN, wait_seconds=0)
    with token_lock(database, TOKEN), pytest.raises(AsanaUnavailableError) as caught, in_vain:
        pass
    assert caught.value.exit_code == 75
    assert "another sync has been using the same token" in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_a_sync_that_has_to_wait_reports_it_at_once_and_then_goes_on(database: Database) -> None:
    told: list[bool] = []
    release = threading.Event()
    held = threading.Event()

    def hold() -> None:
        with token_lock(database, TOKEN):
            held.set()
            release.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(20)

    def on_wait(waited_seconds: float) -> None:
        told.append(waited_seconds < POLL_SECONDS)
        release.set()

    with token_lock(database, TOKEN, on_wait=on_wait):
        assert told == [True]
    holder.join(20)


@pytest.mark.fault("D31")
def test_a_waiting_sync_reports_it_every_half_minute_until_it_gives_up(database: Database) -> None:
    now, told = [1_000.0], list[float]()

    def sleep(seconds: float) -> None:
        now[0] += seconds

    in_vain = token_lock(database, TOKEN, wait_seconds=100, on_wait=told.append, monotonic=lambda: now[0], sleep=sleep)
    with token_lock(database, TOKEN), pytest.raises(AsanaUnavailableError), in_vain:
        pass
    assert told == [0, 30, 60, 90]
    assert now[0] == 1_100


def test_a_sync_that_need_not_wait_reports_nothing(database: Database) -> None:
    told: list[float] = []
    with token_lock(database, TOKEN, on_wait=told.append):
        assert told == []


@pytest.mark.fault("F9", "B23")
def test_another_process_is_waited_for_too(database: Database, database_url: str) -> None:
    with other_process(database_url):
        assert not is_free(database)
    assert is_free(database)


def test_a_killed_process_releases_its_token(database: Database, database_url: str) -> None:
    with other_process(database_url) as holder:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait(20)
        deadline = time.monotonic() + 60
        while not is_free(database):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_no_transaction_is_open_while_a_token_is_held(database: Database, database_url: str) -> None:
    """A transaction as long as a fetch would keep Postgres from clearing away dead rows, in all tables."""
    with token_lock(database, TOKEN), psycopg.connect(database_url) as looking:
        states = looking.execute(
            f"select state, xact_start, backend_xmin from pg_stat_activity join pg_locks using (pid) where {OURS}"
        ).fetchall()
    assert states == [("idle", None, None)]


def test_a_sync_that_loses_the_locks_session_ends_without_an_error(database: Database, database_url: str) -> None:
    with token_lock(database, TOKEN), psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(f"select pg_terminate_backend(pid, 20000) from pg_locks where {OURS}")
    assert is_free(database)


def test_a_sync_that_holds_the_token_can_write(database: Database) -> None:
    add(database, "acme")
    with token_lock(database, "perfcopilot_goals slice acme"):
        write(database, raw_goals("1"))
    assert gids(database) == ["1"]

"""Opens a session of Postgres, waits for a database that is coming up, and gives the session our limits.

Add here what every session needs at its start. `database` says what is done in one, and keeps them for the next use.

Locks, time limits and the search path belong to a session. A pooler in session mode (PgBouncer's default) gives each
client one session of Postgres until it leaves, and everything works. In transaction mode the next transaction may run
in another session: a token's lock would keep nobody out and stay behind. Such an address is refused before anything is
written.
"""

import logging
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from perfcopilot_goals.errors import GoalsConfigError
from perfcopilot_goals.storage.connect_errors import Cause, find_cause

CONNECT_SECONDS = 10
# The pause between two tries to connect to a database that is coming up.
POLL_SECONDS = 0.5
STATEMENT_SECONDS = 600
# How long a replace waits for another one's lock. Then it gives up with 55P03.
LOCK_SECONDS = 60

_LIMITS = {
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "lock_timeout": f"{LOCK_SECONDS}s",
    "idle_in_transaction_session_timeout": "600s",
}
# Without limits: an erasure may read all of Dagster's events, and a migration may wait for another's.
NO_LIMITS = "; ".join(f"set {name} = 0" for name in _LIMITS)
# The token's lock is held by a session that is idle for as long as the walk takes. A server may end idle sessions, and
# a firewall forgets quiet lines, after four minutes at the earliest.
_NEVER_IDLE_OUT = {"idle_session_timeout": "0"}
_KEEPALIVES = {"keepalives_idle": 60, "keepalives_interval": 10, "keepalives_count": 3}
# Addresses that this process has already checked: each client gets a session of its own there.
_checked_urls: set[str] = set()
_ROUNDS = 3
# The session that answers, and the number of this transaction in it.
_PLACE = (
    "select pid, split_part(virtualtransaction, '/', 2)::bigint from pg_locks "
    "where pid = pg_backend_pid() and locktype = 'virtualxid'"
)
_STATEMENT_MODE = "transaction blocks not allowed"
_log = logging.getLogger("perfcopilot_goals")


class ConnectFailed(Exception):
    """A connect failed, at once or after all the waiting. It carries nothing of the driver's message."""

    def __init__(self, cause: Cause, waited_seconds: float) -> None:
        super().__init__(cause.said)
        self.cause = cause
        self.waited_seconds = waited_seconds


def open_session(url: str, monotonic: Callable[[], float], sleep: Callable[[float], None]) -> psycopg.Connection:
    """A connection without an open transaction, or `ConnectFailed`.

    Waits for a database that is starting or waking, and says so in a line on stderr or in the log. Behind a pooler in
    transaction mode it raises `GoalsConfigError`.
    """
    began = monotonic()
    reported: Cause | None = None
    patience = CONNECT_SECONDS
    while True:
        parameters = _parameters(url, patience)
        try:
            conn = psycopg.connect(**parameters)
        except (psycopg.Error, UnicodeError) as error:
            cause = find_cause(error)
        else:
            try:
                _begin_session(conn, url, parameters)
                return conn
            except psycopg.Error as error:
                conn.close()
                cause = find_cause(error, is_logged_in=True)
            except BaseException:
                conn.close()
                raise
        waited = monotonic() - began
        left = (cause.passes_in_seconds or 0) - waited
        if left <= 0:
            # Raised outside the `except`: the driver's error quotes addresses and must not become the context.
            raise ConnectFailed(cause, waited)
        if cause is not reported:
            _log.warning(f"{cause.said[0].upper()}{cause.said[1:]}; waiting up to {left:.0f} seconds for it.")
            reported = cause
        sleep(min(POLL_SECONDS, left))
        # Some proxies hold the line while they wake the database. A longer timeout does not cut them off each time.
        patience = max(CONNECT_SECONDS, int(left))


def _parameters(url: str, connect_timeout: int) -> dict[str, Any]:
    parameters: dict[str, Any] = {"connect_timeout": connect_timeout, "application_name": "perfcopilot_goals"}
    parameters |= _KEEPALIVES
    # Empty `options` rather than none, so that PGOPTIONS of the environment does not count.
    parameters |= {"options": ""} | conninfo_to_dict(url) | {"client_encoding": "UTF8"}
    # No prepared statements: behind a pooler, a session may still have an earlier client's.
    return parameters | {"autocommit": True, "prepare_threshold": None}


def _begin_session(conn: psycopg.Connection, url: str, parameters: dict[str, Any]) -> None:
    """Check that the session is ours alone, then give it our limits and UTC."""
    with ended_after(conn, 3 * CONNECT_SECONDS):
        if url not in _checked_urls:
            _check_sessions(conn, parameters)
            _checked_urls.add(url)
        # By `set`, because poolers refuse `options` at the start-up.
        conn.execute(_session_settings(str(parameters["options"]), conn.info.server_version))
    conn.autocommit = False


def _check_sessions(conn: psycopg.Connection, parameters: dict[str, Any]) -> None:
    """Raise `GoalsConfigError` if a connection with these parameters does not keep a session of Postgres to itself.

    Without a pooler one query is enough: the session's number is the one named at the login, and a pooler makes up
    another one there.
    """
    pid, _ = _place(conn)
    if pid == conn.info.backend_pid:
        return
    with psycopg.connect(**parameters) as other, ended_after(other, float(parameters["connect_timeout"])):
        if _share_sessions(conn, other):
            raise GoalsConfigError(
                "the database's address is that of a connection pooler in transaction mode, where locks do not hold; "
                "nothing was written",
                action="Use the direct address of Postgres, or the pooler in session mode, in PERFCOPILOT_DATABASE_URL "
                "(PgBouncer: pool_mode = session; hosted: often another port, or the host without -pooler)",
            )


def _share_sessions(one: psycopg.Connection, other: psycopg.Connection) -> bool:
    """Whether `one` ever changes its session, or somebody else uses that session between two of its transactions.

    A pooler without other clients would give `one` the same session each time. So `other` tries to take it away, by
    holding a transaction open. Some poolers then hand out the session that was given back last. Others hand them out in
    turn, so `other` first runs through one more of them in each round. With many clients, it is their transactions that
    come between.
    """
    try:
        for turns in range(_ROUNDS):
            pid, number = _place(one)
            if any(_place(other)[0] == pid for _ in range(turns)):
                return True
            with other.transaction():
                # `other` asks first: if the pooler has only one session, `one` would wait for it for ever.
                if _place(other)[0] == pid or _place(one) != (pid, number + 1):
                    return True
    except psycopg.Error as error:
        if _STATEMENT_MODE in str(error):
            return True
        # In session mode `one` has the pooler's last session, and `other` waited for it in vain.
        raise psycopg.errors.TooManyConnections("too many connections") from None
    return False


def _place(conn: psycopg.Connection) -> tuple[int, int]:
    pid, number = conn.execute(_PLACE).fetchone() or (0, 0)
    return pid, number


def _session_settings(options: str, server_version: int) -> sql.Composed:
    """Statements that set our limits and UTC. The URL's `options` may set other limits, but no other time zone."""
    limits = _LIMITS | (_NEVER_IDLE_OUT if server_version >= 140000 else {})
    given = {name.lower().replace("-", "_") for name in re.findall(r"(?:-c\s*|--)([\w.-]+)\s*=", options)}
    settings = {name: value for name, value in limits.items() if name not in given} | {"timezone": "UTC"}
    return sql.SQL("; ").join(
        sql.SQL("set {} = {}").format(sql.Identifier(name), value) for name, value in settings.items()
    )


@contextmanager
def ended_after(conn: psycopg.Connection, seconds: float) -> Iterator[None]:
    """Cut the line when the time is up. A read that waits on it then fails as on a closed connection."""
    with socket.socket(fileno=os.dup(conn.fileno())) as line:
        timer = threading.Timer(seconds, line.shutdown, [socket.SHUT_RDWR])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()

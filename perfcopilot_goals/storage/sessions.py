"""A session of Postgres: opened, waited for where the database is coming up, and given our limits.

Add here what every session has to be told. What is done in one, and how sessions are kept for the next use, is in
`database`.
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

from perfcopilot_goals.storage.connect_errors import Cause, find_cause
from perfcopilot_goals.storage.poolers import check_sessions

CONNECT_SECONDS = 10
# Between two tries of a connect that waits for a database to come up.
POLL_SECONDS = 0.5
STATEMENT_SECONDS = 600
# How long a replace waits for another one's lock before it gives up with 55P03.
LOCK_SECONDS = 60

_LIMITS = {
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "lock_timeout": f"{LOCK_SECONDS}s",
    "idle_in_transaction_session_timeout": "600s",
}
# Addresses that have been found to give each client a session of its own, by this process.
_checked_urls: set[str] = set()
_log = logging.getLogger("perfcopilot_goals")


class ConnectFailed(Exception):
    """A connect failed, for good or for longer than it is waited for. Has nothing of what the driver said."""

    def __init__(self, cause: Cause, waited_seconds: float) -> None:
        super().__init__(cause.said)
        self.cause = cause
        self.waited_seconds = waited_seconds


def open_session(url: str, monotonic: Callable[[], float], sleep: Callable[[float], None]) -> psycopg.Connection:
    """A connection that has no transaction open; `ConnectFailed`, or `GoalsConfigError` behind a transaction pooler.

    A database that is starting or waking is waited for, and a line on stderr or in the log says so.
    """
    began = monotonic()
    told: Cause | None = None
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
        left = cause.wait_seconds - waited
        if left <= 0:
            # Raised out here: the driver's error quotes names and addresses, and would come along as the context.
            raise ConnectFailed(cause, waited)
        if cause is not told:
            _log.warning(f"{cause.said[0].upper()}{cause.said[1:]}; waiting up to {left:.0f} seconds for it.")
            told = cause
        sleep(min(POLL_SECONDS, left))
        # What holds the line while it wakes the database is not cut off again and again.
        patience = max(CONNECT_SECONDS, int(left))


def _parameters(url: str, connect_timeout: int) -> dict[str, Any]:
    parameters: dict[str, Any] = {"connect_timeout": connect_timeout, "application_name": "perfcopilot_goals"}
    # Said also where there are none, so that PGOPTIONS of the environment does not count.
    parameters |= {"options": ""} | conninfo_to_dict(url) | {"client_encoding": "UTF8"}
    # No prepared statements: behind a pooler a session may have those of somebody before.
    return parameters | {"autocommit": True, "prepare_threshold": None}


def _begin_session(conn: psycopg.Connection, url: str, parameters: dict[str, Any]) -> None:
    """Give the session our limits and UTC, once it is known to be ours alone."""

    @contextmanager
    def another() -> Iterator[psycopg.Connection]:
        with psycopg.connect(**parameters) as other, ended_after(other, float(parameters["connect_timeout"])):
            yield other

    with ended_after(conn, 3 * CONNECT_SECONDS):
        if url not in _checked_urls:
            check_sessions(conn, another)
            _checked_urls.add(url)
        # Not as `options` of the start-up, which poolers refuse.
        conn.execute(_session_settings(str(parameters["options"])))
    conn.autocommit = False


def _session_settings(options: str) -> sql.Composed:
    """Our limits, except those that the URL's `options` say; UTC whatever they say."""
    said = {name.lower().replace("-", "_") for name in re.findall(r"(?:-c\s*|--)([\w.-]+)\s*=", options)}
    settings = {name: value for name, value in _LIMITS.items() if name not in said} | {"timezone": "UTC"}
    return sql.SQL("; ").join(
        sql.SQL("set {} = {}").format(sql.Identifier(name), value) for name, value in settings.items()
    )


@contextmanager
def ended_after(conn: psycopg.Connection, seconds: float) -> Iterator[None]:
    """Cut the line when the time is up; whoever waits on it then gets the error of a closed connection."""
    with socket.socket(fileno=os.dup(conn.fileno())) as line:
        timer = threading.Timer(seconds, line.shutdown, [socket.SHUT_RDWR])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()

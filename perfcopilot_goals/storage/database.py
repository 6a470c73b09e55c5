"""Which Postgres, and a connection to it.

All SQL of the product runs on connections from here: with time limits, in UTC, and with every error of the driver
turned into ours. A driver's message quotes rows, parameters and addresses, so only its SQLSTATE gets out.
"""

import logging
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from perfcopilot_goals.errors import GoalsConfigError, GoalsStoreError
from perfcopilot_goals.storage.connect_errors import URL, Cause, connect_failure, find_cause
from perfcopilot_goals.storage.poolers import check_sessions

SCHEMA = "perfcopilot_goals"
DAGSTER_SCHEMA = "perfcopilot_dagster"

CONNECT_SECONDS = 10
# Between two tries of a connect that waits for a database to come up.
POLL_SECONDS = 0.5
STATEMENT_SECONDS = 600
# Above the server's own limits: a line that takes what we say and never answers ends here.
CONNECTION_SECONDS = 900
# How long a replace waits for another one's lock before it gives up with 55P03.
LOCK_SECONDS = 60
OLDEST_SERVER = 120000

_log = logging.getLogger("perfcopilot_goals")

_LIMITS = {
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "lock_timeout": f"{LOCK_SECONDS}s",
    "idle_in_transaction_session_timeout": "600s",
}
# Addresses that have been found to give each client a session of its own, by this process.
_checked_urls: set[str] = set()

_ENCODE = "Percent-encode the special characters of the password: %40 for @, %2F for /, %3A for :, %25 for %"


@dataclass(frozen=True, repr=False)
class Database:
    """A Postgres database by its `postgresql://` URL, which holds a password and is therefore never printed."""

    url: str
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    @property
    def password(self) -> str:
        """The password in the URL; "" if there is none."""
        return str(conninfo_to_dict(self.url).get("password") or "")

    @contextmanager
    def connect(
        self, doing: str, *, autocommit: bool = False, seconds: float = CONNECTION_SECONDS
    ) -> Iterator[psycopg.Connection]:
        """A connection whose transaction commits when the block ends and rolls back when it raises.

        `doing` says in an error what was attempted. The connection is closed in every case, and cut after so many
        seconds.
        """
        connection = self.open(doing, autocommit=autocommit)
        try:
            with _as_store_errors(doing), _ended_after(connection, seconds), connection:
                _check_server(connection)
                yield connection
        finally:
            connection.close()

    def open(self, doing: str, *, autocommit: bool = False) -> psycopg.Connection:
        """A connection for whoever has transactions of their own; `GoalsStoreError` by the cause where it fails.

        A database that is starting or waking is waited for, and a line on stderr or in the log says so.
        """
        began = self.monotonic()
        told: Cause | None = None
        patience = CONNECT_SECONDS
        while True:
            parameters = self._parameters(patience)
            try:
                conn = psycopg.connect(**parameters)
            except (psycopg.Error, UnicodeError) as error:
                cause = find_cause(error)
            else:
                try:
                    self._begin_session(conn, parameters)
                    conn.autocommit = autocommit
                    return conn
                except psycopg.Error as error:
                    conn.close()
                    cause = find_cause(error, is_logged_in=True)
                except BaseException:
                    conn.close()
                    raise
            waited = self.monotonic() - began
            left = cause.wait_seconds - waited
            if left <= 0:
                # Raised out here: the driver's error quotes names and addresses, and would come along as the context.
                raise connect_failure(doing, cause, waited)
            if cause is not told:
                _log.warning(f"{cause.said[0].upper()}{cause.said[1:]}; waiting up to {left:.0f} seconds for it.")
                told = cause
            self.sleep(min(POLL_SECONDS, left))
            # What holds the line while it wakes the database is not cut off again and again.
            patience = max(CONNECT_SECONDS, int(left))

    def _parameters(self, connect_timeout: int) -> dict[str, Any]:
        parameters: dict[str, Any] = {"connect_timeout": connect_timeout, "application_name": "perfcopilot_goals"}
        # Said also where there are none, so that PGOPTIONS of the environment does not count.
        parameters |= {"options": ""} | conninfo_to_dict(self.url) | {"client_encoding": "UTF8"}
        # No prepared statements: behind a pooler a session may have those of somebody before.
        return parameters | {"autocommit": True, "prepare_threshold": None}

    def _begin_session(self, conn: psycopg.Connection, parameters: dict[str, Any]) -> None:
        """Give the session our limits and UTC, once it is known to be ours alone."""

        @contextmanager
        def another() -> Iterator[psycopg.Connection]:
            with psycopg.connect(**parameters) as other, _ended_after(other, float(parameters["connect_timeout"])):
                yield other

        with _ended_after(conn, 3 * CONNECT_SECONDS):
            if self.url not in _checked_urls:
                check_sessions(conn, another)
                _checked_urls.add(self.url)
            # Not as `options` of the start-up, which poolers refuse.
            conn.execute(_session_settings(str(parameters["options"])))


def _session_settings(options: str) -> sql.Composed:
    """Our limits, except those that the URL's `options` say; UTC whatever they say."""
    said = {name.lower().replace("-", "_") for name in re.findall(r"(?:-c\s*|--)([\w.-]+)\s*=", options)}
    settings = {name: value for name, value in _LIMITS.items() if name not in said} | {"timezone": "UTC"}
    return sql.SQL("; ").join(
        sql.SQL("set {} = {}").format(sql.Identifier(name), value) for name, value in settings.items()
    )


def parse_database_url(url: str) -> str:
    """The URL as libpq takes it, from `postgres://` or `postgresql://`, with or without a driver's name."""
    plain = re.sub(r"\Apostgres(ql)?(\+[a-z0-9_]+)?://", "postgresql://", url)
    if re.match("postgresql://[^/?]*@[^/?]*@", plain):
        raise GoalsConfigError(f"{URL} has more than one @ before its host. {_ENCODE}")
    if not plain.startswith("postgresql://") or not _is_understood(plain):
        raise GoalsConfigError(
            f"{URL} is not a Postgres URL (postgresql://user:password@host:5432/database). {_ENCODE}"
        )
    return plain


def _is_understood(url: str) -> bool:
    """Whether libpq can read it. Its own error, which quotes the URL with its password, ends here."""
    try:
        given = conninfo_to_dict(url)
    except (ValueError, psycopg.Error):
        return False
    # libpq looks at the port only when it connects. An unescaped / in the password makes its beginning the port.
    ports = str(given.get("port") or "").split(",")
    return all(not port or (re.fullmatch("[0-9]{1,5}", port) and 0 < int(port) < 65536) for port in ports)


def _check_server(connection: psycopg.Connection) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise GoalsConfigError(
            f"the database's encoding is {encoding}, which cannot hold every goal's text; use a database made with UTF8"
        )
    if connection.info.server_version < OLDEST_SERVER:
        raise GoalsConfigError(
            f"Postgres {connection.info.server_version // 10000} is too old; use {OLDEST_SERVER // 10000} or newer"
        )


@contextmanager
def _ended_after(connection: psycopg.Connection, seconds: float) -> Iterator[None]:
    """Cut the line when the time is up; whoever waits on it then gets the error of a closed connection."""
    with socket.socket(fileno=os.dup(connection.fileno())) as line:
        timer = threading.Timer(seconds, line.shutdown, [socket.SHUT_RDWR])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


@contextmanager
def _as_store_errors(doing: str) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        state = error.sqlstate or ""
        reason = f"SQLSTATE {state} ({type(error).__name__})" if state else "no answer"
        action = f"Check {URL} and that Postgres runs" if state[:2] in ("", "08", "28", "3D", "57") else None
        failure = GoalsStoreError(f"{doing}: Postgres said {reason}", state, action=action)
        try:
            raise failure
        finally:
            # Not even as a context, which `from None` only hides: the driver's error quotes rows.
            failure.__context__ = None

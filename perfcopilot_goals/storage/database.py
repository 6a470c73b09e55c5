"""Which Postgres, and a connection to it.

All SQL of the product runs on connections from here: with time limits, in UTC, and with every error of the driver
turned into ours. A driver's message quotes rows, parameters and addresses, so only its SQLSTATE gets out.
"""

import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from perfcopilot_goals.errors import GoalsConfigError, GoalsStoreError

SCHEMA = "perfcopilot_goals"
DAGSTER_SCHEMA = "perfcopilot_dagster"

CONNECT_SECONDS = 10
STATEMENT_SECONDS = 600
# Above the server's own limits: a line that takes what we say and never answers ends here.
CONNECTION_SECONDS = 900
# How long a replace waits for another one's lock before it gives up with 55P03.
LOCK_SECONDS = 60
OLDEST_SERVER = 120000

_LIMITS = (
    f"-c statement_timeout={STATEMENT_SECONDS}s -c lock_timeout={LOCK_SECONDS}s "
    "-c idle_in_transaction_session_timeout=600s"
)


@dataclass(frozen=True, repr=False)
class Database:
    """A Postgres database by its `postgresql://` URL, which holds a password and is therefore never printed."""

    url: str

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
        with _as_store_errors(doing):
            connection = self.open(autocommit=autocommit)
        try:
            with _as_store_errors(doing), _ended_after(connection, seconds), connection:
                _check_server(connection)
                yield connection
        finally:
            connection.close()

    def open(self, *, autocommit: bool = False) -> psycopg.Connection:
        """A connection for a library that has transactions of its own; its errors are the driver's.

        What the URL says, its `options` too, goes before our limits, but not before UTC and UTF-8.
        """
        given = conninfo_to_dict(self.url)
        parameters: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS, "application_name": "perfcopilot_goals"}
        parameters |= given
        parameters["options"] = f"{_LIMITS} {given.get('options', '')} -c timezone=UTC"
        return psycopg.connect(**parameters | {"client_encoding": "UTF8"}, autocommit=autocommit)


def parse_database_url(url: str) -> str:
    """The URL as libpq takes it, from `postgres://` or `postgresql://`, with or without a driver's name."""
    plain = re.sub(r"\Apostgres(ql)?(\+[a-z0-9_]+)?://", "postgresql://", url)
    if plain.startswith("postgresql://") and _is_understood(plain):
        return plain
    raise GoalsConfigError(
        "PERFCOPILOT_DATABASE_URL is not a Postgres URL (postgresql://user:password@host:5432/database; "
        "percent-encode special characters of the password)"
    )


def _is_understood(url: str) -> bool:
    """Whether libpq can read it. Its own error, which quotes the URL with its password, ends here."""
    try:
        conninfo_to_dict(url)
    except (ValueError, psycopg.Error):
        return False
    return True


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
        advice = (
            "check PERFCOPILOT_DATABASE_URL and that Postgres runs" if state[:2] in ("", "08", "28", "3D", "57") else ""
        )
        failure = GoalsStoreError(f"{doing}: Postgres said {reason}" + (f"; {advice}" if advice else ""), state)
        try:
            raise failure
        finally:
            # Not even as a context, which `from None` only hides: the driver's error quotes rows.
            failure.__context__ = None

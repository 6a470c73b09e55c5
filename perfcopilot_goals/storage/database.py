"""Which Postgres, and connections to it.

All SQL of the product runs on connections from here: pooled, with time limits, in UTC, and with every error of the
driver turned into ours. A driver's message quotes rows, parameters and addresses, so only its SQLSTATE gets out.

Statements are SQLAlchemy's, over the tables of `schemas.sql_tables`. COPY, DDL, Dagster's rows and what reads the
catalog are plain SQL on the driver's own connection (`driver`).
"""

import atexit
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import cast

import psycopg
import sqlalchemy as sa
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus

from perfcopilot_goals.errors import GoalsConfigError, GoalsError, GoalsStoreError
from perfcopilot_goals.storage.connect_errors import URL, connect_failure
from perfcopilot_goals.storage.sessions import ConnectFailed, ended_after, open_session

DAGSTER_SCHEMA = "perfcopilot_dagster"

# Above the server's own limits: a line that takes what we say and never answers ends here.
CONNECTION_SECONDS = 900
OLDEST_SERVER = 120000
# Idle connections that are kept. One that is older is not used again: a firewall that forgets idle lines (after four
# minutes at the earliest) does not say so, and whoever then asks waits for a quarter of an hour.
KEPT_CONNECTIONS = 2
KEPT_SECONDS = 120

_ENCODE = "Percent-encode the special characters of the password: %40 for @, %2F for /, %3A for :, %25 for %"


@dataclass(frozen=True, repr=False)
class Database:
    """A Postgres database by its `postgresql://` URL, which holds a password and is therefore never printed.

    Equal ones share their connections, in one process.
    """

    url: str
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    @property
    def password(self) -> str:
        """The password in the URL; "" if there is none."""
        return str(conninfo_to_dict(self.url).get("password") or "")

    @contextmanager
    def connect(
        self,
        doing: str,
        *,
        autocommit: bool = False,
        snapshot: bool = False,
        own: bool = False,
        seconds: float = CONNECTION_SECONDS,
    ) -> Iterator[sa.Connection]:
        """A connection whose transaction commits when the block ends and rolls back when it raises.

        `doing` says in an error what was attempted. With `autocommit` each statement commits by itself. With
        `snapshot` the block only reads, all as of one moment. Afterwards the connection is kept for the next block. An
        `own` one is closed instead, and ends a lock of its session with it. Any is cut after so many seconds.
        """
        conn = self._check_out(doing)
        try:
            session = driver(conn)
            if autocommit:
                conn.execution_options(isolation_level="AUTOCOMMIT")
            if snapshot:
                conn.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            if own:
                conn.detach()
            with (
                _as_store_errors(doing),
                ended_after(session, seconds),
                nullcontext() if autocommit else _transaction(conn),
            ):
                _check_server(session)
                yield conn
        finally:
            if session.info.transaction_status != TransactionStatus.IDLE:
                # The line is lost, or an interrupt left it in the middle of a statement.
                conn.invalidate()
            conn.close()

    def close(self) -> None:
        """Close the connections that are kept. Whoever asks for one later gets a new one."""
        engine = _engines.pop((os.getpid(), self), None)
        if engine is not None:
            engine.dispose()

    def _check_out(self, doing: str) -> sa.Connection:
        failure: GoalsError
        try:
            with _as_store_errors(doing):
                return self._engine().connect()
        except ConnectFailed as failed:
            failure = connect_failure(doing, failed.cause, failed.waited_seconds)
        except GoalsError as error:
            failure = error
            failure.__context__ = None
        raise failure

    def _engine(self) -> sa.Engine:
        key = (os.getpid(), self)
        if key not in _engines:
            engine = sa.create_engine(
                "postgresql+psycopg://",
                creator=lambda: open_session(self.url, self.monotonic, self.sleep),
                pool_pre_ping=True,
                pool_size=KEPT_CONNECTIONS,
                max_overflow=-1,
                pool_recycle=KEPT_SECONDS,
                pool_use_lifo=True,
                hide_parameters=True,
                use_native_hstore=False,
            )
            # Another thread may have been first. This one has no connections yet, so that nothing is lost with it.
            _engines.setdefault(key, engine)
        return _engines[key]


# By process: a child that was forked must not use, nor close, the connections of its parent.
_engines: dict[tuple[int, Database], sa.Engine] = {}


@atexit.register
def _close_all() -> None:
    for pid, database in list(_engines):
        if pid == os.getpid():
            database.close()


def driver(conn: sa.Connection) -> psycopg.Connection:
    """The driver's connection, in the same transaction: for COPY, cursors on the server and SQL that is text."""
    return cast("psycopg.Connection", conn.connection.dbapi_connection)


@contextmanager
def _transaction(conn: sa.Connection) -> Iterator[None]:
    transaction = conn.begin()
    try:
        yield
        transaction.commit()
    except BaseException:
        # What went wrong says more than that the line was lost, too.
        with suppress(sa.exc.DBAPIError):
            transaction.rollback()
        raise


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


def _check_server(session: psycopg.Connection) -> None:
    encoding = session.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise GoalsConfigError(
            f"the database's encoding is {encoding}, which cannot hold every goal's text; use a database made with UTF8"
        )
    if session.info.server_version < OLDEST_SERVER:
        raise GoalsConfigError(
            f"Postgres {session.info.server_version // 10000} is too old; use {OLDEST_SERVER // 10000} or newer"
        )


@contextmanager
def _as_store_errors(doing: str) -> Iterator[None]:
    try:
        yield
    except (psycopg.Error, sa.exc.DBAPIError) as error:
        raised = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        state = getattr(raised, "sqlstate", None) or ""
        reason = f"SQLSTATE {state} ({type(raised).__name__})" if state else "no answer"
        action = f"Check {URL} and that Postgres runs" if state[:2] in ("", "08", "28", "3D", "57") else None
        failure = GoalsStoreError(f"{doing}: Postgres said {reason}", state, action=action)
        try:
            raise failure
        finally:
            # Not even as a context, which `from None` only hides: the driver's error quotes rows.
            failure.__context__ = None

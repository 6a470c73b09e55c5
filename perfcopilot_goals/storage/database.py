"""Which Postgres, and connections to it.

All SQL of the product runs on connections from here. They are pooled, have time limits, and are in UTC. Every error of
the driver becomes one of ours: its message quotes rows, parameters and addresses, so only its SQLSTATE gets out.

Statements are SQLAlchemy's, over the tables of `schemas.tables`. COPY, DDL, Dagster's rows and reads of the catalog
are plain SQL on the driver's own connection (`driver`).
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
from perfcopilot_goals.storage.sessions import NO_LIMITS, ConnectFailed, ended_after, open_session

DAGSTER_SCHEMA = "perfcopilot_dagster"

# Above the server's own limits. It ends a line that takes our statements and never responds.
CONNECTION_SECONDS = 900
MAINTENANCE_SECONDS = 24 * 3600.0
OLDEST_SERVER = 120000
# How many idle connections are kept, and for how long. A firewall forgets idle lines without saying so, after four
# minutes at the earliest; the next statement on such a line would wait for a quarter of an hour.
KEPT_CONNECTIONS = 2
KEPT_SECONDS = 120

_ENCODE = "Percent-encode the special characters of the password: %40 for @, %2F for /, %3A for :, %25 for %"


@dataclass(frozen=True, repr=False)
class Database:
    """A Postgres database by its `postgresql://` URL. The URL holds a password, so it is never printed.

    Within a process, equal databases share their connections.
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
        maintenance: bool = False,
        seconds: float = CONNECTION_SECONDS,
    ) -> Iterator[sa.Connection]:
        """A connection whose transaction commits when the block ends and rolls back when it raises.

        `doing` says in an error what was attempted. With `autocommit` each statement commits by itself. With
        `snapshot` the block only reads, all as of one moment. Afterwards the connection is kept for the next block. An
        `own` one is closed instead, and a lock of its session ends with it. After `seconds` the connection is cut.
        With `maintenance` it is an own one whose statements and waits take as long as they need, up to a day.
        """
        conn = self._check_out(doing)
        try:
            session = driver(conn)
            if autocommit:
                conn.execution_options(isolation_level="AUTOCOMMIT")
            if snapshot:
                conn.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            if own or maintenance:
                conn.detach()
            with (
                as_store_errors(doing),
                ended_after(session, MAINTENANCE_SECONDS if maintenance else seconds),
                nullcontext() if autocommit else _transaction(conn),
            ):
                _check_server(session)
                if maintenance:
                    session.execute(NO_LIMITS)
                yield conn
        finally:
            if session.info.transaction_status != TransactionStatus.IDLE:
                # The line is lost, or an interrupt left it in the middle of a statement.
                conn.invalidate()
            conn.close()

    def close(self) -> None:
        """Close the idle connections. The next `connect` opens a new one."""
        engine = _engines.pop((os.getpid(), self), None)
        if engine is not None:
            engine.dispose()

    def _check_out(self, doing: str) -> sa.Connection:
        try:
            with as_store_errors(doing):
                return self._engine().connect()
        except GoalsError as error:
            # It may have been raised while the pool dropped a lost connection, whose error quotes the address.
            error.__context__ = None
            raise

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
            # Another thread may have been first. The engine that is dropped then has no connections yet.
            _engines.setdefault(key, engine)
        return _engines[key]


# One per process: a forked child must neither use nor close its parent's connections.
_engines: dict[tuple[int, Database], sa.Engine] = {}


@atexit.register
def _close_all() -> None:
    for pid, database in list(_engines):
        if pid == os.getpid():
            database.close()


def driver(conn: sa.Connection) -> psycopg.Connection:
    """The driver's connection, in the same transaction: for COPY, server-side cursors and plain SQL."""
    return cast("psycopg.Connection", conn.connection.dbapi_connection)


def has_table(conn: sa.Connection, schema: str, table: str) -> bool:
    """Whether the table exists."""
    return bool(conn.scalar(sa.select(sa.func.to_regclass(f"{schema}.{table}").is_not(None))))


@contextmanager
def _transaction(conn: sa.Connection) -> Iterator[None]:
    transaction = conn.begin()
    try:
        yield
        transaction.commit()
    except BaseException:
        # The first error says more than a failing rollback does: that the line is lost, too.
        with suppress(sa.exc.DBAPIError):
            transaction.rollback()
        raise


def parse_database_url(url: str) -> str:
    """The URL as libpq takes it. The given one begins with `postgres://` or `postgresql://`, and may name a driver."""
    plain = re.sub(r"\Apostgres(ql)?(\+[a-z0-9_]+)?://", "postgresql://", url)
    if re.match("postgresql://[^/?]*@[^/?]*@", plain):
        raise GoalsConfigError(f"{URL} has more than one @ before its host", action=_ENCODE)
    if not plain.startswith("postgresql://") or not _is_understood(plain):
        raise GoalsConfigError(
            f"{URL} is not a Postgres URL (postgresql://user:password@host:5432/database)", action=_ENCODE
        )
    return plain


def _is_understood(url: str) -> bool:
    """Whether libpq can read the URL. libpq's own error quotes the URL with its password, so it ends here."""
    try:
        given = conninfo_to_dict(url)
    except (ValueError, psycopg.Error):
        return False
    # libpq checks the port only when it connects. If the password has an unescaped /, the port is part of the password.
    ports = str(given.get("port") or "").split(",")
    return all(not port or (re.fullmatch("[0-9]{1,5}", port) and 0 < int(port) < 65536) for port in ports)


def _check_server(session: psycopg.Connection) -> None:
    encoding = session.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise GoalsConfigError(
            f"the database's encoding is {encoding}, which cannot hold every goal's text",
            action="Use a database made with UTF8",
        )
    if session.info.server_version < OLDEST_SERVER:
        raise GoalsConfigError(
            f"Postgres {session.info.server_version // 10000} is too old",
            action=f"Use {OLDEST_SERVER // 10000} or newer",
        )


@contextmanager
def as_store_errors(doing: str) -> Iterator[None]:
    """Errors of a driver and of SQLAlchemy become `GoalsStoreError`; `doing` says in it what was attempted.

    A value that Postgres cannot hold is `GoalsConfigError`: somebody typed it.
    """
    try:
        yield
        return
    except ConnectFailed as failed:
        failure: GoalsError = connect_failure(doing, failed.cause, failed.waited_seconds)
    except UnicodeEncodeError:
        failure = _unstorable(doing)
    except (psycopg.Error, sa.exc.DBAPIError) as error:
        raised = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        # Dagster's driver, psycopg2, calls it `pgcode`.
        state = getattr(raised, "sqlstate", None) or getattr(raised, "pgcode", None) or ""
        reason = f"Postgres said SQLSTATE {state} ({type(raised).__name__})" if state else "Postgres did not respond"
        action = f"Check {URL} and that Postgres runs" if state[:2] in ("", "08", "28", "3D", "57") else None
        failure = GoalsStoreError(f"{doing}: {reason}", state, action=action)
        if isinstance(raised, psycopg.DataError) and not state:
            # The driver itself refused the value. Its text says why, and is not passed on.
            failure = GoalsStoreError(f"{doing}: the driver cannot convert a value", "22000")
            failure = _unstorable(doing) if "NUL" in str(raised) else failure
    try:
        raise failure
    finally:
        # The driver's error quotes rows. `from None` would only hide it; this drops it.
        failure.__context__ = None


def _unstorable(doing: str) -> GoalsConfigError:
    return GoalsConfigError(
        f"{doing}: a given value has characters that Postgres cannot hold (U+0000, or bytes that are not UTF-8)",
        action="Give it without them",
    )

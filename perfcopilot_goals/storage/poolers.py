"""A pooler between us and Postgres: whether a session of ours stays one.

Locks, time limits and the search path are a session's. A pooler in session mode (PgBouncer's default) gives each client
a session of Postgres until it leaves, and everything works. In transaction mode the next transaction may be another
session's: a token's lock would exclude nobody and stay behind. Such an address is refused before anything is written.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

import psycopg

from perfcopilot_goals.errors import GoalsConfigError

_ROUNDS = 3
# The session, and the number in it of the transaction that asks.
_PLACE = (
    "select pid, split_part(virtualtransaction, '/', 2)::bigint from pg_locks "
    "where pid = pg_backend_pid() and locktype = 'virtualxid'"
)
_STATEMENT_MODE = "transaction blocks not allowed"


def check_sessions(
    conn: psycopg.Connection, open_another: Callable[[], AbstractContextManager[psycopg.Connection]]
) -> None:
    """Raise `GoalsConfigError` if a connection like these does not keep a session of Postgres to itself.

    Both are in autocommit. One query tells who is connected to Postgres itself: a pooler makes up the number of the
    session that it names at the login.
    """
    pid, _ = _place(conn)
    if pid == conn.info.backend_pid:
        return
    with open_another() as other:
        if _share_sessions(conn, other):
            raise GoalsConfigError(
                "the database's address is that of a connection pooler in transaction mode, where locks do not hold; "
                "nothing was written",
                action="Use the direct address of Postgres, or the pooler in session mode, in PERFCOPILOT_DATABASE_URL "
                "(PgBouncer: pool_mode = session; hosted: often another port, or the host without -pooler)",
            )


def _share_sessions(one: psycopg.Connection, other: psycopg.Connection) -> bool:
    """Whether the session of `one` is ever another, or somebody else's between two of its transactions.

    A pooler without other clients would give the one the same session each time, so the other takes it away: with its
    transaction open it has the session that was given back last, or, of a pooler that hands them out in turn, the one
    at whose turn the other comes; that is why it goes on by more of them in each round. Where many clients take and
    give back sessions all the time, theirs are the transactions that come between.
    """
    try:
        for turns in range(_ROUNDS):
            pid, number = _place(one)
            if any(_place(other)[0] == pid for _ in range(turns)):
                return True
            with other.transaction():
                # Asked first: of a pooler's only session the one would never get its turn.
                if _place(other)[0] == pid or _place(one) != (pid, number + 1):
                    return True
    except psycopg.Error as error:
        if _STATEMENT_MODE in str(error):
            return True
        # In session mode the one has the pooler's last session, and the other waits for it in vain.
        raise psycopg.errors.TooManyConnections("too many connections") from None
    return False


def _place(conn: psycopg.Connection) -> tuple[int, int]:
    pid, number = conn.execute(_PLACE).fetchone() or (0, 0)
    return pid, number

"""A pooler between us and Postgres: whether it leaves each of our connections its own session.

Locks, time limits and the search path belong to a session. A pooler in session mode (PgBouncer's default) gives each
client one session of Postgres until it leaves, and everything works. In transaction mode the next transaction may run
in another session: a token's lock would keep nobody out and stay behind. Such an address is refused before anything is
written.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

import psycopg

from perfcopilot_goals.errors import GoalsConfigError

_ROUNDS = 3
# The session that answers, and the number of this transaction in it.
_PLACE = (
    "select pid, split_part(virtualtransaction, '/', 2)::bigint from pg_locks "
    "where pid = pg_backend_pid() and locktype = 'virtualxid'"
)
_STATEMENT_MODE = "transaction blocks not allowed"


def check_sessions(
    conn: psycopg.Connection, open_another: Callable[[], AbstractContextManager[psycopg.Connection]]
) -> None:
    """Raise `GoalsConfigError` if a connection like these does not keep a session of Postgres to itself.

    Both are in autocommit. Without a pooler one query is enough: the session's number is the one named at the login,
    and a pooler makes up another one there.
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

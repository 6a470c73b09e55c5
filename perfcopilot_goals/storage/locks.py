"""Who may go on and who waits, across processes and machines: Postgres' advisory locks."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa

from perfcopilot_goals.errors import AsanaUnavailableError
from perfcopilot_goals.storage.database import Database

WAIT_SECONDS = 30 * 60.0
POLL_SECONDS = 2.0
# How often a waiting sync says that it still waits.
REPORT_SECONDS = 30.0
# The longest run (`max_runtime_seconds` in dagster.yaml) and the wait before it.
HELD_SECONDS = 4 * 3600.0


def lock_slices(conn: sa.Connection, connection: str) -> None:
    """Keep everybody else from replacing or removing a slice of the connection until the transaction ends."""
    conn.execute(sa.select(sa.func.pg_advisory_xact_lock(_key(f"slice {connection}"))))


def lock_roster(conn: sa.Connection, connection: str) -> None:
    """Keep everybody else from reading and then changing the connection's roster until the transaction ends."""
    conn.execute(sa.select(sa.func.pg_advisory_xact_lock(_key(f"roster {connection}"))))


@contextmanager
def token_lock(
    database: Database,
    token_identity: str,
    *,
    wait_seconds: float = WAIT_SECONDS,
    on_wait: Callable[[float], None] = lambda _: None,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """Hold the token. Asana's limits are per token: two syncs that each keep to them would break them together.

    The lock has a database connection of its own, without a transaction, and ends with it, also when the process dies.
    While another sync has the token, `on_wait` hears how many seconds this one has waited: at once, and every half
    minute. After `wait_seconds` comes `AsanaUnavailableError`.
    """
    key = _key(f"token {token_identity}")
    with database.connect("waiting for the token", autocommit=True, seconds=HELD_SECONDS, own=True) as conn:
        began = report_at = monotonic()
        while not conn.scalar(sa.select(sa.func.pg_try_advisory_lock(key))):
            now = monotonic()
            if now - began >= wait_seconds:
                raise AsanaUnavailableError(
                    f"another sync has been using the same token for {wait_seconds / 60:.0f} minutes; "
                    "nothing was pulled",
                    action="Run this one again later",
                )
            if now >= report_at:
                on_wait(now - began)
                report_at = now + REPORT_SECONDS
            sleep(POLL_SECONDS)
        try:
            yield
        finally:
            # Unlocked at once, since a pooler may end the session later. If the line is lost, Postgres has ended it.
            with suppress(sa.exc.DBAPIError):
                conn.execute(sa.select(sa.func.pg_advisory_unlock(key)))


def _key(what: str) -> sa.ColumnElement[int]:
    return sa.func.hashtextextended(f"perfcopilot_goals {what}", 0)
